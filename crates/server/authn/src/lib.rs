//! Identities: who a requester is and what proves it, and the keys and certificates by which the cluster proves itself.
//!
//! Purpose: from what a request shows (certificates, headers, tokens) to a [`Caller`](client::Caller), or a refusal; and the other
//! way round, the making of everything that later proves somebody.
//!
//! Layer: `server`; depends on `base`, and on `client` for what a caller is. Used by the server's HTTP shell and registry, by the controller that signs
//! certificates, and by nodes that join.
//!
//! Entry points: [`authenticator::Authenticator`], [`pki::Pki`], [`token::issue::Issuer`].
//!
//! Invariants: nothing here says what a user may do. Everything is synchronous; time, serial numbers, token ids and
//! lookups are handed in. Keys and signatures use `ring`'s own randomness, which cannot be. Secrets are compared in
//! constant time. The algorithm of a token follows from the key, never from the token.
//!
//! State: the files of [`pki::directory`], the one module that touches the file system; all survive a restart and none
//! but leaf certificates is ever replaced. Everything else is in memory and made anew.
//!
//! Failure: nothing is retried here. A damaged authority is refused with what to do about it, never made anew. A
//! credential that is refused is a [`authenticator::Unauthorized`], whose causes are for the log, not the requester.
//!
//! Limits: [`limits`].
//!
//! Upstream: `pkg/kubeapiserver/authenticator`, `pkg/serviceaccount`, `plugin/pkg/auth/authenticator/token/bootstrap`,
//! `pkg/controller/certificates`, `k8s.io/apiserver/pkg/authentication` and `.../endpoints/filters/impersonation`, all
//! of 1.37; names and files of certificates are kubeadm's, join tokens K3s's. Left out: OpenID Connect, webhook and
//! static-file tokens, tokens bound to webhooks (alpha, off).
//!
//! To test: `cargo test -p server-authn`. Certificates are read back with `x509-parser` and checked with rustls'
//! verifier, requests of `rcgen` are read, so that no code here only agrees with itself.

pub mod authenticator;
pub mod bootstrap;
pub mod certificate;
pub mod front_proxy;
mod headers;
pub mod impersonation;
pub mod key;
pub mod limits;
pub mod pki;
pub mod request;
pub mod service_account;
pub mod signer;
pub mod token;
pub mod user;
pub mod x509;
