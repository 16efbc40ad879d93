//! The bounds of what is asked of other API servers and of conversion webhooks, upstream's where upstream has one.

use std::time::Duration;

/// How long a server may take to say what it serves (`handler_discovery.go`, and the client of the availability controller).
pub const DISCOVERY: Duration = Duration::from_secs(5);

/// How long after an answer it is asked again what it serves (`discoveryRefreshInterval`).
pub const DISCOVERY_AGAIN: Duration = Duration::from_secs(60);

/// The first wait after it did not say; it grows to [`DISCOVERY_AGAIN`].
pub const DISCOVERY_FIRST: Duration = Duration::from_millis(500);

/// How long it may take to describe it in OpenAPI (upstream's `specDownloadTimeout`).
pub const OPENAPI: Duration = Duration::from_secs(60);

/// How often it is asked at once whether it is there; one answer will do.
pub const PROBES: usize = 5;

/// How long after an answer it is asked again whether it is there (the resync of upstream's controller).
pub const PROBE_AGAIN: Duration = Duration::from_secs(30);

/// The first wait after it did not answer; it doubles up to [`PROBE_AGAIN`].
pub const PROBE_FIRST: Duration = Duration::from_millis(250);

/// How large what a server says of itself may be. The whole of upstream's own OpenAPI has four million bytes.
pub const DOCUMENT_BYTES: usize = 16 << 20;

/// How long it may take to delete or to list what it keeps in a namespace: a request's time.
pub const CONTENTS: Duration = Duration::from_secs(60);

/// How long a conversion may take: as long as a request may.
pub const CONVERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// How large the answer of a conversion may be, in bytes: a question at its largest, and as much again for what is added.
pub const CONVERSION_ANSWER_BYTES: usize = 16 << 20;
