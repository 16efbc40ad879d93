//! The node's network, processes and interprocess communication.

use super::{Fault, Subject, fault};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let spec = subject.spec;
    let shared = [
        (spec.host_network, "hostNetwork=true"),
        (spec.host_pid, "hostPID=true"),
        (spec.host_ipc, "hostIPC=true"),
    ];
    let shared: Vec<&str> =
        shared.into_iter().filter(|(is_shared, _)| *is_shared).map(|(_, what)| what).collect();
    fault("host namespaces", (!shared.is_empty()).then(|| shared.join(", ")))
}
