//! Every bound of this crate, named. Nothing here is read from configuration.

use std::time::Duration;

/// Longest bearer token that is looked at. HTTP servers refuse headers of this size anyway; the bound keeps the decoder safe alone.
pub const TOKEN_MAX_BYTES: usize = 256 * 1024;

/// Largest certificate signing request that is parsed, PEM included.
pub const REQUEST_MAX_BYTES: usize = 256 * 1024;

/// Most certificates of one presented chain that are considered.
pub const CHAIN_MAX_CERTIFICATES: usize = 16;

/// Most groups and extra values that one request may impersonate, each of which is a question to the authorizer.
pub const IMPERSONATION_MAX_VALUES: usize = 1024;

/// How long a certificate authority made here lasts (kubeadm's `CACertificateValidityPeriod`).
pub const CA_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long a certificate of a component lasts (kubeadm's `CertificateValidityPeriod`).
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long before now a certificate made here begins, so that a peer with a slow clock accepts it.
pub const BACKDATE: Duration = Duration::from_secs(5 * 60);

/// A certificate with less than this share of its life left is renewed: one third, so a year's has four months to be renewed in.
pub const RENEW_BELOW_SHARE: u32 = 3;

/// Shortest lifetime that a requester of a certificate gets (`pkg/controller/certificates/signer`: twice the backdate).
pub const SIGNED_MIN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Longest lifetime that a requester of a certificate gets: `--cluster-signing-duration`'s default.
pub const SIGNED_MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// Below this, the end of a signed certificate is not moved back with its beginning.
pub const SIGNED_SHORT_LIFETIME: Duration = Duration::from_secs(8 * 3600);

/// Shortest lifetime of a service account token that may be asked for, in seconds.
pub const TOKEN_MIN_SECONDS: i64 = 10 * 60;

/// Longest lifetime of a service account token that may be asked for, in seconds.
pub const TOKEN_MAX_SECONDS: i64 = 1 << 32;

/// The lifetime that kubelet asks for in a pod's projected token; exactly this one is extended for old clients.
pub const TOKEN_WARN_ONLY_SECONDS: i64 = 60 * 60 + 7;

/// What an extended token lasts: a year.
pub const TOKEN_EXTENDED_SECONDS: i64 = 365 * 24 * 60 * 60;

/// How far clocks may differ when a token's times are checked.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(60);

/// How long clients may keep the discovery document and the key set, in seconds.
pub const DISCOVERY_MAX_AGE_SECONDS: u32 = 3600;

/// Most chains of client certificates that are known to be good; each takes some 130 bytes.
pub const GOOD_CHAINS: usize = 4_096;
