//! The generic registry: every verb of every stored resource, written once.
//!
//! Layer: above the store and the rows of the kinds, below the request pipeline. Entry points: [`Registry`], [`Catalog`],
//! [`admit::Admission`].
//!
//! Invariants: what is kept is the hub's type in protobuf (objects of definitions: JSON), under stock Kubernetes' keys; every write is a compare-and-swap on
//! what was read; an answer shows the revision that it was kept at; an unchanged object is not written again.
//! What a write brings with it (addresses, node ports, charges to quotas) is part of its transaction. Who writes a field owns it.
//! State: the store's. A bounded cache of decoded objects, which a restart empties.
//! Failure: [`Status`](api_meta::Status) in upstream's words. A write that lost a race is tried again unless its caller named the version that it
//! was based on.
//! Limits: [`limits`].
//! Upstream: `k8s.io/apiserver/pkg/registry/generic/registry/store.go`, `rest/{create,update,delete}.go`,
//! `pkg/storage/etcd3`.
//! How to test: `cargo test -p server-registry`, against the store in memory.

pub mod admit;
mod catalog;
mod commit;
mod continue_token;
mod convert;
mod counts;
mod delete;
mod effects;
mod faults;
pub mod limits;
mod managed;
mod pages;
mod read;
mod registry;
pub mod scale;
mod select;
mod stored;
mod watch;
mod write;

pub use catalog::{Catalog, Form, KindName, Offer, Offered, Served};
pub use convert::{Convert, Question};
pub use counts::Count;
pub use delete::Deleted;
pub use effects::{NODE_PORTS, RepairedPorts};
pub use managed::Owners;
pub use pages::{Kept, Pages};
pub use registry::{HEALTH, Registry, Shared};
pub use watch::From;
pub use write::{Change, Write, Written};
