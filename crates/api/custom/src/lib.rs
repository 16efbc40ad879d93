//! Custom resources: what their objects are, and what their definition says of them.
//!
//! Layer: above `api-kind`, beside the groups of the built-in kinds. Entry points: [`CustomObject`] (the record), [`Row`] (the
//! row of one version of a definition, made at run time), [`Node`] (its schema, compiled).
//!
//! Shape: an object's `metadata` is the typed [`api_types::meta::v1::ObjectMeta`]; all else is one tree of JSON that keeps what is there
//! and what is not. So every engine that works on records works on it, and nothing is leaked when definitions come and go. The
//! tree is walked beside the compiled schema: [`prune`] drops what no schema names, [`fill`] puts defaults, [`Node`]'s checks, lists and
//! embedded objects are judged in [`check`]. What server-side apply is to know of them is told by [`AllFields`]. Functions are pure.
//! Invariants: a schema is compiled once for a version, when it is first needed; the tree's keys are sorted at every level, so equal
//! objects have equal bytes. State: none.
//! Rules in CEL ([`rules`]) are judged last, and only where nothing else is wrong that they could stumble over.
//! Failure: errors of fields in upstream's words.
//! Limits: [`limits`].
//! Upstream: `k8s.io/apiextensions-apiserver/pkg/apiserver/{schema,validation,conversion}`, `pkg/registry/customresource`,
//! `k8s.io/kube-openapi/pkg/validation`, `k8s.io/client-go/util/jsonpath`.
//! How to test: `cargo test -p api-custom`; tables of schemas, objects and what is said of them.

mod before;
mod check;
pub mod conversion;
mod defaults;
mod embedded;
mod fields;
mod fill;
mod format;
pub mod jsonpath;
pub mod limits;
mod lists;
mod node;
mod object;
mod prune;
mod row;
pub mod rules;
mod scale;
pub mod structural;
#[cfg(test)]
mod tests;

pub use check::check;
pub use defaults::check_defaults;
pub use embedded::coerce;
pub use fields::AllFields;
pub use fill::{drop_nulls, fill};
pub use format::is_known as is_known_format;
pub use lists::check as check_lists;
pub use node::{Additional, CompileError, Node, Type, compile};
pub use object::CustomObject;
pub use prune::prune;
pub use row::Row;
pub use scale::{read_scale, write_replicas};
