//! The API as its users see it: requests and answers, watches, views, and the runtime that controllers run in.
//!
//! Layer: above `api`, below the server, the controllers, the scheduler and the node. Entry points: [`Api`], [`View`],
//! [`Caller`].
//!
//! Invariants: nothing here knows where the server is; whoever asks is always named, and is answered as that name may be.
//! A view moves monotonically through the history of its own scope, may lag, and promises no order across scopes. What nobody reads of it is
//! kept as protobuf messages.
//! State: views, which a restart loses and reads again, and the queues of [`reconcile`], which it fills anew.
//! Failure: every error is a [`Status`] in upstream's words. Only [`reflect`] and [`reconcile`] retry.
//! Limits: [`reconcile::limits`], [`view::limits`].
//! Upstream: `k8s.io/client-go` (reflector, informer, shared index, workqueue, event recorder, leader election), `k8s.io/apiserver`'s request attributes.
//! How to test: `cargo test -p client`.

mod api;
pub mod caller;
pub mod election;
mod feed;
pub mod reconcile;
pub mod reflect;
mod request;
mod scope;
pub mod trail;
mod uri;
pub mod view;

pub use api::{Api, BoxFuture};
pub use api_meta::Status;
pub use api_patch::PatchKind;
pub use caller::Caller;
pub use feed::{Event, Feed};
pub use request::{
    Answer, Body, DeleteOptions, FieldValidation, List, ListOptions, Outcome, Precondition, Propagation,
    Request, Target, Verb, VersionMatch, WriteOptions,
};
pub use scope::{Resource, Revision, Scope};
pub use trail::Trail;
pub use uri::Uri;
pub use view::{RawView, Snapshot, View};
