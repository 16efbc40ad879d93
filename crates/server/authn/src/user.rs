//! Who somebody is: a name, groups and what else an authenticator knows.
//!
//! Used by everything that authorizes, counts, audits or records a requester. It says nothing about what a user may do.

use std::collections::BTreeMap;

/// The user of requests without credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of all whose credentials were checked.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of requests without credentials.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The group that no policy restricts.
pub const MASTERS: &str = "system:masters";
/// The group of all nodes.
pub const NODES: &str = "system:nodes";
/// What a node's user name begins with.
pub const NODE_PREFIX: &str = "system:node:";
/// The key of a user's extra that names the credential used.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// A user, as an authenticator found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name, unique at one time.
    pub name: String,
    /// Unique over time; empty when the authenticator knows none.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What else is known, by keys with a domain.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user of a name and groups.
    pub fn new<S: AsRef<str>>(name: &str, groups: &[S]) -> User {
        User {
            name: name.to_owned(),
            groups: groups.iter().map(|group| group.as_ref().to_owned()).collect(),
            ..User::default()
        }
    }

    /// The user of a request without credentials.
    pub fn anonymous() -> User {
        User::new(ANONYMOUS, &[UNAUTHENTICATED])
    }

    /// Whether this is the user of requests without credentials.
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    /// Adds [`AUTHENTICATED`], unless the user is anonymous or says already whether it was authenticated
    /// (upstream's `AuthenticatedGroupAdder`).
    pub fn authenticated(mut self) -> User {
        let said = self.groups.iter().any(|group| group == AUTHENTICATED || group == UNAUTHENTICATED);
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

/// The node that a user name is of: `system:node:NAME` with a legal name.
pub fn node_name(username: &str) -> Option<&str> {
    username.strip_prefix(NODE_PREFIX).filter(|name| crate::service_account::is_subdomain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authenticated_group_is_added_once_and_never_to_anonymous() {
        for (user, want) in [
            (User::new("jane", &["dev"]), &["dev", AUTHENTICATED][..]),
            (User::new("jane", &[AUTHENTICATED]), &[AUTHENTICATED]),
            (User::new("jane", &[UNAUTHENTICATED]), &[UNAUTHENTICATED]),
            (User::anonymous(), &[UNAUTHENTICATED]),
        ] {
            assert_eq!(user.authenticated().groups, want);
        }
    }

    #[test]
    fn node_names_are_legal_ones() {
        assert_eq!(node_name("system:node:node-1.example"), Some("node-1.example"));
        assert_eq!(node_name("system:node:"), None);
        assert_eq!(node_name("system:node:A"), None);
        assert_eq!(node_name("jane"), None);
    }
}
