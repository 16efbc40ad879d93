//! Patches: JSON patch, JSON merge patch, strategic merge patch, and server-side apply with managed fields.
//!
//! Layer: above `api-record` and `api-meta`, below the server's registry. All but the tracking of managers work on presence-keeping trees
//! beside the schema, never on generated structs: an explicit null, an explicit zero and the `$` directives must survive.
//! Entry points: [`PatchKind::of`], [`patch`], [`apply`].
//!
//! Invariants: pure; the tree that comes out is not validated, defaulted or pruned, which is the caller's next step.
//! State: none. Failure: a [`PatchError`], which is a [`api_meta::Status`] with upstream's code; malformed input never
//! panics. Limits: `limits`; what is read or made is never nested deeper than `limits::DEPTH`.
//! Upstream answered to: `apimachinery/pkg/util/strategicpatch`, `evanphx/json-patch` v4.13 with its deviations from RFC
//! 6902 and 7386, `apiserver/pkg/endpoints/handlers/patch.go` v0.37.1.
//! How to test: `cargo test -p api-patch`; tables by behaviour, the RFCs' examples, laws as properties.

pub mod apply;
mod document;
mod error;
mod json;
mod kind;
pub mod limits;
mod merge;
mod strategic;
#[cfg(test)]
mod tests;

pub use document::{Document, Tree};
pub use error::PatchError;
pub use json::json_patch;
pub use kind::PatchKind;
pub use merge::merge_patch;
pub use strategic::strategic_merge_patch;

use api_record::Schema;

/// A patched object, and what strict field validation has to say of the patch.
#[derive(Clone, Debug, PartialEq)]
pub struct Patched {
    /// The object, with the fields that the patch gave it, known to the schema or not.
    pub tree: Tree,
    /// Duplicate fields of the patch, and unknown fields of JSON patch operations, in upstream's words.
    pub strict: Vec<String>,
}

/// Patches the JSON tree of an object in the version that the request speaks.
///
/// # Errors
/// If the patch is malformed or does not apply; [`PatchKind::Apply`] is not a patch of a tree and is refused.
pub fn patch(kind: PatchKind, current: Tree, patch: &[u8], schema: &Schema) -> Result<Patched, PatchError> {
    match kind {
        PatchKind::Json => json_patch(current, patch),
        PatchKind::Merge => merge_patch(current, patch),
        PatchKind::Strategic => strategic_merge_patch(current, patch, schema),
        PatchKind::Apply => Err(PatchError::Unsupported),
    }
}
