//! The row of a kind: what is truly its own, in one value that every engine reads.
//!
//! Layer: above `api-meta`, below the groups in `api/kinds`, which hold one file with one row for each kind. Entry points:
//! [`Kind`] (to write a row), [`AnyKind`] (to use one), [`Ctx`].
//!
//! Invariants: a row's functions are pure; they see the request only through [`Ctx`]. What holds for every kind (metadata,
//! generation, status kept apart from spec, declarative rules, `+default` values, gated fields) is done here once,
//! from the schema.
//! State: none. Failure: validation answers an error list in upstream's words.
//! Upstream: the strategies of `pkg/registry/*/*/strategy.go` and `pkg/apis/*/{v1/defaults.go,validation}`.
//! How to test: each kind's file has tables; this crate's tests use small rows of their own.

pub mod checks;
mod column;
mod ctx;
mod defaults;
mod each;
mod gates;
mod generic;
mod kind;
mod reset;
mod rules;
pub mod trial;
mod version;
pub mod webhook;

pub use column::{Cell, Column, age, span};
pub use ctx::{Ctx, Verb};
pub use each::each;
pub use gates::{Feature, Gates, Maturity, truth};
pub use generic::{default, drop_gated, prepare, validate};
pub use kind::{AnyKind, Grace, Heading, Kind, Plain};
pub use reset::{Pattern, Reset, fields_of, reset};
pub use version::{Version, structural};
