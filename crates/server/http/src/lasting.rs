//! Connections to other API servers that last: requests to one share them, by HTTP/2 where that is spoken.
//!
//! As upstream's proxy handler, which keeps a transport for each APIService. What leaves HTTP has a connection of its own (`relay`).

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use base_serve::dial::{Connection, Secure};
use http::Uri;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tower_service::Service;

use crate::limits;
use crate::proxy::dial::dial_as;

/// The connections to one server.
pub(crate) type Client = legacy::Client<Dialer, Incoming>;

/// The connections to all of them.
#[derive(Default)]
pub(crate) struct Lasting {
    /// By the name of the APIService, with how it wants to be spoken to.
    known: Mutex<BTreeMap<String, (Secure, Client)>>,
}

impl Lasting {
    /// The connections to the server of an APIService. Those of others that are not there any more are forgotten.
    pub(crate) fn to(
        &self,
        name: &str,
        secure: &Secure,
        places: &Arc<Semaphore>,
        is_there: impl Fn(&str) -> bool,
    ) -> Client {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((own, client)) = known.get(name)
            && Arc::ptr_eq(&own.config, &secure.config)
        {
            return client.clone();
        }
        known.retain(|name, _| is_there(name));
        let dialer = Dialer { secure: secure.clone(), places: Arc::clone(places) };
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::IDLE)
            .pool_max_idle_per_host(limits::IDLE_CONNECTIONS)
            .http2_keep_alive_interval(limits::PING.0)
            .http2_keep_alive_timeout(limits::PING.1)
            .http2_adaptive_window(true)
            .build(dialer);
        known.insert(name.to_owned(), (secure.clone(), client.clone()));
        client
    }
}

/// Makes connections to one server, each of which has a place among all that go to others.
#[derive(Clone)]
pub(crate) struct Dialer {
    secure: Secure,
    places: Arc<Semaphore>,
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Connection>;
    type Error = Undialed;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Connection>, Undialed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Undialed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let Dialer { secure, places } = self.clone();
        Box::pin(async move {
            let address = server.authority().map(|authority| authority.as_str()).unwrap_or_default();
            let dialed = dial_as(&places, address, Some(&secure)).await;
            dialed.map(|(connection, _)| connection).map_err(Undialed)
        })
    }
}

/// Why there is no connection, in Go's words.
#[derive(Debug)]
pub(crate) struct Undialed(String);

impl fmt::Display for Undialed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undialed {}

/// Why a request was not answered, in Go's words.
pub(crate) fn unanswered(error: &legacy::Error) -> String {
    let source = error.source();
    if let Some(undialed) = source.and_then(|source| source.downcast_ref::<Undialed>()) {
        return undialed.to_string();
    }
    match source.and_then(|source| source.downcast_ref::<hyper::Error>()) {
        Some(error) => base_serve::words::of_exchange(error),
        None => base::error::Chain(error).to_string(),
    }
}

#[cfg(test)]
mod tests;
