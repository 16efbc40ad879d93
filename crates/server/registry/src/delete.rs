//! Deleting: at once, or marked until finalizers and grace have run their course.

use std::sync::Arc;
use std::time::Duration;

use api_meta::Status;
use api_record::Record;
use api_record::scalar::Time;
use api_types::meta::v1::ObjectMeta;
use client::{Caller, DeleteOptions, List, ListOptions, Propagation};
use store::{Entry, Txn};

use crate::admit::{Attributes, Notes, Operation, Options};
use crate::commit::Outcome;
use crate::limits::WRITE_ATTEMPTS;
use crate::write::{MODIFIED, at_revision, check_precondition, metadata, served_resource};
use crate::{Owners, Registry, Served};

/// The finalizer that makes dependents orphans.
const ORPHAN: &str = "orphan";
/// The finalizer that waits for dependents to be deleted.
const FOREGROUND: &str = "foregroundDeletion";

/// What became of an object that was to be deleted.
pub enum Deleted {
    /// It is gone; this is what it was.
    Gone(Arc<dyn Record>),
    /// It will go once its finalizers and its grace are over.
    Going(Arc<dyn Record>),
}

enum Decision {
    Remove,
    Mark,
    Leave,
}

impl Registry {
    /// Deletes an object.
    pub async fn delete(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
        dry_run: bool,
    ) -> Result<Deleted, Status> {
        for _ in 0..WRITE_ATTEMPTS {
            let Some(entry) = self.entry(served, namespace, name).await? else {
                return Err(Status::not_found(served.group_resource(), name));
            };
            let old = self.decode(served, &entry).await?;
            check_precondition(served, name, &*old, &options.precondition)?;
            let attributes = Attributes {
                caller,
                operation: Operation::Delete,
                resource: served_resource(served),
                subresource: "",
                namespace,
                name,
                dry_run,
                options: Options::Delete(options),
                notes: Notes::default(),
            };
            self.admission.validate(&attributes, None, Some(&*old)).await?;
            if let Some(deleted) = self.delete_once(served, &entry, &old, options, dry_run).await? {
                return Ok(deleted);
            }
        }
        Err(Status::conflict(served.group_resource(), name, MODIFIED))
    }

    /// `None` when somebody else wrote in between.
    async fn delete_once(
        &self,
        served: &Served,
        entry: &Entry,
        old: &Arc<dyn Record>,
        options: &DeleteOptions,
        dry_run: bool,
    ) -> Result<Option<Deleted>, Status> {
        let mut object = old.boxed_clone();
        let decision = self.decide(served, &mut *object, options)?;
        let txn = match decision {
            Decision::Leave => return Ok(Some(Deleted::Going(self.show(served, old)))),
            Decision::Remove if dry_run => return Ok(Some(Deleted::Gone(self.show(served, old)))),
            Decision::Mark if dry_run => {
                return Ok(Some(Deleted::Going(self.show(served, &Arc::from(object)))));
            }
            Decision::Remove => Txn::remove(entry.key.clone(), entry.modified),
            Decision::Mark => {
                let value = self.encode(served, &mut *object, Owners::Said).await?;
                Txn::update(entry.key.clone(), value, entry.modified)
            }
        };
        let left = matches!(decision, Decision::Mark).then_some(&*object);
        match self.commit(served, left, Some(&**old), txn, Vec::new()).await? {
            Outcome::Done(revision) => {
                let shown = self.show(served, &at_revision(object, revision));
                Ok(Some(match decision {
                    Decision::Remove => Deleted::Gone(shown),
                    _ => Deleted::Going(shown),
                }))
            }
            Outcome::Lost | Outcome::Taken => Ok(None),
        }
    }

    /// Marks the object as the deletion leaves it (upstream's `rest.BeforeDelete` and finalizers of the garbage collector).
    fn decide(
        &self,
        served: &Served,
        object: &mut dyn Record,
        options: &DeleteOptions,
    ) -> Result<Decision, Status> {
        let asked = options.grace_seconds.map(not_negative);
        let grace = served.kind.grace(object, asked);
        let held = served.kind.is_held(object);
        let marks_itself = served.kind.marks_deletion();
        let now = self.shared.clock.now();
        let meta = metadata(object)?;
        let changed = set_finalizers(meta, options.propagation, served.kind.orphans_dependents());
        let waits = held || !meta.finalizers.is_empty();
        if meta.deletion_timestamp.is_some() {
            let shortened = grace.and(asked).is_some_and(|asked| shorten(meta, asked, now));
            let left = meta.deletion_grace_period_seconds.unwrap_or(0);
            return Ok(match (waits || left > 0, changed || shortened) {
                (false, _) => Decision::Remove,
                (true, true) => Decision::Mark,
                (true, false) => Decision::Leave,
            });
        }
        let grace = grace.unwrap_or(0);
        if grace == 0 && !waits {
            return Ok(Decision::Remove);
        }
        let until = now + Duration::from_secs(grace.unsigned_abs());
        meta.deletion_timestamp = Some(until.into());
        // Upstream's storages of namespaces and definitions, which mark deletions in ways of their own, set the time alone.
        if !marks_itself {
            meta.deletion_grace_period_seconds = Some(grace);
            if meta.generation > 0 {
                meta.generation += 1;
            }
        }
        served.kind.mark_deleting(object);
        Ok(Decision::Mark)
    }

    /// Deletes all objects that a list finds, and answers the list.
    pub async fn delete_collection(
        &self,
        served: &Served,
        caller: &Caller,
        namespace: &str,
        list: &ListOptions,
        options: &DeleteOptions,
        dry_run: bool,
    ) -> Result<List, Status> {
        let found = self.list(served, namespace, list).await?;
        for object in &found.items {
            let Some(meta) = api_types::object_meta(&**object) else { continue };
            let result = self.delete(served, caller, &meta.namespace, &meta.name, options, dry_run).await;
            if let Err(status) = result
                && !status.is_not_found()
            {
                return Err(status);
            }
        }
        Ok(found)
    }
}

/// A grace that is asked for: less than none is a second.
fn not_negative(seconds: i64) -> i64 {
    if seconds < 0 { 1 } else { seconds }
}

/// Shortens the grace of an object that is going already, to no moment that has passed; answers whether that changed anything.
fn shorten(meta: &mut ObjectMeta, asked: i64, now: base::time::Time) -> bool {
    let own = meta.deletion_grace_period_seconds.map_or(0, not_negative);
    let Some(until) = meta.deletion_timestamp.filter(|_| asked < own) else { return false };
    let (earlier, now) = (Time { seconds: until.seconds - own + asked }, Time::from(now));
    // Whoever ends it within its grace is still the one to delete it at last, so some grace is left.
    let (until, left) = if earlier.seconds < now.seconds { (now, asked.min(1)) } else { (earlier, asked) };
    meta.deletion_timestamp = Some(until);
    meta.deletion_grace_period_seconds = Some(left);
    true
}

/// Puts the garbage collector's finalizers as the propagation asks for, or as is usual for the kind where neither it nor a
/// finalizer says anything; answers whether that changed anything.
fn set_finalizers(meta: &mut ObjectMeta, propagation: Option<Propagation>, orphans: bool) -> bool {
    let before = meta.finalizers.clone();
    let said = before.iter().any(|finalizer| finalizer == ORPHAN || finalizer == FOREGROUND);
    let wanted = match propagation {
        None if orphans && !said => Some(ORPHAN),
        None => return false,
        Some(Propagation::Orphan) => Some(ORPHAN),
        Some(Propagation::Foreground) => Some(FOREGROUND),
        Some(Propagation::Background) => None,
    };
    meta.finalizers.retain(|finalizer| finalizer != ORPHAN && finalizer != FOREGROUND);
    meta.finalizers.extend(wanted.map(str::to_owned));
    meta.finalizers != before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_only_shortened_and_not_into_the_past() {
        // (deletionTimestamp, grace, asked for, now) and what becomes of the first two.
        for (until, own, asked, now, expected) in [
            (130, Some(30), 10, 101, Some((110, 10))),
            (130, Some(30), 0, 100, Some((100, 0))),
            (130, Some(30), 10, 110, Some((110, 10))),
            (130, Some(30), 10, 111, Some((111, 1))),
            (130, Some(30), 0, 111, Some((111, 0))),
            (130, Some(30), 30, 101, None),
            (130, Some(30), 40, 101, None),
            (130, Some(0), 0, 101, None),
            (130, None, 0, 101, None),
        ] {
            let mut meta = ObjectMeta {
                deletion_timestamp: Some(Time { seconds: until }),
                deletion_grace_period_seconds: own,
                ..ObjectMeta::default()
            };
            let changed = shorten(&mut meta, asked, base::time::Time::from_unix_seconds(now));
            let after =
                meta.deletion_timestamp.map(|time| time.seconds).zip(meta.deletion_grace_period_seconds);
            assert_eq!(changed.then_some(after).flatten(), expected, "{own:?} to {asked} at {now}");
            assert!(changed || meta.deletion_grace_period_seconds == own);
        }
        assert_eq!([-5, 0, 7].map(not_negative), [1, 0, 7]);
    }
}
