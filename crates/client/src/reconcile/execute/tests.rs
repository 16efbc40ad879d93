//! What a plan's writes are answered with, and what is made of it.

use api_meta::gvk::GroupResource;
use api_types::core::v1::Pod;
use base::time::SystemClock;

use super::*;
use crate::request::List;
use crate::{BoxFuture, Feed, RawView, Scope};

/// Refuses each write in the same way, and is at revision 20.
struct Refusing(fn() -> Status);

impl Api for Refusing {
    fn call<'a>(&'a self, _: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        Box::pin(async move {
            let outcome = match request.verb {
                Verb::List => Outcome::List(List { revision: Revision(20), ..List::default() }),
                Verb::Get => {
                    let mut pod = Pod::default();
                    pod.metadata.resource_version = "7".into();
                    pod.metadata.uid = "own".into();
                    Outcome::Object(Arc::new(pod))
                }
                _ => return Err((self.0)()),
            };
            Ok(Answer { outcome, created: false, warnings: Vec::new() })
        })
    }

    fn watch<'a>(&'a self, _: &'a Caller, _: Scope, _: Revision) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async { Err(Status::bad_request("nobody watches")) })
    }

    fn view<'a>(&'a self, _: &'a Caller, _: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        Box::pin(async { Err(Status::bad_request("nobody views")) })
    }
}

async fn witnesses(refusal: fn() -> Status) -> Vec<Witness> {
    guarded(refusal, None).await.witnesses
}

async fn guarded(refusal: fn() -> Status, guard: Option<Guard>) -> Finished {
    let mut pod = Pod::default();
    pod.metadata.name = "p".into();
    let mut plan = Plan::default();
    plan.stage([guard.into_iter().fold(Write::update(pod), Write::guarded)]);
    let recorder = Mutex::new(Recorder::new("test"));
    let who = Caller::new("test", &[]);
    let finished = execute(&Refusing(refusal), &who, &recorder, &SystemClock, plan).await;
    assert!(finished.failure.is_some());
    finished
}

/// A key whose write rests on what is no more would else be planned on that again, and may find nothing to do: then nobody wakes it.
#[tokio::test]
async fn a_conflict_says_that_the_view_is_behind() {
    let conflict = || Status::conflict(GroupResource::new("", "pods"), "p", "the object has been modified");
    let pods = resource_of::<Pod>().clone();
    assert_eq!(witnesses(conflict).await, [Witness::Revision(pods.clone(), Revision(20))]);
    assert_eq!(
        witnesses(|| Status::internal_error("boom")).await,
        [Witness::Revision(pods, Revision(20))],
        "nor does anybody know what has been written"
    );
    assert_eq!(witnesses(|| Status::bad_request("no")).await, []);
}

#[tokio::test]
async fn what_has_changed_since_it_was_seen_is_waited_for() {
    let pods = resource_of::<Pod>().clone();
    let target = Target {
        resource: pods.clone(),
        namespace: String::new(),
        name: "p".into(),
        subresource: String::new(),
    };
    let seen = |version: &str| Some(Guard::Unchanged(target.clone(), version.to_owned()));
    let said = |finished: &Finished| finished.failure.as_ref().map(|failure| failure.status.message.clone());
    let refusal = || Status::bad_request("no");
    let held = guarded(refusal, seen("7")).await;
    assert_eq!(said(&held).as_deref(), Some("no"), "the guard lets it pass");
    let refused = guarded(refusal, seen("6")).await;
    assert_eq!(said(&refused).as_deref(), Some("Internal error occurred: the view of pods is behind"));
    assert_eq!(refused.witnesses, [Witness::Revision(pods, Revision(7))]);
}

#[tokio::test]
async fn what_is_to_be_absent_is_an_object_or_a_name() {
    let pods = resource_of::<Pod>().clone();
    let target =
        Target { resource: pods, namespace: String::new(), name: "p".into(), subresource: String::new() };
    for (uid, is_absent) in [("another", true), ("own", false), ("", false)] {
        let guard = Guard::Absent(target.clone(), uid.to_owned());
        let finished = guarded(|| Status::bad_request("no"), Some(guard)).await;
        let message = finished.failure.map(|failure| failure.status.message.clone());
        let message = message.unwrap_or_default();
        assert_eq!(message == "no", is_absent, "{uid:?}: {message}");
    }
}
