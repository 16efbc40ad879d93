//! Bytes to records and back: JSON, YAML and protobuf, each written once over the schemas.
//!
//! Layer: above `api-types`, below everything that speaks to a client or a store. Entry points: [`json`], [`yaml`],
//! [`proto`].
//! Invariants: what upstream's encoders write for an object is what these write, byte for byte; decoding never panics, never recurses
//! deeper than [`limits::MAX_RECORD_DEPTH`], and its memory is bounded by the input's size ([`limits::MEMORY_FACTOR`]), which
//! [`limits::Limits`] bounds.
//! State: none. Failure: [`DecodeError`], in the words of upstream's decoders where a client sees them.
//! Upstream: `encoding/json` and `sigs.k8s.io/json` (case-sensitive, strict on demand), `sigs.k8s.io/yaml`, and the
//! `k8s\0` protobuf envelope of `k8s.io/apimachinery`.
//! How to test: `cargo test -p api-codec`; the fixtures of upstream's release lie in the facts beside the project.

mod error;

pub mod json;
pub mod limits;
pub mod proto;
pub mod yaml;

pub use error::{DecodeError, Strictness};
