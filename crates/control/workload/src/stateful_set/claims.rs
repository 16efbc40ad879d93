//! The claims of a set's pods, made of its templates before the pods, and kept for whoever has the pod's ordinal later.

use api_types::apps::v1::StatefulSet;
use api_types::core::v1::PersistentVolumeClaim;
use client::reconcile::{Note, World, Write};

use super::{identity, retention};

/// The name of the claim of a template for an ordinal.
pub(super) fn name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", template.metadata.name, set.metadata.name)
}

/// Whether a claim of this name is one of the set's, whatever the ordinal.
pub(super) fn is_of(set: &StatefulSet, claim: &str) -> bool {
    set.spec.volume_claim_templates.iter().any(|template| {
        let rest =
            claim.strip_prefix(template.metadata.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|pod| identity::is_named_after(set, pod))
    })
}

/// The claims of an ordinal that are there.
pub(super) fn existing<'a>(
    set: &'a StatefulSet,
    ordinal: i64,
    world: &'a World,
) -> impl Iterator<Item = &'a PersistentVolumeClaim> {
    let names = set.spec.volume_claim_templates.iter().map(move |template| name(set, template, ordinal));
    names.filter_map(|name| world.get(&set.metadata.namespace, &name))
}

/// What makes the claims of an ordinal that are not there; and why not all of them can be there, for people, in upstream's words: one that
/// is being deleted is in the way of a new one.
pub(super) fn missing(set: &StatefulSet, ordinal: i64, world: &World) -> (Vec<Write>, Option<String>) {
    let going: Vec<String> = existing(set, ordinal, world)
        .filter(|claim| claim.metadata.deletion_timestamp.is_some())
        .map(|claim| format!("pvc {} is being deleted", claim.metadata.name))
        .collect();
    let why = match going.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    };
    let templates = set.spec.volume_claim_templates.iter();
    let claims = templates.map(|template| claim(set, template, ordinal));
    let absent = |claim: &PersistentVolumeClaim| {
        world.get::<PersistentVolumeClaim>(&claim.metadata.namespace, &claim.metadata.name).is_none()
    };
    (claims.filter(absent).map(|claim| creation(set, claim, ordinal)).collect(), why)
}

fn claim(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i64) -> PersistentVolumeClaim {
    let mut claim = template.clone();
    claim.metadata.name = name(set, template, ordinal);
    claim.metadata.namespace.clone_from(&set.metadata.namespace);
    let labels = set.spec.selector.iter().flat_map(|selector| &selector.match_labels);
    claim.metadata.labels.extend(labels.map(|(key, value)| (key.clone(), value.clone())));
    claim
}

fn creation(set: &StatefulSet, claim: PersistentVolumeClaim, ordinal: i64) -> Write {
    let (name, own) = (&claim.metadata.name, &set.metadata.name);
    let pod = identity::pod_name(set, ordinal);
    let done = format!("Create Claim {name} Pod {pod} in StatefulSet {own} success");
    let failed = format!("Create Claim {name} for Pod {pod} in StatefulSet {own} failed error: {{error}}");
    let done = Note::normal(set, "SuccessfulCreate", done);
    Write::create(claim).telling(Some(done), Some(Note::warning(set, "FailedCreate", failed)))
}

/// Whether a claim of an ordinal still belongs to a pod that is no more, with which it is to go: a new pod waits for that.
pub(super) fn are_stale(set: &StatefulSet, ordinal: i64, world: &World) -> bool {
    let pod = retention::Member { name: &identity::pod_name(set, ordinal), uid: "", ordinal };
    retention::follows_scale(set)
        && existing(set, ordinal, world)
            .any(|claim| retention::is_stale(claim, &retention::POD, pod.name, pod.uid))
}
