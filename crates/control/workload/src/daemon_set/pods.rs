//! A set's pods: how one is made for a node, whether it is of the current template, which came first.

use std::cmp::Ordering;

use api_meta::owners;
use api_types::apps::v1::DaemonSet;
use api_types::core::v1::Pod;

use super::{KIND, placement};
use control_base::pod;

/// The label that says of which revision a pod is.
pub(super) const HASH_LABEL: &str = "controller-revision-hash";
/// The label that says of which of the template's changes a pod is, for older clients.
const GENERATION_LABEL: &str = "pod-template-generation";
/// Where a set counts its template's changes.
const GENERATION: &str = "deprecated.daemonset.template.generation";

/// How often the template has changed, if the set says so in a way that can be understood.
fn generation(set: &DaemonSet) -> Option<String> {
    let text = set.metadata.annotations.get(GENERATION)?;
    text.parse::<i64>().ok().map(|count| count.to_string())
}

/// The pod that a node gets.
pub(super) fn new(set: &DaemonSet, hash: &str, node: &str) -> Pod {
    let mut template = set.spec.template.clone();
    template.spec.tolerations = placement::tolerations(&template.spec);
    let labels = &mut template.metadata.labels;
    if let Some(generation) = generation(set) {
        labels.insert(GENERATION_LABEL.into(), generation);
    }
    if !hash.is_empty() {
        labels.insert(HASH_LABEL.into(), hash.to_owned());
    }
    placement::pin(&mut template.spec, node);
    pod::from_template(&template, &set.metadata, owners::controller_reference(&set.metadata, KIND))
}

/// Whether a pod is of the current template, by either of its labels.
pub(super) fn is_updated(pod: &Pod, hash: &str, set: &DaemonSet) -> bool {
    let label = |key: &str| pod.metadata.labels.get(key);
    let of_generation = || generation(set).is_some_and(|own| label(GENERATION_LABEL) == Some(&own));
    label(HASH_LABEL).is_some_and(|own| !own.is_empty() && own == hash) || of_generation()
}

/// Those on a node first, then the oldest.
pub(super) fn by_age(a: &Pod, b: &Pod) -> Ordering {
    let waiting = |pod: &Pod| pod.spec.node_name.is_empty();
    let age = |pod: &Pod| pod.metadata.creation_timestamp;
    let order = waiting(a).cmp(&waiting(b)).then_with(|| age(a).cmp(&age(b)));
    order.then_with(|| a.metadata.name.cmp(&b.metadata.name))
}
