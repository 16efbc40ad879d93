//! Ports of the node that a pod wants for itself.

use api_types::core::v1::Pod;

const ANY: &str = "0.0.0.0";

/// A port on an address of the node. Every address conflicts with each single one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    port: i32,
    protocol: String,
    address: String,
}

impl HostPort {
    /// The host ports of a pod's containers and sidecars.
    pub fn of_pod(pod: &Pod) -> Vec<HostPort> {
        let sidecars =
            pod.spec.init_containers.iter().filter(|init| init.restart_policy.as_deref() == Some("Always"));
        let ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
        let wanted = ports.filter(|port| port.host_port > 0).map(|port| HostPort {
            port: port.host_port,
            protocol: if port.protocol.is_empty() { "TCP".into() } else { port.protocol.clone() },
            address: if port.host_ip.is_empty() { ANY.into() } else { port.host_ip.clone() },
        });
        let mut wanted: Vec<HostPort> = wanted.collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    fn conflicts(&self, other: &HostPort) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.address == other.address || self.address == ANY || other.address == ANY)
    }
}

/// Whether none of the wanted ports conflicts with one in use.
pub fn fits<'a>(wanted: &[HostPort], used: impl IntoIterator<Item = &'a HostPort> + Clone) -> bool {
    wanted.iter().all(|port| !used.clone().into_iter().any(|other| port.conflicts(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_conflicts_with_each() {
        let port = |address: &str, protocol: &str, port| HostPort {
            port,
            protocol: protocol.into(),
            address: address.into(),
        };
        for (wanted, used, fits_too) in [
            (port(ANY, "TCP", 80), port("10.0.0.1", "TCP", 80), false),
            (port("10.0.0.1", "TCP", 80), port(ANY, "TCP", 80), false),
            (port("10.0.0.1", "TCP", 80), port("10.0.0.2", "TCP", 80), true),
            (port(ANY, "UDP", 80), port(ANY, "TCP", 80), true),
            (port(ANY, "TCP", 81), port(ANY, "TCP", 80), true),
        ] {
            assert_eq!(fits(std::slice::from_ref(&wanted), [&used]), fits_too, "{wanted:?} {used:?}");
        }
    }
}
