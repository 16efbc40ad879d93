//! A migration, step by step.

use api_types::apiextensions::v1::CustomResourceDefinitionVersion;
use api_types::core::v1::ConfigMap;
use client::{Resource, Revision};

use super::*;
use control_base::resources::Verbs;

fn migration(name: &str, seconds: i64, conditions: &[&str]) -> StorageVersionMigration {
    let mut own = StorageVersionMigration::default();
    own.metadata.name = name.into();
    own.metadata.creation_timestamp = Some(api_record::scalar::Time { seconds });
    own.spec.resource.resource = "configmaps".into();
    for type_ in conditions {
        set(&mut own, type_, "True", "Tested", String::new(), Time::EPOCH);
    }
    own
}

fn map(name: &str, version: &str) -> ConfigMap {
    let mut map = ConfigMap::default();
    map.metadata.name = name.into();
    map.metadata.namespace = "a".into();
    map.metadata.resource_version = version.into();
    map
}

fn controller() -> StorageMigrations {
    StorageMigrations::new(&[Served {
        resource: Resource::of("", "v1", "configmaps"),
        kind: "ConfigMap".into(),
        namespaced: true,
        verbs: Verbs { watch: true, delete: true, delete_collection: true },
        scale: None,
    }])
}

fn plan(key: &str, world: &World) -> Plan {
    controller().plan(&key.to_owned(), world, Time::EPOCH)
}

fn said(plan: &Plan) -> Vec<String> {
    let next: Option<&StorageVersionMigration> = plan.writes().find_map(|write| write.object());
    let each = next.map(|own| own.status.conditions.as_slice()).unwrap_or_default();
    each.iter().map(|own| format!("{}={} {}", own.type_, own.status, own.message)).collect()
}

#[test]
fn the_oldest_of_a_resource_runs_and_no_other() {
    let world = |all: Vec<StorageVersionMigration>| World::default().with(all, Revision(1));
    let waiting = world(vec![migration("b", 1, &[]), migration("a", 2, &[])]);
    assert_eq!(said(&plan("b", &waiting)), ["Running=True The migration is running"]);
    assert!(plan("a", &waiting).describe().is_empty());
    let busy = world(vec![migration("b", 3, &["Running"]), migration("a", 2, &[])]);
    assert!(plan("a", &busy).describe().is_empty());
    let over = world(vec![migration("b", 1, &["Succeeded"]), migration("a", 2, &[])]);
    assert_eq!(plan("a", &over).describe().len(), 1);
    assert!(plan("b", &over).describe().is_empty());
}

#[test]
fn what_was_there_when_it_began_is_written_again() {
    let maps = [map("old", "5"), map("new", "9")];
    let mut own = migration("m", 1, &["Running"]);
    let world = |own: &StorageVersionMigration| {
        World::default().with([own.clone()], Revision(9)).with(maps.clone(), Revision(7))
    };
    let begun = plan("m", &world(&own));
    let next: &StorageVersionMigration =
        begun.writes().next().and_then(|own| own.object()).expect("a status");
    assert_eq!(next.status.resource_version, "7");
    own.status.resource_version = "7".into();
    let moving = plan("m", &world(&own));
    assert_eq!(
        moving.describe(),
        ["patch configmaps a/old", "update storageversionmigrations.storagemigration.k8s.io/status m"]
    );
    assert_eq!(
        said(&moving),
        [
            "Running=True The migration is running, 2 objects verified migrated",
            "Succeeded=True Migration completed"
        ]
    );
    let refused = Failure {
        status: api_meta::Status::bad_request("no"),
        write: Some((Verb::Patch, Resource::of("", "v1", "configmaps"))),
    };
    let failed = plan("m", &world(&own).after(Some(refused)));
    assert!(said(&failed)[1].ends_with("1/2 not yet migrated. migration encountered unhandled error: no"));
}

#[test]
fn a_definition_forgets_what_nothing_is_stored_in() {
    let mut own = migration("m", 1, &["Running", "Succeeded"]);
    own.spec.resource =
        api_types::meta::v1::GroupResource { group: "e.com".into(), resource: "things".into() };
    let mut definition = CustomResourceDefinition::default();
    definition.metadata.name = "things.e.com".into();
    definition.metadata.generation = 3;
    for (name, storage) in [("v1", false), ("v2", true)] {
        let version = CustomResourceDefinitionVersion { name: name.into(), storage, ..Default::default() };
        definition.spec.versions.push(version);
    }
    let mut patched = |observed_generation| {
        definition.status.conditions =
            vec![api_types::apiextensions::v1::CustomResourceDefinitionCondition {
                type_: "StorageMigrating".into(),
                status: "True".into(),
                observed_generation,
                ..Default::default()
            }]
            .into();
        let world = World::default().with([own.clone()], Revision(1)).with([definition.clone()], Revision(1));
        let plan = plan("m", &world);
        assert_eq!(plan.describe().len(), 2);
        match &plan.stages[0][0].op {
            Op::Patch(_, patch) => patch["status"].clone(),
            _ => panic!("the definition is patched"),
        }
    };
    let same = patched(3);
    assert_eq!(same["storedVersions"], json!(["v2"]));
    assert_eq!(same["conditions"][0]["status"], "False");
    assert_eq!(patched(2)["storedVersions"], serde_json::Value::Null);
}
