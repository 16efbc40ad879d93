//! What a write through a resource or a subresource has no say in, and what nobody therefore comes to own by it.
//!
//! Upstream: `GetResetFields` of the strategies in `pkg/registry/*/*/strategy.go`.

use api_patch::apply::Set;
pub use api_patch::apply::{Pattern, Reset};

use crate::AnyKind;

/// The fields that a write cannot change: the status, or all but the status, unless the row says something else.
pub fn reset(kind: &dyn AnyKind, subresource: &str) -> Reset {
    if let Some(own) = kind.resets(subresource) {
        return own;
    }
    let fields: &[&str] = match subresource {
        "" if kind.has_status() => &["status"],
        "status" if kind.freezes_metadata() => &["metadata", "spec"],
        "status" => &["spec"],
        _ => &[],
    };
    fields_of(fields)
}

/// These fields, by their paths, and all that is below them.
pub fn fields_of(paths: &[&str]) -> Reset {
    Reset::Fields(Set::of_fields(paths.iter().copied()))
}
