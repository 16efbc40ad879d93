//! The bounds of admission.

use std::time::Duration;

/// How often the service account `default` is looked for before a pod is refused.
pub const DEFAULT_ACCOUNT_ATTEMPTS: usize = 10;

/// How long to wait between two of these looks; upstream draws from 100 to 200 ms.
pub const DEFAULT_ACCOUNT_WAIT: Duration = Duration::from_millis(150);

/// How many namespaces' locks are kept before those that nobody holds are forgotten.
pub const QUOTA_LOCKS: usize = 256;

/// How many pods of a namespace are checked when its security level is raised (upstream's `defaultNamespaceMaxPodsToCheck`).
pub const PODS_CHECKED: usize = 3000;

/// How long that may take (upstream's `defaultNamespacePodCheckTimeout`).
pub const PODS_CHECK_TIME: Duration = Duration::from_secs(1);

/// What all expressions of a policy may cost together, and its match conditions (`apis/cel/config.go`).
pub const POLICY_BUDGET: u64 = 10_000_000;
/// See [`POLICY_BUDGET`].
pub const MATCH_BUDGET: u64 = 2_500_000;

/// How long a message may be that an expression makes, in bytes.
pub const MESSAGE_BYTES: usize = 5 * 1024;

/// How much of the value is kept that a policy has for an annotation of an audit event, in bytes (`maxAuditAnnotationValueLength`).
pub const ANNOTATION_BYTES: usize = 10 * 1024;

/// How many failures of validations are noted for an audit event (`maxValidationFailures`).
pub const NOTED_FAILURES: usize = 50;

/// How large a webhook's answer may be, in bytes: a patch of the largest object, and then some.
pub const REVIEW_BYTES: usize = 16 << 20;
