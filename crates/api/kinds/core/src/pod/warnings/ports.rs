//! Ports of a pod's containers that mean the same port, or have the same name.

use std::collections::BTreeMap;

use api_meta::field::Path;
use api_meta::quote::go;
use api_types::core::v1::{ContainerPort, PodSpec};

use super::each;

pub(super) fn overlapping(out: &mut Vec<String>, spec: &PodSpec, path: &Path) {
    let mut all: BTreeMap<(i32, &str), Vec<(Path, &ContainerPort)>> = BTreeMap::new();
    each(spec, path, |container, place| {
        for (index, port) in container.ports.iter().enumerate() {
            let at = place.child("ports").index(index);
            if !port.host_ip.is_empty() && port.host_port == 0 {
                out.push(format!(
                    "{at}: hostIP set without hostPort: {{Name:{} HostPort:{} ContainerPort:{} Protocol:{} HostIP:{}}}",
                    port.name, port.host_port, port.container_port, port.protocol, port.host_ip
                ));
            }
            let others = all.entry((port.container_port, &port.protocol)).or_default();
            for (other_at, other) in others.iter() {
                if let Some(word) = conflict(port, other) {
                    out.push(format!("{at}: {word} port definition with {other_at}"));
                }
            }
            others.push((at, port));
        }
    });
    let mut names: BTreeMap<&str, Path> = BTreeMap::new();
    each(spec, path, |container, place| {
        for (index, port) in container.ports.iter().enumerate().filter(|(_, port)| !port.name.is_empty()) {
            let at = place.child("ports").index(index);
            match names.get(port.name.as_str()) {
                Some(other) => out.push(format!(
                    "{at}: duplicate port name {} with {other}, services and probes that select ports by name will use {other}",
                    go(&port.name)
                )),
                None => drop(names.insert(&port.name, at)),
            }
        }
    });
}

/// How two ports of one number and protocol get in each other's way.
fn conflict(port: &ContainerPort, other: &ContainerPort) -> Option<&'static str> {
    if (&port.host_ip, port.host_port) == (&other.host_ip, other.host_port) {
        Some("duplicate")
    } else if port.host_port == 0 || other.host_port == 0 {
        // Redundant, not dangerous.
        Some("overlapping")
    } else if port.host_port == other.host_port && port.host_ip.is_empty() != other.host_ip.is_empty() {
        Some("dangerously ambiguous")
    } else {
        None
    }
}
