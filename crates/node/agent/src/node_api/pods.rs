//! The node's pods, as kubelet lists them: those that it is to run, and those of which something runs.

use api_types::core::v1::{Container, Pod, PodList};
use node_pod::record::{PodRecord, State};

use crate::core::Core;

/// All that the API has given this node (`/pods`).
pub(super) fn all(core: &Core) -> PodList {
    let snapshot = core.pods.snapshot();
    let pods = snapshot.iter().filter_map(|object| object.downcast_ref::<Pod>().cloned());
    PodList { items: pods.collect(), ..PodList::default() }
}

/// Those with containers that run, and of them that alone (`/runningpods/`).
pub(super) fn running(core: &Core) -> PodList {
    let entries = core.directory.entries();
    PodList { items: entries.iter().filter_map(|entry| shown(&entry.record)).collect(), ..PodList::default() }
}

fn shown(record: &PodRecord) -> Option<Pod> {
    let running = record.containers.iter().filter(|(_, known)| matches!(known.state, State::Running(_)));
    let containers = running.map(|(name, known)| Container {
        name: name.clone(),
        image: known.image.clone(),
        ..Container::default()
    });
    let mut pod = Pod::default();
    pod.metadata.name.clone_from(&record.name);
    pod.metadata.namespace.clone_from(&record.namespace);
    pod.metadata.uid.clone_from(&record.uid);
    pod.spec.containers = containers.collect();
    (!pod.spec.containers.is_empty()).then_some(pod)
}

#[cfg(test)]
mod tests {
    use node_pod::record::ContainerRecord;

    use super::*;

    #[test]
    fn only_what_runs_is_shown_as_running() {
        let mut record = PodRecord::new("7", "shop", "web", 0);
        let container =
            |state| ContainerRecord { image: "example.com/a:1".into(), state, ..Default::default() };
        record.containers.insert("waits".into(), container(State::Absent));
        assert!(shown(&record).is_none());
        record.containers.insert("runs".into(), container(State::Running(1)));
        let pod = shown(&record).expect("something runs");
        let names: Vec<&str> = pod.spec.containers.iter().map(|own| own.name.as_str()).collect();
        assert_eq!((pod.metadata.uid.as_str(), names), ("7", vec!["runs"]));
    }
}
