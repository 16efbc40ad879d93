//! Committing a write together with its effects.

use api_meta::Status;
use api_record::Record;
use store::{CommitError, Revision, Txn};

use crate::effects::Bound;
use crate::{Registry, Served, faults};

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
    /// Carries out a transaction, whose first condition is on the object itself, that makes `new` of `old`.
    pub(crate) async fn commit(
        &self,
        served: &Served,
        new: Option<&dyn Record>,
        old: Option<&dyn Record>,
        txn: Txn,
    ) -> Result<Outcome, Status> {
        let Some(Bound { txn, hold }) = self.effects.bind(self, served, new, old, txn).await? else {
            return Ok(Outcome::Taken);
        };
        let result = self.shared.store.commit(txn).await;
        drop(hold);
        match result {
            Ok(committed) => Ok(Outcome::Done(committed.revision)),
            Err(CommitError::Conflict { compare: 0, .. }) => Ok(Outcome::Lost),
            Err(CommitError::Conflict { .. }) => Ok(Outcome::Taken),
            Err(error) => Err(faults::commit(&error)),
        }
    }
}
