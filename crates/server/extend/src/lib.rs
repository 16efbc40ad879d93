//! What the API grows by: what a CustomResourceDefinition says becomes a resource that is served, and what an APIService leads to is found
//! and described.
//!
//! Layer: above the pipeline, below HTTP; whoever wires a server starts it. Entry points: [`follow`], [`run`], [`Conversion`],
//! [`aggregation::Aggregation`].
//!
//! Two parts of definitions, which meet only in their status. [`follow`] keeps the registry's catalog as the definitions say: one entry for each
//! served version of each definition whose names are accepted. [`run`] drives the [`Definitions`] controller, which accepts names,
//! says when a definition is established, and empties a kind before its definition goes; it acts through the API as
//! `system:apiserver`, as upstream's controllers in its API server do. So do those of APIServices, which [`run`] drives, too.
//! Beside them, [`Conversion`] asks the webhooks by which definitions convert their versions. The registry calls it where objects are read
//! from the store and where they are written to it, so that all between (defaults, rules, owners, admission, watches) works on the
//! version of the request. A page of a list or a batch of a watch is one question; what comes back is remembered. A failure is the
//! answer to whoever reads or writes (500, in upstream's words), it fails a whole list, and it ends a watch after an error.
//! Invariants: a definition is served before it is called established, and until its last object is gone; an entry of the catalog
//! never changes, it is replaced and its watches end; readers of the catalog, and of what other servers have, never wait: not for a server that
//! is slow, nor for one that is gone.
//! State: none of its own. A restart reads definitions and APIServices anew, and serves them before the server is ready; what the other
//! servers have is asked for again.
//! Failure: a definition that cannot be served is passed over, and said so in its conditions. A server that does not answer keeps what it
//! had, marked as stale. The controllers retry as all do.
//! Limits: [`limits`], and those of the store and of requests; a definition costs what its schema takes once it is used.
//! Upstream: `apiextensions-apiserver/pkg/controller/{status,establish,finalizer,apiapproval,nonstructuralschema}`,
//! `pkg/apiserver/{customresource_handler.go,conversion}`, and `kube-aggregator` less its handlers.
//! How to test: `cargo test -p server-extend`; tables for names, conditions and verdicts, the whole of definitions over a registry in memory, and
//! aggregation against servers that are well, broken and silent.

pub mod aggregation;
mod catalog;
mod controller;
mod conversion;
pub mod limits;
mod names;

use std::sync::Arc;

use base::drain;
use base::task::Tasks;
use base::time::Clock;
use client::Api;
use client::reconcile::{self, Deps, Inspector};
use server_local::Local;

use aggregation::Aggregation;
use aggregation::availability::Availability;
use aggregation::registration::Registration;
pub use catalog::follow;
pub use controller::Definitions;
pub use conversion::Conversion;

/// Runs the controllers of definitions and of APIServices until they are asked to finish.
pub async fn run(
    local: Local,
    aggregation: Aggregation,
    clock: Arc<dyn Clock>,
    inspector: Arc<Inspector>,
    drain: drain::Watch,
) {
    let api: Arc<dyn Api> = Arc::new(local);
    let deps = || Deps {
        api: Arc::clone(&api),
        clock: Arc::clone(&clock),
        tasks: Tasks::default(),
        inspector: Arc::clone(&inspector),
    };
    tokio::join!(
        reconcile::run(Definitions, deps(), drain.clone()),
        reconcile::run(Registration, deps(), drain.clone()),
        reconcile::run(Availability::new(aggregation), deps(), drain),
    );
}
