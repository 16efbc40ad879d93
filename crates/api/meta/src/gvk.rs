//! Names of groups, versions, kinds and resources, as `apiVersion` and messages write them.
//!
//! All of them borrow: what lives longer keeps its own strings. The kind with its version is
//! [`api_types::GroupVersionKind`].

use std::fmt;

pub use api_types::GroupVersionKind;

/// An `apiVersion` with more than one slash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unexpected GroupVersion string: {0}")]
pub struct ParseGroupVersionError(pub String);

/// A group and a version: `apps/v1`, or `v1` for the core group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersion<'a> {
    /// The group, empty for the core.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
}

impl<'a> GroupVersion<'a> {
    /// Reads an `apiVersion`; empty text is the empty group and version.
    ///
    /// # Errors
    /// If there is more than one slash.
    pub fn parse(text: &'a str) -> Result<GroupVersion<'a>, ParseGroupVersionError> {
        if text == "/" {
            return Ok(GroupVersion::default());
        }
        match text.split_once('/') {
            None => Ok(GroupVersion { group: "", version: text }),
            Some((group, version)) if !version.contains('/') => Ok(GroupVersion { group, version }),
            Some(_) => Err(ParseGroupVersionError(text.to_owned())),
        }
    }

    /// The kind of this name.
    pub fn kind(self, kind: &'a str) -> GroupVersionKind<'a> {
        GroupVersionKind { group: self.group, version: self.version, kind }
    }

    /// The resource of this name.
    pub fn resource(self, resource: &'a str) -> GroupVersionResource<'a> {
        GroupVersionResource { group: self.group, version: self.version, resource }
    }

    /// Whether both parts are empty.
    pub fn is_empty(self) -> bool {
        self.group.is_empty() && self.version.is_empty()
    }
}

impl fmt::Display for GroupVersion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(self.version)
        } else {
            write!(f, "{}/{}", self.group, self.version)
        }
    }
}

fn qualified(f: &mut fmt::Formatter<'_>, name: &str, group: &str) -> fmt::Result {
    f.write_str(name)?;
    if group.is_empty() { Ok(()) } else { write!(f, ".{group}") }
}

/// A resource of a group, in any version: `deployments.apps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupResource<'a> {
    /// The group, empty for the core.
    pub group: &'a str,
    /// The resource's plural name.
    pub resource: &'a str,
}

impl<'a> GroupResource<'a> {
    /// A resource of a group.
    pub const fn new(group: &'a str, resource: &'a str) -> GroupResource<'a> {
        GroupResource { group, resource }
    }

    /// Reads `resource` or `resource.group`.
    pub fn parse(text: &'a str) -> GroupResource<'a> {
        let (resource, group) = text.split_once('.').unwrap_or((text, ""));
        GroupResource { group, resource }
    }

    /// Whether both parts are empty.
    pub fn is_empty(self) -> bool {
        self.group.is_empty() && self.resource.is_empty()
    }
}

impl fmt::Display for GroupResource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        qualified(f, self.resource, self.group)
    }
}

/// A kind of a group, in any version: `Deployment.apps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKind<'a> {
    /// The group, empty for the core.
    pub group: &'a str,
    /// The kind.
    pub kind: &'a str,
}

impl<'a> GroupKind<'a> {
    /// A kind of a group.
    pub const fn new(group: &'a str, kind: &'a str) -> GroupKind<'a> {
        GroupKind { group, kind }
    }

    /// Reads `Kind` or `Kind.group`.
    pub fn parse(text: &'a str) -> GroupKind<'a> {
        let (kind, group) = text.split_once('.').unwrap_or((text, ""));
        GroupKind { group, kind }
    }
}

impl<'a> From<GroupVersionKind<'a>> for GroupKind<'a> {
    fn from(gvk: GroupVersionKind<'a>) -> Self {
        GroupKind { group: gvk.group, kind: gvk.kind }
    }
}

impl fmt::Display for GroupKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        qualified(f, self.kind, self.group)
    }
}

/// A resource of a group in one version: `apps/v1, Resource=deployments`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupVersionResource<'a> {
    /// The group, empty for the core.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The resource's plural name.
    pub resource: &'a str,
}

impl<'a> GroupVersionResource<'a> {
    /// Without the version.
    pub fn group_resource(self) -> GroupResource<'a> {
        GroupResource { group: self.group, resource: self.resource }
    }

    /// Without the resource.
    pub fn group_version(self) -> GroupVersion<'a> {
        GroupVersion { group: self.group, version: self.version }
    }
}

impl fmt::Display for GroupVersionResource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Resource={}", self.group, self.version, self.resource)
    }
}

/// `group/version, Kind=kind`, as messages write a kind.
pub fn describe(gvk: GroupVersionKind<'_>) -> String {
    format!("{}/{}, Kind={}", gvk.group, gvk.version, gvk.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_are_read_and_written() {
        for (text, group, version) in
            [("v1", "", "v1"), ("apps/v1", "apps", "v1"), ("", "", ""), ("apps/", "apps", "")]
        {
            let parsed = GroupVersion::parse(text).expect(text);
            assert_eq!((parsed.group, parsed.version), (group, version));
            assert_eq!(parsed.to_string(), text);
        }
        assert_eq!(
            GroupVersion::parse("a/b/c").map_err(|e| e.to_string()),
            Err("unexpected GroupVersion string: a/b/c".into())
        );
    }

    #[test]
    fn resources_and_kinds_read_as_upstreams() {
        assert_eq!(GroupResource::new("apps", "deployments").to_string(), "deployments.apps");
        assert_eq!(GroupResource::parse("pods").to_string(), "pods");
        assert_eq!(GroupKind::parse("Ingress.networking.k8s.io").group, "networking.k8s.io");
        let gvr = GroupVersion { group: "apps", version: "v1" }.resource("deployments");
        assert_eq!(gvr.to_string(), "apps/v1, Resource=deployments");
    }
}
