//! How many requests run at once: upstream's `--max-requests-inflight` and `--max-mutating-requests-inflight`.
//!
//! Follows `k8s.io/apiserver/pkg/server/filters/maxinflight.go`. Requests beyond the limit are turned away at once, with the
//! time to come back; members of `system:masters` never are. Priority and fairness, which would have them wait their turn, are
//! deliberately absent.

use std::sync::atomic::{AtomicUsize, Ordering};

use base::metrics::{Text, Type};
use client::Caller;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::content::{self, Body};
use crate::limits;
use crate::metrics::is_long_running;
use crate::path::Info;

const MASTERS: &str = "system:masters";

/// The requests that run.
pub(crate) struct InFlight {
    read_only: Lane,
    mutating: Lane,
}

struct Lane {
    running: AtomicUsize,
    most: usize,
}

/// A place among the requests that run, until it is dropped.
pub(crate) struct Place<'a>(Option<&'a Lane>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.0 {
            lane.running.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Default for InFlight {
    fn default() -> InFlight {
        InFlight::new(limits::REQUESTS_IN_FLIGHT, limits::MUTATING_REQUESTS_IN_FLIGHT)
    }
}

impl InFlight {
    /// At most so many that read and so many that write.
    pub(crate) fn new(read_only: usize, mutating: usize) -> InFlight {
        let lane = |most| Lane { running: AtomicUsize::new(0), most };
        InFlight { read_only: lane(read_only), mutating: lane(mutating) }
    }

    /// A place for a request; `None` if it is to be turned away.
    pub(crate) fn enter(&self, info: &Info, caller: &Caller) -> Option<Place<'_>> {
        if is_long_running(info) {
            return Some(Place(None));
        }
        let lane =
            if matches!(info.verb, "get" | "list" | "watch") { &self.read_only } else { &self.mutating };
        let more = |running| (running < lane.most).then_some(running + 1);
        match lane.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Some(Place(Some(lane))),
            Err(_) => caller.is_in(MASTERS).then_some(Place(None)),
        }
    }

    /// Writes how many run.
    pub(crate) fn write(&self, text: &mut Text) {
        let help = "Maximal number of currently used inflight request limit of this apiserver per request kind in last second.";
        let mut family = text.family("apiserver_current_inflight_requests", Type::Gauge, help);
        for (kind, lane) in [("mutating", &self.mutating), ("readOnly", &self.read_only)] {
            family.sample(&[("request_kind", kind)], lane.running.load(Ordering::Acquire) as f64);
        }
    }
}

/// The answer to a request that is turned away.
pub(crate) fn too_many() -> Response<Body> {
    let why = "Too many requests, please try again later.";
    let mut response = content::error(StatusCode::TOO_MANY_REQUESTS, why);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn requests_beyond_the_limit_are_turned_away() {
        let flow = InFlight::new(2, 1);
        let info = |method: Method, path: &str, watch| crate::path::parse(&method, path, watch);
        let read = info(Method::GET, "/api/v1/pods", false);
        let write = info(Method::POST, "/api/v1/namespaces/a/pods", false);
        let watch = info(Method::GET, "/api/v1/pods", true);
        let exec = info(Method::POST, "/api/v1/namespaces/a/pods/b/exec", false);
        let (jane, root) = (Caller::new("jane", &[]), Caller::new("root", &[MASTERS]));
        let first = flow.enter(&read, &jane).expect("a place");
        let second = flow.enter(&read, &jane).expect("a place");
        assert!(flow.enter(&read, &jane).is_none());
        assert!(flow.enter(&read, &root).is_some());
        let writing = flow.enter(&write, &jane).expect("reads do not count");
        assert!(flow.enter(&write, &jane).is_none());
        assert!(flow.enter(&watch, &jane).is_some() && flow.enter(&exec, &jane).is_some());
        let mut text = Text::default();
        flow.write(&mut text);
        let text = text.into_string();
        assert!(
            text.contains("{request_kind=\"mutating\"} 1\n")
                && text.contains("{request_kind=\"readOnly\"} 2\n")
        );
        drop((first, writing));
        assert!(flow.enter(&read, &jane).is_some() && flow.enter(&write, &jane).is_some());
        drop(second);
        let refusal = too_many();
        assert_eq!(
            (refusal.status().as_u16(), &refusal.headers()[RETRY_AFTER]),
            (429, &HeaderValue::from_static("1"))
        );
    }
}
