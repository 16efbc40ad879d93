//! ResourceQuota: nothing is made that a quota of its namespace has no room for, and what is made is charged.
//!
//! The charge is part of the transaction that writes the object, where upstream charges first and writes then: nothing is
//! charged for what was not made, and whoever sees a charge can see what it is for. Requests that would change the same
//! quotas follow one another; those that another server has overtaken are admitted anew by the registry.
//! Quotas that must exist for expensive resources (upstream's `limitedResources`, off unless configured) are not offered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api_meta::Status;
use api_meta::resources::{add, exceeded, mask};
use api_quota::{Measure, ResourceList, applies, equal, nonzero, rise, shown, within};
use api_record::Record;
use api_types::core::v1::ResourceQuota;
use api_types::object_meta;
use base::time::{Clock, Time};
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Beside, Operation};
use tokio::sync::OwnedMutexGuard;

use crate::limits::QUOTA_LOCKS;
use crate::{Lookup, Plugin, forbidden};

const QUOTAS: Resource = Resource::of("", "v1", "resourcequotas");

type Locks = HashMap<String, Weak<tokio::sync::Mutex<()>>>;

/// Keeps namespaces to their quotas.
pub struct Quotas {
    lookup: Arc<dyn Lookup>,
    clock: Arc<dyn Clock>,
    /// One for each namespace with quotas in which something is being made.
    locks: Mutex<Locks>,
}

impl Quotas {
    /// Looks quotas up with `lookup`; whether a pod still counts depends on the time.
    pub fn new(lookup: Arc<dyn Lookup>, clock: Arc<dyn Clock>) -> Quotas {
        Quotas { lookup, clock, locks: Mutex::default() }
    }

    async fn quotas(&self, namespace: &str) -> Result<Vec<ResourceQuota>, Status> {
        let found = self.lookup.list(&QUOTAS, namespace).await?;
        Ok(found.iter().filter_map(|quota| quota.downcast_ref().cloned()).collect())
    }

    async fn lock(&self, namespace: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            if locks.len() >= QUOTA_LOCKS {
                locks.retain(|_, lock| lock.strong_count() > 0);
            }
            let known = locks.get(namespace).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let new = Arc::default();
                locks.insert(namespace.to_owned(), Arc::downgrade(&new));
                new
            })
        };
        lock.lock_owned().await
    }

    async fn admit(
        &self,
        measure: &Measure,
        attributes: &Attributes<'_>,
        object: &dyn Record,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        if self.quotas(attributes.namespace).await?.is_empty() {
            return Ok(());
        }
        let hold = self.lock(attributes.namespace).await;
        let quotas = self.quotas(attributes.namespace).await?;
        let request = Charge { measure, attributes, object, old, now: self.clock.now() };
        let charged = request.to(&quotas)?;
        if attributes.dry_run {
            return Ok(());
        }
        let mut hold = Some(hold);
        for quota in charged {
            let beside = Beside { resource: QUOTAS, object: Box::new(quota), hold: hold.take() };
            attributes.notes.write_beside(beside);
        }
        Ok(())
    }
}

/// What a request would add to quotas.
struct Charge<'a> {
    measure: &'a Measure,
    attributes: &'a Attributes<'a>,
    object: &'a dyn Record,
    old: Option<&'a dyn Record>,
    now: Time,
}

impl Charge<'_> {
    /// The quotas that change, as they would be.
    fn to(&self, quotas: &[ResourceQuota]) -> Result<Vec<ResourceQuota>, Status> {
        let mut about = Vec::new();
        for quota in quotas.iter().filter(|quota| applies(self.measure, quota, self.object)) {
            self.check_known(quota)?;
            about.push(quota);
        }
        let used = self.measure.usage(self.object, self.now);
        let negative: Vec<&str> =
            used.iter().filter(|(_, value)| value.sign() < 0).map(|(name, _)| name.as_str()).collect();
        if !negative.is_empty() {
            let why = format!("quota usage is negative for resource(s): {}", negative.join(","));
            return Err(self.refused(why));
        }
        // What another object was before counts, unless this is an object that was not there.
        let before =
            self.old.filter(|old| object_meta(*old).is_some_and(|meta| !meta.resource_version.is_empty()));
        let mut charged = Vec::new();
        for quota in about {
            let counted = before.filter(|old| applies(self.measure, quota, *old));
            let more = match counted {
                Some(old) => rise(&used, &self.measure.usage(old, self.now)),
                None => nonzero(used.clone()),
            };
            charged.extend(self.charged(quota, &more)?);
        }
        Ok(charged)
    }

    /// Refuses what does not say what the quota counts, and to guess what is used before anybody has counted.
    fn check_known(&self, quota: &ResourceQuota) -> Result<(), Status> {
        let name = &quota.metadata.name;
        let hard = quota.status.hard.keys().map(String::as_str);
        let counted: Vec<&str> = hard.filter(|resource| self.measure.has(resource)).collect();
        if let Some(unsaid) = self.measure.unsaid(self.object, &counted) {
            return Err(self.refused(format!("failed quota: {name}: {unsaid}")));
        }
        if counted.iter().any(|resource| !quota.status.used.contains_key(*resource)) {
            let why = format!("status unknown for quota: {name}, resources: {}", counted.join(","));
            return Err(self.refused(why));
        }
        Ok(())
    }

    /// The quota with this added; `None` if it stays the same.
    fn charged(&self, quota: &ResourceQuota, more: &ResourceList) -> Result<Option<ResourceQuota>, Status> {
        let (hard, before) = (&quota.status.hard, &quota.status.used);
        let more = within(more, hard);
        let mut used = before.clone();
        add(&mut used, &more);
        if self.attributes.subresource != "status" {
            let over = exceeded(&within(&used, &more), hard);
            if !over.is_empty() {
                let why = format!(
                    "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                    quota.metadata.name,
                    shown(&mask(&more, &over)),
                    shown(&mask(before, &over)),
                    shown(&mask(hard, &over)),
                );
                return Err(self.refused(why));
            }
        }
        if equal(&used, before) {
            return Ok(None);
        }
        let mut quota = quota.clone();
        quota.status.used = used;
        Ok(Some(quota))
    }

    fn refused(&self, why: String) -> Status {
        forbidden(self.attributes, Some(self.object), why)
    }
}

impl Plugin for Quotas {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
            let in_namespace = !attributes.namespace.is_empty();
            let (Some(object), true) = (object, writes && in_namespace) else { return Ok(()) };
            match Measure::of(&attributes.resource.group, &attributes.resource.plural) {
                Some(measure) if measure.is_touched(attributes.subresource, object, old) => {
                    self.admit(&measure, attributes, object, old).await
                }
                _ => Ok(()),
            }
        })
    }
}
