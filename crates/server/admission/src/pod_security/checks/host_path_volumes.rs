//! Volumes that are directories of the node.

use super::{Fault, Subject, fault, plural, quoted};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let volumes = subject.spec.volumes.iter().filter(|volume| volume.volume_source.host_path.is_some());
    let names: Vec<&str> = volumes.map(|volume| volume.name.as_str()).collect();
    let detail = format!("{} {}", plural("volume", "volumes", names.len()), quoted(&names));
    fault("hostPath volumes", (!names.is_empty()).then_some(detail))
}
