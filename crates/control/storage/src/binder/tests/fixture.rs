//! Objects in few words, and a world in which plans are carried out.

use std::fmt::Write as _;
use std::sync::Arc;

use api_record::Typed;
use api_types::core::v1::{
    HostPathVolumeSource, ObjectReference, PersistentVolumeClaimVolumeSource, Volume, VolumeSource,
};
use api_types::object_meta;
use client::Revision;
use client::reconcile::{Guard, Note, Op, Write};

use super::super::*;

pub(super) fn volume(name: &str, size: &str) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = name.into();
    volume.metadata.uid = format!("uid-{name}");
    volume.spec.capacity.insert("storage".into(), size.parse().expect("a quantity"));
    volume.spec.access_modes = vec!["ReadWriteOnce".into()];
    volume.spec.persistent_volume_reclaim_policy = "Retain".into();
    let path = HostPathVolumeSource { path: "/data".into(), type_: None };
    volume.spec.persistent_volume_source.host_path = Some(Box::new(path));
    volume.status.phase = "Available".into();
    volume
}

pub(super) fn of(mut volume: PersistentVolume, claim: &str, uid: &str) -> PersistentVolume {
    volume.spec.claim_ref = Some(Box::new(ObjectReference {
        namespace: "shop".into(),
        name: claim.into(),
        uid: uid.into(),
        ..ObjectReference::default()
    }));
    volume
}

pub(super) fn with(
    mut volume: PersistentVolume,
    change: impl FnOnce(&mut PersistentVolume),
) -> PersistentVolume {
    change(&mut volume);
    volume
}

pub(super) fn claim(name: &str, size: &str) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.namespace = "shop".into();
    claim.metadata.name = name.into();
    claim.metadata.uid = format!("uid-{name}");
    claim.spec.resources.requests.insert("storage".into(), size.parse().expect("a quantity"));
    claim.spec.access_modes = vec!["ReadWriteOnce".into()];
    claim.spec.storage_class_name = Some(String::new());
    claim.status.phase = "Pending".into();
    claim
}

pub(super) fn asking(
    mut claim: PersistentVolumeClaim,
    change: impl FnOnce(&mut PersistentVolumeClaim),
) -> PersistentVolumeClaim {
    change(&mut claim);
    claim
}

pub(super) fn annotated(mut claim: PersistentVolumeClaim, keys: &[&str]) -> PersistentVolumeClaim {
    claim.metadata.annotations.extend(keys.iter().map(|key| ((*key).to_owned(), "yes".to_owned())));
    claim
}

pub(super) fn class(name: &str, provisioner: &str, mode: &str) -> StorageClass {
    let mut class = StorageClass::default();
    class.metadata.name = name.into();
    class.provisioner = provisioner.into();
    class.volume_binding_mode = Some(mode.into());
    class
}

pub(super) fn pod(name: &str, of: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.namespace = "shop".into();
    pod.metadata.name = name.into();
    let source = PersistentVolumeClaimVolumeSource { claim_name: of.into(), ..Default::default() };
    let volume_source =
        VolumeSource { persistent_volume_claim: Some(Box::new(source)), ..Default::default() };
    pod.spec.volumes = vec![Volume { name: "v".into(), volume_source }];
    pod
}

/// A small cluster.
#[derive(Clone, Default)]
pub(super) struct Cluster {
    pub(super) volumes: Vec<PersistentVolume>,
    pub(super) claims: Vec<PersistentVolumeClaim>,
    pub(super) classes: Vec<StorageClass>,
    pub(super) pods: Vec<Pod>,
    pub(super) events: Vec<String>,
    pub(super) failure: Option<String>,
    pub(super) binder: Arc<PersistentVolumeBinder>,
    /// How long everything has taken already, in seconds.
    pub(super) later: i64,
}

impl Cluster {
    pub(super) fn of(
        volumes: impl IntoIterator<Item = PersistentVolume>,
        claims: impl IntoIterator<Item = PersistentVolumeClaim>,
    ) -> Cluster {
        let (volumes, claims) = (volumes.into_iter().collect(), claims.into_iter().collect());
        Cluster { volumes, claims, ..Cluster::default() }
    }

    pub(super) fn classes(mut self, classes: impl IntoIterator<Item = StorageClass>) -> Cluster {
        self.classes.extend(classes);
        self
    }

    fn world(&self) -> World {
        World::default()
            .with(self.volumes.clone(), Revision(1))
            .with(self.claims.clone(), Revision(1))
            .with(self.classes.clone(), Revision(1))
            .with(self.pods.clone(), Revision(1))
    }

    /// Plans every key over and over, until a round writes nothing.
    pub(super) fn settle(mut self) -> Cluster {
        for _ in 0..20 {
            let claims = self.claims.iter().map(of_claim);
            let volumes = self.volumes.iter().map(|volume| Key::Volume(volume.metadata.name.clone()));
            let keys: Vec<Key> = claims.chain(volumes).collect();
            let mut wrote = 0;
            for key in keys {
                let plan = self.binder.plan(&key, &self.world(), Time::from_unix_seconds(7 + self.later));
                for note in &plan.events {
                    self.hear(note);
                }
                self.failure = plan.failure.map(|status| status.message.clone()).or(self.failure.take());
                for write in plan.stages.into_iter().flatten() {
                    wrote += 1;
                    self.carry_out(write);
                }
            }
            if wrote == 0 {
                return self;
            }
        }
        panic!("it never comes to rest:\n{}", self.text());
    }

    fn hear(&mut self, note: &Note) {
        let text = format!("{:?} {}: {}", note.severity, note.reason, note.message);
        if !self.events.contains(&text) {
            self.events.push(text);
        }
    }

    fn carry_out(&mut self, write: Write) {
        for guard in &write.guards {
            let Guard::Absent(target, uid) = guard else { panic!("{guard:?}") };
            let there =
                self.claims.iter().any(|own| own.metadata.name == target.name && own.metadata.uid == *uid);
            assert!(!there, "a claim that is there is taken for gone");
        }
        for note in write.telling.iter().filter_map(|telling| telling.done.as_ref()) {
            self.hear(note);
        }
        let object = match write.op {
            Op::Update(object, _) => object,
            Op::Create(object) => {
                let pod = (*object).downcast_ref::<Pod>().expect("only pods are made");
                return self.pods.push(pod.clone());
            }
            Op::Delete { .. } => return self.pods.retain(|pod| pod.metadata.name != write.target.name),
            _ => panic!("{}", write.target.name),
        };
        if let Some(volume) = (*object).downcast_ref::<PersistentVolume>() {
            put(&mut self.volumes, volume);
        } else if let Some(claim) = (*object).downcast_ref::<PersistentVolumeClaim>() {
            put(&mut self.claims, claim);
        }
    }

    /// All objects, a line each.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let short = |annotations: &std::collections::BTreeMap<String, String>| {
            let own = annotations.keys().filter_map(|key| match key.as_str() {
                "pv.kubernetes.io/bind-completed" => Some(" done"),
                "pv.kubernetes.io/bound-by-controller" => Some(" ours"),
                _ => None,
            });
            own.collect::<String>()
        };
        for volume in &self.volumes {
            let of = volume.spec.claim_ref.as_deref();
            let of = of.map_or("nobody".to_owned(), |of| format!("{}/{}", of.name, of.uid));
            let (meta, phase) = (&volume.metadata, &volume.status.phase);
            let _ = writeln!(text, "{} {phase} {of}{}", meta.name, short(&meta.annotations));
        }
        for claim in &self.claims {
            let (meta, status) = (&claim.metadata, &claim.status);
            let capacity = status.capacity.get("storage").map_or(String::new(), |size| format!(" {size}"));
            let volume = match claim.spec.volume_name.as_str() {
                "" => "none",
                name => name,
            };
            let _ = writeln!(
                text,
                "{} {} {volume}{capacity}{}",
                meta.name,
                status.phase,
                short(&meta.annotations)
            );
        }
        text
    }

    /// That it comes to rest like this, with these events.
    pub(super) fn ends(self, what: &str, expected: &[&str], events: &[&str]) -> Cluster {
        let settled = self.settle();
        let lines: Vec<&str> = expected.to_vec();
        assert_eq!(settled.text().lines().collect::<Vec<_>>(), lines, "{what}");
        assert_eq!(settled.events, events, "{what}");
        settled
    }
}

fn put<T: Typed + Clone>(all: &mut [T], changed: &T) {
    let uid = object_meta(changed).map(|meta| meta.uid.clone());
    let own = all.iter_mut().find(|own| object_meta(&**own).map(|meta| meta.uid.clone()) == uid);
    *own.expect("what is written is there") = changed.clone();
}
