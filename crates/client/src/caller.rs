//! Who asks.

use std::collections::BTreeMap;

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
}

impl Caller {
    /// A caller of a name and groups.
    pub fn new(name: &str, groups: &[&str]) -> Caller {
        Caller {
            name: name.to_owned(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            ..Caller::default()
        }
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
