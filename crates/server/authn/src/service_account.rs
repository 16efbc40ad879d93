//! The user names and groups of service accounts.

/// What a service account's user name begins with.
pub const USERNAME_PREFIX: &str = "system:serviceaccount:";
/// The group of all service accounts.
pub const ALL_GROUP: &str = "system:serviceaccounts";
/// What the group of one namespace's service accounts begins with.
pub const GROUP_PREFIX: &str = "system:serviceaccounts:";
/// The key of a user's extra that names the pod a token is bound to.
pub const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
/// The key of a user's extra for that pod's uid.
pub const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
/// The key of a user's extra that names the node a token, or its pod, is bound to.
pub const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// The key of a user's extra for that node's uid.
pub const NODE_UID: &str = "authentication.kubernetes.io/node-uid";

/// The user name of a service account.
pub fn username(namespace: &str, name: &str) -> String {
    format!("{USERNAME_PREFIX}{namespace}:{name}")
}

/// The groups of every service account of `namespace`.
pub fn groups(namespace: &str) -> Vec<String> {
    vec![ALL_GROUP.to_owned(), format!("{GROUP_PREFIX}{namespace}")]
}

/// The namespace and name of a service account's user name; `None` when it is no such name.
pub fn split_username(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username.strip_prefix(USERNAME_PREFIX)?.split_once(':')?;
    (is_label(namespace) && is_subdomain(name)).then_some((namespace, name))
}

/// A DNS label of RFC 1123.
fn is_label(text: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| edge(byte) || *byte == b'-')
        && bytes.first().is_some_and(edge)
        && bytes.last().is_some_and(edge)
}

/// A DNS subdomain of RFC 1123. As upstream's, it bounds the whole, not each label.
pub(crate) fn is_subdomain(text: &str) -> bool {
    let edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 253
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            bytes.iter().all(|byte| edge(byte) || *byte == b'-')
                && bytes.first().is_some_and(edge)
                && bytes.last().is_some_and(edge)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_they_were_made() {
        assert_eq!(split_username(&username("kube-system", "a.b")), Some(("kube-system", "a.b")));
        for wrong in [
            "jane",
            "system:serviceaccount:",
            "system:serviceaccount:ns",
            "system:serviceaccount:ns:",
            "system:serviceaccount::name",
            "system:serviceaccount:a.b:name",
            "system:serviceaccount:ns:name:more",
            "system:serviceaccount:NS:name",
            "system:serviceaccount:ns:-name",
        ] {
            assert_eq!(split_username(wrong), None, "{wrong}");
        }
        assert_eq!(groups("ns"), ["system:serviceaccounts", "system:serviceaccounts:ns"]);
    }
}
