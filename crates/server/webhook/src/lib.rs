//! Asking webhooks: what the API server leaves to programs of the cluster's users to decide or to do.
//!
//! Layer: `server`; its sockets are `client-remote`'s. Admission and the conversion of custom resources ask through it, and know what they
//! ask and what the answer must be. Entry points: [`Webhooks`], which [`Client`] is on the network and which a simulator replaces; [`Hook`],
//! whom to ask; [`Services`], where a service's endpoints are ([`Endpoints`] knows it from views). What is only sent away goes to a [`Receiver`],
//! which a kubeconfig names, with what that has to show.
//!
//! Invariants: a hook is who its certificate authorities say, or it is not asked; of a service's endpoints one is chosen for each call;
//! answers are bounded in size and time; redirects are not followed; no credentials are sent.
//! State: connections that are kept for the next call, for each hook. Failure: [`CallError`], in upstream's words; nothing is asked twice.
//! Limits: [`limits`].
//! Upstream: `k8s.io/apiserver/pkg/util/{webhook,proxy}`, `k8s.io/client-go/rest`, with WebhookRoundTripLoadBalancing. Services are resolved
//! to their endpoints, as with `--enable-aggregator-routing`, so that a server without a node reaches them, too.
//! How to test: `cargo test -p server-webhook`.

mod call;
mod clients;
pub mod endpoint;
mod hook;
pub mod limits;
mod receiver;
mod services;
mod tls;

pub use call::{Answer, Call, CallError, Webhooks};
pub use clients::Client;
pub use hook::Hook;
pub use receiver::Receiver;
pub use services::{Endpoints, Services, resolve};
