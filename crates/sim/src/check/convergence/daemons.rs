//! Every node has the pods that DaemonSets are to bring there, and no others of them.

use api_types::apps::v1::DaemonSet;
use api_types::core::v1::{Node, Pod};

use super::active_of;
use crate::check::daemons::{is_for, node_of};
use crate::history::History;

/// Looks at a set.
///
/// # Errors
/// What is not as it was asked for.
pub(super) fn daemon_set(history: &History, set: &DaemonSet) -> Result<(), String> {
    let (meta, status) = (&set.metadata, &set.status);
    let pods: Vec<&Pod> = active_of(history, &meta.uid).collect();
    let mut wanted = 0;
    for node in history.all::<Node>() {
        let name = node.metadata.name.as_str();
        let is_for = is_for(set, node);
        let count = pods.iter().filter(|pod| node_of(pod) == Some(name)).count();
        if count != usize::from(is_for) {
            return Err(format!("daemon set {} has {count} pods on {name}", meta.name));
        }
        wanted += i32::from(is_for);
    }
    let told = [
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.number_available,
    ];
    if told != [wanted; 4] || status.number_misscheduled != 0 {
        return Err(format!("daemon set {} wants {wanted} pods and says {told:?}", meta.name));
    }
    if status.observed_generation != meta.generation {
        return Err(format!("daemon set {} has not been looked at since it changed", meta.name));
    }
    if set.spec.update_strategy.type_ == "OnDelete" {
        return Ok(());
    }
    let image = |spec: &api_types::core::v1::PodSpec| spec.containers.first().map(|it| it.image.clone());
    match pods.iter().find(|pod| image(&pod.spec) != image(&set.spec.template.spec)) {
        Some(pod) => Err(format!("pod {} has not been replaced", pod.metadata.name)),
        None if status.updated_number_scheduled != wanted => {
            Err(format!("daemon set {} says {} are updated", meta.name, status.updated_number_scheduled))
        }
        None => Ok(()),
    }
}
