//! Storage migrations: every object of a resource is written again as it is, so that it is kept in the version that is stored now; then a
//! definition forgets the versions that nothing is stored in any more.
//!
//! Upstream: `pkg/controller/storageversionmigrator`, whose three controllers are one here. Of the migrations of a resource one runs at
//! a time, the oldest first. An object that has been written since the migration began is left alone.

mod definition;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::time::Duration;

use api_meta::conditions;
use api_types::apiextensions::v1::CustomResourceDefinition;
use api_types::meta::v1::Condition;
use api_types::object_meta;
use api_types::storagemigration::v1::StorageVersionMigration;
use base::time::Time;
use client::reconcile::{Controller, Failure, Op, Plan, Wires, World, Write};
use client::{PatchKind, Scope, Snapshot, Verb};
use serde_json::json;

use control_base::resources::Served;

const RUNNING: &str = "Running";
const SUCCEEDED: &str = "Succeeded";
const FAILED: &str = "Failed";

/// How long a resource may be unknown: its definition may be new.
const UNKNOWN: Duration = Duration::from_secs(60);

/// How soon an unknown resource is looked for again.
const AGAIN: Duration = Duration::from_secs(5);

/// The controller of storage migrations.
pub struct StorageMigrations {
    served: Vec<Served>,
}

impl StorageMigrations {
    /// Migrates the objects of these resources.
    pub fn new(served: &[Served]) -> StorageMigrations {
        let migrated = served.iter().filter(|row| row.verbs.watch && !row.is_events());
        StorageMigrations { served: migrated.cloned().collect() }
    }

    fn find(&self, migration: &StorageVersionMigration) -> Option<&Served> {
        let wanted = &migration.spec.resource;
        self.served.iter().find(|row| is_of(row, &wanted.group, &wanted.resource))
    }
}

fn is_of(row: &Served, group: &str, plural: &str) -> bool {
    *row.resource.group == *group && *row.resource.plural == *plural
}

impl Controller for StorageMigrations {
    const NAME: &'static str = "storage-version-migrator-controller";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        // Each of a resource may be what another waits for.
        wires.maps::<StorageVersionMigration>(|migration, world| {
            let same = world
                .all::<StorageVersionMigration>()
                .filter(|own| own.spec.resource == migration.spec.resource);
            let mut names: Vec<String> = same.map(|own| own.metadata.name.clone()).collect();
            names.push(migration.metadata.name.clone());
            names
        });
        wires.reads::<CustomResourceDefinition>();
        for row in &self.served {
            wires.scoped(Scope::all(row.resource.clone()), |_, _| Vec::new());
        }
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(migration) = world.get::<StorageVersionMigration>("", key) else { return plan };
        let definition = definition::find(migration, world);
        match (is_running(migration), is_over(migration)) {
            (true, true) => {
                let succeeded = is(migration, SUCCEEDED);
                plan.stage(definition.map(|own| definition::finish(own, succeeded, now)));
                let mut next = migration.clone();
                set(&mut next, RUNNING, "False", "MigrationCompleted", "Migration completed".to_owned(), now);
                plan.stage([Write::status(next)]);
            }
            (false, true) => {}
            (false, false) if is_next(migration, world) => {
                plan.stage(definition.map(|own| definition::begin(own, key, now)));
                let mut next = migration.clone();
                set(&mut next, RUNNING, "True", "MigrationRunning", running(0, 0), now);
                plan.stage([Write::status(next)]);
            }
            (false, false) => {}
            (true, false) => self.migrate(&mut plan, migration, world, now),
        }
        plan
    }
}

impl StorageMigrations {
    fn migrate(&self, plan: &mut Plan, migration: &StorageVersionMigration, world: &World, now: Time) {
        let found = self.find(migration).and_then(|row| Some((row, world.snapshot(&row.resource)?)));
        let Some((row, snapshot)) = found else {
            let made = migration.metadata.creation_timestamp.map(Time::from);
            if made.is_some_and(|made| made + UNKNOWN > now) {
                plan.again_in(AGAIN);
            } else {
                fail(
                    plan,
                    migration,
                    "migration encountered unhandled error: unable to obtain GVR from discovery",
                    now,
                );
            }
            return;
        };
        let Ok(until) = migration.status.resource_version.parse::<u64>() else {
            let mut next = migration.clone();
            next.status.resource_version = snapshot.revision().0.to_string();
            plan.stage([Write::status(next)]);
            return;
        };
        let left: Vec<Write> = left(row, snapshot, until);
        let total = snapshot.len();
        if let Some(failure) =
            world.failure().filter(|own| own.is_of(Verb::Patch, &row.resource) && is_final(own))
        {
            let why = format!(
                "{}/{total} not yet migrated. migration encountered unhandled error: {}",
                left.len(),
                failure.status.message
            );
            fail(plan, migration, &why, now);
            return;
        }
        plan.stage(left);
        let mut next = migration.clone();
        set(&mut next, RUNNING, "True", "MigrationRunning", running(0, total), now);
        let why = "Migration completed".to_owned();
        set(&mut next, SUCCEEDED, "True", "StorageVersionMigrationSucceeded", why, now);
        plan.stage([Write::status(next)]);
    }
}

/// A write of each object that has not been written since.
fn left(row: &Served, snapshot: &Snapshot, until: u64) -> Vec<Write> {
    let old = snapshot.glimpses(None).filter_map(|object| {
        let meta = object_meta(&*object)
            .filter(|meta| meta.resource_version.parse().is_ok_and(|own: u64| own <= until))?;
        let patch = json!({ "metadata": { "resourceVersion": meta.resource_version } });
        Some(Write::of(&row.resource, meta, "", Op::Patch(PatchKind::Merge, patch)))
    });
    old.collect()
}

/// Whether trying again is of no use. An object that was written or deleted in between needs no migration.
fn is_final(failure: &Failure) -> bool {
    let status = &failure.status;
    !(status.is_conflict()
        || status.is_not_found()
        || status.is_server_timeout()
        || status.is_too_many_requests()
        || status.is_service_unavailable()
        || status.is_internal_error()
        || status.is_timeout())
}

fn is(migration: &StorageVersionMigration, type_: &str) -> bool {
    conditions::is_true(&migration.status.conditions, type_)
}

fn is_running(migration: &StorageVersionMigration) -> bool {
    is(migration, RUNNING)
}

fn is_over(migration: &StorageVersionMigration) -> bool {
    is(migration, SUCCEEDED) || is(migration, FAILED)
}

/// Whether it is the one that runs next: none of its resource runs, and it is the oldest that waits.
fn is_next(migration: &StorageVersionMigration, world: &World) -> bool {
    let others = world.all::<StorageVersionMigration>().filter(|own| {
        own.spec.resource == migration.spec.resource && own.metadata.name != migration.metadata.name
    });
    let age = |own: &StorageVersionMigration| {
        (own.metadata.creation_timestamp.map(|time| time.seconds), own.metadata.name.clone())
    };
    let mut open = others.filter(|own| is_running(own) || !is_over(own));
    open.all(|own| !is_running(own) && age(migration).cmp(&age(own)) == Ordering::Less)
}

fn set(
    migration: &mut StorageVersionMigration,
    type_: &str,
    status: &str,
    reason: &str,
    message: String,
    now: Time,
) {
    let new = Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        ..Condition::default()
    };
    conditions::set(&mut migration.status.conditions, new, now.into());
}

fn fail(plan: &mut Plan, migration: &StorageVersionMigration, why: &str, now: Time) {
    let mut next = migration.clone();
    set(&mut next, FAILED, "True", "StorageVersionMigrationFailed", why.to_owned(), now);
    plan.stage([Write::status(next)]);
}

/// How far it is, in upstream's words.
fn running(left: usize, total: usize) -> String {
    match (left, total) {
        (_, 0) => "The migration is running".to_owned(),
        (0, total) => format!("The migration is running, {total} objects verified migrated"),
        (left, total) => format!("The migration is running, {left}/{total} objects not yet migrated"),
    }
}
