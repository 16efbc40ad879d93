//! Who asks.

use std::collections::BTreeMap;

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
}
