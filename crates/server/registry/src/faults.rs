//! What the store's errors mean to a client.

use api_meta::Status;
use base::error::Chain;
use store::{CommitError, ReadError, WatchError};

/// Upstream's words for a version that has been forgotten.
fn expired() -> Status {
    Status::resource_expired("The resourceVersion for the provided list is too old.")
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
