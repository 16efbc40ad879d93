//! The API's local form: the pipeline that every request passes, wherever it comes from.
//!
//! Layer: above the registry and authorization, below HTTP; components in the server's process use it directly. Entry points:
//! [`Local`], [`Direct`], [`Policy`].
//!
//! Invariants: [`Local`] authorizes every call, watch and view as its caller, and has it logged where requests are; [`Direct`] does not, and is only for what
//! the server itself must do to be able to authorize. Verbs and subresources are carried out here once for both.
//! State: the policy's indexes and shared views, which a restart fills again from the registry; what nodes and pods used lately, for as long
//! as somebody asks.
//! Failure: [`client::Status`] in upstream's words.
//! Upstream: `k8s.io/apiserver/pkg/endpoints/handlers`, the subresources of `pkg/registry/*/*/storage`.
//! How to test: `cargo test -p server-local`.

mod attributes;
mod audited;
mod components;
mod direct;
mod escalation;
mod local;
mod patch;
mod policy;
mod review;
mod subresource;
pub mod usage;

pub use attributes::forbidden;
pub use components::{Check, Components};
pub use direct::Direct;
pub use local::Local;
pub use policy::{Policy, note};
pub use review::{Reviewed, TokenReviewer};
pub use subresource::tokens::{NoTokens, TokenIssuer};
