//! Nobody grants what he does not hold: the check before a role or a binding is stored.
//!
//! The registry calls [`check_role`] and [`check_binding`] on creations and updates, except updates that
//! [`only_garbage_collection`] recognises. Answers to upstream's `pkg/registry/rbac`: members of `system:masters` may do
//! anything; the verb `escalate` on the role and `bind` on the referenced role lift the check.

use api_record::Record;
use api_types::rbac::v1::{ClusterRole, PolicyRule, RoleRef};
use api_types::{object_meta, object_meta_mut};

use super::compact::{describe, quoted_list};
use super::{Index, RoleError, aggregate, covers};
use crate::bootstrap::RBAC_GROUP;
use crate::union::PRIVILEGED_GROUP;
use crate::{Attributes, Authorize};
use api_meta::quote;

/// Why a role or binding must not be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Escalation {
    /// It grants more than the user holds: a `Forbidden` of the role or binding, with this as its cause.
    #[error("{message}")]
    NotHeld {
        /// Upstream's words: the user, and each permission that he lacks on a line of its own.
        message: String,
    },
    /// An aggregation can gather anything: a `Forbidden` of the cluster role, with this as its cause.
    #[error("must have cluster-admin privileges to use the aggregationRule")]
    Aggregation,
    /// The binding refers to a role that does not exist: a `NotFound` of that role.
    #[error("{resource}.{RBAC_GROUP} {} not found", quote::go(name))]
    NoRole {
        /// `roles` or `clusterroles`.
        resource: &'static str,
        /// The role's name.
        name: String,
    },
    /// The binding refers to something that is no role: validation refuses such bindings.
    #[error("unsupported role reference kind: {}", quote::go(kind))]
    UnsupportedKind {
        /// What it refers to.
        kind: String,
    },
}

/// Whether the user of the request may store a role with these rules. `request` is the request that writes it, `index`
/// what the user holds, `authorizer` who is asked about `escalate`.
///
/// # Errors
/// If the rules are more than the user holds.
pub fn check_role(
    authorizer: &dyn Authorize,
    index: &Index,
    request: &Attributes<'_>,
    rules: &[PolicyRule],
) -> Result<(), Escalation> {
    if may_escalate(authorizer, request) { Ok(()) } else { confirm_held(index, request, rules) }
}

/// As [`check_role`], for a cluster role, whose aggregation (the old one included) takes the whole cluster's rights.
///
/// # Errors
/// If the rules are more than the user holds, or an aggregation is touched by less than an administrator.
pub fn check_cluster_role(
    authorizer: &dyn Authorize,
    index: &Index,
    request: &Attributes<'_>,
    new: &ClusterRole,
    old: Option<&ClusterRole>,
) -> Result<(), Escalation> {
    if may_escalate(authorizer, request) {
        return Ok(());
    }
    confirm_held(index, request, &new.rules)?;
    let aggregates = [Some(new), old].into_iter().flatten().any(has_aggregation);
    if aggregates && confirm_held(index, request, &full_authority()).is_err() {
        return Err(Escalation::Aggregation);
    }
    Ok(())
}

/// Whether the user of the request may store a binding to this role. The request's namespace is the binding's, empty for
/// a cluster role binding.
///
/// # Errors
/// If the role does not exist or grants more than the user holds.
pub fn check_binding(
    authorizer: &dyn Authorize,
    index: &Index,
    request: &Attributes<'_>,
    role_ref: &RoleRef,
) -> Result<(), Escalation> {
    if request.in_group(PRIVILEGED_GROUP) || may_bind(authorizer, request, role_ref) {
        return Ok(());
    }
    let rules = index.role_rules(role_ref, request.namespace).map_err(Escalation::from)?;
    confirm_held(index, request, rules)
}

/// Whether the user of the request holds all these rules in the request's namespace (upstream's `ConfirmNoEscalation`).
///
/// # Errors
/// If one of them is missing.
pub fn confirm_held(index: &Index, request: &Attributes<'_>, rules: &[PolicyRule]) -> Result<(), Escalation> {
    let held = index.rules_for(request.user, request.groups, request.namespace);
    let missing = covers(&held.rules, rules);
    if missing.is_empty() {
        return Ok(());
    }
    let mut message = format!(
        "user {} (groups={}) is attempting to grant RBAC permissions not currently held:\n{}",
        quote::go(request.user),
        quoted_list(request.groups),
        describe(&missing).join("\n")
    );
    let errors: Vec<_> = held.errors.into_iter().map(|error| Escalation::from(error).to_string()).collect();
    if let Some(errors) = aggregate(&errors) {
        message.push_str(&format!("; resolution errors: [{errors}]"));
    }
    Err(Escalation::NotHeld { message })
}

/// Whether an update changes nothing but what garbage collection changes: owners, finalizers, and what goes with them.
pub fn only_garbage_collection(new: &dyn Record, old: &dyn Record) -> bool {
    let mut copy = new.boxed_clone();
    let (Some(meta), Some(old_meta)) = (object_meta_mut(&mut *copy), object_meta(old)) else { return false };
    meta.owner_references = old_meta.owner_references.clone();
    meta.finalizers = old_meta.finalizers.clone();
    meta.self_link = old_meta.self_link.clone();
    meta.managed_fields = old_meta.managed_fields.clone();
    *copy == *old
}

fn may_escalate(authorizer: &dyn Authorize, request: &Attributes<'_>) -> bool {
    if request.in_group(PRIVILEGED_GROUP) {
        return true;
    }
    let is_role = request.api_group == RBAC_GROUP && matches!(request.resource, "clusterroles" | "roles");
    if !request.is_resource_request || !is_role {
        return false;
    }
    let escalate = asker(request).on("escalate", request.api_group, request.resource);
    let escalate = Attributes { name: request.name, namespace: request.namespace, ..escalate };
    authorizer.authorize(&escalate).is_allowed()
}

fn may_bind(authorizer: &dyn Authorize, request: &Attributes<'_>, role_ref: &RoleRef) -> bool {
    let resource = match role_ref.kind.as_str() {
        "ClusterRole" => "clusterroles",
        "Role" => "roles",
        _ => return false,
    };
    let bind = asker(request).on("bind", &role_ref.api_group, resource);
    authorizer
        .authorize(&Attributes { name: &role_ref.name, namespace: request.namespace, ..bind })
        .is_allowed()
}

fn asker<'a>(request: &Attributes<'a>) -> Attributes<'a> {
    Attributes { uid: request.uid, extra: request.extra, ..Attributes::of(request.user, request.groups) }
}

fn has_aggregation(role: &ClusterRole) -> bool {
    role.aggregation_rule.as_ref().is_some_and(|rule| !rule.cluster_role_selectors.is_empty())
}

fn full_authority() -> [PolicyRule; 2] {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule { verbs: all().into(), api_groups: all(), resources: all(), ..Default::default() },
        PolicyRule { verbs: all().into(), non_resource_urls: all(), ..Default::default() },
    ]
}

impl From<RoleError> for Escalation {
    fn from(error: RoleError) -> Escalation {
        match error {
            RoleError::NoClusterRole { name } => Escalation::NoRole { resource: "clusterroles", name },
            RoleError::NoRole { name } => Escalation::NoRole { resource: "roles", name },
            RoleError::UnsupportedKind { kind } => Escalation::UnsupportedKind { kind },
        }
    }
}
