//! Leader election over a Lease, with client-go's rules: of those who take part, one leads as long as it renews in time.
//!
//! [`Elector`] decides synchronously; [`lead`] is the shell around it. Times written into the lease are never compared with
//! the own clock: what counts is how long the lease has been seen unchanged, so that clocks may differ.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use api_types::coordination::v1::Lease;
use base::time::{Clock, Time};

use crate::reconcile::resource_of;
use crate::{Api, Body, Caller, Outcome, Request, Status, Target, Verb};

/// How long a leader that is silent is waited for.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// How long a leader goes on that cannot renew.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How long between two tries.
pub const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// One who takes part.
pub struct Elector {
    identity: String,
    seen: Option<(Lease, Time)>,
}

impl Elector {
    /// Takes part under a name that nobody else has.
    pub fn new(identity: impl Into<String>) -> Elector {
        Elector { identity: identity.into(), seen: None }
    }

    /// The lease to be written, to acquire or renew it; `None` while somebody else holds it.
    pub fn claim(&mut self, current: Option<&Lease>, now: Time) -> Option<Lease> {
        let Some(current) = current else { return Some(self.claimed(Lease::default(), now, false)) };
        match &self.seen {
            Some((seen, _)) if seen.spec == current.spec => {}
            _ => self.seen = Some((current.clone(), now)),
        }
        let holder = current.spec.holder_identity.as_deref().unwrap_or_default();
        let own = holder == self.identity;
        let since = self.seen.as_ref().map_or(now, |(_, since)| *since);
        let seconds = current.spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let valid = seconds.map_or(LEASE_DURATION, Duration::from_secs);
        if !own && !holder.is_empty() && since + valid > now {
            return None;
        }
        Some(self.claimed(current.clone(), now, own))
    }

    fn claimed(&self, mut lease: Lease, now: Time, own: bool) -> Lease {
        let spec = &mut lease.spec;
        if !own {
            let taken_over = !lease.metadata.resource_version.is_empty();
            spec.acquire_time = Some(now.into());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + i32::from(taken_over));
        }
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = i32::try_from(LEASE_DURATION.as_secs()).ok();
        spec.renew_time = Some(now.into());
        lease
    }
}

/// Waits until it leads, then runs `work` until that ends or the lead is lost; `None` if it is lost.
///
/// Whoever loses the lead must not go on: another may lead already. `work` is dropped then.
pub async fn lead<T>(
    api: &dyn Api,
    who: &Caller,
    clock: &dyn Clock,
    lease: (&str, &str),
    identity: &str,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut elector = Elector::new(identity);
    while !attempt(api, who, clock, lease, &mut elector).await.unwrap_or(false) {
        clock.sleep(RETRY_PERIOD).await;
    }
    tracing::info!(lease = lease.1, identity, "leading");
    let lost = async {
        let mut renewed = clock.now();
        loop {
            clock.sleep(RETRY_PERIOD).await;
            let left = (renewed + RENEW_DEADLINE).since(clock.now());
            let renewal = attempt(api, who, clock, lease, &mut elector);
            match base::time::timeout(clock, left, renewal).await {
                Ok(Ok(true)) => renewed = clock.now(),
                Ok(_) if clock.now() < renewed + RENEW_DEADLINE => {}
                _ => return,
            }
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = lost => None,
    }
}

async fn attempt(
    api: &dyn Api,
    who: &Caller,
    clock: &dyn Clock,
    (namespace, name): (&str, &str),
    elector: &mut Elector,
) -> Result<bool, Status> {
    let target = Target {
        resource: resource_of::<Lease>().clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
    };
    let current = match api.call(who, Request::new(Verb::Get, target.clone())).await {
        Ok(answer) => match answer.outcome {
            Outcome::Object(object) => object.downcast_ref::<Lease>().cloned(),
            _ => None,
        },
        Err(status) if status.is_not_found() => None,
        Err(status) => return Err(status),
    };
    let Some(mut claimed) = elector.claim(current.as_ref(), clock.now()) else { return Ok(false) };
    let mut request = Request::new(if current.is_some() { Verb::Update } else { Verb::Create }, target);
    if current.is_none() {
        request.target.name.clear();
        name.clone_into(&mut claimed.metadata.name);
        namespace.clone_into(&mut claimed.metadata.namespace);
    }
    // It carries the version that it was read at: of two who claim at once, one fails.
    request.body = Body::Object(Box::new(claimed));
    api.call(who, request).await.map(|_| true)
}
