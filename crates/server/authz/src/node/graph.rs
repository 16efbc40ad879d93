//! Which node needs which object.
//!
//! Upstream walks a general graph; here every question is answered by two or three lookups, because the paths are known:
//! pod → node; secret, config map, claim, service account → pods; volume → claim; secret → volumes → claims. What no
//! pod or volume names any more is gone with its last reference. Changes cost what the changed object refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_types::certificates::v1::PodCertificateRequest;
use api_types::core::v1::{PersistentVolume, Pod};
use api_types::resource::v1::ResourceSlice;
use api_types::storage::v1::VolumeAttachment;

use super::references::{pod_references, volume_secrets};

type Node = Arc<str>;

/// The authorizer's state. Equal when it was made from equal objects, in whatever order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    pods: BTreeMap<Key, BoundPod>,
    /// For each object that pods refer to: the nodes of those pods, and how many pods of each.
    needed: BTreeMap<Arc<Target>, BTreeMap<Node, usize>>,
    /// Persistent volumes that are bound to a claim.
    volumes: BTreeMap<String, BoundVolume>,
    /// For each secret that volumes refer to: those volumes.
    volume_secrets: BTreeMap<Key, BTreeSet<String>>,
    attachments: BTreeMap<String, Node>,
    slices: BTreeMap<String, Node>,
    certificate_requests: BTreeMap<Key, Node>,
}

/// A namespace and a name.
pub(super) type Key = (String, String);

/// An object that a pod refers to, in the pod's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) kind: Kind,
    pub(super) key: Key,
}

/// The kinds that pods refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ConfigMap,
    PersistentVolumeClaim,
    ResourceClaim,
    Secret,
    ServiceAccount,
}

#[derive(Clone, Debug, PartialEq)]
struct BoundPod {
    node: Node,
    /// Shared with the other pods that refer to the same: pods of one template refer to the same objects.
    targets: Box<[Arc<Target>]>,
}

#[derive(Clone, Debug, PartialEq)]
struct BoundVolume {
    claim: Key,
    secrets: BTreeSet<Key>,
}

impl Graph {
    /// No node needs anything.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Takes in a pod, new or changed; one without a node is ignored.
    pub fn put_pod(&mut self, pod: &Pod) {
        if pod.spec.node_name.is_empty() {
            return;
        }
        let key = (pod.metadata.namespace.clone(), pod.metadata.name.clone());
        let bound = self.bound(&pod.spec.node_name, pod_references(pod));
        if self.pods.get(&key) == Some(&bound) {
            return;
        }
        self.remove_pod(&key.0, &key.1);
        for target in &bound.targets {
            let nodes = self.needed.entry(Arc::clone(target)).or_default();
            *nodes.entry(bound.node.clone()).or_default() += 1;
        }
        self.pods.insert(key, bound);
    }

    fn bound(&self, node: &str, targets: BTreeSet<Target>) -> BoundPod {
        let mut known = None;
        let shared = |target: Target| {
            let Some((shared, nodes)) = self.needed.get_key_value(&target) else { return Arc::new(target) };
            known = known.take().or_else(|| nodes.get_key_value(node).map(|(node, _)| Arc::clone(node)));
            Arc::clone(shared)
        };
        let targets = targets.into_iter().map(shared).collect();
        BoundPod { node: known.unwrap_or_else(|| node.into()), targets }
    }

    /// Forgets a pod.
    pub fn remove_pod(&mut self, namespace: &str, name: &str) {
        let Some(pod) = self.pods.remove(&key(namespace, name)) else { return };
        for target in pod.targets {
            let Some(nodes) = self.needed.get_mut(&target) else { continue };
            match nodes.get_mut(&pod.node) {
                Some(pods) if *pods > 1 => *pods -= 1,
                _ => {
                    nodes.remove(&pod.node);
                }
            }
            if nodes.is_empty() {
                self.needed.remove(&target);
            }
        }
    }

    /// Takes in a persistent volume, new or changed.
    pub fn put_persistent_volume(&mut self, volume: &PersistentVolume) {
        let name = &volume.metadata.name;
        self.remove_persistent_volume(name);
        let Some(claim) = &volume.spec.claim_ref else { return };
        let secrets = volume_secrets(volume);
        for secret in &secrets {
            self.volume_secrets.entry(secret.clone()).or_default().insert(name.clone());
        }
        self.volumes.insert(name.clone(), BoundVolume { claim: key(&claim.namespace, &claim.name), secrets });
    }

    /// Forgets a persistent volume.
    pub fn remove_persistent_volume(&mut self, name: &str) {
        let Some(volume) = self.volumes.remove(name) else { return };
        for secret in volume.secrets {
            let Some(volumes) = self.volume_secrets.get_mut(&secret) else { continue };
            volumes.remove(name);
            if volumes.is_empty() {
                self.volume_secrets.remove(&secret);
            }
        }
    }

    /// Takes in a volume attachment, new or changed.
    pub fn put_volume_attachment(&mut self, attachment: &VolumeAttachment) {
        put(&mut self.attachments, attachment.metadata.name.clone(), &attachment.spec.node_name);
    }

    /// Forgets a volume attachment.
    pub fn remove_volume_attachment(&mut self, name: &str) {
        self.attachments.remove(name);
    }

    /// Takes in a resource slice, new or changed; one that is not a single node's is nobody's.
    pub fn put_resource_slice(&mut self, slice: &ResourceSlice) {
        put(
            &mut self.slices,
            slice.metadata.name.clone(),
            slice.spec.node_name.as_deref().unwrap_or_default(),
        );
    }

    /// Forgets a resource slice.
    pub fn remove_resource_slice(&mut self, name: &str) {
        self.slices.remove(name);
    }

    /// Takes in a pod certificate request, new or changed.
    pub fn put_pod_certificate_request(&mut self, request: &PodCertificateRequest) {
        let key = key(&request.metadata.namespace, &request.metadata.name);
        put(&mut self.certificate_requests, key, &request.spec.node_name);
    }

    /// Forgets a pod certificate request.
    pub fn remove_pod_certificate_request(&mut self, namespace: &str, name: &str) {
        self.certificate_requests.remove(&key(namespace, name));
    }

    pub(super) fn runs_pod(&self, node: &str, namespace: &str, name: &str) -> bool {
        self.pods.get(&key(namespace, name)).is_some_and(|pod| &*pod.node == node)
    }

    /// Whether a pod of the node refers to the object; for secrets also through the volumes of its claims.
    pub(super) fn needs(&self, node: &str, kind: Kind, namespace: &str, name: &str) -> bool {
        let key = key(namespace, name);
        let by_volume = || {
            self.volume_secrets
                .get(&key)
                .is_some_and(|names| names.iter().any(|pv| self.uses_volume(node, pv)))
        };
        self.pods_need(node, kind, key.clone()) || kind == Kind::Secret && by_volume()
    }

    pub(super) fn uses_volume(&self, node: &str, name: &str) -> bool {
        let claim = self.volumes.get(name).map(|volume| volume.claim.clone());
        claim.is_some_and(|claim| self.pods_need(node, Kind::PersistentVolumeClaim, claim))
    }

    pub(super) fn has_attachment(&self, node: &str, name: &str) -> bool {
        self.attachments.get(name).is_some_and(|of| &**of == node)
    }

    pub(super) fn has_slice(&self, node: &str, name: &str) -> bool {
        self.slices.get(name).is_some_and(|of| &**of == node)
    }

    pub(super) fn has_certificate_request(&self, node: &str, namespace: &str, name: &str) -> bool {
        self.certificate_requests.get(&key(namespace, name)).is_some_and(|of| &**of == node)
    }

    fn pods_need(&self, node: &str, kind: Kind, key: Key) -> bool {
        self.needed.get(&Target { kind, key }).is_some_and(|nodes| nodes.contains_key(node))
    }
}

fn key(namespace: &str, name: &str) -> Key {
    (namespace.to_owned(), name.to_owned())
}

fn put<K: Ord>(map: &mut BTreeMap<K, Node>, key: K, node: &str) {
    if node.is_empty() {
        map.remove(&key);
    } else {
        map.insert(key, node.into());
    }
}
