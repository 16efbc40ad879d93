//! Acting as somebody else: what the `Impersonate-*` headers ask for, and what must be allowed for it.
//!
//! Nothing is authorized here: [`Wanted::attempts`] lists, mode by mode, the checks that an authorizer must pass, in
//! order; the first mode whose checks all pass gives the user to go on as. If none does, the first refusal is the
//! answer. Follows `k8s.io/apiserver/pkg/endpoints/filters/impersonation`: the constrained modes (on since 1.36), then
//! the old all-or-nothing one.

use std::collections::BTreeMap;

use client::Caller;
use http::HeaderMap;
use thiserror::Error;

use crate::headers;
use crate::limits::IMPERSONATION_MAX_VALUES;
use crate::service_account::{self, NODE_NAME};
use crate::user::{ANONYMOUS, AUTHENTICATED, MASTERS, NODES, UNAUTHENTICATED, node_name};

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA_PREFIX: &str = "impersonate-extra-";

/// From this many values on, a constrained mode first asks for all of them at once.
const MANY: usize = 4;

/// The headers ask for something that makes no sense: 400.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ImpersonationError {
    /// Groups, a uid or extras without a name.
    #[error("requested {0} without impersonating a user name")]
    NoName(String),
    /// More values than anybody needs.
    #[error("more than {IMPERSONATION_MAX_VALUES} groups and extra values were requested")]
    TooMany,
}

/// Whom the headers ask to act as, unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Name, uid, groups and extra exactly as asked for.
    pub user: Caller,
}

/// A way to be allowed to act as somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A pod's service account acts as the node that the pod is on.
    AssociatedNode,
    /// Acting as any node.
    ArbitraryNode,
    /// Acting as a service account.
    ServiceAccount,
    /// Acting as another kind of user.
    UserInfo,
    /// The verb `impersonate`, whatever is then done.
    Legacy,
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Mode::AssociatedNode => "associated-node",
            Mode::ArbitraryNode => "arbitrary-node",
            Mode::ServiceAccount => "serviceaccount",
            Mode::UserInfo => "user-info",
            Mode::Legacy => "legacy",
        }
    }

    fn verb(self) -> String {
        match self {
            Mode::Legacy => "impersonate".to_owned(),
            mode => format!("impersonate:{}", mode.name()),
        }
    }

    /// What the audit record names as the reason (`impersonationConstraint`); empty for the old mode.
    pub fn constraint(self) -> String {
        match self {
            Mode::Legacy => String::new(),
            mode => mode.verb(),
        }
    }
}

/// A question for the authorizer: may the requester do this?
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The verb.
    pub verb: String,
    /// The API group; empty for the core group.
    pub group: &'static str,
    /// The API version.
    pub version: &'static str,
    /// `users`, `groups`, `uids`, `userextras`, `nodes` or `serviceaccounts`.
    pub resource: &'static str,
    /// The extra's key, for `userextras`.
    pub subresource: String,
    /// The service account's namespace.
    pub namespace: String,
    /// The name, group, uid or extra value.
    pub name: String,
}

/// One step of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The request itself must be allowed with this verb instead of its own (`impersonate-on:<mode>:<verb>`).
    Request {
        /// The verb.
        verb: String,
    },
    /// All of these must be allowed; the shortcut, when it is, stands for all.
    All {
        /// One question instead of many.
        shortcut: Option<Check>,
        /// The questions.
        each: Vec<Check>,
    },
    /// Never allowed: 403 with this message.
    Refuse {
        /// What was not allowed.
        check: Check,
        /// Why.
        message: String,
    },
}

/// One mode, tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub mode: Mode,
    /// Its steps, all of which must pass.
    pub steps: Vec<Step>,
    /// As whom the request goes on then.
    pub user: Caller,
    /// For [`Mode::AssociatedNode`]: the requester as authorizers see it, its extra's values replaced by their keys
    /// so that one rule serves an agent on every node.
    pub requester: Option<Caller>,
}

/// Reads the headers; `None` when nobody is to be impersonated.
///
/// # Errors
/// When something is asked for without a name.
pub fn parse(headers: &HeaderMap) -> Result<Option<Wanted>, ImpersonationError> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in headers::extra(headers, EXTRA_PREFIX) {
        extra.entry(key).or_default().push(value);
    }
    let user = Caller {
        name: headers::first(headers, USER).unwrap_or_default(),
        uid: headers::first(headers, UID).unwrap_or_default(),
        groups: headers::all(headers, GROUP),
        extra,
        ..Caller::default()
    };
    if user == Caller::default() {
        return Ok(None);
    }
    if user.name.is_empty() {
        return Err(ImpersonationError::NoName(describe(&user)));
    }
    let values = user.groups.len() + user.extra.values().map(Vec::len).sum::<usize>();
    if values > IMPERSONATION_MAX_VALUES {
        return Err(ImpersonationError::TooMany);
    }
    Ok(Some(Wanted { user }))
}

/// Removes the headers, so that nothing behind behaves differently because of them.
pub fn clear(headers: &mut HeaderMap) {
    let ours = |name: &str| matches!(name, USER | UID | GROUP) || name.starts_with(EXTRA_PREFIX);
    let gone: Vec<_> = headers.keys().filter(|name| ours(name.as_str())).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

impl Wanted {
    /// The modes that may allow `requester` to do `verb` as this user, most constrained first.
    pub fn attempts(&self, requester: &Caller, verb: &str) -> Vec<Attempt> {
        let wanted = &self.user;
        let only_name = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let node = node_name(&wanted.name);
        let account = service_account::split_username(&wanted.name);
        let mut modes = Vec::new();
        if only_name && node.is_some() {
            let from_account = service_account::split_username(&requester.name).is_some();
            if from_account && requester.extra_value(NODE_NAME) == node {
                modes.push(Mode::AssociatedNode);
            }
            modes.push(Mode::ArbitraryNode);
        }
        if only_name && account.is_some() {
            modes.push(Mode::ServiceAccount);
        }
        if node.is_none() && account.is_none() {
            modes.push(Mode::UserInfo);
        }
        modes.push(Mode::Legacy);
        modes.into_iter().map(|mode| self.attempt(mode, requester, verb)).collect()
    }

    fn attempt(&self, mode: Mode, requester: &Caller, verb: &str) -> Attempt {
        let constrained = mode != Mode::Legacy;
        let mut steps = Vec::new();
        if constrained {
            steps.push(Step::Request { verb: format!("impersonate-on:{}:{verb}", mode.name()) });
        }
        steps.push(one(self.name_check(mode)));
        if !self.user.uid.is_empty() {
            let name = self.user.uid.clone();
            steps.push(one(Check { name, ..check(mode, "uids") }));
        }
        steps.extend(self.group_steps(mode));
        steps.extend(self.extra_steps(mode));
        Attempt {
            mode,
            steps,
            user: self.actual(constrained),
            requester: (mode == Mode::AssociatedNode).then(|| associated(requester)),
        }
    }

    fn name_check(&self, mode: Mode) -> Check {
        let name = &self.user.name;
        if let Some((namespace, account)) = service_account::split_username(name) {
            let (namespace, name) = (namespace.to_owned(), account.to_owned());
            return Check { namespace, name, ..check(mode, "serviceaccounts") };
        }
        match node_name(name) {
            // One rule serves an agent on every node, so it cannot name one.
            Some(_) if mode == Mode::AssociatedNode => Check { name: "*".to_owned(), ..check(mode, "nodes") },
            Some(node) if mode != Mode::Legacy => Check { name: node.to_owned(), ..check(mode, "nodes") },
            _ => Check { name: name.clone(), ..check(mode, "users") },
        }
    }

    fn group_steps(&self, mode: Mode) -> Option<Step> {
        let groups = &self.user.groups;
        if groups.is_empty() {
            return None;
        }
        let base = check(mode, "groups");
        let of = |name: &str| Check { name: name.to_owned(), ..base.clone() };
        if mode != Mode::Legacy {
            if groups.iter().any(String::is_empty) {
                let message = "impersonating the empty string group is not allowed".to_owned();
                return Some(Step::Refuse { check: base, message });
            }
            if groups.iter().any(|group| group == MASTERS) {
                let message = "impersonating the system:masters group is not allowed".to_owned();
                return Some(Step::Refuse { check: of(MASTERS), message });
            }
        }
        let shortcut = (mode != Mode::Legacy && groups.len() >= MANY).then(|| of("*"));
        Some(Step::All { shortcut, each: groups.iter().map(|group| of(group)).collect() })
    }

    fn extra_steps(&self, mode: Mode) -> Option<Step> {
        let extra = &self.user.extra;
        if extra.is_empty() {
            return None;
        }
        let base = check(mode, "userextras");
        if let Some(message) = refused_extra(extra).filter(|_| mode != Mode::Legacy) {
            return Some(Step::Refuse { check: base, message });
        }
        let of = |key: &str, value: &str| Check {
            subresource: key.to_owned(),
            name: value.to_owned(),
            ..base.clone()
        };
        let count: usize = extra.values().map(Vec::len).sum();
        let shortcut = (mode != Mode::Legacy && count >= MANY).then(|| of("*", "*"));
        let each = extra
            .iter()
            .flat_map(|(key, values)| values.iter().map(|value| of(key, value)).collect::<Vec<_>>());
        Some(Step::All { shortcut, each: each.collect() })
    }

    /// The user to go on as: with the groups that a node or service account always has, and with exactly one of the
    /// groups that tell whether somebody was authenticated.
    fn actual(&self, constrained: bool) -> Caller {
        let mut user = self.user.clone();
        if constrained && node_name(&user.name).is_some() {
            user.groups = vec![NODES.to_owned()];
        }
        if let Some((namespace, _)) = service_account::split_username(&self.user.name)
            && user.groups.is_empty()
        {
            user.groups = service_account::groups(namespace);
        }
        let has = |group: &str| user.groups.iter().any(|own| own == group);
        let add = if user.name == ANONYMOUS {
            (!has(UNAUTHENTICATED)).then_some(UNAUTHENTICATED)
        } else {
            (!has(UNAUTHENTICATED) && !has(AUTHENTICATED)).then_some(AUTHENTICATED)
        };
        user.groups.extend(add.map(str::to_owned));
        user
    }
}

fn one(check: Check) -> Step {
    Step::All { shortcut: None, each: vec![check] }
}

/// The old mode asks for users, groups and service accounts in the core group, everything else is in
/// `authentication.k8s.io`.
fn check(mode: Mode, resource: &'static str) -> Check {
    let core = mode == Mode::Legacy && matches!(resource, "users" | "groups" | "serviceaccounts");
    let group = if core { "" } else { "authentication.k8s.io" };
    Check { verb: mode.verb(), group, version: "v1", resource, ..Check::default() }
}

fn refused_extra(extra: &BTreeMap<String, Vec<String>>) -> Option<String> {
    for (key, values) in extra {
        if key.is_empty() {
            return Some("impersonating the empty string key in extra is not allowed".to_owned());
        }
        if !is_prefixed_path(key) {
            return Some(format!(
                "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {key:?}: must be a domain-prefixed path (such as \"acme.io/foo\")"
            ));
        }
        if *key != key.to_lowercase() {
            return Some(format!("impersonating a non-lowercase key in extra is not allowed: {key:?}"));
        }
        if values.iter().any(String::is_empty) {
            return Some("impersonating the empty string value in extra is not allowed".to_owned());
        }
    }
    None
}

/// A domain, a slash and a path.
fn is_prefixed_path(key: &str) -> bool {
    let segment = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    key.split_once('/').is_some_and(|(domain, path)| {
        service_account::is_subdomain(domain) && !path.is_empty() && path.bytes().all(segment)
    })
}

fn associated(requester: &Caller) -> Caller {
    let keys = requester.extra.keys().cloned().collect();
    let key = "authentication.kubernetes.io/associated-node-keys".to_owned();
    Caller { extra: BTreeMap::from([(key, keys)]), ..requester.clone() }
}

/// A user as Go's `%#v` prints it: part of upstream's message.
fn describe(user: &Caller) -> String {
    let list = |values: &[String]| {
        let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        format!("[]string{{{}}}", quoted.join(", "))
    };
    let groups = if user.groups.is_empty() { "[]string(nil)".to_owned() } else { list(&user.groups) };
    let extra = if user.extra.is_empty() {
        "map[string][]string(nil)".to_owned()
    } else {
        let plain = |values: &[String]| list(values).trim_start_matches("[]string").to_owned();
        let entries: Vec<String> =
            user.extra.iter().map(|(key, values)| format!("{key:?}:[]string{}", plain(values))).collect();
        format!("map[string][]string{{{}}}", entries.join(", "))
    };
    format!("&user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{groups}, Extra:{extra}}}", user.uid)
}

#[cfg(test)]
mod tests;
