//! Jobs that are over are deleted when they have been for as long as they ask.
//!
//! Upstream: `pkg/controller/ttlafterfinished`, which reads a job once more before it deletes it; here the deletion is of the version
//! that was looked at.

#[cfg(test)]
mod tests;

use std::time::Duration;

use api_types::batch::v1::Job;
use base::time::Time;
use client::Propagation;
use client::reconcile::{Controller, Name, Op, Plan, Wires, World, Write, resource_of};

use super::job;

/// The controller of jobs that are over.
pub struct TtlAfterFinished;

impl Controller for TtlAfterFinished {
    const NAME: &'static str = "ttl-after-finished-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<Job>();
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(job) = world.get::<Job>(namespace, name) else { return plan };
        let Some(expiry) = expiry(job).filter(|_| job.metadata.deletion_timestamp.is_none()) else {
            return plan;
        };
        if expiry > now {
            plan.again_in(expiry.since(now));
            return plan;
        }
        let delete = Op::Delete {
            propagation: Some(Propagation::Foreground),
            version: Some(job.metadata.resource_version.clone()),
            grace_seconds: None,
        };
        plan.stage([Write::of(resource_of::<Job>(), &job.metadata, "", delete)]);
        plan
    }
}

fn expiry(job: &Job) -> Option<Time> {
    let seconds = u64::try_from(job.spec.ttl_seconds_after_finished?).unwrap_or(0);
    let end = job::finished(job)?.last_transition_time?;
    Some(Time::from(end) + Duration::from_secs(seconds))
}
