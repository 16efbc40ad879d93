//! The bindings that mean a user, one after the other, each with its role's rules.
//!
//! Lazy: a request that the first binding allows looks at no other. Answers to upstream's `DefaultRuleResolver`
//! (`pkg/registry/rbac/validation/rule.go`), the words of its sources and errors included.

use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;

use api_meta::quote;
use api_types::rbac::v1::{PolicyRule, RoleRef, Subject};

use super::index::{Binding, Index, Names, Scope, Who, who};

/// A binding that means the user, and what it grants.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The binding's namespace, empty for a cluster role binding.
    pub namespace: &'a str,
    /// The binding's name.
    pub binding: &'a str,
    /// The role it refers to.
    pub role_ref: &'a RoleRef,
    /// The first of the binding's subjects that means the user.
    pub subject: &'a Subject,
    /// The role's rules.
    pub rules: &'a [PolicyRule],
}

/// Why the rules of a role are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// No such cluster role.
    #[error("clusterrole.rbac.authorization.k8s.io {} not found", quote::go(name))]
    NoClusterRole {
        /// Its name.
        name: String,
    },
    /// No such role in the binding's namespace.
    #[error("role.rbac.authorization.k8s.io {} not found", quote::go(name))]
    NoRole {
        /// Its name.
        name: String,
    },
    /// A binding can only refer to a `Role` or a `ClusterRole`.
    #[error("unsupported role reference kind: {}", quote::go(kind))]
    UnsupportedKind {
        /// What it refers to.
        kind: String,
    },
}

/// The iterator of [`Index::grants`].
pub struct Grants<'a> {
    index: &'a Index,
    user: &'a str,
    groups: &'a [String],
    /// The scopes yet to be visited, the next one last.
    namespaces: Vec<&'a str>,
    current: Option<Candidates<'a>>,
}

/// The bindings of one scope that mean the user, in the order of names.
struct Candidates<'a> {
    namespace: &'a str,
    scope: &'a Scope,
    names: Vec<Peekable<Walk<'a>>>,
}

type Walk<'a> = Box<dyn Iterator<Item = &'a Arc<str>> + 'a>;

impl Index {
    /// The rules of the role that a binding of this namespace (empty: a cluster role binding) refers to.
    ///
    /// # Errors
    /// If there is no such role.
    pub fn role_rules(&self, role_ref: &RoleRef, namespace: &str) -> Result<&[PolicyRule], RoleError> {
        let name = &role_ref.name;
        match role_ref.kind.as_str() {
            "ClusterRole" => {
                self.rules("", name).ok_or_else(|| RoleError::NoClusterRole { name: name.clone() })
            }
            // The cluster-wide scope holds cluster roles, which a reference to a role must not find.
            "Role" if namespace.is_empty() => Err(RoleError::NoRole { name: name.clone() }),
            "Role" => self.rules(namespace, name).ok_or_else(|| RoleError::NoRole { name: name.clone() }),
            kind => Err(RoleError::UnsupportedKind { kind: kind.to_owned() }),
        }
    }
}

impl<'a> Grants<'a> {
    pub(super) fn new(
        index: &'a Index,
        user: &'a str,
        groups: &'a [String],
        namespace: &'a str,
    ) -> Grants<'a> {
        let namespaces = if namespace.is_empty() { vec![""] } else { vec![namespace, ""] };
        Grants { index, user, groups, namespaces, current: None }
    }

    fn candidates(&self, namespace: &'a str) -> Option<Candidates<'a>> {
        let scope = self.index.scope(namespace)?;
        let user = scope.of_user(self.user);
        let groups = self.groups.iter().filter_map(|group| scope.of_group(group));
        let walk = |names: &'a Names| (Box::new(names.iter()) as Walk<'a>).peekable();
        let names = user.into_iter().chain(groups).map(walk).collect();
        Some(Candidates { namespace, scope, names })
    }

    fn resolve(
        &self,
        namespace: &'a str,
        name: &'a str,
        binding: &'a Binding,
    ) -> Option<Result<Grant<'a>, RoleError>> {
        let subject = binding.subjects.iter().find(|subject| match who(subject, namespace) {
            Some(Who::User(user)) => user == self.user,
            Some(Who::Group(group)) => self.groups.contains(&group),
            None => false,
        })?;
        let rules = self.index.role_rules(&binding.role_ref, namespace);
        Some(rules.map(|rules| Grant {
            namespace,
            binding: name,
            role_ref: &binding.role_ref,
            subject,
            rules,
        }))
    }
}

impl<'a> Iterator for Grants<'a> {
    type Item = Result<Grant<'a>, RoleError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(current) = &mut self.current else {
                let namespace = self.namespaces.pop()?;
                self.current = self.candidates(namespace);
                continue;
            };
            let (namespace, scope) = (current.namespace, current.scope);
            let Some(name) = current.next() else {
                self.current = None;
                continue;
            };
            let grant = scope.binding(name).and_then(|binding| self.resolve(namespace, name, binding));
            if grant.is_some() {
                return grant;
            }
        }
    }
}

impl<'a> Candidates<'a> {
    /// The least name of any list, taken from all of them.
    fn next(&mut self) -> Option<&'a str> {
        let least: &'a str = self.names.iter_mut().filter_map(|names| names.peek().copied()).min()?;
        for names in &mut self.names {
            names.next_if(|name| ***name == *least);
        }
        Some(least)
    }
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "ClusterRoleBinding {}", quote::go(self.binding))?;
        } else {
            write!(f, "RoleBinding {}", quote::go(&format!("{}/{}", self.binding, self.namespace)))?;
        }
        write!(f, " of {} {} to ", self.role_ref.kind, quote::go(&self.role_ref.name))?;
        let Subject { kind, name, namespace, .. } = self.subject;
        if kind == "ServiceAccount" {
            let namespace = if namespace.is_empty() { self.namespace } else { namespace };
            write!(f, "{kind} {}", quote::go(&format!("{name}/{namespace}")))
        } else {
            write!(f, "{kind} {}", quote::go(name))
        }
    }
}
