//! The scheduler's own profiles, made of what a configuration says.

use scheduler::{
    Fit, Plugin, PodAffinity, Preempting, Profile, Resource, Score, Spreading, Strategy, Weights,
};

use crate::Error;
use crate::args::Args;
use crate::plugins::{Enabled, Point};
use crate::types::{
    KubeSchedulerProfile, NodeResourcesFitArgs, PodTopologySpreadArgs, ResourceSpec, UtilizationShapePoint,
};

/// What upstream lets all weights of a profile sum up to: 2^63 - 1 over the best score.
const MAX_WEIGHTS: i64 = i64::MAX / 100;

/// One profile; it is valid.
pub(crate) fn profile(of: &KubeSchedulerProfile, args: &[Args]) -> Result<Profile, Error> {
    let name = of.scheduler_name.clone().unwrap_or_default();
    let plugins = of.plugins.clone().unwrap_or_default();
    let wrong = |reason: String| Error::Profile { name: name.clone(), reason };
    let enabled = Enabled::of(&plugins).map_err(wrong)?;
    let sorting = enabled.at(Point::QueueSort).len();
    if sorting != 1 {
        return Err(wrong(format!(
            "only one queue sort plugin required for profile with scheduler name \"{name}\", but got {sorting}"
        )));
    }
    if enabled.at(Point::Bind).is_empty() {
        return Err(wrong(format!(
            "at least one bind plugin is needed for profile with scheduler name \"{name}\""
        )));
    }
    if !enabled.has(Point::PreEnqueue, "SchedulingGates") {
        return Err(Error::Unsupported(format!(
            "profile {name}: pods with scheduling gates are never scheduled: SchedulingGates cannot be disabled"
        )));
    }
    let mut profile = Profile::named(&name);
    profile.percentage_of_nodes_to_score = percentage(of.percentage_of_nodes_to_score);
    profile.filters = scheduler::Plugins::default();
    let filters = Plugin::ALL.iter().filter(|plugin| enabled.has(Point::Filter, plugin.name()));
    filters.for_each(|plugin| profile.filters.insert(*plugin));
    profile.weights = weights(&enabled).map_err(wrong)?;
    if !enabled.has(Point::PostFilter, "DefaultPreemption") {
        profile.preemption = None;
    }
    for args in args {
        set(&mut profile, args);
    }
    Ok(profile)
}

/// A share in percent; 0 is as good as none.
pub(crate) fn percentage(of: Option<i32>) -> Option<usize> {
    of.and_then(|share| usize::try_from(share).ok())
}

fn weights(enabled: &Enabled) -> Result<Weights, String> {
    let (mut weights, mut sum) = (Weights::none(), 0_i64);
    for (name, weight) in enabled.at(Point::Score) {
        let weight = if *weight == 0 { 1 } else { i64::from(*weight) };
        if weight > MAX_WEIGHTS - sum {
            return Err("score plugins: total score of Score plugins could overflow".into());
        }
        sum += weight;
        if let Some(score) = Score::ALL.iter().find(|score| score.name() == name) {
            weights.set(*score, weight);
        }
    }
    Ok(weights)
}

fn set(profile: &mut Profile, args: &Args) {
    let count = |of: Option<i32>| usize::try_from(of.unwrap_or_default()).unwrap_or_default();
    match args {
        Args::Preemption(args) => {
            let set = Preempting {
                percentage: count(args.min_candidate_nodes_percentage),
                absolute: count(args.min_candidate_nodes_absolute),
            };
            profile.preemption = profile.preemption.map(|_| set);
        }
        Args::PodAffinity(args) => {
            profile.pod_affinity = PodAffinity {
                hard_weight: i64::from(args.hard_pod_affinity_weight.unwrap_or(1)),
                ignore_preferred_of_existing: args.ignore_preferred_terms_of_existing_pods,
            };
        }
        Args::NodeAffinity(args) => {
            if let Some(affinity) = &args.added_affinity {
                profile.add_affinity(affinity);
            }
        }
        Args::Balanced(args) => {
            let names = args.resources.iter().map(|resource| Resource::named(&resource.name));
            profile.balanced = names.collect();
        }
        Args::Fit(args) => profile.fit = fit(args),
        Args::Spread(args) => profile.spreading = spreading(args),
        Args::Volumes(args) if !args.shape.is_empty() => profile.room = line(&args.shape),
        Args::Volumes(_) | Args::Claims(_) | Args::None => {}
    }
}

fn fit(args: &NodeResourcesFitArgs) -> Fit {
    let mut fit = Fit {
        ignored: args.ignored_resources.clone(),
        ignored_groups: args.ignored_resource_groups.clone(),
        ..Fit::default()
    };
    let Some(strategy) = &args.scoring_strategy else { return fit };
    let weighed = |resource: &ResourceSpec| (Resource::named(&resource.name), resource.weight);
    fit.resources = strategy.resources.iter().map(weighed).collect();
    fit.strategy = match (strategy.type_.as_str(), &strategy.requested_to_capacity_ratio) {
        ("MostAllocated", _) => Strategy::MostAllocated,
        ("RequestedToCapacityRatio", Some(ratio)) => Strategy::RequestedToCapacityRatio(line(&ratio.shape)),
        _ => Strategy::LeastAllocated,
    };
    fit
}

/// Points are scored of 10, nodes of 100.
fn line(points: &[UtilizationShapePoint]) -> Vec<(i64, i64)> {
    points.iter().map(|point| (i64::from(point.utilization), i64::from(point.score) * 10)).collect()
}

fn spreading(args: &PodTopologySpreadArgs) -> Spreading {
    match args.defaulting_type.as_str() {
        "List" => Spreading::List(args.default_constraints.clone()),
        _ => Spreading::System,
    }
}
