//! Nobody grants what they do not hold: roles and bindings, before they are written.
//!
//! Upstream: `pkg/registry/rbac/*/policybased/storage.go`. The rule itself is `server_authz::rbac::escalation`'s.

use std::borrow::Cow;

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_record::Record;
use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef};
use client::{Caller, Target};
use server_authz::Attributes;
use server_authz::rbac::escalation::{
    Escalation, check_binding, check_cluster_role, check_role, only_garbage_collection,
};

use crate::Policy;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether a caller may make `new` of `old`, if these are roles or bindings.
pub(crate) fn check(
    policy: &Policy,
    who: &Caller,
    verb: &str,
    target: &Target,
    new: &dyn Record,
    old: Option<&dyn Record>,
) -> Result<(), Status> {
    if target.resource.group != GROUP || old.is_some_and(|old| only_garbage_collection(new, old)) {
        return Ok(());
    }
    let request = Attributes {
        uid: &who.uid,
        extra: &who.extra,
        name: &target.name,
        namespace: &target.namespace,
        ..Attributes::of(&who.name, &who.groups).on(verb, GROUP, &target.resource.plural)
    };
    let index = policy.rbac();
    let checked = if let Some(role) = new.downcast_ref::<ClusterRole>() {
        check_cluster_role(policy, &index, &request, role, old.and_then(|old| old.downcast_ref()))
    } else if let Some(role) = new.downcast_ref::<Role>() {
        check_role(policy, &index, &request, &role.rules)
    } else if let Some(binding) = new.downcast_ref::<ClusterRoleBinding>() {
        check_binding(policy, &index, &request, &whole(&binding.role_ref))
    } else if let Some(binding) = new.downcast_ref::<RoleBinding>() {
        check_binding(policy, &index, &request, &whole(&binding.role_ref))
    } else {
        Ok(())
    };
    checked.or_else(|escalation| refusal(&escalation, target, new).map_or(Ok(()), Err))
}

/// The reference with the group that is its default.
fn whole(role_ref: &RoleRef) -> Cow<'_, RoleRef> {
    if role_ref.api_group.is_empty() {
        Cow::Owned(RoleRef { api_group: GROUP.to_owned(), ..role_ref.clone() })
    } else {
        Cow::Borrowed(role_ref)
    }
}

fn refusal(escalation: &Escalation, target: &Target, new: &dyn Record) -> Option<Status> {
    let of = |resource| GroupResource { group: GROUP, resource };
    match escalation {
        Escalation::NotHeld { .. } | Escalation::Aggregation => {
            let name = api_types::object_meta(new).map(|meta| meta.name.as_str()).unwrap_or_default();
            Some(Status::forbidden(of(&target.resource.plural), name, escalation))
        }
        Escalation::NoRole { resource, name } => Some(Status::not_found(of(resource), name)),
        // Upstream takes this for a fault of its own (500). Validation says what is wrong, and lets no such binding pass.
        Escalation::UnsupportedKind { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use api_types::rbac::v1::PolicyRule;
    use client::Resource;

    use super::*;

    fn target(plural: &'static str) -> Target {
        Target {
            resource: Resource::of(GROUP, "v1", plural),
            namespace: String::new(),
            name: String::new(),
            subresource: String::new(),
        }
    }

    #[test]
    fn roles_and_bindings_grant_what_their_writer_holds() {
        let policy = Policy::default();
        let mut role = ClusterRole::default();
        role.metadata.name = "all".into();
        role.rules = vec![PolicyRule {
            verbs: vec!["*".to_owned()].into(),
            api_groups: vec!["*".to_owned()],
            resources: vec!["*".to_owned()],
            ..PolicyRule::default()
        }]
        .into();
        let (jane, root) = (Caller::new("jane", &[]), Caller::new("root", &["system:masters"]));
        let put =
            |who, new: &dyn Record, old| check(&policy, who, "create", &target("clusterroles"), new, old);
        assert!(put(&root, &role, None).is_ok());
        let refused = put(&jane, &role, None).expect_err("more than she holds");
        assert!(
            refused.is_forbidden()
                && refused.message.starts_with(
                    "clusterroles.rbac.authorization.k8s.io \"all\" is forbidden: user \"jane\""
                ),
            "{}",
            refused.message
        );
        // Nothing but owners changes: whoever cleans up need not hold the rules.
        assert!(put(&jane, &role, Some(&role)).is_ok());
        policy.put(&role);
        let mut binding = ClusterRoleBinding::default();
        binding.metadata.name = "b".into();
        binding.role_ref.kind = "ClusterRole".into();
        binding.role_ref.name = "all".into();
        let bind = |who, binding: &ClusterRoleBinding| {
            check(&policy, who, "create", &target("clusterrolebindings"), binding, None)
        };
        assert!(bind(&root, &binding).is_ok());
        assert!(bind(&jane, &binding).expect_err("more than she holds").is_forbidden());
        binding.role_ref.name = "none".into();
        assert!(bind(&jane, &binding).expect_err("no such role").is_not_found());
        binding.role_ref.kind = "Group".into();
        assert!(bind(&jane, &binding).is_ok(), "it is left to validation");
    }
}
