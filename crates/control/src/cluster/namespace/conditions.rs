//! What remains in a namespace, and how its status says so.

use std::collections::BTreeMap;

use api_meta::{Status, conditions};
use api_types::core::v1::{Namespace, NamespaceCondition};
use api_types::object_meta;
use base::time::Time;
use client::Resource;
use client::reconcile::World;

use super::elsewhere::Seen;
use control_base::resources::Served;

/// The objects of a resource that remain.
pub(super) struct Remaining<'a> {
    pub(super) served: &'a Served,
    count: usize,
    finalizers: BTreeMap<String, usize>,
}

impl Remaining<'_> {
    pub(super) fn is_pods(&self) -> bool {
        self.served.resource.group.is_empty() && self.served.resource.plural == "pods"
    }
}

/// The resources that still have objects in a namespace.
pub(super) fn remaining<'a>(contents: &'a [Served], namespace: &str, world: &World) -> Vec<Remaining<'a>> {
    let mut all = Vec::new();
    for served in contents {
        let Some(snapshot) = world.snapshot(&served.resource) else { continue };
        let mut remaining = Remaining { served, count: 0, finalizers: BTreeMap::new() };
        for object in snapshot.glimpses(Some(namespace)) {
            let Some(meta) = object_meta(&*object) else { continue };
            remaining.count += 1;
            for finalizer in &meta.finalizers {
                *remaining.finalizers.entry(finalizer.clone()).or_default() += 1;
            }
        }
        if remaining.count > 0 {
            all.push(remaining);
        }
    }
    all
}

/// The types, and reason and message of each when all is well.
const WELL: [(&str, &str, &str); 5] = [
    ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
    ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
];

/// Writes the conditions, in place.
pub(super) fn update(
    namespace: &mut Namespace,
    remaining: &[Remaining<'_>],
    others: &Seen,
    failure: Option<&Status>,
    now: Time,
) {
    for (type_, reason, message) in WELL {
        let trouble = match type_ {
            "NamespaceDeletionDiscoveryFailure" => discovery(&others.unknown),
            "NamespaceDeletionContentFailure" => {
                let failure = failure.map(ToString::to_string).or_else(|| others.failure.clone());
                failure.map(|why| {
                    let message = format!("Failed to delete all resource types, 1 remaining: {why}");
                    ("ContentDeletionFailed", message)
                })
            }
            "NamespaceContentRemaining" => resources(remaining, &others.left),
            "NamespaceFinalizersRemaining" => finalizers(remaining),
            _ => None,
        };
        let status = if trouble.is_some() { conditions::TRUE } else { conditions::FALSE };
        let (reason, message) = trouble.unwrap_or_else(|| (reason, message.to_owned()));
        let condition = NamespaceCondition {
            type_: type_.into(),
            status: status.into(),
            last_transition_time: None,
            reason: reason.into(),
            message,
        };
        conditions::set(&mut namespace.status.conditions, condition, now.into());
    }
}

fn discovery(unknown: &[String]) -> Option<(&'static str, String)> {
    let stale = |own: &String| format!("{own}: stale GroupVersion discovery: {own}");
    let all: Vec<String> = unknown.iter().map(stale).collect();
    let message = || {
        format!(
            "Discovery failed for some groups, {} failing: unable to retrieve the complete list of server APIs: {}",
            all.len(),
            all.join(", ")
        )
    };
    (!all.is_empty()).then(|| ("DiscoveryFailed", message()))
}

fn resources(remaining: &[Remaining<'_>], left: &[(Resource, usize)]) -> Option<(&'static str, String)> {
    let count = |resource: &Resource, count: usize| {
        format!("{}.{} has {count} resource instances", resource.plural, resource.group)
    };
    let own = remaining.iter().map(|it| count(&it.served.resource, it.count));
    let mut all: Vec<String> = own.chain(left.iter().map(|(own, number)| count(own, *number))).collect();
    all.sort();
    (!all.is_empty())
        .then(|| ("SomeResourcesRemain", format!("Some resources are remaining: {}", all.join(", "))))
}

fn finalizers(remaining: &[Remaining<'_>]) -> Option<(&'static str, String)> {
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for (finalizer, count) in remaining.iter().flat_map(|it| &it.finalizers) {
        *totals.entry(finalizer).or_default() += count;
    }
    let all: Vec<String> = totals
        .iter()
        .map(|(finalizer, count)| format!("{finalizer} in {count} resource instances"))
        .collect();
    let message = || format!("Some content in the namespace has finalizers remaining: {}", all.join(", "));
    (!all.is_empty()).then(|| ("SomeFinalizersRemain", message()))
}
