//! What is asked of a webhook, and what comes of it.

use std::time::Duration;

use api_codec::json::TypeMeta;
use api_meta::Status;
use bytes::Bytes;
use client::BoxFuture;
use thiserror::Error;

use crate::Hook;

/// A question.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Who is asked.
    pub hook: &'a Hook,
    /// A review, in JSON.
    pub body: Bytes,
    /// How long all of it may take. The hook is told, in whole seconds.
    pub timeout: Duration,
    /// How large the answer may be.
    pub answer_bytes: usize,
}

/// What a hook said: well-formed JSON.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it says that it is.
    pub type_meta: TypeMeta,
    /// All of it.
    pub body: Bytes,
}

/// Why there is no answer, in upstream's words.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// It could not be asked as it is configured: upstream's `could not get REST client`.
    #[error("{0}")]
    Unusable(String),
    /// It could not be reached, or answered nothing of use: upstream's `failed to call webhook`.
    #[error("{0}")]
    Unanswered(String),
    /// It answered that it could not.
    #[error("{}", .0.message)]
    Refused(Status),
}

impl CallError {
    /// What the failure is to whoever counts them by their codes.
    pub fn status(&self) -> Status {
        match self {
            CallError::Unusable(why) => Status::internal_error(why),
            CallError::Unanswered(_) => Status::service_unavailable("error calling webhook"),
            CallError::Refused(status) => status.clone(),
        }
    }
}

/// Whoever asks webhooks.
pub trait Webhooks: Send + Sync {
    /// Asks once.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer, CallError>>;
}
