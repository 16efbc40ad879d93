//! Which objects, and as of when.

use std::borrow::Cow;
use std::fmt;

use api_meta::{fields, labels};

/// A resource in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// The API group, empty for the core.
    pub group: Cow<'static, str>,
    /// The version.
    pub version: Cow<'static, str>,
    /// The name in paths, such as `pods`.
    pub plural: Cow<'static, str>,
}

impl Resource {
    /// A built-in resource.
    pub const fn of(group: &'static str, version: &'static str, plural: &'static str) -> Resource {
        Resource {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            plural: Cow::Borrowed(plural),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            write!(f, "{}", self.plural)
        } else {
            write!(f, "{}.{}", self.plural, self.group)
        }
    }
}

/// A point in the history of the server's store; on the wire it is opaque text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Some objects of a resource: those of a namespace or of all, and those that selectors pick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What they are.
    pub resource: Resource,
    /// The namespace, empty for all.
    pub namespace: String,
    /// Which labels they have.
    pub labels: labels::Selector,
    /// Which fields they have.
    pub fields: fields::Selector,
}

impl Scope {
    /// All objects of a resource.
    pub fn all(resource: Resource) -> Scope {
        Scope {
            resource,
            namespace: String::new(),
            labels: labels::Selector::everything(),
            fields: fields::Selector::everything(),
        }
    }
}
