//! Every node as the scheduler's own plugins see it for a pod.

use std::collections::{BTreeMap, BTreeSet};

use api_types::core::v1::{Node, Pod};
use scheduler::{Config, Event, Plugin, Plugins, Profile, Scheduler, Survey};

use crate::evidence::Evidence;
use crate::limits::NODES_ASKED_ALL;

/// What all nodes were found to be.
pub(crate) struct Surveyed {
    /// As the scheduler would have it in one attempt: of each node the first plugin that rejects it.
    pub(crate) first: Survey,
    /// By node, all the plugins that reject it, each asked by itself, with their reasons.
    pub(crate) all: BTreeMap<String, BTreeMap<&'static str, Vec<String>>>,
}

/// Asks all plugins about all nodes; `None` if the scheduler would not take the pod.
pub(crate) fn survey(pod: &Pod, evidence: &Evidence) -> Option<Surveyed> {
    let whole = Profile::named(&pod.spec.scheduler_name);
    let first = judged(pod, evidence, whole)?;
    let mut all: BTreeMap<String, BTreeMap<&'static str, Vec<String>>> = BTreeMap::new();
    take_in(&mut all, &first);
    let rejected = first.nodes.values().any(|node| node.plugin.is_some());
    if rejected && evidence.world.all::<Node>().count() <= NODES_ASKED_ALL {
        for plugin in Plugin::ALL {
            let alone = judged(pod, evidence, only(&pod.spec.scheduler_name, *plugin))?;
            take_in(&mut all, &alone);
        }
    }
    Some(Surveyed { first, all })
}

fn take_in(all: &mut BTreeMap<String, BTreeMap<&'static str, Vec<String>>>, survey: &Survey) {
    for (node, judgement) in &survey.nodes {
        if let Some(plugin) = judgement.plugin {
            all.entry(node.to_string())
                .or_default()
                .entry(plugin)
                .or_insert_with(|| judgement.reasons.clone());
        }
    }
}

/// A profile of one plugin, which evicts nobody.
fn only(scheduler_name: &str, plugin: Plugin) -> Profile {
    let mut profile = Profile::named(scheduler_name);
    profile.filters = Plugins::default();
    profile.filters.insert(plugin);
    profile.preemption = None;
    profile
}

fn judged(pod: &Pod, evidence: &Evidence, profile: Profile) -> Option<Survey> {
    let mut scheduler = Scheduler::new(Config { profiles: vec![profile], ..Config::default() });
    for resource in scheduler_shell::resources() {
        for object in evidence.world.snapshot(resource).into_iter().flat_map(|snapshot| snapshot.iter()) {
            if let Some(event) = Event::of(&**object) {
                scheduler.step(event, evidence.now);
            }
        }
    }
    scheduler.survey(&pod.metadata.uid)
}

impl Surveyed {
    /// The nodes that suit.
    pub(crate) fn fitting(&self) -> BTreeSet<&str> {
        let fits = self.first.nodes.iter().filter(|(_, judgement)| judgement.plugin.is_none());
        fits.map(|(node, _)| &**node).collect()
    }
}
