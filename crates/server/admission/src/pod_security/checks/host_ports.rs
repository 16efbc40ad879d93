//! Ports of the node.

use std::collections::BTreeSet;

use super::{Fault, Subject, containers, fault, plural, those};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let names = those(subject, |container| container.ports.iter().any(|port| port.host_port != 0));
    let ports = subject.containers().flat_map(|container| container.ports).map(|port| port.host_port);
    // Sorted as text, as upstream has them.
    let ports: BTreeSet<String> = ports.filter(|port| *port != 0).map(|port| port.to_string()).collect();
    let uses = plural("uses", "use", names.len());
    let what = plural("hostPort", "hostPorts", ports.len());
    let ports = ports.into_iter().collect::<Vec<_>>().join(", ");
    let detail = format!("{} {uses} {what} {ports}", containers(&names));
    fault("hostPort", (!names.is_empty()).then_some(detail))
}
