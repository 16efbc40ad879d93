//! One thing that is so, and why: the grain of every answer.

use std::fmt;

use api_record::scalar::Time;
use api_types::meta::v1::ObjectMeta;
use client::Resource;
use serde::{Serialize, Serializer};

/// Which object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// Its group and version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Named {
    /// An object of a kind.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Named {
        Named {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// An object of a built-in resource; the resource's own name stands for a kind that is not known.
    pub fn of(resource: &Resource, meta: &ObjectMeta) -> Named {
        let row = api_types::resources().iter().find(|row| {
            (row.kind.group, row.kind.version, row.plural)
                == (&*resource.group, &*resource.version, &*resource.plural)
        });
        let kind = row.map_or(&*resource.plural, |row| row.kind.kind);
        let version = match &*resource.group {
            "" => resource.version.to_string(),
            group => format!("{group}/{}", resource.version),
        };
        Named::new(&version, kind, &meta.namespace, &meta.name)
    }

    /// A pod.
    pub fn pod(meta: &ObjectMeta) -> Named {
        Named::new("v1", "Pod", &meta.namespace, &meta.name)
    }

    /// A node.
    pub fn node(name: &str) -> Named {
        Named::new("v1", "Node", "", name)
    }

    /// The group of its version, empty for the core.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// `Pod shop/web-1`, `Node one`.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// One thing that is so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What it is, in one word: for programs.
    pub reason: String,
    /// What it is: for people.
    pub message: String,
    /// Since when, if that is known.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    pub since: Option<Time>,
    /// The object that it is about, if that is another than the one that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<Named>,
    /// What would change it; one of them is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<String>,
    /// Why it is so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Finding>,
}

pub(crate) fn written<S: Serializer>(time: &Option<Time>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

impl Finding {
    /// Something that is so.
    pub fn new(reason: &str, message: impl Into<String>) -> Finding {
        Finding { reason: reason.to_owned(), message: message.into(), ..Finding::default() }
    }

    /// Since when.
    #[must_use]
    pub fn since(mut self, time: Option<Time>) -> Finding {
        self.since = time;
        self
    }

    /// About another object.
    #[must_use]
    pub fn about(mut self, named: Named) -> Finding {
        self.about = Some(named);
        self
    }

    /// What would change it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Finding {
        self.remedies.push(remedy.into());
        self
    }

    /// Why.
    #[must_use]
    pub fn because(mut self, why: impl IntoIterator<Item = Finding>) -> Finding {
        self.because.extend(why);
        self
    }
}

/// `one pod`, `3 pods`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// The first few of a list, and how many more there are.
pub(crate) fn few<T: fmt::Display>(items: impl IntoIterator<Item = T>, most: usize) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    let shown = items.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
