//! Carrying out a plan: generic, and without any decision of its own.

use std::sync::{Arc, Mutex, PoisonError};

use api_meta::status::cause;
use api_patch::PatchKind;
use api_record::{Bytes, Record};
use api_types::authorization::v1::SubjectAccessReview;
use api_types::{object_meta, object_meta_mut};
use base::error::Chain;
use base::time::Clock;
use futures_util::future::join_all;

use super::core::Finished;
use super::events::{Emission, Note, Recorder};
use super::kinds::resource_of;
use super::limits::BATCH;
use super::plan::{Failure, Guard, Op, Plan, Write};
use super::witness::{Object, Witness};
use crate::{Answer, Api, Body, Caller, Outcome, Precondition, Request, Revision, Status, Target, Verb};

#[cfg(test)]
mod tests;

/// Carries out a plan as its caller: stage after stage, the writes of one in batches that double.
pub async fn execute(
    api: &dyn Api,
    who: &Caller,
    recorder: &Mutex<Recorder>,
    clock: &dyn Clock,
    plan: Plan,
) -> Finished {
    let decided = plan.describe();
    let mut finished = Finished { decided, again: plan.again, ..Finished::default() };
    finished.failure = plan.failure.map(|status| Failure { status, write: None });
    let mut notes = plan.events;
    'stages: for stage in plan.stages {
        let mut left = stage.into_iter();
        let mut size = 1;
        loop {
            let batch: Vec<Write> = left.by_ref().take(size).collect();
            if batch.is_empty() {
                break;
            }
            let done = join_all(batch.into_iter().map(|write| carry_out(api, who, write))).await;
            for one in done {
                finished.witnesses.extend(one.witness);
                notes.extend(one.note);
                if let Err(failure) = one.result {
                    finished.failure.get_or_insert(failure);
                }
            }
            if finished.failure.is_some() {
                break 'stages;
            }
            size = (size * 2).min(BATCH);
        }
    }
    if finished.failure.is_none() {
        for done in join_all(plan.asks.iter().map(|ask| (ask.work)())).await {
            let failed = done.err().map(|status| Failure { status, write: None });
            finished.failure = finished.failure.or(failed);
        }
    }
    tell(api, who, recorder, clock, &notes).await;
    finished
}

struct Done {
    result: Result<(), Failure>,
    witness: Option<Witness>,
    note: Option<Note>,
}

async fn carry_out(api: &dyn Api, who: &Caller, write: Write) -> Done {
    let Write { target, uid, op, guards, telling, may_exist } = write;
    let verb = verb(&op);
    let failure = |status, target: &Target| Failure { status, write: Some((verb, target.resource.clone())) };
    for guard in &guards {
        if let Err(Refused { status, witness }) = check(api, who, guard).await {
            return Done { result: Err(failure(status, &target)), witness, note: None };
        }
    }
    let unconditional = matches!(op, Op::Delete { version: None, .. });
    let answer = api.call(who, request(&target, &uid, op)).await;
    let telling = telling.unwrap_or_default();
    match answer {
        Ok(answer) => {
            let name = made(&answer).unwrap_or_else(|| target.name.clone());
            let note = telling.done.map(|note| filled(note, &name, ""));
            Done { result: Ok(()), witness: witness(verb, target, uid, &answer), note }
        }
        Err(status) if is_as_well(verb, &status, may_exist, unconditional) => {
            Done { result: Ok(()), witness: None, note: None }
        }
        Err(status) => {
            let is_behind = is_ambiguous(&status) || status.is_conflict();
            let witness = if is_behind { Some(present(api, who, &target).await) } else { None };
            let note = telling.failed.map(|note| filled(note, &target.name, &status.message));
            Done { result: Err(failure(status, &target)), witness, note }
        }
    }
}

fn verb(op: &Op) -> Verb {
    match op {
        Op::Create(_) => Verb::Create,
        Op::Update(..) => Verb::Update,
        Op::Patch(..) => Verb::Patch,
        Op::Delete { .. } => Verb::Delete,
        Op::DeleteCollection => Verb::DeleteCollection,
    }
}

fn request(target: &Target, uid: &str, op: Op) -> Request {
    let mut request = Request::new(verb(&op), target.clone());
    match op {
        Op::Create(object) => {
            // The name of a new object stands in its body, except where a part of another is made.
            if target.subresource.is_empty() {
                request.target.name.clear();
            }
            request.body = Body::Object(object);
        }
        Op::Update(mut object, conditional) => {
            if !conditional && let Some(meta) = object_meta_mut(&mut *object) {
                meta.resource_version.clear();
            }
            request.body = Body::Object(object);
        }
        Op::Patch(kind, mut patch) => {
            if kind != PatchKind::Json && !uid.is_empty() {
                patch["metadata"]["uid"] = uid.into();
            }
            request.body = Body::Patch(kind, Bytes::from(patch.to_string()));
        }
        Op::Delete { propagation, version, grace_seconds } => {
            request.delete.propagation = propagation;
            request.delete.grace_seconds = grace_seconds;
            let uid = Some(uid.to_owned()).filter(|uid| !uid.is_empty());
            request.delete.precondition = Precondition { uid, version };
        }
        Op::DeleteCollection => {
            request.target.name.clear();
            request.delete.propagation = Some(crate::Propagation::Background);
        }
    }
    request
}

/// Whether what was wanted holds although the request failed, or never can.
fn is_as_well(verb: Verb, status: &Status, may_exist: bool, unconditional: bool) -> bool {
    match verb {
        Verb::Create => {
            (may_exist && status.is_already_exists()) || status.cause(cause::NAMESPACE_TERMINATING).is_some()
        }
        // With nothing but a uid required, a conflict says that the object of that uid is gone.
        Verb::Delete => status.is_not_found() || (unconditional && status.is_conflict()),
        _ => false,
    }
}

/// Whether the request may have been carried out all the same.
fn is_ambiguous(status: &Status) -> bool {
    status.is_timeout()
        || status.is_server_timeout()
        || status.is_internal_error()
        || status.is_unexpected_server_error()
}

/// Where history is now, by a consistent read: whatever the request did has happened before, and whatever it conflicted with.
async fn present(api: &dyn Api, who: &Caller, target: &Target) -> Witness {
    match list_one(api, who, target).await {
        Ok((_, revision)) => Witness::Revision(target.resource.clone(), revision),
        Err(_) => Witness::Unsure(target.resource.clone()),
    }
}

async fn list_one(api: &dyn Api, who: &Caller, target: &Target) -> Result<(usize, Revision), Status> {
    let collection = Target { name: String::new(), subresource: String::new(), ..target.clone() };
    let mut request = Request::new(Verb::List, collection);
    request.list.limit = 1;
    match api.call(who, request).await?.outcome {
        Outcome::List(list) => Ok((list.items.len(), list.revision)),
        _ => Err(Status::internal_error("a list was answered with something else")),
    }
}

/// Why a guard does not hold, and what the views must show if it is because they are behind.
struct Refused {
    status: Status,
    witness: Option<Witness>,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Refused {
        Refused { status, witness: None }
    }
}

fn behind(target: &Target, revision: Revision) -> Refused {
    let status = Status::internal_error(format!("the view of {} is behind", target.resource));
    Refused { status, witness: Some(Witness::Revision(target.resource.clone(), revision)) }
}

/// Whether a list shows what a view showed that had come to a revision.
async fn current(
    api: &dyn Api,
    who: &Caller,
    target: &Target,
    revision: Revision,
    count: usize,
) -> Result<(), Refused> {
    let request = Request::new(Verb::List, target.clone());
    let Outcome::List(list) = api.call(who, request).await?.outcome else {
        return Err(Status::internal_error("a list was answered with something else").into());
    };
    let version = |object: &dyn Record| object_meta(object)?.resource_version.parse().ok();
    let older = |object: &dyn Record| version(object).is_some_and(|version: u64| version <= revision.0);
    if list.items.len() == count && list.items.iter().all(|object| older(&**object)) {
        return Ok(());
    }
    Err(behind(target, list.revision))
}

/// Whether an object is as a view showed it.
async fn unchanged(api: &dyn Api, who: &Caller, target: &Target, version: &str) -> Result<(), Refused> {
    let found = get(api, who, target).await?;
    let now = found.as_deref().and_then(object_meta).map_or("", |meta| &meta.resource_version);
    if now == version {
        return Ok(());
    }
    // What is gone has no version to wait for.
    match now.parse() {
        Ok(revision) => Err(behind(target, Revision(revision))),
        Err(_) => Err(behind(target, list_one(api, who, target).await?.1)),
    }
}

async fn get(api: &dyn Api, who: &Caller, target: &Target) -> Result<Option<Arc<dyn Record>>, Status> {
    match api.call(who, Request::new(Verb::Get, target.clone())).await {
        Ok(Answer { outcome: Outcome::Object(object), .. }) => Ok(Some(object)),
        Ok(_) => Ok(None),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

async fn check(api: &dyn Api, who: &Caller, guard: &Guard) -> Result<(), Refused> {
    let (target, uid, wanted) = match guard {
        Guard::Alive(target, uid) => (target, uid, true),
        Guard::Absent(target, uid) => (target, uid, false),
        Guard::Allowed(review) => return Ok(allowed(api, who, review).await?),
        Guard::Unchanged(target, version) => return unchanged(api, who, target, version).await,
        Guard::Current(target, revision, count) => return current(api, who, target, *revision, *count).await,
        Guard::Empty(target) => {
            return match list_one(api, who, target).await {
                Ok((0, _)) => Ok(()),
                Ok(_) => Err(Status::internal_error(format!("some {} remain", target.resource)).into()),
                // What is not served any more has no objects.
                Err(status) if status.is_not_found() || status.is_method_not_supported() => Ok(()),
                Err(status) => Err(status.into()),
            };
        }
    };
    let found = get(api, who, target).await?;
    let meta = found.as_deref().and_then(object_meta);
    let meta = meta.filter(|meta| uid.is_empty() || meta.uid == *uid);
    let holds = match meta {
        Some(meta) => wanted && meta.deletion_timestamp.is_none(),
        None => !wanted,
    };
    if holds {
        return Ok(());
    }
    let Target { resource, namespace, name, .. } = target;
    let state = if wanted { "is gone or has just been deleted" } else { "is there after all" };
    Err(Status::internal_error(format!("{resource} {namespace}/{name} (uid {uid}) {state}")).into())
}

async fn allowed(api: &dyn Api, who: &Caller, review: &SubjectAccessReview) -> Result<(), Status> {
    let target = Target {
        resource: resource_of::<SubjectAccessReview>().clone(),
        namespace: String::new(),
        name: String::new(),
        subresource: String::new(),
    };
    let mut request = Request::new(Verb::Create, target);
    request.body = Body::Object(Box::new(review.clone()));
    let answer = api.call(who, request).await?;
    let Outcome::Object(object) = &answer.outcome else {
        return Err(Status::internal_error("a review was answered with something else"));
    };
    match object.downcast_ref::<SubjectAccessReview>() {
        Some(answered) if answered.status.allowed => Ok(()),
        _ => Err(Status::internal_error(format!(
            "subject access review of {} was not approved",
            review.spec.user
        ))),
    }
}

fn made(answer: &Answer) -> Option<String> {
    let Outcome::Object(object) = &answer.outcome else { return None };
    object_meta(&**object).map(|meta| meta.name.clone())
}

fn witness(verb: Verb, target: Target, uid: String, answer: &Answer) -> Option<Witness> {
    let Target { resource, namespace, name, subresource } = target;
    let object = Object { resource, namespace, name, uid };
    match (verb, subresource.as_str()) {
        (Verb::Delete, _) => Some(Witness::Going(object)),
        (Verb::Create, "binding") => Some(Witness::Bound(object)),
        (Verb::Create, "eviction") => Some(Witness::Going(object)),
        (Verb::DeleteCollection, _) => None,
        _ => {
            let Outcome::Object(answered) = &answer.outcome else { return None };
            let version = object_meta(&**answered)?.resource_version.parse().ok()?;
            Some(Witness::Revision(object.resource, Revision(version)))
        }
    }
}

fn filled(mut note: Note, name: &str, error: &str) -> Note {
    note.message = note.message.replace("{name}", name).replace("{error}", error);
    note
}

async fn tell(api: &dyn Api, who: &Caller, recorder: &Mutex<Recorder>, clock: &dyn Clock, notes: &[Note]) {
    for note in notes {
        let emission = {
            let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            recorder.record(note, clock.now())
        };
        let result = match emission {
            None => Ok(()),
            Some(Emission::Create(event)) => create(api, who, event).await,
            Some(Emission::Recount(event)) => recount(api, who, event).await,
        };
        if let Err(status) = result {
            tracing::debug!(reason = note.reason, error = %Chain(&status), "event.lost");
        }
    }
}

fn event_target(name: &str, namespace: &str) -> Target {
    Target {
        resource: resource_of::<api_types::core::v1::Event>().clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
    }
}

async fn create(api: &dyn Api, who: &Caller, event: Box<api_types::core::v1::Event>) -> Result<(), Status> {
    let mut request = Request::new(Verb::Create, event_target("", &event.metadata.namespace));
    let object: Box<dyn Record> = event;
    request.body = Body::Object(object);
    api.call(who, request).await.map(drop)
}

async fn recount(api: &dyn Api, who: &Caller, event: Box<api_types::core::v1::Event>) -> Result<(), Status> {
    let target = event_target(&event.metadata.name, &event.metadata.namespace);
    let mut request = Request::new(Verb::Patch, target);
    let patch = serde_json::json!({
        "count": event.count,
        "lastTimestamp": event.last_timestamp.map(|time| time.to_string()),
        "message": event.message,
    });
    request.body = Body::Patch(PatchKind::Strategic, Bytes::from(patch.to_string()));
    match api.call(who, request).await {
        Err(status) if status.is_not_found() => create(api, who, event).await,
        other => other.map(drop),
    }
}
