//! All roles and bindings, found by subject.
//!
//! A change costs what the changed object is large, a question what its subject is bound to: never a scan. The maps are
//! persistent, so that a clone is a snapshot. They are looked up, never walked (their order is not fixed); the names of a
//! subject's bindings are kept in order, which makes reasons and rules deterministic where upstream's are not.

use std::sync::Arc;

use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};
use rpds::{HashTrieMapSync, RedBlackTreeSetSync};

use super::grants::Grants;

/// The authorizer's state: a snapshot of the four kinds. Equal when it was made from equal objects, in whatever order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    /// By namespace; the empty one holds what is cluster-wide. None is empty.
    scopes: HashTrieMapSync<String, Scope>,
}

/// The roles and bindings of a namespace, or the cluster-wide ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scope {
    roles: HashTrieMapSync<String, Arc<Vec<PolicyRule>>>,
    bindings: HashTrieMapSync<Arc<str>, Arc<Binding>>,
    /// Names of bindings by the user's name; a service account counts as the user it is.
    users: HashTrieMapSync<String, Names>,
    groups: HashTrieMapSync<String, Names>,
}

/// What a binding says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Binding {
    pub(super) subjects: Vec<Subject>,
    pub(super) role_ref: RoleRef,
}

pub(super) type Names = RedBlackTreeSetSync<Arc<str>>;

/// Whom a subject means.
#[derive(Debug, PartialEq)]
pub(super) enum Who {
    User(String),
    Group(String),
}

impl Index {
    /// Nothing granted to anybody.
    pub fn new() -> Index {
        Index::default()
    }

    /// Takes in a cluster role, new or changed.
    pub fn put_cluster_role(&mut self, role: &ClusterRole) {
        self.put_rules("", &role.metadata.name, &role.rules);
    }

    /// Forgets a cluster role.
    pub fn remove_cluster_role(&mut self, name: &str) {
        self.remove_rules("", name);
    }

    /// Takes in a role, new or changed.
    pub fn put_role(&mut self, role: &Role) {
        if !role.metadata.namespace.is_empty() {
            self.put_rules(&role.metadata.namespace, &role.metadata.name, &role.rules);
        }
    }

    /// Forgets a role.
    pub fn remove_role(&mut self, namespace: &str, name: &str) {
        if !namespace.is_empty() {
            self.remove_rules(namespace, name);
        }
    }

    /// Takes in a cluster role binding, new or changed.
    pub fn put_cluster_role_binding(&mut self, binding: &ClusterRoleBinding) {
        self.put_binding("", &binding.metadata.name, &binding.subjects, &binding.role_ref);
    }

    /// Forgets a cluster role binding.
    pub fn remove_cluster_role_binding(&mut self, name: &str) {
        self.change("", |scope| scope.remove_binding("", name));
    }

    /// Takes in a role binding, new or changed.
    pub fn put_role_binding(&mut self, binding: &RoleBinding) {
        if !binding.metadata.namespace.is_empty() {
            let metadata = &binding.metadata;
            self.put_binding(&metadata.namespace, &metadata.name, &binding.subjects, &binding.role_ref);
        }
    }

    /// Forgets a role binding.
    pub fn remove_role_binding(&mut self, namespace: &str, name: &str) {
        if !namespace.is_empty() {
            self.change(namespace, |scope| scope.remove_binding(namespace, name));
        }
    }

    /// What a user is granted in a namespace (empty: across the cluster only), binding by binding: the cluster-wide ones
    /// first, each part in the order of names.
    pub fn grants<'a>(&'a self, user: &'a str, groups: &'a [String], namespace: &'a str) -> Grants<'a> {
        Grants::new(self, user, groups, namespace)
    }

    pub(super) fn scope(&self, namespace: &str) -> Option<&Scope> {
        self.scopes.get(namespace)
    }

    /// The rules of a cluster role (namespace empty) or of a role.
    pub(super) fn rules(&self, namespace: &str, name: &str) -> Option<&[PolicyRule]> {
        self.scope(namespace)?.roles.get(name).map(|rules| rules.as_slice())
    }

    fn put_rules(&mut self, namespace: &str, name: &str, rules: &[PolicyRule]) {
        self.change(namespace, |scope| scope.roles.insert_mut(name.to_owned(), Arc::new(rules.to_vec())));
    }

    fn remove_rules(&mut self, namespace: &str, name: &str) {
        self.change(namespace, |scope| {
            scope.roles.remove_mut(name);
        });
    }

    fn put_binding(&mut self, namespace: &str, name: &str, subjects: &[Subject], role_ref: &RoleRef) {
        let binding = Binding { subjects: subjects.to_vec(), role_ref: role_ref.clone() };
        self.change(namespace, |scope| {
            scope.remove_binding(namespace, name);
            scope.put_binding(namespace, name.into(), binding);
        });
    }

    fn change(&mut self, namespace: &str, change: impl FnOnce(&mut Scope)) {
        let mut scope = self.scope(namespace).cloned().unwrap_or_default();
        change(&mut scope);
        if scope.roles.is_empty() && scope.bindings.is_empty() {
            self.scopes.remove_mut(namespace);
        } else {
            self.scopes.insert_mut(namespace.to_owned(), scope);
        }
    }
}

impl Scope {
    pub(super) fn binding(&self, name: &str) -> Option<&Binding> {
        self.bindings.get(name).map(Arc::as_ref)
    }

    pub(super) fn of_user(&self, user: &str) -> Option<&Names> {
        self.users.get(user)
    }

    pub(super) fn of_group(&self, group: &str) -> Option<&Names> {
        self.groups.get(group)
    }

    fn put_binding(&mut self, namespace: &str, name: Arc<str>, binding: Binding) {
        for who in binding.subjects.iter().filter_map(|subject| who(subject, namespace)) {
            let (map, key) = self.names_of(who);
            let mut names = map.get(&key).cloned().unwrap_or_default();
            names.insert_mut(name.clone());
            map.insert_mut(key, names);
        }
        self.bindings.insert_mut(name, Arc::new(binding));
    }

    fn remove_binding(&mut self, namespace: &str, name: &str) {
        let Some(binding) = self.bindings.get(name).cloned() else { return };
        for who in binding.subjects.iter().filter_map(|subject| who(subject, namespace)) {
            let (map, key) = self.names_of(who);
            let Some(mut names) = map.get(&key).cloned() else { continue };
            names.remove_mut(name);
            if names.is_empty() {
                map.remove_mut(&key);
            } else {
                map.insert_mut(key, names);
            }
        }
        self.bindings.remove_mut(name);
    }

    fn names_of(&mut self, who: Who) -> (&mut HashTrieMapSync<String, Names>, String) {
        match who {
            Who::User(name) => (&mut self.users, name),
            Who::Group(name) => (&mut self.groups, name),
        }
    }
}

/// Whom a subject means, in a binding of this namespace; `None` for kinds that mean nobody.
pub(super) fn who(subject: &Subject, namespace: &str) -> Option<Who> {
    match subject.kind.as_str() {
        "User" => Some(Who::User(subject.name.clone())),
        "Group" => Some(Who::Group(subject.name.clone())),
        "ServiceAccount" => {
            let own = if subject.namespace.is_empty() { namespace } else { &subject.namespace };
            (!own.is_empty()).then(|| Who::User(format!("system:serviceaccount:{own}:{}", subject.name)))
        }
        _ => None,
    }
}
