//! Committing a write together with its effects.

use api_meta::Status;
use api_record::Record;
use api_types::object_meta;
use store::{CommitError, Compare, Revision, Txn};

use crate::admit::Beside;
use crate::effects::Bound;
use crate::{Registry, Served, faults, stored};

/// What became of a transaction.
pub(crate) enum Outcome {
    /// It was carried out.
    Done(Revision),
    /// The object itself is not as it was.
    Lost,
    /// Something that was chosen for the object has been taken meanwhile: it is worth choosing anew.
    Taken,
}

impl Registry {
    /// Carries out a transaction, whose first condition is on the object itself, that makes `new` of `old` and changes what
    /// admission wants changed with it.
    pub(crate) async fn commit(
        &self,
        served: &Served,
        new: Option<&dyn Record>,
        old: Option<&dyn Record>,
        txn: Txn,
        beside: Vec<Beside>,
    ) -> Result<Outcome, Status> {
        let Some(Bound { txn, hold }) = self.effects.bind(self, served, new, old, txn).await? else {
            return Ok(Outcome::Taken);
        };
        let mut txn = txn;
        for other in &beside {
            txn = self.with(txn, other)?;
        }
        let result = self.shared.store.commit(txn).await;
        drop((hold, beside));
        match result {
            Ok(committed) => Ok(Outcome::Done(committed.revision)),
            Err(CommitError::Conflict { compare: 0, .. }) => Ok(Outcome::Lost),
            Err(CommitError::Conflict { .. }) => Ok(Outcome::Taken),
            Err(error) => Err(faults::commit(&error)),
        }
    }

    /// The transaction that also puts another object in the place of what that was when it was read.
    fn with(&self, txn: Txn, other: &Beside) -> Result<Txn, Status> {
        let resource = &other.resource;
        let served = self.catalog().find(&resource.group, &resource.version, &resource.plural);
        let (served, meta) = (served, object_meta(&*other.object));
        let (Some(served), Some(meta)) = (served, meta) else {
            return Err(Status::internal_error(format!("{resource} cannot be written")));
        };
        let Ok(revision) = meta.resource_version.parse() else {
            return Err(Status::internal_error(format!("{resource} {} was never kept", meta.name)));
        };
        let key = served.key(&meta.namespace, &meta.name).into_bytes();
        let txn = txn.when(Compare::Modified(key.clone().into(), Revision(revision)));
        Ok(txn.put(key, stored::encode(served, &*other.object)))
    }
}
