//! What quotas say is used, counted anew whenever something that they count comes, changes or goes.
//!
//! Upstream: `pkg/controller/resourcequota`. Admission charges; this gives back what has gone, and counts first. A change of
//! a status alone is admission's charge and wakes nobody: where an API server charges before it writes (upstream's does),
//! counting then would take the charge back.
//!
//! The views may lag behind one another. Before a count is written that rests on a view older than the quota, a consistent read
//! says that the view has missed nothing: or a charge of just now could be lost, and the quota be exceeded.

#[cfg(test)]
mod tests;

use std::time::Duration;

use api_meta::resources::add;
use api_quota::{Measure, ResourceList, equal, pod, total, within};
use api_record::Record;
use api_types::core::v1::{Namespace, Pod, ResourceQuota};
use api_types::object_meta;
use base::time::Time;
use client::reconcile::{Controller, Guard, Name, Plan, Wires, World, Write, name};
use client::{Resource, Revision, Scope, Snapshot, Target};

use control_base::resources::Served;

/// How often each quota is counted even if nothing is seen to change (`--resource-quota-sync-period`).
const RESYNC: Duration = Duration::from_secs(5 * 60);
/// How long it is waited for the view of quotas after somebody else has written one.
const PAUSE: Duration = Duration::from_secs(1);

/// The controller of quotas.
pub struct ResourceQuotas {
    counted: Vec<(Resource, Measure)>,
}

impl ResourceQuotas {
    /// Counts the objects of these resources.
    pub fn new(served: &[Served]) -> ResourceQuotas {
        let rows = served.iter().filter(|row| row.namespaced && row.verbs.watch && row.verbs.delete);
        let counted = rows.filter_map(|row| {
            let measure = Measure::of(&row.resource.group, &row.resource.plural)?;
            Some((row.resource.clone(), measure))
        });
        ResourceQuotas { counted: counted.collect() }
    }
}

impl Controller for ResourceQuotas {
    const NAME: &'static str = "resourcequota-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.maps::<ResourceQuota>(|quota, _| {
            let key = name(&quota.metadata.namespace, &quota.metadata.name);
            if is_unsettled(quota) { vec![key] } else { Vec::new() }
        });
        // All quotas once, after the start.
        wires.maps::<Namespace>(|namespace, world| quotas(world, &namespace.metadata.name, |_| true));
        for (resource, measure) in &self.counted {
            let measure = measure.clone();
            wires.scoped(Scope::all(resource.clone()), move |object: &dyn Record, world| {
                let namespace = object_meta(object).map_or("", |meta| &meta.namespace);
                quotas(world, namespace, |quota| quota.spec.hard.keys().any(|name| measure.has(name)))
            });
        }
    }

    fn plan(&self, key: &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(quota) = world.get::<ResourceQuota>(&key.0, &key.1) else { return plan };
        // A charge wakes nobody, so that backing off further and further could be for long what keeps the count from being right.
        if world.failure().is_some_and(|failure| failure.status.is_conflict()) {
            plan.again_in(PAUSE);
            return plan;
        }
        plan.again_in(RESYNC);
        let mut counts = ResourceList::new();
        let mut guards = Vec::new();
        for (resource, measure) in &self.counted {
            let Some(snapshot) = world.snapshot(resource) else { continue };
            let sum = total(measure, quota, snapshot.glimpses(Some(&key.0)), now);
            if sum.is_empty() {
                continue;
            }
            add(&mut counts, &sum);
            guards.extend(guard(quota, resource, snapshot));
            if let Some(wait) = next_release(snapshot, &key.0, now) {
                plan.again_in(wait);
            }
        }
        let mut updated = quota.clone();
        updated.status.hard.clone_from(&quota.spec.hard);
        updated.status.used = within(&quota.status.used, &quota.spec.hard);
        updated.status.used.extend(counts);
        let settled = equal(&updated.status.hard, &quota.status.hard)
            && equal(&updated.status.used, &quota.status.used);
        if !settled {
            let write = Write::status(updated);
            plan.stage([guards.into_iter().fold(write, Write::guarded)]);
        }
        plan
    }
}

/// The quotas of a namespace that a condition holds for.
fn quotas(world: &World, namespace: &str, holds: impl Fn(&ResourceQuota) -> bool) -> Vec<Name> {
    let all = world.in_namespace::<ResourceQuota>(namespace).filter(|quota| holds(quota));
    all.map(|quota| name(namespace, &quota.metadata.name)).collect()
}

/// Whether a quota's status does not yet answer its specification.
fn is_unsettled(quota: &ResourceQuota) -> bool {
    let status = &quota.status;
    !equal(&quota.spec.hard, &status.hard) || status.hard.keys().any(|name| !status.used.contains_key(name))
}

/// What must be read before a count is believed that rests on a view which has not come as far as the quota.
fn guard(quota: &ResourceQuota, resource: &Resource, snapshot: &Snapshot) -> Option<Guard> {
    let written: Revision = Revision(quota.metadata.resource_version.parse().unwrap_or(u64::MAX));
    if snapshot.revision() >= written {
        return None;
    }
    let namespace = &quota.metadata.namespace;
    let target = Target {
        resource: resource.clone(),
        namespace: namespace.clone(),
        name: String::new(),
        subresource: String::new(),
    };
    Some(Guard::Current(target, snapshot.revision(), snapshot.count_in(namespace)))
}

/// When the first pod that still counts stops to, though nothing of it changes.
fn next_release(snapshot: &Snapshot, namespace: &str, now: Time) -> Option<Duration> {
    let ends = snapshot.glimpses(Some(namespace)).filter_map(|object| {
        let counted = object.downcast_ref::<Pod>().filter(|own| pod::is_counted(own, now));
        counted.and_then(pod::released_at)
    });
    // A moment later, since a pod counts up to and at its end.
    ends.min().map(|end| end.since(now) + Duration::from_millis(1))
}
