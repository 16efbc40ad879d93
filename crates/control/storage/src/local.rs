//! Volumes that are directories of nodes: made on the node that was selected for a claim, taken away when the claim has gone.
//!
//! Upstream leaves this to provisioners outside; the like of it is K3s' local-path-provisioner. What is written where is as the library
//! of such provisioners does it (`sig-storage-lib-external-provisioner`). A node is asked by a call ([`NodeVolumes`]); its answers are
//! remembered until they have been written down, and asked for again after a restart.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_meta::Status;
use api_types::core::v1::{
    LocalVolumeSource, Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, VolumeNodeAffinity,
};
use api_types::meta::v1::ObjectMeta;
use api_types::storage::v1::StorageClass;
use api_volume::annotation::{PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER};
use api_volume::{STORAGE, class, matching};
use base::time::Time;
use client::BoxFuture;
use client::reconcile::{Ask, Controller, Note, Plan, Wires, World, Write};
use serde_json::json;

/// The name of the provisioner, as classes have it.
pub const PROVISIONER: &str = "knarr.dev/local";

/// On a volume: the node that it is a directory of.
const NODE: &str = "knarr.dev/node";

/// Holds a volume until its directory is gone, whoever deletes it first.
const FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

const HOST: &str = "kubernetes.io/hostname";

/// The nodes of the cluster, asked for directories.
pub trait NodeVolumes: Send + Sync {
    /// Makes a directory for a volume of this name; answers where it is.
    fn make<'a>(&'a self, node: &'a str, name: &'a str) -> BoxFuture<'a, Result<String, Status>>;

    /// Takes it away with all that is in it; an absent one is fine.
    fn remove<'a>(&'a self, node: &'a str, name: &'a str) -> BoxFuture<'a, Result<(), Status>>;
}

/// What nodes have answered and nobody has written down yet.
#[derive(Default)]
struct Answers {
    /// Where volumes are, by node and name.
    made: BTreeMap<(String, String), String>,
    /// The uids of volumes whose directories are gone.
    removed: BTreeSet<String>,
}

/// Makes and takes away volumes that are directories of nodes.
pub struct LocalVolumes {
    nodes: Arc<dyn NodeVolumes>,
    answers: Arc<Mutex<Answers>>,
}

/// What is thought about at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A claim, by namespace and name.
    Claim(String, String),
    /// A volume, by name.
    Volume(String),
}

impl LocalVolumes {
    /// On these nodes.
    pub fn new(nodes: Arc<dyn NodeVolumes>) -> LocalVolumes {
        LocalVolumes { nodes, answers: Arc::default() }
    }

    fn answers<T>(&self, look: impl FnOnce(&mut Answers) -> T) -> T {
        look(&mut self.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Controller for LocalVolumes {
    const NAME: &'static str = "local-volume-provisioner";
    const SOURCE: &'static str = PROVISIONER;
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<PersistentVolumeClaim>(|claim, _| {
            let meta = &claim.metadata;
            if is_ours(&meta.annotations, STORAGE_PROVISIONER) {
                vec![Key::Claim(meta.namespace.clone(), meta.name.clone())]
            } else {
                Vec::new()
            }
        });
        wires.maps::<PersistentVolume>(|volume, _| {
            let meta = &volume.metadata;
            if is_ours(&meta.annotations, PROVISIONED_BY) {
                vec![Key::Volume(meta.name.clone())]
            } else {
                Vec::new()
            }
        });
        wires.reads::<StorageClass>();
        wires.reads::<Node>();
    }

    fn plan(&self, key: &Key, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        match key {
            Key::Claim(namespace, name) => {
                if let Some(claim) = world.get::<PersistentVolumeClaim>(namespace, name) {
                    self.provision(&mut plan, claim, world);
                    plan.events.extend(unexpanded(claim, world));
                }
            }
            Key::Volume(name) => {
                if let Some(volume) = world.get::<PersistentVolume>("", name) {
                    self.reclaim(&mut plan, volume, world);
                }
            }
        }
        plan
    }
}

fn is_ours(annotations: &BTreeMap<String, String>, key: &str) -> bool {
    annotations.get(key).is_some_and(|own| own == PROVISIONER)
}

impl LocalVolumes {
    fn provision(&self, plan: &mut Plan, claim: &PersistentVolumeClaim, world: &World) {
        let meta = &claim.metadata;
        let name = format!("pvc-{}", meta.uid);
        let is_wanted = is_ours(&meta.annotations, STORAGE_PROVISIONER)
            && claim.spec.volume_name.is_empty()
            && meta.deletion_timestamp.is_none();
        if !is_wanted || world.get::<PersistentVolume>("", &name).is_some() {
            return;
        }
        let own = class::of_claim(claim);
        let Some(class) = world.get::<StorageClass>("", own).filter(|class| class.provisioner == PROVISIONER)
        else {
            return;
        };
        let failed = |why: &str| {
            let message = format!("failed to provision volume with StorageClass {own:?}: {why}");
            Note::warning(claim, "ProvisioningFailed", message)
        };
        if let Some(why) = impossible(claim, class) {
            plan.events.push(failed(why));
            return;
        }
        let Some(selected) = meta.annotations.get(SELECTED_NODE) else {
            plan.events
                .push(failed("it needs volumeBindingMode WaitForFirstConsumer, by which a node is selected"));
            return;
        };
        let Some(node) = world.get::<Node>("", selected) else {
            // Whoever selected it selects another.
            plan.events.push(failed(&format!("node {selected:?} not found")));
            let gone = json!({"metadata": {"annotations": {SELECTED_NODE: null}}});
            plan.stage([Write::patch(claim, "", gone)]);
            return;
        };
        let place = (selected.clone(), name.clone());
        if let Some(path) = self.answers(|answers| answers.made.remove(&place)) {
            let done = format!("Successfully provisioned volume {name}");
            let write = Write::create(volume(claim, class, node, &name, path)).or_exists();
            let done = Note::normal(claim, "ProvisioningSucceeded", done);
            plan.stage([write.telling(Some(done), Some(failed("{error}")))]);
            return;
        }
        match world.failure() {
            Some(failure) => plan.events.push(failed(&failure.status.message)),
            None => {
                let message = format!(
                    "External provisioner is provisioning volume for claim \"{}/{}\"",
                    meta.namespace, meta.name
                );
                plan.events.push(Note::normal(claim, "Provisioning", message));
            }
        }
        plan.asks.push(self.make(place));
        plan.again_in(Duration::ZERO);
    }

    fn make(&self, place: (String, String)) -> Ask {
        let (nodes, answers) = (Arc::clone(&self.nodes), Arc::clone(&self.answers));
        let what = format!("node {} for a directory {}", place.0, place.1);
        let work = move || -> BoxFuture<'static, Result<(), Status>> {
            let (nodes, answers, place) = (Arc::clone(&nodes), Arc::clone(&answers), place.clone());
            Box::pin(async move {
                let path = nodes.make(&place.0, &place.1).await?;
                answers.lock().unwrap_or_else(PoisonError::into_inner).made.insert(place, path);
                Ok(())
            })
        };
        Ask { what, work: Arc::new(work) }
    }

    fn reclaim(&self, plan: &mut Plan, volume: &PersistentVolume, world: &World) {
        let meta = &volume.metadata;
        let is_going = meta.deletion_timestamp.is_some();
        let is_free = match volume.status.phase.as_str() {
            "Released" | "Failed" => true,
            "Available" | "Pending" => is_going,
            _ => false,
        };
        if !is_ours(&meta.annotations, PROVISIONED_BY) || !is_free {
            return;
        }
        if volume.spec.persistent_volume_reclaim_policy != "Delete" {
            // What somebody wants kept is not held when they delete the object.
            if is_going {
                let_go(plan, volume);
            }
            return;
        }
        let node = meta.annotations.get(NODE).filter(|node| world.get::<Node>("", node).is_some());
        // With its node the directory is gone, too.
        let is_gone = |answers: &mut Answers| answers.removed.remove(&meta.uid);
        let Some(node) = node.filter(|_| !self.answers(is_gone)) else {
            let_go(plan, volume);
            if !is_going {
                plan.stage([Write::delete(volume)]);
            }
            return;
        };
        if let Some(failure) = world.failure() {
            let why = &failure.status.message;
            plan.events.push(Note::warning(volume, "VolumeFailedDelete", why.clone()));
        }
        plan.asks.push(self.remove(node.clone(), meta.name.clone(), meta.uid.clone()));
        plan.again_in(Duration::ZERO);
    }

    fn remove(&self, node: String, name: String, uid: String) -> Ask {
        let (nodes, answers) = (Arc::clone(&self.nodes), Arc::clone(&self.answers));
        let what = format!("node {node} to take the directory {name} away");
        let work = move || -> BoxFuture<'static, Result<(), Status>> {
            let (nodes, answers) = (Arc::clone(&nodes), Arc::clone(&answers));
            let (node, name, uid) = (node.clone(), name.clone(), uid.clone());
            Box::pin(async move {
                nodes.remove(&node, &name).await?;
                answers.lock().unwrap_or_else(PoisonError::into_inner).removed.insert(uid);
                Ok(())
            })
        };
        Ask { what, work: Arc::new(work) }
    }
}

/// What is said of a claim that asks for more than it has, as a class of somebody else's making may allow: no limit holds it as it is.
fn unexpanded(claim: &PersistentVolumeClaim, world: &World) -> Option<Note> {
    let volume = world.get::<PersistentVolume>("", &claim.spec.volume_name)?;
    let had = claim.status.capacity.get(STORAGE)?;
    let grows = claim.status.phase == "Bound" && matching::requested(claim) > *had;
    let why = "a directory of a node has no size of its own: there is nothing to expand";
    (grows && is_ours(&volume.metadata.annotations, PROVISIONED_BY))
        .then(|| Note::warning(claim, "VolumeResizeFailed", why))
}

/// Takes the finalizer off.
fn let_go(plan: &mut Plan, volume: &PersistentVolume) {
    if volume.metadata.finalizers.iter().any(|own| own == FINALIZER) {
        let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}});
        plan.stage([Write::patch(volume, "", patch)]);
    }
}

/// Why no directory can be what a claim asks for.
fn impossible(claim: &PersistentVolumeClaim, class: &StorageClass) -> Option<&'static str> {
    let spec = &claim.spec;
    let one_node = |mode: &String| matches!(mode.as_str(), "ReadWriteOnce" | "ReadWriteOncePod");
    if !spec.access_modes.iter().all(one_node) {
        return Some("only access modes ReadWriteOnce and ReadWriteOncePod are supported");
    }
    if spec.volume_mode.as_deref() == Some("Block") {
        return Some("only volumeMode Filesystem is supported");
    }
    if spec.selector.is_some() {
        return Some("claim Selector is not supported");
    }
    if spec.data_source.is_some() || spec.data_source_ref.is_some() {
        return Some("data sources are not supported");
    }
    (!class.mount_options.is_empty()).then_some("mount options are not supported")
}

/// The volume of a claim.
fn volume(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: &Node,
    name: &str,
    path: String,
) -> PersistentVolume {
    let (of, own) = (&claim.metadata, &node.metadata);
    let mut volume = PersistentVolume {
        metadata: ObjectMeta {
            name: name.to_owned(),
            annotations: [(PROVISIONED_BY, PROVISIONER), (NODE, own.name.as_str())]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            finalizers: vec![FINALIZER.to_owned()],
            ..ObjectMeta::default()
        },
        ..PersistentVolume::default()
    };
    let spec = &mut volume.spec;
    spec.capacity.insert(STORAGE.to_owned(), matching::requested(claim));
    spec.access_modes.clone_from(&claim.spec.access_modes);
    spec.storage_class_name.clone_from(&class.metadata.name);
    spec.volume_mode.clone_from(&claim.spec.volume_mode);
    let policy = class.reclaim_policy.as_deref().unwrap_or("Delete");
    policy.clone_into(&mut spec.persistent_volume_reclaim_policy);
    spec.persistent_volume_source.local = Some(Box::new(LocalVolumeSource { path, fs_type: None }));
    spec.claim_ref = Some(Box::new(ObjectReference {
        kind: "PersistentVolumeClaim".to_owned(),
        api_version: "v1".to_owned(),
        namespace: of.namespace.clone(),
        name: of.name.clone(),
        uid: of.uid.clone(),
        resource_version: of.resource_version.clone(),
        ..ObjectReference::default()
    }));
    let requirement = NodeSelectorRequirement {
        key: HOST.to_owned(),
        operator: "In".to_owned(),
        values: vec![own.labels.get(HOST).unwrap_or(&own.name).clone()],
    };
    let term = NodeSelectorTerm { match_expressions: vec![requirement], ..NodeSelectorTerm::default() };
    let required = NodeSelector { node_selector_terms: vec![term].into() };
    spec.node_affinity = Some(Box::new(VolumeNodeAffinity { required: Some(Box::new(required)) }));
    volume
}
