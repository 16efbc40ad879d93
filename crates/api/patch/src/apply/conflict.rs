//! Conflicts: fields that a configuration would change and that others own.

use api_meta::Status;
use api_types::meta::v1::StatusCause;

use super::element::Element;
use super::managers::Manager;
use super::set::{Set, shown};

/// A field that somebody else owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns it.
    pub manager: Manager,
    /// The field.
    pub path: Vec<Element>,
}

/// The conflicts of one manager's fields.
pub(super) fn of(manager: &Manager, fields: &Set) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    fields.each(&mut |path| conflicts.push(Conflict { manager: manager.clone(), path: path.to_vec() }));
    conflicts
}

/// What the client is told: 409 with a cause for each field.
pub(super) fn status(conflicts: &[Conflict]) -> Status {
    let causes = conflicts.iter().map(|conflict| StatusCause {
        type_: api_meta::status::cause::FIELD_MANAGER_CONFLICT.to_owned(),
        message: format!("conflict with {}", conflict.manager),
        field: shown(&conflict.path),
    });
    Status::apply_conflict(causes.collect(), message(conflicts))
}

fn message(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        let field = shown(&only.path);
        return format!("Apply failed with 1 conflict: conflict with {}: {field}", only.manager);
    }
    let mut lines = Vec::new();
    let mut last = None;
    for conflict in conflicts {
        if last != Some(&conflict.manager) {
            lines.push(format!("conflicts with {}:", conflict.manager));
            last = Some(&conflict.manager);
        }
        lines.push(format!("- {}", shown(&conflict.path)));
    }
    format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
}
