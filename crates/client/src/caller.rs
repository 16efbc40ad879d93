//! Who asks.

use std::collections::BTreeMap;

use crate::Trail;

/// The user of requests without credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of all whose credentials were checked.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of requests without credentials.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// Whoever makes a request, as authentication found it or as a component of ours names itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user name, such as `system:kube-scheduler`.
    pub name: String,
    /// Unique over time; empty where nobody knows one.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What else is known, by key.
    pub extra: BTreeMap<String, Vec<String>>,
    /// The program that asks, as the start of its `User-Agent` names it; empty where that is not known.
    pub agent: String,
    /// What is noted about the request for the audit log.
    pub trail: Trail,
}

/// The programs of upstream that components of ours do the work of, by their user names or the start of these.
const PROGRAMS: [(&str, &str); 5] = [
    ("system:apiserver", "kube-apiserver"),
    ("system:kube-controller-manager", "kube-controller-manager"),
    ("system:kube-scheduler", "kube-scheduler"),
    ("system:node:", "kubelet"),
    ("system:serviceaccount:kube-system:", "kube-controller-manager"),
];

impl Caller {
    /// A caller of a name and groups.
    pub fn new(name: &str, groups: &[&str]) -> Caller {
        Caller {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Caller::default()
        }
    }

    /// The program in whose name fields are owned that a write gives no other manager: [`Caller::agent`], or what upstream calls the
    /// program that does a component's work. Empty for whoever is neither.
    pub fn program(&self) -> &str {
        if !self.agent.is_empty() {
            return &self.agent;
        }
        let known = PROGRAMS.iter().find(|(name, _)| match name.ends_with(':') {
            true => self.name.starts_with(name),
            false => self.name == *name,
        });
        known.map_or("", |(_, program)| program)
    }

    /// Whether the caller belongs to a group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }

    /// Whoever makes a request without credentials.
    pub fn anonymous() -> Caller {
        Caller::new(ANONYMOUS, &[UNAUTHENTICATED])
    }

    /// Whether this is whoever makes requests without credentials.
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    /// Adds [`AUTHENTICATED`], unless the caller is anonymous or says already whether it was authenticated
    /// (upstream's `AuthenticatedGroupAdder`).
    #[must_use]
    pub fn authenticated(mut self) -> Caller {
        let said = self.is_in(AUTHENTICATED) || self.is_in(UNAUTHENTICATED);
        if !said && !self.is_anonymous() {
            self.groups.push(AUTHENTICATED.to_owned());
        }
        self
    }

    /// The one value of an extra key; `None` when there is not exactly one.
    pub fn extra_value(&self, key: &str) -> Option<&str> {
        match self.extra.get(key)?.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_writes_in_the_name_of_the_program_whose_work_it_does() {
        for (name, agent, want) in [
            ("system:node:one", "", "kubelet"),
            ("system:serviceaccount:kube-system:job-controller", "", "kube-controller-manager"),
            ("system:kube-scheduler", "", "kube-scheduler"),
            ("system:kube-scheduler", "curl", "curl"),
            ("system:serviceaccount:default:web", "", ""),
            ("jane", "", ""),
        ] {
            let caller = Caller { agent: agent.to_owned(), ..Caller::new(name, &[]) };
            assert_eq!(caller.program(), want, "{name}");
        }
    }

    #[test]
    fn the_authenticated_group_is_added_once_and_never_to_anonymous() {
        for (caller, want) in [
            (Caller::new("jane", &["dev"]), &["dev", AUTHENTICATED][..]),
            (Caller::new("jane", &[AUTHENTICATED]), &[AUTHENTICATED]),
            (Caller::new("jane", &[UNAUTHENTICATED]), &[UNAUTHENTICATED]),
            (Caller::anonymous(), &[UNAUTHENTICATED]),
        ] {
            assert_eq!(caller.authenticated().groups, want);
        }
    }
}
