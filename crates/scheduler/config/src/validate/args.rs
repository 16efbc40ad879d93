//! What is wrong with the arguments of plugins.

use std::collections::BTreeSet;

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_label_name;
use api_types::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, TopologySpreadConstraint};

pub(super) use crate::args::Args;
use crate::types::{
    DefaultPreemptionArgs, NodeAffinityArgs, NodeResourcesFitArgs, PodTopologySpreadArgs, ScoringStrategy,
    UtilizationShapePoint,
};

pub(super) fn check(path: &Path, args: &Args, errors: &mut ErrorList) {
    match args {
        Args::Preemption(args) => preemption(path, args, errors),
        Args::PodAffinity(args) => {
            let weight = args.hard_pod_affinity_weight.unwrap_or_default();
            within(&path.child("hardPodAffinityWeight"), weight, 0, 100, errors);
        }
        Args::NodeAffinity(args) => node_affinity(path, args, errors),
        Args::Balanced(args) => {
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            for (at, resource) in args.resources.iter().enumerate() {
                let path = path.child("resources").index(at);
                if !seen.insert(&resource.name) {
                    errors.push(FieldError::duplicate(&path.child("name"), &resource.name));
                }
                if resource.weight != 1 {
                    errors.push(FieldError::invalid(&path.child("weight"), resource.weight, "must be 1"));
                }
            }
        }
        Args::Fit(args) => fit(path, args, errors),
        Args::Spread(args) => spread(path, args, errors),
        Args::Volumes(args) => {
            let seconds = args.bind_timeout_seconds.unwrap_or_default();
            if seconds < 0 {
                let says = "invalid BindTimeoutSeconds, should not be a negative value";
                errors.push(FieldError::invalid(&path.child("bindTimeoutSeconds"), seconds, says));
            }
            // Without one there is the default line.
            if !args.shape.is_empty() {
                line(&path.child("shape"), &args.shape, errors);
            }
        }
        Args::Claims(_) | Args::None => {}
    }
}

fn within(path: &Path, value: i32, low: i32, high: i32, errors: &mut ErrorList) {
    if !(low..=high).contains(&value) {
        errors.push(FieldError::invalid(path, value, format!("not in valid range [{low}, {high}]")));
    }
}

fn preemption(path: &Path, args: &DefaultPreemptionArgs, errors: &mut ErrorList) {
    let share = args.min_candidate_nodes_percentage.unwrap_or_default();
    let count = args.min_candidate_nodes_absolute.unwrap_or_default();
    let names = ["minCandidateNodesPercentage", "minCandidateNodesAbsolute"];
    let paths = names.map(|name| path.child(name));
    within(&paths[0], share, 0, 100, errors);
    if count < 0 {
        errors.push(FieldError::invalid(&paths[1], count, "not in valid range [0, inf)"));
    }
    if share == 0 && count == 0 {
        for (path, other) in paths.iter().zip([names[1], names[0]]) {
            errors.push(FieldError::invalid(path, 0, format!("cannot be zero at the same time as {other}")));
        }
    }
}

fn node_affinity(path: &Path, args: &NodeAffinityArgs, errors: &mut ErrorList) {
    let Some(affinity) = &args.added_affinity else { return };
    let path = path.child("addedAffinity");
    if let Some(selector) = &affinity.required_during_scheduling_ignored_during_execution {
        let path = path.child("requiredDuringSchedulingIgnoredDuringExecution");
        for (at, of) in selector.node_selector_terms.iter().enumerate() {
            term(&path.child("nodeSelectorTerms").index(at), of, errors);
        }
    }
    let path = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (at, preferred) in affinity.preferred_during_scheduling_ignored_during_execution.iter().enumerate() {
        term(&path.index(at), &preferred.preference, errors);
    }
}

fn term(path: &Path, of: &NodeSelectorTerm, errors: &mut ErrorList) {
    for (at, requirement) in of.match_expressions.iter().enumerate() {
        let path = path.child("matchExpressions").index(at);
        operator(&path, requirement, &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"], errors);
        errors.extend(validate_label_name(&requirement.key, &path.child("key")));
    }
    for (at, requirement) in of.match_fields.iter().enumerate() {
        let path = path.child("matchFields").index(at);
        operator(&path, requirement, &["In", "NotIn"], errors);
        if requirement.values.len() != 1 {
            errors.push(FieldError::required(&path.child("values"), "must have one element"));
        }
    }
}

fn operator(path: &Path, of: &NodeSelectorRequirement, known: &[&str], errors: &mut ErrorList) {
    if !known.contains(&of.operator.as_str()) {
        errors.push(FieldError::not_supported(&path.child("operator"), &of.operator, known));
    }
}

fn fit(path: &Path, args: &NodeResourcesFitArgs, errors: &mut ErrorList) {
    for (at, resource) in args.ignored_resources.iter().enumerate() {
        errors.extend(validate_label_name(resource, &path.child("ignoredResources").index(at)));
    }
    for (at, group) in args.ignored_resource_groups.iter().enumerate() {
        let path = path.child("ignoredResourceGroups").index(at);
        if group.contains('/') {
            errors.push(FieldError::invalid(&path, group, "resource group name can't contain '/'"));
        }
        errors.extend(validate_label_name(group, &path));
    }
    let path = path.child("scoringStrategy");
    if let Some(of) = &args.scoring_strategy {
        strategy(&path, of, errors);
    }
}

fn strategy(path: &Path, of: &ScoringStrategy, errors: &mut ErrorList) {
    const RATIO: &str = "RequestedToCapacityRatio";
    let known = ["LeastAllocated", "MostAllocated", RATIO];
    if !known.contains(&of.type_.as_str()) {
        errors.push(FieldError::not_supported(&path.child("type"), &of.type_, &known));
    }
    for (at, resource) in of.resources.iter().enumerate() {
        if !(1..=100).contains(&resource.weight) {
            let says = format!("resource weight of {} not in valid range (0, 100]", resource.name);
            let path = path.child("resources").index(at).child("weight");
            errors.push(FieldError::invalid(&path, resource.weight, says));
        }
    }
    let path = path.child("requestedToCapacityRatio");
    match (&of.requested_to_capacity_ratio, of.type_ == RATIO) {
        (None, true) => {
            let says = "must be specified when type is RequestedToCapacityRatio";
            errors.push(FieldError::required(&path, says));
        }
        (Some(ratio), true) => line(&path.child("shape"), &ratio.shape, errors),
        (Some(_), false) => {
            let says = "must be nil when type is not RequestedToCapacityRatio";
            errors.push(FieldError::forbidden(&path, says));
        }
        (None, false) => {}
    }
}

fn line(path: &Path, points: &[UtilizationShapePoint], errors: &mut ErrorList) {
    if points.is_empty() {
        errors.push(FieldError::required(path, "at least one point must be specified"));
    }
    let falls = points.windows(2).position(|pair| pair[0].utilization >= pair[1].utilization);
    if let Some(at) = falls {
        let path = path.index(at + 1).child("utilization");
        let says = "values must be sorted in increasing order";
        errors.push(FieldError::invalid(&path, points[at + 1].utilization, says));
    }
    for (at, point) in points.iter().enumerate() {
        within(&path.index(at).child("utilization"), point.utilization, 0, 100, errors);
        within(&path.index(at).child("score"), point.score, 0, 10, errors);
    }
}

fn spread(path: &Path, args: &PodTopologySpreadArgs, errors: &mut ErrorList) {
    let (kind, constraints) = (args.defaulting_type.as_str(), &args.default_constraints);
    let path_of_kind = path.child("defaultingType");
    match kind {
        "System" if !constraints.is_empty() => {
            errors.push(FieldError::invalid(&path_of_kind, kind, "when .defaultConstraints are not empty"));
        }
        "System" | "List" => {}
        _ => errors.push(FieldError::not_supported(&path_of_kind, kind, &["System", "List"])),
    }
    let path = path.child("defaultConstraints");
    for (at, constraint) in constraints.iter().enumerate() {
        constraint_of(&path.index(at), constraint, errors);
        let key = |of: &TopologySpreadConstraint| (of.topology_key.clone(), of.when_unsatisfiable.clone());
        if constraints[..at].iter().any(|other| key(other) == key(constraint)) {
            let (topology, action) = key(constraint);
            errors.push(FieldError::duplicate(&path.index(at), format!("{{{topology}, {action}}}")));
        }
    }
}

fn constraint_of(path: &Path, of: &TopologySpreadConstraint, errors: &mut ErrorList) {
    if of.max_skew <= 0 {
        errors.push(FieldError::invalid(&path.child("maxSkew"), of.max_skew, "not in valid range (0, inf)"));
    }
    let key = path.child("topologyKey");
    if of.topology_key.is_empty() {
        errors.push(FieldError::required(&key, "can not be empty"));
    } else {
        errors.extend(validate_label_name(&of.topology_key, &key));
    }
    let action = path.child("whenUnsatisfiable");
    match of.when_unsatisfiable.as_str() {
        "" => errors.push(FieldError::required(&action, "can not be empty")),
        "DoNotSchedule" | "ScheduleAnyway" => {}
        other => {
            let known = ["DoNotSchedule", "ScheduleAnyway"];
            errors.push(FieldError::not_supported(&action, other, &known));
        }
    }
    if of.label_selector.is_some() {
        let says = "constraint must not define a selector, as they deduced for each pod";
        errors.push(FieldError::forbidden(&path.child("labelSelector"), says));
    }
}
