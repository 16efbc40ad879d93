//! The controller of definitions: names, conditions, and their end.

mod conditions;
#[cfg(test)]
mod tests;

use api_kinds_more::apiextensions::custom_resource_definition::{FINALIZER, is_true, set_condition};
use api_record::scalar;
use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionCondition};
use base::time::Time;
use client::reconcile::{Controller, Guard, Op, Plan, Wires, World, Write};
use client::{Caller, PatchKind, Resource, Target};

use crate::names;

/// Accepts names, establishes definitions, and empties their kinds before they go.
pub struct Definitions;

impl Controller for Definitions {
    const NAME: &'static str = "custom-resource-definitions";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<CustomResourceDefinition>(|definition, world| {
            // Names that it gives up, or loses with it, may be what another waits for.
            let waiting = world.all::<CustomResourceDefinition>().filter(|other| {
                other.spec.group == definition.spec.group && other.spec.names != other.status.accepted_names
            });
            let mut keys: Vec<String> = waiting.map(|other| other.metadata.name.clone()).collect();
            keys.push(definition.metadata.name.clone());
            keys
        });
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(definition) = world.get::<CustomResourceDefinition>("", key) else { return plan };
        let going = definition.metadata.deletion_timestamp.is_some();
        if going && definition.metadata.finalizers.iter().any(|own| own == FINALIZER) {
            end(&mut plan, definition, now);
            return plan;
        }
        let mut next = definition.clone();
        let outcome = names::accept(definition, world.all::<CustomResourceDefinition>());
        conditions::update(&mut next, outcome, now.into());
        // The serving of its objects rests on the names alone, so that it is served before it is called established.
        if next.status == definition.status && !going && conditions::is_installing(definition) {
            conditions::establish(&mut next, now.into());
        }
        if next.status != definition.status {
            plan.stage([Write::status(next)]);
        }
        plan
    }

    fn caller(&self) -> Caller {
        Caller::new("system:apiserver", &["system:masters", "system:authenticated"])
    }

    fn reader(&self) -> Caller {
        self.caller()
    }
}

/// How long after the last try it is tried again, while objects wait for their finalizers.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

fn terminating(
    definition: &CustomResourceDefinition,
    status: &str,
    reason: &str,
    message: &str,
    now: scalar::Time,
) -> CustomResourceDefinition {
    let mut next = definition.clone();
    let condition = CustomResourceDefinitionCondition {
        type_: "Terminating".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: Some(now),
        observed_generation: 0,
    };
    set_condition(&mut next, condition);
    next
}

/// Empties the kind, then lets the definition go.
fn end(plan: &mut Plan, definition: &CustomResourceDefinition, now: Time) {
    let meta = &definition.metadata;
    let now = now.into();
    let served = definition.spec.versions.iter().find(|version| version.served);
    let established = is_true(definition, "Established");
    let objects = served.filter(|_| established).map(|version| Target {
        resource: Resource {
            group: definition.spec.group.clone().into(),
            version: version.name.clone().into(),
            plural: definition.spec.names.plural.clone().into(),
        },
        namespace: String::new(),
        name: String::new(),
        subresource: String::new(),
    });
    if objects.is_some() {
        let message = "CustomResource deletion is in progress";
        let next = terminating(definition, "True", "InstanceDeletionInProgress", message, now);
        if next.status != definition.status {
            plan.stage([Write::status(next)]);
            return;
        }
    }
    let left: Vec<&String> = meta.finalizers.iter().filter(|own| *own != FINALIZER).collect();
    let patch =
        serde_json::json!({ "metadata": { "finalizers": left, "resourceVersion": meta.resource_version } });
    let free = Write::of(&crate::catalog::DEFINITIONS, meta, "", Op::Patch(PatchKind::Merge, patch));
    match objects {
        Some(objects) => {
            let nowhere = api_types::meta::v1::ObjectMeta::default();
            plan.stage([Write::of(&objects.resource, &nowhere, "", Op::DeleteCollection)]);
            plan.stage([free.guarded(Guard::Empty(objects))]);
            plan.again_in(AGAIN);
        }
        None => {
            plan.stage([free]);
        }
    }
}
