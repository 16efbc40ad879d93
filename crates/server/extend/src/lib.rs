//! Definitions at work: what a CustomResourceDefinition says becomes a resource that is served.
//!
//! Layer: above the pipeline, beside HTTP; whoever wires a server starts it. Entry points: [`follow`], [`run`].
//!
//! Two parts, which meet only in the definitions' status. [`follow`] keeps the registry's catalog as the definitions say: one entry for each
//! served version of each definition whose names are accepted. [`run`] drives the [`Definitions`] controller, which accepts names,
//! says when a definition is established, and empties a kind before its definition goes; it acts through the API as
//! `system:apiserver`, as upstream's controllers in its API server do.
//! Invariants: a definition is served before it is called established, and until its last object is gone; an entry of the catalog
//! never changes, it is replaced and its watches end; readers of the catalog never wait.
//! State: none of its own. A restart reads the definitions anew, and serves them before the server is ready.
//! Failure: a definition that cannot be served is passed over, and said so in its conditions. The controller retries as all do.
//! Limits: those of the store and of requests; a definition costs what its schema takes once it is used.
//! Upstream: `apiextensions-apiserver/pkg/controller/{status,establish,finalizer,apiapproval,nonstructuralschema}` and
//! `pkg/apiserver/customresource_handler.go`.
//! How to test: `cargo test -p server-extend`; tables for names and conditions, and the whole of it over a registry in memory.

mod catalog;
mod controller;
mod names;

use std::sync::Arc;

use base::drain;
use base::task::Tasks;
use base::time::Clock;
use client::Api;
use client::reconcile::{self, Deps, Inspector};
use server_local::Local;

pub use catalog::follow;
pub use controller::Definitions;

/// Runs the controller of definitions until it is asked to finish.
pub async fn run(local: Local, clock: Arc<dyn Clock>, inspector: Arc<Inspector>, drain: drain::Watch) {
    let api: Arc<dyn Api> = Arc::new(local);
    let deps = Deps { api, clock, tasks: Tasks::default(), inspector };
    reconcile::run(Definitions, deps, drain).await;
}
