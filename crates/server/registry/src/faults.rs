//! What the store's errors mean to a client.

use api_meta::Status;
use base::error::Chain;
use store::{CommitError, ReadError, WatchError};

use crate::continue_token::Continue;

/// Upstream's words for a version that has been forgotten.
fn expired() -> Status {
    Status::resource_expired("The resourceVersion for the provided list is too old.")
}

/// Upstream's words for a list that cannot be gone on with as it was, with the token of one that can.
pub(crate) fn continue_expired(token: &Continue) -> Status {
    let mut status = Status::resource_expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue \
         parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided \
         token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was \
         returned and now may show up in the list.",
    );
    status.metadata.continue_ = Continue { revision: None, start: token.start.clone() }.encode();
    status
}

pub(crate) fn read(error: &ReadError) -> Status {
    match error {
        ReadError::Compacted { .. } => expired(),
        ReadError::Future { asked, current } => Status::resource_version_too_large(asked.0, current.0, 1),
        ReadError::Fault(_) => Status::internal_error(Chain(error)),
    }
}

pub(crate) fn commit(error: &CommitError) -> Status {
    match error {
        CommitError::TooLarge { .. } => Status::request_entity_too_large(error),
        _ => Status::internal_error(Chain(error)),
    }
}

pub(crate) fn watch(error: &WatchError, from: u64) -> Status {
    match error {
        WatchError::Compacted { at } => {
            Status::resource_expired(format!("too old resource version: {from} ({})", at.0))
        }
        _ => Status::internal_error(Chain(error)),
    }
}
