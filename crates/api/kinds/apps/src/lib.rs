//! The rows of the group `apps`: one file for each kind.

use api_kind::AnyKind;

/// The rows of this group.
pub static KINDS: &[&dyn AnyKind] = &[];
