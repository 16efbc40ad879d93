//! Questions that are asked until the API answers them: a server may be starting, or away for a while.

use std::time::Duration;

use api_record::Record;
use base::backoff::Backoff;
use base::error::Chain;
use base::random::Random;
use base::time::Clock;
use client::{Api, Caller, Outcome, Request, Status, Target, Verb};

/// The first and the longest wait between tries.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// The object that there is, or the first refusal that `is_answer` says is one; anything else may pass and is waited out.
///
/// # Errors
/// With such a refusal, or when the answer is another kind than `T`.
pub async fn object<T: Record + Clone>(
    api: &dyn Api,
    target: &Target,
    is_answer: impl Fn(&Status) -> bool,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<T, Status> {
    let mut backoff = Backoff::new(WAITS.0, WAITS.1);
    loop {
        match api.call(&Caller::default(), Request::new(Verb::Get, target.clone())).await {
            Ok(answer) => {
                let found = match &answer.outcome {
                    Outcome::Object(object) => object.downcast_ref::<T>().cloned(),
                    _ => None,
                };
                let other =
                    || Status::internal_error(format!("{} was answered with something else", target.name));
                return found.ok_or_else(other);
            }
            Err(status) if is_answer(&status) => return Err(status),
            Err(status) => {
                tracing::warn!(name = target.name, error = %Chain(&status), "agent.ask");
            }
        }
        clock.sleep(backoff.wait(random)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use api_meta::gvk::GroupResource;
    use api_types::core::v1::Node;
    use base::random::SystemRandom;
    use base::time::{Sleep, Time};
    use client::{Answer, BoxFuture, Feed, RawView, Resource, Revision, Scope};

    use super::*;

    /// An API that gives these answers, the last one first.
    struct Scripted(Mutex<Vec<Result<Node, Status>>>);

    impl Api for Scripted {
        fn call<'a>(&'a self, _: &'a Caller, _: Request) -> BoxFuture<'a, Result<Answer, Status>> {
            let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let answer = next.expect("nobody asks on after an answer");
            Box::pin(async move {
                answer.map(|node| {
                    let outcome = Outcome::Object(std::sync::Arc::new(node));
                    Answer { outcome, created: false, warnings: Vec::new() }
                })
            })
        }

        fn watch<'a>(&'a self, _: &'a Caller, _: Scope, _: Revision) -> BoxFuture<'a, Result<Feed, Status>> {
            Box::pin(async { Err(Status::internal_error("it is only asked")) })
        }

        fn view<'a>(&'a self, _: &'a Caller, _: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
            Box::pin(async { Err(Status::internal_error("it is only asked")) })
        }
    }

    /// A clock that notes how long it was asked to wait, and does not.
    #[derive(Default)]
    struct Noted(Mutex<Vec<Duration>>);

    impl Clock for Noted {
        fn now(&self) -> Time {
            Time::EPOCH
        }

        fn sleep(&self, duration: Duration) -> Sleep {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(duration);
            Box::pin(std::future::ready(()))
        }
    }

    async fn ask(script: Vec<Result<Node, Status>>) -> (Result<String, Status>, Vec<Duration>) {
        let (api, clock) = (Scripted(Mutex::new(script)), Noted::default());
        let target = Target {
            resource: Resource::of("", "v1", "nodes"),
            namespace: String::new(),
            name: "one".to_owned(),
            subresource: String::new(),
        };
        let answered = object::<Node>(&api, &target, Status::is_not_found, &clock, &SystemRandom).await;
        (answered.map(|node| node.metadata.name), clock.0.into_inner().unwrap_or_default())
    }

    #[tokio::test]
    async fn only_an_answer_is_one_and_waits_grow() {
        let away = || Err(Status::internal_error("not yet"));
        let mut node = Node::default();
        node.metadata.name = "one".to_owned();
        let script = std::iter::once(Ok(node)).chain((0..10).map(|_| away())).collect();
        let (answered, waits) = ask(script).await;
        assert_eq!((answered.expect("it is there").as_str(), waits.len()), ("one", 10));
        assert!(waits[0] <= WAITS.0 && waits[3] > WAITS.0, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= WAITS.1) && waits[9] >= WAITS.1 / 2, "{waits:?}");
        let absent = Status::not_found(GroupResource { group: "", resource: "nodes" }, "one");
        let (answered, waits) = ask(vec![Err(absent), away()]).await;
        assert!(answered.expect_err("it is not there").is_not_found());
        assert_eq!(waits.len(), 1);
    }
}
