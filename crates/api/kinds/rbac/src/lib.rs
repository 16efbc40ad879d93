//! The rows of the group `rbac.authorization.k8s.io`: one file for each kind.

use api_kind::AnyKind;

/// The rows of this group.
pub static KINDS: &[&dyn AnyKind] = &[];
