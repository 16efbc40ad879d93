//! Nothing is left of what is gone: whoever names an owner, has one.

use crate::history::History;

/// Looks at what there is once nothing is to be collected any more.
///
/// # Errors
/// What should have been.
pub fn orphans(history: &History) -> Result<(), String> {
    for meta in history.metas() {
        for reference in &meta.owner_references {
            if !history.metas().any(|owner| owner.uid == reference.uid) {
                return Err(format!(
                    "{}/{} is owned by {} {}, which is gone",
                    meta.namespace, meta.name, reference.kind, reference.name
                ));
            }
        }
    }
    Ok(())
}
