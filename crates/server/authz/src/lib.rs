//! Who may do what: the decision about every request, once it is known who asks.
//!
//! **Layer**: `server`, above `api-types` and `api-meta`; it knows neither HTTP nor the store. The HTTP layer asks it for
//! each request, the registry before it stores roles and bindings, the access reviews on anybody's behalf.
//!
//! **Entry points**: [`Union`] (all authorizers in turn), fed from [`rbac::Index`] and [`node::Graph`];
//! [`bootstrap::policy`] with [`reconcile`], the policy a cluster starts with.
//!
//! **Invariants**
//! - Pure and synchronous: an answer depends on the request and on what was put in, never on the order it was put in, nor
//!   on time. Both states equal a rebuild from their present objects.
//! - Nothing is allowed unless a rule, a relationship or the privileged group allows it; what cannot be resolved (a binding
//!   to a missing role) grants nothing and hinders nothing else.
//! - A change costs what the changed object refers to; a question what its user is bound to. Neither scans.
//!
//! **State**: the two indexes, in memory. Nothing survives a restart: the server fills them from its views before it
//! answers, and publishes clones of the [`rbac::Index`] (persistent maps) or locks the [`node::Graph`].
//!
//! **Failure**: none of its own. A refusal is a [`Decision`] with its reason, put into words by [`forbidden`].
//!
//! **Limits**: it holds only what stored roles, bindings, pods and volumes say, which the store bounds; it has no queue,
//! cache or retry.
//!
//! **Upstream behaviour answered to**: Kubernetes 1.37's `--authorization-mode=Node,RBAC`: `plugin/pkg/auth/authorizer`
//! (`rbac`, `node`, `bootstrappolicy`), `pkg/registry/rbac`, the union and forbidden messages of `k8s.io/apiserver`.
//! Different on purpose: bindings are tried in the order of their names, where upstream's order is random. Webhook
//! authorizers, which wait, and the NodeRestriction admission are elsewhere.
//!
//! **To test it**: `cargo test -p server-authz`: tables of requests, and the property that the incremental states equal
//! rebuilt ones.

mod attributes;
mod decision;

pub mod bootstrap;
pub mod forbidden;
pub mod node;
pub mod rbac;
pub mod reconcile;
pub mod union;

pub use attributes::{Attributes, FieldOperator, FieldRequirement, LabelOperator, LabelRequirement};
pub use decision::{Authorize, Decision};
pub use union::Union;
