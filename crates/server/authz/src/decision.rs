//! What an authorizer answers.

use crate::Attributes;

/// The answer to a request, with the reason that goes to the audit log (and, for refusals, to the user).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes, and no other authorizer is asked.
    Allow {
        /// Why; may be empty.
        reason: String,
    },
    /// No, and no other authorizer is asked.
    Deny {
        /// Why; may be empty.
        reason: String,
    },
    /// Neither; from the last authorizer, a refusal.
    NoOpinion {
        /// Why; may be empty.
        reason: String,
    },
}

impl Decision {
    /// Yes.
    pub fn allow(reason: impl Into<String>) -> Decision {
        Decision::Allow { reason: reason.into() }
    }

    /// Neither yes nor no.
    pub fn no_opinion(reason: impl Into<String>) -> Decision {
        Decision::NoOpinion { reason: reason.into() }
    }

    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Decision::Allow { .. })
    }

    /// The reason, whichever way it went.
    pub fn reason(&self) -> &str {
        match self {
            Decision::Allow { reason } | Decision::Deny { reason } | Decision::NoOpinion { reason } => reason,
        }
    }
}

/// Whoever decides requests at once, from what it holds. (Webhooks, which must wait, are another layer's.)
pub trait Authorize {
    /// Decides a request.
    fn authorize(&self, request: &Attributes<'_>) -> Decision;
}
