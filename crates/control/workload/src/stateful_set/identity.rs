//! What makes a pod this one of a set: its ordinal, names, labels and volumes.

use std::ops::Range;

use api_meta::owners;
use api_types::apps::v1::StatefulSet;
use api_types::core::v1::{PersistentVolumeClaimVolumeSource, Pod, Volume};

use super::{KIND, claims};
use control_base::pod;

const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";
const REVISION: &str = "controller-revision-hash";

/// The name of the set that a pod's name begins with, and the ordinal that it ends in, if it is one.
fn parent(pod_name: &str) -> Option<(&str, Option<i32>)> {
    let (parent, digits) = pod_name.rsplit_once('-')?;
    let ends_in_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    ends_in_number.then(|| (parent, digits.parse().ok()))
}

/// Whether a pod of this name is named as the set's pods are.
pub(super) fn is_named_after(set: &StatefulSet, pod_name: &str) -> bool {
    parent(pod_name).is_some_and(|(parent, _)| parent == set.metadata.name)
}

/// A pod's ordinal.
pub(super) fn ordinal(pod: &Pod) -> Option<i64> {
    parent(&pod.metadata.name)?.1.map(i64::from)
}

/// The ordinals that a set's pods are to have.
pub(super) fn ordinals(set: &StatefulSet) -> Range<i64> {
    let start = set.spec.ordinals.as_ref().map_or(0, |ordinals| i64::from(ordinals.start));
    start..start + i64::from(set.spec.replicas.unwrap_or(1))
}

/// The name of the pod of an ordinal.
pub(super) fn pod_name(set: &StatefulSet, ordinal: i64) -> String {
    format!("{}-{ordinal}", set.metadata.name)
}

/// The name of the revision that a pod was made of.
pub(super) fn revision(pod: &Pod) -> &str {
    pod.metadata.labels.get(REVISION).map_or("", String::as_str)
}

/// A pod of an ordinal, of a set as one of its revisions has it.
pub(super) fn new_pod(set: &StatefulSet, revision: &str, ordinal: i64) -> Pod {
    let reference = owners::controller_reference(&set.metadata, KIND);
    let mut pod = pod::from_template(&set.spec.template, &set.metadata, reference);
    pod.metadata.name = pod_name(set, ordinal);
    identify(set, &mut pod, ordinal);
    pod.spec.hostname.clone_from(&pod.metadata.name);
    pod.spec.subdomain.clone_from(&set.spec.service_name);
    give_volumes(set, &mut pod, ordinal);
    pod.metadata.labels.insert(REVISION.to_owned(), revision.to_owned());
    pod
}

/// Whether a pod's names and its label are those of its ordinal.
pub(super) fn is_identified(set: &StatefulSet, pod: &Pod, ordinal: i64) -> bool {
    let meta = &pod.metadata;
    meta.name == pod_name(set, ordinal) && meta.labels.get(POD_NAME) == Some(&meta.name)
}

/// Gives a pod the labels of its ordinal.
pub(super) fn identify(set: &StatefulSet, pod: &mut Pod, ordinal: i64) {
    let name = pod_name(set, ordinal);
    pod.metadata.labels.insert(POD_NAME.to_owned(), name.clone());
    pod.metadata.labels.insert(POD_INDEX.to_owned(), ordinal.to_string());
    pod.metadata.name = name;
}

/// Whether a pod has a volume for each of its claims.
pub(super) fn has_volumes(set: &StatefulSet, pod: &Pod, ordinal: i64) -> bool {
    set.spec.volume_claim_templates.iter().all(|template| {
        let claim = claims::name(set, template, ordinal);
        pod.spec.volumes.iter().any(|volume| {
            let source = volume.volume_source.persistent_volume_claim.as_ref();
            volume.name == template.metadata.name && source.is_some_and(|it| it.claim_name == claim)
        })
    })
}

/// Gives a pod a volume for each of its claims, in the place of any other of that name.
pub(super) fn give_volumes(set: &StatefulSet, pod: &mut Pod, ordinal: i64) {
    let templates = &set.spec.volume_claim_templates;
    let mut volumes: Vec<Volume> = Vec::new();
    for template in templates {
        let source = PersistentVolumeClaimVolumeSource {
            claim_name: claims::name(set, template, ordinal),
            read_only: false,
        };
        let mut volume = Volume { name: template.metadata.name.clone(), ..Volume::default() };
        volume.volume_source.persistent_volume_claim = Some(Box::new(source));
        volumes.push(volume);
    }
    let is_claimed = |volume: &Volume| templates.iter().any(|it| it.metadata.name == volume.name);
    volumes.extend(pod.spec.volumes.drain(..).filter(|volume| !is_claimed(volume)));
    pod.spec.volumes = volumes;
}
