//! The policy every cluster starts with: upstream's roles and bindings of release 1.37, gates as they are by default.
//!
//! The server reconciles [`policy`] (with [`crate::reconcile`]) at each start, as upstream's `rbac/bootstrap-roles` hook
//! does; the Node authorizer takes [`node_rules`]. Deliberately absent: upstream's migrations of the unaggregated
//! `admin`, `edit` and `view` (before 1.9) and of `system:discovery` (before 1.14), from which no cluster can come.

mod bindings;
mod build;
mod component_roles;
mod controller_roles;
mod join;
mod namespace_roles;
mod user_roles;

#[cfg(test)]
mod tests;

use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding};

use build::{BindingRow, RoleRow};
pub use join::{ADMINS_GROUP, SETTINGS, join_bindings, join_roles, settings_binding, settings_role};

/// The annotation by which an object asks (`true`) to be reconciled or not (`false`).
pub const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// The label, with its value, of everything the policy made.
pub const BOOTSTRAPPING: (&str, &str) = ("kubernetes.io/bootstrapping", "rbac-defaults");

pub(crate) const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

const CONTROLLER_PREFIX: &str = "system:controller:";

/// Everything the policy wants to exist.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// Cluster roles: the users', the components', the controllers'.
    pub cluster_roles: Vec<ClusterRole>,
    /// Their bindings.
    pub cluster_role_bindings: Vec<ClusterRoleBinding>,
    /// Roles of `kube-system` and `kube-public`.
    pub roles: Vec<Role>,
    /// Bindings of `kube-system` and `kube-public`.
    pub role_bindings: Vec<RoleBinding>,
}

/// Upstream's whole bootstrap policy.
pub fn policy() -> Policy {
    let (controllers, controller_bindings): (Vec<_>, Vec<_>) =
        controller_roles::CONTROLLER_ROLES.iter().map(build::controller).unzip();
    let mut cluster_roles = base_cluster_roles();
    cluster_roles.extend(controllers);
    let mut cluster_role_bindings: Vec<_> =
        bindings::BINDINGS.iter().map(BindingRow::cluster_role_binding).collect();
    cluster_role_bindings.extend(controller_bindings);
    Policy {
        cluster_roles,
        cluster_role_bindings,
        roles: in_namespaces(namespace_roles::SYSTEM_ROLES, namespace_roles::PUBLIC_ROLES, RoleRow::role),
        role_bindings: in_namespaces(
            namespace_roles::SYSTEM_BINDINGS,
            namespace_roles::PUBLIC_BINDINGS,
            BindingRow::role_binding,
        ),
    }
}

/// What every node may do where the Node authorizer does not look closer; also the rules of the role `system:node`.
pub fn node_rules() -> Vec<PolicyRule> {
    build::rules(component_roles::NODE_RULES).into_iter().collect()
}

fn base_cluster_roles() -> Vec<ClusterRole> {
    let with_rules = [user_roles::USER_ROLES, component_roles::COMPONENT_ROLES, &[NODE_ROLE]];
    let mut roles: Vec<_> = with_rules.into_iter().flatten().map(|row| row.cluster_role("")).collect();
    for role in &mut roles {
        let name = role.metadata.name.clone();
        if let Some(larger) = name.strip_prefix("system:aggregate-to-") {
            build::mark_part_of(&mut role.metadata, larger);
        }
    }
    roles.extend(user_roles::AGGREGATED.iter().map(|&(name, part_of)| build::aggregated(name, part_of)));
    roles
}

const NODE_ROLE: RoleRow = build::role("system:node", component_roles::NODE_RULES);

fn in_namespaces<R, O>(system: &[R], public: &[R], make: impl Fn(&R, &str) -> O) -> Vec<O> {
    let system = system.iter().map(|row| make(row, "kube-system"));
    let public = public.iter().map(|row| make(row, "kube-public"));
    system.chain(public).collect()
}
