//! Volumes that are wiped and given to the next: a pod on some node empties the directory, and when it has, the volume is available again.
//!
//! Upstream: `recycleVolumeOperation`, `pkg/volume/util/recyclerclient`, and the recyclers of `pkg/volume/{hostpath,nfs}`, long deprecated and
//! still on. A pod by the name of ours that this controller has not made proves nothing, least of all that a volume is empty: it is
//! deleted, and the work begins anew. What the node says of the pod is not told of the volume.

use std::collections::BTreeMap;

use api_types::core::v1::{
    Container, HostPathVolumeSource, NFSVolumeSource, PersistentVolume, PersistentVolumeClaim, Pod, Volume,
    VolumeMount, VolumeSource,
};
use api_volume::matching;
use base::time::Time;
use client::Verb;
use client::reconcile::{Note, Plan, World, Write, resource_of};

use super::{status, volume};
use crate::limits::{RECYCLE_HOST_SECONDS, RECYCLE_NFS_SECONDS, RECYCLE_SECONDS_PER_GI, RESYNC};

const FAILED: &str = "VolumeFailedRecycle";
const NAMESPACE: &str = "default";
const PREFIX: &str = "recycler-for-";
const IMAGE: &str = "registry.k8s.io/build-image/debian-base:bookworm-v1.0.6";
const SCRIPT: &str =
    "test -e /scrub && find /scrub -mindepth 1 -delete && test -z \"$(ls -A /scrub)\" || exit 1";
const GI: i64 = 1 << 30;

/// What is known of the volumes that were tried to be wiped, by their names.
pub(super) type Tries = BTreeMap<String, Try>;

/// How a volume was tried to be wiped last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    /// This controller has made a pod.
    Begun,
    /// It came to nothing, at this time.
    Failed(Time),
}

/// The volume that a pod empties, to go by its name.
pub(super) fn wiped_by(pod: &Pod) -> Option<&str> {
    pod.metadata.name.strip_prefix(PREFIX).filter(|_| pod.metadata.namespace == NAMESPACE)
}

pub(super) fn recycle(
    plan: &mut Plan,
    volume: &PersistentVolume,
    tries: &mut Tries,
    world: &World,
    now: Time,
) {
    plan.again_in(RESYNC);
    if let Some(message) = users(volume, world) {
        plan.events.push(Note::normal(volume, FAILED, message));
        return;
    }
    let name = &volume.metadata.name;
    let Some(wanted) = pod(volume) else {
        return status::fail(plan, volume, FAILED, "No recycler plugin found for the volume!", now);
    };
    let failed = |plan: &mut Plan, tries: &mut Tries, why: &str| {
        tries.insert(name.clone(), Try::Failed(now));
        status::fail(plan, volume, FAILED, &format!("Recycle failed: {why}"), now);
    };
    let last = tries.get(name).copied();
    let was_refused = world.failure().is_some_and(|own| own.is_of(Verb::Create, resource_of::<Pod>()));
    let is_ours = last == Some(Try::Begun) && !was_refused;
    match world.get::<Pod>(NAMESPACE, &wanted.metadata.name) {
        None if is_ours => failed(plan, tries, "failed to recycle volume: recycler pod was deleted"),
        None if matches!(last, Some(Try::Failed(at)) if now < at + RESYNC) => {}
        None => {
            tries.insert(name.clone(), Try::Begun);
            let why = "Recycle failed: unexpected error creating recycler pod:  {error}";
            let note = Note::warning(volume, FAILED, why);
            plan.stage([Write::create(wanted).telling(None, Some(note))]);
        }
        Some(pod) if !is_ours => {
            if pod.metadata.deletion_timestamp.is_none() {
                plan.stage([Write::delete(pod)]);
                failed(plan, tries, "old recycler pod found, will retry later");
            }
        }
        Some(pod) => match pod.status.phase.as_str() {
            "Succeeded" => {
                tries.remove(name);
                plan.stage([Write::delete(pod)]);
                plan.events.push(Note::normal(volume, "VolumeRecycled", "Volume recycled"));
                volume::unbind(plan, volume, now);
            }
            "Failed" => {
                plan.stage([Write::delete(pod)]);
                let said = Some(pod.status.message.as_str()).filter(|said| !said.is_empty());
                let said = said.unwrap_or("pod failed, pod.Status.Message unknown");
                failed(plan, tries, &format!("failed to recycle volume: {said}"));
            }
            _ => {}
        },
    }
}

/// What is said of pods that use a volume still, though its claim has gone; one of them may have a new claim of that name.
fn users(volume: &PersistentVolume, world: &World) -> Option<String> {
    let of = volume.spec.claim_ref.as_deref()?;
    let uses = |pod: &&Pod| {
        !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
            && api_volume::pod::claims(pod).any(|used| used.claim == of.name)
    };
    let pods: Vec<String> = world
        .in_namespace::<Pod>(&of.namespace)
        .filter(uses)
        .map(|pod| format!("{}/{}", pod.metadata.namespace, pod.metadata.name))
        .collect();
    let is_used = !pods.is_empty() && world.get::<PersistentVolumeClaim>(&of.namespace, &of.name).is_none();
    is_used.then(|| format!("Volume is used by pods: {}", pods.join(",")))
}

/// The pod that empties a volume; `None` if nobody can.
fn pod(volume: &PersistentVolume) -> Option<Pod> {
    let (source, least) = source(volume)?;
    let gis = matching::capacity(volume).units() / GI;
    let mut pod = Pod::default();
    pod.metadata.namespace = NAMESPACE.to_owned();
    pod.metadata.name = format!("{PREFIX}{}", volume.metadata.name);
    pod.spec.active_deadline_seconds = Some((gis * RECYCLE_SECONDS_PER_GI).max(least));
    pod.spec.restart_policy = "Never".to_owned();
    pod.spec.volumes = vec![Volume { name: "vol".to_owned(), volume_source: source }];
    let mount =
        VolumeMount { name: "vol".to_owned(), mount_path: "/scrub".to_owned(), ..VolumeMount::default() };
    pod.spec.containers = vec![Container {
        name: "pv-recycler".to_owned(),
        image: IMAGE.to_owned(),
        command: vec!["/bin/sh".to_owned()],
        args: vec!["-c".to_owned(), SCRIPT.to_owned()],
        volume_mounts: vec![mount],
        ..Container::default()
    }]
    .into();
    Some(pod)
}

/// What is mounted to be emptied, and how many seconds that may take at least.
fn source(volume: &PersistentVolume) -> Option<(VolumeSource, i64)> {
    let from = &volume.spec.persistent_volume_source;
    if let Some(host) = &from.host_path {
        let own = HostPathVolumeSource { path: host.path.clone(), type_: None };
        let source = VolumeSource { host_path: Some(Box::new(own)), ..VolumeSource::default() };
        return Some((source, RECYCLE_HOST_SECONDS));
    }
    let nfs = from.nfs.as_deref()?;
    let own = NFSVolumeSource { server: nfs.server.clone(), path: nfs.path.clone(), read_only: false };
    let source = VolumeSource { nfs: Some(Box::new(own)), ..VolumeSource::default() };
    Some((source, RECYCLE_NFS_SECONDS))
}
