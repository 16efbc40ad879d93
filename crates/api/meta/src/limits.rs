//! The bounds of this crate, upstream's but for the last.

/// The bytes of a label key's name part, and of a label value.
pub const LABEL_BYTES: usize = 63;
/// The bytes of a DNS label.
pub const DNS_LABEL_BYTES: usize = 63;
/// The bytes of a DNS subdomain.
pub const DNS_SUBDOMAIN_BYTES: usize = 253;
/// The bytes of a port's name (an IANA service name).
pub const PORT_NAME_BYTES: usize = 15;
/// The bytes of all annotation keys and values of one object.
pub const ANNOTATIONS_BYTES: usize = 256 << 10;
/// The bytes of a generated name, and so of the base that is kept of `generateName` before the suffix.
pub const GENERATED_NAME_BYTES: usize = 63;
/// The random characters at the end of a generated name.
pub const GENERATED_SUFFIX: usize = 5;
/// The bytes of a field manager's name.
pub const FIELD_MANAGER_BYTES: usize = 128;
/// The bytes of a condition's reason.
pub const CONDITION_REASON_BYTES: usize = 1 << 10;
/// The bytes of a condition's message.
pub const CONDITION_MESSAGE_BYTES: usize = 32 << 10;
/// The bytes of a selector's text. Upstream knows no such bound, but what carries selectors to a server does: a URL.
pub const SELECTOR_BYTES: usize = 1 << 20;
