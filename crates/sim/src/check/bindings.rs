//! A pod is bound once, and stays where it was bound; a node never gets more than it has.

use api_types::core::v1::{Node, Pod};

use super::Check;
use crate::history::{Change, History};
use crate::profile::Profile;

/// One binding for each pod, within what its node has.
pub struct Bindings {
    /// Where answers get lost, the scheduler can think that a pod is not bound, and what it needs free, as upstream's does.
    misled: bool,
}

impl Bindings {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Bindings {
        Bindings { misled: profile.lost > 0 || profile.torn > 0 || profile.outages > 0 }
    }
}

impl Check for Bindings {
    fn name(&self) -> &'static str {
        "bindings"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        let (Some(before), Some(after)) = (change.before::<Pod>(), change.after::<Pod>()) else {
            return Ok(());
        };
        let (from, to) = (&before.spec.node_name, &after.spec.node_name);
        if before.metadata.uid == after.metadata.uid && !from.is_empty() && from != to {
            return Err(format!("the pod was bound to {from} and is now bound to {to}"));
        }
        if from == to || self.misled {
            return Ok(());
        }
        let Some(node) = history.get::<Node>("", to) else {
            return Err(format!("the pod was bound to {to}, which is not there"));
        };
        let over = |pod: &&Pod| matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
        let there = history.all::<Pod>().filter(|pod| pod.spec.node_name == *to && !over(pod));
        let asked: i64 = there.map(cpu_millis).sum();
        let has = node.status.allocatable.get("cpu").map_or(0, |cpu| cpu.millis());
        if asked > has {
            return Err(format!("{to} has {has}m CPU, and {asked}m are asked of it"));
        }
        Ok(())
    }
}

fn cpu_millis(pod: &Pod) -> i64 {
    let requests = pod.spec.containers.iter().filter_map(|it| it.resources.requests.get("cpu"));
    requests.map(|cpu| cpu.millis()).sum()
}
