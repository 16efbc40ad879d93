//! Every built-in type of the Kubernetes API, generated: a struct with its schema for each, by group and version
//! (`core::v1::Pod`), and the table of all kinds.
//!
//! Layer: above `api-record`, below everything that names a kind. Entry points: the group modules, [`object_type`],
//! [`object_meta`].
//! Invariants: the types are those of the Kubernetes release that `cargo xtask codegen` names; a type never stores `kind`
//! and `apiVersion`, which belong to whoever encodes it.
//! State: none. Failure: none. How to test: the codecs' fixtures cover every type.

mod catalog;
mod generated;
mod object;

pub use catalog::{Resource, Stage, Subresource, resources};
pub use generated::*;
pub use object::{GroupVersionKind, ObjectType, object_meta, object_meta_mut, object_type, object_types};
