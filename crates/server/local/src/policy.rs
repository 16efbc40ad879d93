//! Who may do what, kept up to date from the roles, bindings and pods that the registry holds.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use api_record::Record;
use api_types::core::v1::{PersistentVolume, Pod};
use api_types::object_meta;
use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use api_types::storage::v1::VolumeAttachment;
use arc_swap::ArcSwap;
use client::{Caller, Status, Target, Trail};
use server_authz::node::Graph;
use server_authz::rbac::Index;
use server_authz::{Attributes, Authorize, Decision, Union};

use crate::attributes::{self, Selectors, forbidden};

/// The authorizers and what they know.
#[derive(Default)]
pub struct Policy {
    rbac: ArcSwap<Index>,
    node: RwLock<Graph>,
}

impl Authorize for Policy {
    fn authorize(&self, request: &Attributes<'_>) -> Decision {
        self.decide(request)
    }
}

impl Policy {
    /// Decides a request.
    pub fn decide(&self, request: &Attributes<'_>) -> Decision {
        let node = self.node.read().unwrap_or_else(PoisonError::into_inner);
        Union { node: &node, rbac: &self.rbac.load() }.authorize(request)
    }

    /// Roles and bindings, as they are now.
    pub fn rbac(&self) -> Arc<Index> {
        self.rbac.load_full()
    }

    /// What a user may do in a namespace.
    pub fn rules_for(
        &self,
        caller: &Caller,
        namespace: &str,
    ) -> api_types::authorization::v1::SubjectRulesReviewStatus {
        let node = self.node.read().unwrap_or_else(PoisonError::into_inner);
        Union { node: &node, rbac: &self.rbac.load() }.rules_for(&caller.name, &caller.groups, namespace)
    }

    pub(crate) fn check(
        &self,
        caller: &Caller,
        verb: &str,
        target: &Target,
        selectors: &Selectors,
    ) -> Result<(), Status> {
        attributes::with(caller, verb, target, selectors, |request| {
            let decision = self.decide(request);
            note(&caller.trail, &decision);
            match decision {
                Decision::Allow { .. } => Ok(()),
                refused => Err(forbidden(request, refused.reason())),
            }
        })
    }

    /// Takes in an object that is there now.
    pub(crate) fn put(&self, object: &dyn Record) {
        if let Some(pod) = object.downcast_ref::<Pod>() {
            self.graph(|graph| graph.put_pod(pod));
        } else if let Some(volume) = object.downcast_ref::<PersistentVolume>() {
            self.graph(|graph| graph.put_persistent_volume(volume));
        } else if let Some(attachment) = object.downcast_ref::<VolumeAttachment>() {
            self.graph(|graph| graph.put_volume_attachment(attachment));
        } else if let Some(role) = object.downcast_ref::<ClusterRole>() {
            self.index(|index| index.put_cluster_role(role));
        } else if let Some(role) = object.downcast_ref::<Role>() {
            self.index(|index| index.put_role(role));
        } else if let Some(binding) = object.downcast_ref::<ClusterRoleBinding>() {
            self.index(|index| index.put_cluster_role_binding(binding));
        } else if let Some(binding) = object.downcast_ref::<RoleBinding>() {
            self.index(|index| index.put_role_binding(binding));
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn remove(&self, object: &dyn Record) {
        let Some(meta) = object_meta(object) else { return };
        let (namespace, name) = (meta.namespace.as_str(), meta.name.as_str());
        if object.downcast_ref::<Pod>().is_some() {
            self.graph(|graph| graph.remove_pod(namespace, name));
        } else if object.downcast_ref::<PersistentVolume>().is_some() {
            self.graph(|graph| graph.remove_persistent_volume(name));
        } else if object.downcast_ref::<VolumeAttachment>().is_some() {
            self.graph(|graph| graph.remove_volume_attachment(name));
        } else if object.downcast_ref::<ClusterRole>().is_some() {
            self.index(|index| index.remove_cluster_role(name));
        } else if object.downcast_ref::<Role>().is_some() {
            self.index(|index| index.remove_role(namespace, name));
        } else if object.downcast_ref::<ClusterRoleBinding>().is_some() {
            self.index(|index| index.remove_cluster_role_binding(name));
        } else if object.downcast_ref::<RoleBinding>().is_some() {
            self.index(|index| index.remove_role_binding(namespace, name));
        }
    }

    fn graph(&self, change: impl FnOnce(&mut Graph)) {
        change(&mut self.node.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn index(&self, change: impl FnOnce(&mut Index)) {
        let mut index = Index::clone(&self.rbac.load());
        change(&mut index);
        self.rbac.store(Arc::new(index));
    }
}

/// Notes for the audit log who may do what a request asks for, and why.
pub fn note(trail: &Trail, decision: &Decision) {
    let decided = if decision.is_allowed() { "allow" } else { "forbid" };
    trail.annotate("authorization.k8s.io/decision", decided);
    trail.annotate("authorization.k8s.io/reason", decision.reason());
}

/// The objects of one resource that the policy knows, so that a fresh list can tell which have gone.
#[derive(Default)]
pub(crate) struct Known(BTreeMap<(String, String), Arc<dyn Record>>);

impl Known {
    /// Brings the policy from what was known to what is there now.
    pub(crate) fn update<'a>(&mut self, policy: &Policy, now: impl Iterator<Item = &'a Arc<dyn Record>>) {
        let mut next = BTreeMap::new();
        for object in now {
            let Some(meta) = object_meta(&**object) else { continue };
            let key = (meta.namespace.clone(), meta.name.clone());
            match self.0.remove(&key) {
                Some(old) if Arc::ptr_eq(&old, object) => {}
                _ => policy.put(&**object),
            }
            next.insert(key, Arc::clone(object));
        }
        for gone in self.0.values() {
            policy.remove(&**gone);
        }
        self.0 = next;
    }
}
