//! The end of namespaces: their contents go first, pods before all else, then they are let go.
//!
//! Upstream: `pkg/controller/namespace/deletion`. What remains is seen in the views; before the namespace is let go, a
//! consistent read says that nothing does.

mod conditions;
mod elsewhere;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use api_record::Record;
use api_types::core::v1::Namespace;
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use base::time::Time;
use client::reconcile::{BackOff, Controller, Guard, Op, Plan, Wires, World, Write};
use client::{Propagation, Scope, Target, Verb};

use crate::Others;
use control_base::resources::Served;
use elsewhere::Elsewhere;

/// The finalizer that is taken off when the contents are gone.
const FINALIZER: &str = "kubernetes";
/// How long after the last try it is tried again even if nothing changes (`finalizerEstimateSeconds`).
const AGAIN: Duration = Duration::from_secs(15);

/// The controller of namespaces.
pub struct Namespaces {
    contents: Vec<Served>,
    elsewhere: Elsewhere,
}

impl Namespaces {
    /// Empties namespaces of the objects of these resources.
    pub fn new(served: &[Served]) -> Namespaces {
        let own = |row: &&Served| row.namespaced && row.verbs.watch && row.verbs.delete;
        Namespaces { contents: served.iter().filter(own).cloned().collect(), elsewhere: Elsewhere::default() }
    }

    /// Empties them of what other API servers keep as well.
    #[must_use]
    pub fn beside(self, others: Option<Arc<dyn Others>>) -> Namespaces {
        Namespaces { elsewhere: Elsewhere::of(others), ..self }
    }
}

impl Controller for Namespaces {
    const NAME: &'static str = "namespace-controller";
    const BACK_OFF: BackOff = BackOff { longest: Duration::from_secs(60), ..BackOff::USUAL };
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<Namespace>(|namespace, _| vec![namespace.metadata.name.clone()]);
        for row in self.contents.iter().filter(|row| !row.is_events()) {
            wires.scoped(Scope::all(row.resource.clone()), |object: &dyn Record, world| {
                let namespace = object_meta(object).map(|meta| meta.namespace.clone());
                namespace.filter(|name| terminating(name, world).is_some()).into_iter().collect()
            });
        }
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(namespace) = terminating(key, world) else {
            self.elsewhere.forget(key);
            return plan;
        };
        if !namespace.spec.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return plan;
        }
        let remaining = conditions::remaining(&self.contents, key, world);
        let failure = world.failure().filter(|failure| {
            failure
                .write
                .as_ref()
                .is_some_and(|(verb, _)| matches!(verb, Verb::Delete | Verb::DeleteCollection))
        });
        let mut updated = namespace.clone();
        updated.status.phase = "Terminating".into();
        let others = self.elsewhere.look(&namespace.metadata, now);
        conditions::update(&mut updated, &remaining, &others, failure.map(|failure| &failure.status), now);
        if updated != *namespace {
            plan.stage([Write::status(updated)]);
        }
        let pods_first = remaining.iter().any(|it| it.is_pods());
        let wanted = remaining.iter().filter(|it| it.is_pods() || !pods_first);
        let mut deletions: Vec<Write> = wanted.flat_map(|it| deletions(it.served, key, world)).collect();
        // What failed last comes last, or what cannot be deleted would stop what can.
        let failed = failure.and_then(|failure| failure.write.as_ref()).map(|(_, resource)| resource);
        deletions.sort_by_key(|write| Some(&write.target.resource) == failed);
        plan.stage(deletions);
        if others.is_to_be_asked {
            plan.asks.extend(self.elsewhere.ask(&namespace.metadata, self.caller()));
            plan.again_in(Duration::ZERO);
        } else if remaining.is_empty() && others.is_done() {
            let events = self.contents.iter().filter(|row| row.is_events());
            plan.stage(events.flat_map(|row| deletions_at_once(row, key)));
            plan.stage([self.finalize(namespace)]);
        } else {
            plan.again_in(AGAIN);
        }
        plan
    }
}

impl Namespaces {
    fn finalize(&self, namespace: &Namespace) -> Write {
        let mut namespace = namespace.clone();
        namespace.spec.finalizers.retain(|finalizer| finalizer != FINALIZER);
        let mut write = Write::update_part(namespace.clone(), "finalize");
        // Nothing but the finalizer changes, and only the namespace's identity matters.
        write.op = Op::Update(Box::new(namespace.clone()), false);
        for row in self.contents.iter().filter(|row| !row.is_events()) {
            write = write.guarded(Guard::Empty(collection(row, &namespace.metadata.name)));
        }
        write
    }
}

fn terminating<'a>(name: &str, world: &'a World) -> Option<&'a Namespace> {
    world.get::<Namespace>("", name).filter(|namespace| namespace.metadata.deletion_timestamp.is_some())
}

fn collection(row: &Served, namespace: &str) -> Target {
    Target {
        resource: row.resource.clone(),
        namespace: namespace.to_owned(),
        name: String::new(),
        subresource: String::new(),
    }
}

fn deletions_at_once(row: &Served, namespace: &str) -> Option<Write> {
    let place = ObjectMeta { namespace: namespace.to_owned(), ..ObjectMeta::default() };
    row.verbs.delete_collection.then(|| Write::of(&row.resource, &place, "", Op::DeleteCollection))
}

/// What deletes the objects of a resource that are not going yet.
fn deletions(row: &Served, namespace: &str, world: &World) -> Vec<Write> {
    let objects =
        world.snapshot(&row.resource).into_iter().flat_map(|snapshot| snapshot.glimpses(Some(namespace)));
    let is_staying = |object: &Arc<dyn Record>| {
        object_meta(&**object).is_some_and(|meta| meta.deletion_timestamp.is_none())
    };
    let mut staying = objects.filter(is_staying).peekable();
    if staying.peek().is_some()
        && let Some(write) = deletions_at_once(row, namespace)
    {
        return vec![write];
    }
    let propagation = Some(Propagation::Background);
    let delete = || Op::Delete { propagation, version: None, grace_seconds: None };
    staying
        .filter_map(|object| Some(Write::of(&row.resource, object_meta(&*object)?, "", delete())))
        .collect()
}
