//! Who may do what, kept up to date from the roles, bindings and pods that the registry holds.

use std::sync::{Arc, PoisonError, RwLock};

use api_record::Record;
use api_types::core::v1::{PersistentVolume, Pod};
use api_types::object_meta;
use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use api_types::storage::v1::VolumeAttachment;
use arc_swap::ArcSwap;
use client::view::Change;
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

    /// Takes in what has become of an object: as it was, and as it is.
    pub(crate) fn change(&self, change: &Change) {
        if let Some(gone) = change.gone() {
            self.remove(&**gone);
        }
        if let Some(now) = change.after() {
            self.put(&**now);
        }
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
    fn remove(&self, object: &dyn Record) {
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

#[cfg(test)]
mod tests {
    use api_types::core::v1::LocalObjectReference;
    use client::Resource;

    use super::*;

    fn pod(uid: &str, node: &str) -> Option<Arc<dyn Record>> {
        let mut pod = Pod::default();
        pod.metadata.namespace = "shop".into();
        pod.metadata.name = "db-0".into();
        pod.metadata.uid = uid.into();
        pod.spec.node_name = node.into();
        pod.spec.image_pull_secrets = vec![LocalObjectReference { name: "registry".into() }];
        Some(Arc::new(pod))
    }

    fn may_read(policy: &Policy, node: &str) -> bool {
        let caller = Caller::new(&format!("system:node:{node}"), &["system:nodes"]);
        let target = Target {
            resource: Resource::of("", "v1", "secrets"),
            namespace: "shop".into(),
            name: "registry".into(),
            subresource: String::new(),
        };
        policy.check(&caller, "get", &target, &Selectors::default()).is_ok()
    }

    #[test]
    fn a_node_reads_what_its_pods_need_as_long_as_they_are_there() {
        let policy = Policy::default();
        policy.change(&Change::between(None, pod("u1", "n1")));
        assert!(may_read(&policy, "n1") && !may_read(&policy, "n2"));
        policy.change(&Change::between(pod("u1", "n1"), pod("u2", "")));
        assert!(!may_read(&policy, "n1"), "another of its name is not that pod");
        policy.change(&Change::between(pod("u2", ""), pod("u2", "n2")));
        assert!(may_read(&policy, "n2"));
        policy.change(&Change::between(pod("u2", "n2"), None));
        assert!(!may_read(&policy, "n2"));
    }
}
