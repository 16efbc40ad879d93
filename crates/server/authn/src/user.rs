//! The names of users and groups that mean something to authentication. Who somebody is, is a [`client::Caller`].

pub use client::caller::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED};

/// The group that no policy restricts.
pub const MASTERS: &str = "system:masters";
/// The group of all nodes.
pub const NODES: &str = "system:nodes";
/// What a node's user name begins with.
pub const NODE_PREFIX: &str = "system:node:";
/// The key of a user's extra that names the credential used.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// The node that a user name is of: `system:node:NAME` with a legal name.
pub fn node_name(username: &str) -> Option<&str> {
    username.strip_prefix(NODE_PREFIX).filter(|name| crate::service_account::is_subdomain(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_legal_ones() {
        assert_eq!(node_name("system:node:node-1.example"), Some("node-1.example"));
        assert_eq!(node_name("system:node:"), None);
        assert_eq!(node_name("system:node:A"), None);
        assert_eq!(node_name("jane"), None);
    }
}
