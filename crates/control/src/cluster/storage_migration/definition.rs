//! What a definition says of the migration of its objects, and which versions it still has to keep.

use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionCondition};
use api_types::storagemigration::v1::StorageVersionMigration;
use base::time::Time;
use client::PatchKind;
use client::reconcile::{Op, World, Write, resource_of};
use serde_json::{Value, json};

const MIGRATING: &str = "StorageMigrating";

/// The definition of a migration's resource, if a definition brings it.
pub(super) fn find<'a>(
    migration: &StorageVersionMigration,
    world: &'a World,
) -> Option<&'a CustomResourceDefinition> {
    let resource = &migration.spec.resource;
    world.get::<CustomResourceDefinition>("", &format!("{}.{}", resource.resource, resource.group))
}

/// Says that a migration runs, of the definition as it is.
pub(super) fn begin(definition: &CustomResourceDefinition, migration: &str, now: Time) -> Write {
    let message = format!("Migration {migration} is running");
    write(definition, "True", "MigrationRunning", message, None, now)
}

/// Says that it is over. If nothing has happened to the definition in between, all is kept in one version now.
pub(super) fn finish(definition: &CustomResourceDefinition, succeeded: bool, now: Time) -> Write {
    let begun = definition.status.conditions.iter().find(|own| own.type_ == MIGRATING);
    let same = begun.is_some_and(|own| own.observed_generation == definition.metadata.generation);
    let (reason, message) = match (succeeded, same) {
        (true, true) => {
            ("MigrationSucceeded", "The migration has succeeded and the stored versions have been updated")
        }
        (true, false) => (
            "MigrationSucceeded",
            "The migration has succeeded but the stored versions have not been updated due to a generation mismatch",
        ),
        (false, _) => ("MigrationFailed", "The migration has failed"),
    };
    let stored =
        definition.spec.versions.iter().find(|version| version.storage).filter(|_| succeeded && same);
    write(definition, "False", reason, message.to_owned(), stored.map(|version| version.name.as_str()), now)
}

fn write(
    definition: &CustomResourceDefinition,
    status: &str,
    reason: &str,
    message: String,
    stored: Option<&str>,
    now: Time,
) -> Write {
    let mut conditions = definition.status.conditions.clone();
    let before = conditions.iter().find(|own| own.type_ == MIGRATING && own.status == status);
    let since = before.and_then(|own| own.last_transition_time).or(Some(now.into()));
    conditions.retain(|own| own.type_ != MIGRATING);
    conditions.push(CustomResourceDefinitionCondition {
        type_: MIGRATING.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: since,
        observed_generation: definition.metadata.generation,
    });
    let mut patch = json!({
        "metadata": { "resourceVersion": definition.metadata.resource_version },
        "status": { "conditions": conditions.iter().map(shown).collect::<Vec<_>>() },
    });
    if let Some(stored) = stored {
        patch["status"]["storedVersions"] = json!([stored]);
    }
    let resource = resource_of::<CustomResourceDefinition>();
    Write::of(resource, &definition.metadata, "status", Op::Patch(PatchKind::Merge, patch))
}

fn shown(condition: &CustomResourceDefinitionCondition) -> Value {
    let mut shown = json!({
        "type": condition.type_,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": condition.last_transition_time.map(|time| time.to_string()),
    });
    if condition.observed_generation != 0 {
        shown["observedGeneration"] = condition.observed_generation.into();
    }
    shown
}
