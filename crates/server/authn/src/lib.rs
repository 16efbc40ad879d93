//! Identities: who a requester is, and what proves it.
pub mod certificate;
pub mod key;
pub mod limits;
pub mod pki;
pub mod request;
pub mod service_account;
pub mod signer;
pub mod user;
pub mod x509;
