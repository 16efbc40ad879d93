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
        let asked = options.grace_seconds;
        let grace = served.kind.grace(object, asked);
        let held = served.kind.is_held(object);
        let now = self.shared.clock.now();
        let meta = metadata(object)?;
        let changed = set_finalizers(meta, options.propagation, served.kind.orphans_dependents());
        let waits = held || !meta.finalizers.is_empty();
        if let (Some(deletion), Some(own)) = (meta.deletion_timestamp, meta.deletion_grace_period_seconds) {
            // Already going: a later request may only shorten the grace.
            let shorter = grace.and(asked).filter(|asked| *asked < own);
            if let Some(shorter) = shorter {
                meta.deletion_timestamp = Some(Time { seconds: deletion.seconds - own + shorter });
                meta.deletion_grace_period_seconds = Some(shorter);
            }
            let left = shorter.unwrap_or(own);
            return Ok(match (waits || left > 0, changed || shorter.is_some()) {
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
        meta.deletion_grace_period_seconds = Some(grace);
        if meta.generation > 0 {
            meta.generation += 1;
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
