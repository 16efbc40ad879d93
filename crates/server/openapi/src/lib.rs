//! OpenAPI: the documents that tell clients what is served, made from the same tables that the server works by.
//!
//! Layer: above `api-types`, beside the request pipeline; the HTTP shell answers `/openapi/v2` and `/openapi/v3` from here.
//! Entry points: [`Documents`], and [`Documents::answer`] for the shell.
//!
//! Invariants: definitions, operations and extensions are called as upstream's; every reference resolves within its
//! document; a document depends on the tables and on the definitions that it is about alone, so its hash stays as long as they do.
//! State: documents are made when first asked for and kept compressed (1.3 MB for all that is served by default, in JSON); a
//! restart makes them again. Making all of them takes a tenth of a second, so ask away from where requests must not wait.
//! Failure: none.
//! What definitions of the cluster add is made from their schemas: whoever serves them asks for [`Documents::with_custom`] when they
//! change. What other API servers say is taken in by [`Documents::with_others`].
//! Limits: enumerations are told only where the tables name their values.
//! Upstream: `k8s.io/kube-openapi` (`builder`, `builder3`, `handler`, `handler3`) and the paths of
//! `k8s.io/apiserver/pkg/endpoints/installer.go`. Descriptions come from the `k8s-openapi` crate when this one is built.
//! How to test: `cargo test -p server-openapi`.

mod answer;
mod convert;
mod custom;
mod definitions;
mod descriptions;
mod document;
mod documents;
mod markers;
mod media;
mod names;
mod operations;
mod others;
mod parameters;
mod paths;
mod proto;
mod v2;
mod v3;

pub use answer::{Answer, Request};
pub use custom::Custom;
pub use document::Document;
pub use documents::{Documents, location};
pub use media::{Form, Version};
pub use others::{Described, Others};

/// What the documents say of the server's version; clients ask `/version` for it.
const VERSION: &str = "unversioned";

/// How clients prove who they are.
fn bearer_token() -> serde_json::Value {
    serde_json::json!({
        "type": "apiKey",
        "in": "header",
        "name": "authorization",
        "description": "Bearer Token authentication",
    })
}
