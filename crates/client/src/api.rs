//! The one way to act on a cluster.

use std::future::Future;
use std::pin::Pin;

use crate::request::Answer;
use crate::{Caller, Feed, RawView, Request, Revision, Scope, Status};

/// A future that borrows from the API and is sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The API of a cluster, in this process or elsewhere.
pub trait Api: Send + Sync {
    /// Carries out a request.
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>>;

    /// Watches a scope from just after a revision; from 0, first shows what is there.
    fn watch<'a>(
        &'a self,
        who: &'a Caller,
        scope: Scope,
        from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>>;

    /// Opens a view of a scope, which fills and follows in the background.
    fn view<'a>(&'a self, who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>>;
}
