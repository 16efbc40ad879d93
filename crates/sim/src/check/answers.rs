//! What a request rests on holds when it is carried out: a write that names a version replaces that version, one that names a
//! uid meets that uid, a list shows one moment of the history, and the garbage collector takes nothing that is owned.

use api_meta::owners::controller_of;
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use client::{Answer, Body, Caller, Outcome, Request, Resource, Scope, Status, Target, Verb};

use super::views;
use crate::history::{History, version};

/// Whose objects the controllers of workloads delete, by the names of their accounts.
const OWNERS: [(&str, &str); 6] = [
    ("replicaset-controller", "ReplicaSet"),
    ("deployment-controller", "Deployment"),
    ("statefulset-controller", "StatefulSet"),
    ("daemon-set-controller", "DaemonSet"),
    ("job-controller", "Job"),
    ("cronjob-controller", "CronJob"),
];

/// What of a request is needed to judge its answer.
pub struct Asked {
    who: String,
    verb: Verb,
    target: Target,
    version: String,
    uid: String,
    whole_list: bool,
}

impl Asked {
    /// The request as it leaves its sender.
    pub fn of(who: &Caller, request: &Request) -> Asked {
        let (mut version, mut uid) = (String::new(), String::new());
        let mut target = request.target.clone();
        match &request.body {
            Body::Object(object) => {
                if let Some(meta) = object_meta(&**object) {
                    version.clone_from(&meta.resource_version);
                    if request.verb == Verb::Update || !target.subresource.is_empty() {
                        uid.clone_from(&meta.uid);
                    }
                    if target.name.is_empty() {
                        target.name.clone_from(&meta.name);
                    }
                }
            }
            Body::Patch(_, bytes) => {
                let patch: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
                let text = |field: &str| patch["metadata"][field].as_str().unwrap_or_default().to_owned();
                (version, uid) = (text("resourceVersion"), text("uid"));
            }
            Body::Empty => {}
        }
        if request.verb == Verb::Delete {
            let precondition = &request.delete.precondition;
            version = precondition.version.clone().unwrap_or_default();
            uid = precondition.uid.clone().unwrap_or_default();
        }
        let list = &request.list;
        let whole_list = request.verb == Verb::List
            && list.limit == 0
            && list.continue_.is_empty()
            && list.labels.is_empty()
            && list.fields.is_empty();
        Asked { who: who.name.clone(), verb: request.verb, target, version, uid, whole_list }
    }

    /// The request and its answer in words.
    pub fn tell(&self, answer: &Result<Answer, Status>) -> String {
        let Target { resource, namespace, name, subresource } = &self.target;
        let who = self.who.rsplit(':').next().unwrap_or_default();
        let outcome = match answer {
            Ok(answer) => match &answer.outcome {
                Outcome::Object(object) => {
                    let made = object_meta(&**object).map(|meta| meta.name.clone()).unwrap_or_default();
                    format!("{made} at {}", version(&**object))
                }
                Outcome::List(list) => format!("{} at {}", list.items.len(), list.revision),
                Outcome::Status(_) => "done".to_owned(),
            },
            Err(status) => format!("{} {}", status.http_code(), status.message),
        };
        format!("{who}: {} {resource} {namespace}/{name} {subresource}: {outcome}", self.verb.name())
    }

    /// Compares the answer with the history.
    ///
    /// # Errors
    /// How they differ.
    pub fn check(&self, history: &History, answer: &Result<Answer, Status>) -> Result<(), String> {
        let Ok(answer) = answer else { return Ok(()) };
        let resource = &self.target.resource;
        match &answer.outcome {
            Outcome::Object(object) => {
                let Some(meta) = object_meta(&**object) else { return Ok(()) };
                self.check_uid(&meta.uid)?;
                if matches!(self.verb, Verb::Update | Verb::Patch) {
                    self.check_version(history, meta)?;
                }
                if self.verb == Verb::Delete { self.check_deletion(history, &meta.uid) } else { Ok(()) }
            }
            Outcome::Status(status) => {
                let uid = status.details.as_deref().map(|details| details.uid.as_str()).unwrap_or_default();
                if self.verb == Verb::Delete {
                    self.check_uid(uid)?;
                    return self.check_deletion(history, uid);
                }
                Ok(())
            }
            Outcome::List(list) if self.whole_list => {
                let scope =
                    Scope { namespace: self.target.namespace.clone(), ..Scope::all(resource.clone()) };
                views::shown(history, &scope, list.items.iter(), list.revision.0)
                    .map_err(|why| format!("a list: {why}"))
            }
            Outcome::List(_) => Ok(()),
        }
    }

    fn check_uid(&self, uid: &str) -> Result<(), String> {
        if self.uid.is_empty() || uid.is_empty() || self.uid == uid {
            return Ok(());
        }
        let Target { resource, namespace, name, .. } = &self.target;
        Err(format!(
            "{} of {resource} {namespace}/{name} was for uid {} and met {uid}",
            self.verb.name(),
            self.uid
        ))
    }

    fn check_version(&self, history: &History, meta: &ObjectMeta) -> Result<(), String> {
        if self.version.is_empty() || self.version == meta.resource_version {
            return Ok(());
        }
        let Some(replaced) = replaced(history, &self.target.resource, meta) else { return Ok(()) };
        if replaced == self.version {
            return Ok(());
        }
        let Target { resource, namespace, name, .. } = &self.target;
        Err(format!(
            "{} by {} of {resource} {namespace}/{name} was based on {} and replaced {replaced}",
            self.verb.name(),
            self.who,
            self.version
        ))
    }

    /// What may be deleted depends on whose it is.
    fn check_deletion(&self, history: &History, uid: &str) -> Result<(), String> {
        if uid.is_empty() {
            return Ok(());
        }
        let of_uid = |meta: Option<&ObjectMeta>| meta.is_some_and(|meta| meta.uid == uid);
        let last = history.of(&self.target.resource).iter().rev().find(|change| of_uid(change.meta_before()));
        let Some(meta) = last.and_then(|change| change.meta_before()) else { return Ok(()) };
        if self.who.ends_with(":generic-garbage-collector") {
            return self.check_garbage(history, meta);
        }
        self.check_owner(meta)
    }

    /// The collector may delete only what no owner keeps: none that is there and is not going.
    fn check_garbage(&self, history: &History, meta: &ObjectMeta) -> Result<(), String> {
        for reference in &meta.owner_references {
            let owner = history.metas().find(|owner| owner.uid == reference.uid);
            if owner.is_some_and(|owner| owner.deletion_timestamp.is_none()) {
                return Err(format!(
                    "garbage was made of {} {}/{}, which {} {} owns",
                    self.target.resource, meta.namespace, meta.name, reference.kind, reference.name
                ));
            }
        }
        Ok(())
    }

    /// The controllers of workloads delete nothing that one of another kind controls, whatever they select.
    fn check_owner(&self, meta: &ObjectMeta) -> Result<(), String> {
        let account = self.who.rsplit(':').next().unwrap_or_default();
        let kind = OWNERS.iter().find(|(name, _)| *name == account).map(|(_, kind)| *kind);
        match (kind, controller_of(meta)) {
            (Some(kind), Some(owner)) if owner.kind != kind => Err(format!(
                "{account} deleted {} {}/{}, which {} {} controls",
                self.target.resource, meta.namespace, meta.name, owner.kind, owner.name
            )),
            _ => Ok(()),
        }
    }

    /// Who asked for what, in words: what is the same when somebody asks for it again.
    pub fn subject(&self) -> String {
        let Target { resource, namespace, name, subresource } = &self.target;
        format!("{}: {} {resource} {namespace}/{name} {subresource}", self.who, self.verb.name())
    }

    /// Whether it was to change anything.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb, Verb::Get | Verb::List)
    }
}

/// The version that a write replaced, by the version that it made.
fn replaced(history: &History, resource: &Resource, meta: &ObjectMeta) -> Option<String> {
    let made: u64 = meta.resource_version.parse().ok()?;
    let of_name = |change: &&crate::history::Change| {
        change.revision == made && change.name == meta.name && change.namespace == meta.namespace
    };
    let change = history.of(resource).iter().rev().find(of_name)?;
    Some(version(&**change.before.as_ref()?))
}
