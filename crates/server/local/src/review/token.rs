//! TokenReview: whose a token is. Upstream: `pkg/registry/authentication/tokenreview/storage.go`.

use api_meta::Status;
use api_types::authentication::v1::TokenReview;
use client::Caller;

use super::user_info;

/// Whose a token is, and which of the audiences asked about it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// Whose it is.
    pub caller: Caller,
    /// Which audiences it is for.
    pub audiences: Vec<String>,
}

/// Whoever knows whose tokens are.
pub trait TokenReviewer: Send + Sync {
    /// Whose a token is, if it is for one of these audiences (the API's own, if none are named).
    ///
    /// # Errors
    /// With what whoever asks should hear of why it is nobody's.
    fn review(&self, token: &str, audiences: &[String]) -> Result<Reviewed, String>;
}

/// Fills in the status.
pub(super) fn answer(reviewer: Option<&dyn TokenReviewer>, review: &mut TokenReview) -> Result<(), Status> {
    if review.spec.token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let Some(reviewer) = reviewer else {
        return Err(Status::service_unavailable("tokens cannot be reviewed yet: the server is starting"));
    };
    let status = &mut review.status;
    match reviewer.review(&review.spec.token, &review.spec.audiences) {
        Ok(found) => {
            status.authenticated = true;
            status.user = user_info(&found.caller);
            status.audiences = found.audiences;
        }
        Err(why) => {
            status.authenticated = false;
            status.error = why;
        }
    }
    Ok(())
}
