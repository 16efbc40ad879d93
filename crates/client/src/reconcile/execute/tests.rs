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
            if request.verb != Verb::List {
                return Err((self.0)());
            }
            let list = List { revision: Revision(20), ..List::default() };
            Ok(Answer { outcome: Outcome::List(list), created: false, warnings: Vec::new() })
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
    let mut pod = Pod::default();
    pod.metadata.name = "p".into();
    let mut plan = Plan::default();
    plan.stage([Write::update(pod)]);
    let recorder = Mutex::new(Recorder::new("test"));
    let who = Caller::new("test", &[]);
    let finished = execute(&Refusing(refusal), &who, &recorder, &SystemClock, plan).await;
    assert!(finished.failure.is_some());
    finished.witnesses
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
