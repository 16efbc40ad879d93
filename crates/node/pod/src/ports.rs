//! Ports of the node that a pod wants for itself: one who got them before keeps them, and a pod that comes later is refused. The
//! scheduler sees to that for pods that it places; others say themselves where they run.
//!
//! Upstream: kubelet's predicates at admission (`pkg/kubelet/lifecycle/predicate.go`), of which this is `NodePorts`.

use api_types::core::v1::{ContainerPort, Pod};

use crate::record::Verdict;

/// Why a pod must not start beside these others of its node, if it must not. Of pods that came together, the older one has the ports.
pub fn verdict<'a>(pod: &Pod, others: impl Iterator<Item = &'a Pod>) -> Option<Verdict> {
    let wanted: Vec<&ContainerPort> = of(pod).collect();
    let takes = |other: &Pod| of(other).any(|port| wanted.iter().any(|own| conflict(own, port)));
    let mut before = others.filter(|other| is_before(other, pod));
    before.any(takes).then(|| Verdict {
        reason: "NodePorts".to_owned(),
        message: "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
            .to_owned(),
    })
}

/// Whether another pod, which has not ended, has its place before this one, which is new.
fn is_before(other: &Pod, pod: &Pod) -> bool {
    let age = |pod: &Pod| (pod.metadata.creation_timestamp, pod.metadata.uid.clone());
    let has_ended = matches!(other.status.phase.as_str(), "Succeeded" | "Failed");
    let has_started = other.status.phase == "Running";
    other.metadata.uid != pod.metadata.uid && !has_ended && (has_started || age(other) < age(pod))
}

/// The ports of the node that a pod's containers and sidecars want.
fn of(pod: &Pod) -> impl Iterator<Item = &ContainerPort> {
    let inits = pod.spec.init_containers.iter();
    let sidecars = inits.filter(|init| init.restart_policy.as_deref() == Some("Always"));
    let ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    ports.filter(|port| port.host_port > 0)
}

fn conflict(one: &ContainerPort, other: &ContainerPort) -> bool {
    let is_any = |port: &ContainerPort| matches!(port.host_ip.as_str(), "" | "0.0.0.0");
    let protocol =
        |port: &ContainerPort| if port.protocol.is_empty() { "TCP".into() } else { port.protocol.clone() };
    one.host_port == other.host_port
        && protocol(one) == protocol(other)
        && (one.host_ip == other.host_ip || is_any(one) || is_any(other))
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Container;
    use base::time::Time;

    use super::*;

    fn pod(uid: &str, created: i64, phase: &str, (address, port): (&str, i32)) -> Pod {
        let port = ContainerPort { host_port: port, host_ip: address.into(), ..ContainerPort::default() };
        let mut pod = Pod::default();
        pod.metadata.uid = uid.into();
        pod.metadata.creation_timestamp = Some(Time::from_unix_seconds(created).into());
        pod.status.phase = phase.into();
        pod.spec.containers = vec![Container { ports: vec![port], ..Container::default() }].into();
        pod
    }

    #[test]
    fn who_comes_later_finds_the_port_taken() {
        let new = pod("new", 10, "Pending", ("", 80));
        for (other, refused) in [
            (pod("other", 20, "Running", ("", 80)), true),
            (pod("other", 5, "Pending", ("10.0.0.1", 80)), true),
            (pod("other", 20, "Pending", ("", 80)), false),
            (pod("other", 5, "Failed", ("", 80)), false),
            (pod("other", 5, "Running", ("", 81)), false),
            (new.clone(), false),
        ] {
            assert_eq!(verdict(&new, [&other].into_iter()).is_some(), refused, "{:?}", other.status.phase);
        }
        let own = pod("new", 10, "Pending", ("10.0.0.2", 80));
        assert_eq!(verdict(&own, [&pod("other", 5, "Running", ("10.0.0.1", 80))].into_iter()), None);
    }
}
