//! What is known of every built-in resource before any code is written for it.

use crate::GroupVersionKind;
use crate::generated::catalog::RESOURCES;

/// A resource in one version.
#[derive(Debug)]
pub struct Resource {
    /// The name in paths, such as `pods`.
    pub plural: &'static str,
    /// What its objects are.
    pub kind: GroupVersionKind<'static>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Its subresources.
    pub subresources: &'static [Subresource],
    /// What can be done with it.
    pub verbs: &'static [&'static str],
    /// What `kubectl` also calls it.
    pub short_names: &'static [&'static str],
    /// The groups of resources that it belongs to, such as `all`.
    pub categories: &'static [&'static str],
    /// How finished it is.
    pub stage: Stage,
    /// Whether upstream serves it without being told to.
    pub served_by_default: bool,
}

impl Resource {
    /// What `kubectl` calls one of its objects.
    pub fn singular(&self) -> String {
        self.kind.kind.to_ascii_lowercase()
    }

    /// The subresource of a name.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

/// A subresource.
#[derive(Debug)]
pub struct Subresource {
    /// The name in paths, such as `status`.
    pub name: &'static str,
    /// What can be done with it.
    pub verbs: &'static [&'static str],
}

/// How finished a version of a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It may go.
    Alpha,
    /// It may change.
    Beta,
    /// It stays.
    Stable,
}

/// All built-in resources.
pub fn resources() -> &'static [Resource] {
    RESOURCES
}
