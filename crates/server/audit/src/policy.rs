//! How much is logged of which requests: a `Policy` of `audit.k8s.io/v1`.
//!
//! The first rule that fits a request decides; without any, nothing is logged. (`apiserver/pkg/audit/policy`.)

mod check;
mod read;
#[cfg(test)]
mod tests;

use client::trail::Level;
use server_authz::Attributes;

pub use read::PolicyError;

/// A point in the life of a request at which an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It was received, and is not carried out yet.
    RequestReceived,
    /// An answer has begun that goes on for long.
    ResponseStarted,
    /// All of it was answered.
    ResponseComplete,
    /// Carrying it out has ended in a panic.
    Panic,
}

impl Stage {
    /// All, in the order in which upstream lists them.
    pub const ALL: [Stage; 4] =
        [Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic];

    /// As policies and events name it.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::RequestReceived => "RequestReceived",
            Stage::ResponseStarted => "ResponseStarted",
            Stage::ResponseComplete => "ResponseComplete",
            Stage::Panic => "Panic",
        }
    }
}

/// What is logged of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How much.
    pub level: Level,
    /// Whether the managed fields of objects are left out.
    pub omit_managed_fields: bool,
    omitted: [bool; 4],
}

impl Verdict {
    /// Whether an event is written at a stage.
    pub fn tells(&self, stage: Stage) -> bool {
        self.level > Level::None && !self.omitted[stage as usize]
    }
}

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: Vec<Rule>,
    omitted: [bool; 4],
    omit_managed_fields: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    level: Level,
    users: Vec<String>,
    groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<Resources>,
    namespaces: Vec<String>,
    urls: Vec<String>,
    omitted: [bool; 4],
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resources {
    group: String,
    resources: Vec<String>,
    names: Vec<String>,
}

impl Policy {
    /// What is logged of a request.
    pub fn verdict(&self, request: &Attributes<'_>) -> Verdict {
        let rule = self.rules.iter().find(|rule| rule.fits(request));
        let Some(rule) = rule else {
            let Policy { omitted, omit_managed_fields, .. } = *self;
            return Verdict { level: Level::None, omit_managed_fields, omitted };
        };
        let mut omitted = self.omitted;
        omitted.iter_mut().zip(rule.omitted).for_each(|(all, own)| *all |= own);
        let omit_managed_fields = rule.omit_managed_fields.unwrap_or(self.omit_managed_fields);
        Verdict { level: rule.level, omit_managed_fields, omitted }
    }
}

/// Whether a list that is empty for all holds a value.
fn holds(list: &[String], value: &str) -> bool {
    list.is_empty() || list.iter().any(|own| own == value)
}

impl Rule {
    fn fits(&self, request: &Attributes<'_>) -> bool {
        let grouped = self.groups.is_empty() || self.groups.iter().any(|group| request.in_group(group));
        if !holds(&self.users, request.user) || !grouped || !holds(&self.verbs, request.verb) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return request.is_resource_request
                && holds(&self.namespaces, request.namespace)
                && (self.resources.is_empty() || self.resources.iter().any(|own| own.fits(request)));
        }
        self.urls.is_empty()
            || !request.is_resource_request && self.urls.iter().any(|url| covers(url, request.path))
    }
}

impl Resources {
    fn fits(&self, request: &Attributes<'_>) -> bool {
        if self.group != "*" && self.group != request.api_group {
            return false;
        }
        self.resources.is_empty()
            || holds(&self.names, request.name) && self.resources.iter().any(|own| names(own, request))
    }
}

/// Whether an entry names a request's resource: `pods`, `pods/log`, `pods/*`, `*/status` or `*`.
fn names(entry: &str, request: &Attributes<'_>) -> bool {
    let part = request.subresource;
    let whole = match entry.split_once('/') {
        None => part.is_empty() && entry == request.resource,
        Some((resource, own)) => !part.is_empty() && resource == request.resource && own == part,
    };
    let any_resource = !part.is_empty() && entry.strip_prefix("*/") == Some(part);
    whole || entry == "*" || any_resource || entry.strip_suffix("/*") == Some(request.resource)
}

/// Whether a path is one, or below one, that ends in `*`.
fn covers(url: &str, path: &str) -> bool {
    url == "*" || url == path || url.ends_with('*') && path.starts_with(url.trim_end_matches('*'))
}
