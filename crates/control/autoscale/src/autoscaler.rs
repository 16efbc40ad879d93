//! HorizontalPodAutoscalers: round after round, what is measured is asked for, and decided about.
//!
//! Upstream: `pkg/controller/podautoscaler`. Like upstream's, this controller remembers what the API does not: recommendations, what it did
//! of late, and which pods each autoscaler scales. Differently from upstream, a target is scaled whatever version it has, which is what
//! upstream's repeated tries come to.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_meta::labels::Selector;
use api_types::apiextensions::v1::CustomResourceDefinition;
use api_types::autoscaling::v2::{HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus};
use api_types::core::v1::Pod;
use base::time::{Clock, Time};
use client::reconcile::{Ask, Controller, Name, Note, Op, Plan, Wires, World, Write};
use client::{Api, BoxFuture, Resource, Verb};
use control_base::resources::Served;

use crate::decide::{Around, Decision, Rescale, decide, failed_rescale, without_scale};
use crate::limits::SYNC;
use crate::look::{Found, Look, Seen};
use crate::memory::Memory;
use crate::meters::Meters;
use crate::metrics::{Action, Failed, Metrics};
use crate::target::Kinds;

/// The controller of horizontal pod autoscalers.
pub struct HorizontalPodAutoscalers {
    api: Arc<dyn Api>,
    meters: Arc<dyn Meters>,
    clock: Arc<dyn Clock>,
    built_in: Vec<Served>,
    known: Arc<Mutex<BTreeMap<Name, Known>>>,
    metrics: Arc<Metrics>,
}

/// What is known of an autoscaler beside what the API says.
#[derive(Default)]
struct Known {
    uid: String,
    memory: Memory,
    /// The pods that it was last seen to scale.
    selector: Option<Selector>,
    /// What was answered and not yet decided about.
    seen: Option<Seen>,
    /// Since when it is asked for.
    asked: Option<Time>,
    /// What was last done to its target, until it is known how that went.
    under_way: Option<UnderWay>,
}

/// A target that is being scaled.
struct UnderWay {
    resource: Resource,
    rescale: Rescale,
    since: Time,
    /// How long the round took that decided so.
    took: Duration,
}

impl HorizontalPodAutoscalers {
    /// Scales targets of these resources, and of those that definitions bring, by what `meters` say, and counts that.
    pub fn new(
        api: Arc<dyn Api>,
        meters: Arc<dyn Meters>,
        clock: Arc<dyn Clock>,
        built_in: &[Served],
        metrics: Arc<Metrics>,
    ) -> HorizontalPodAutoscalers {
        let built_in = built_in.to_vec();
        HorizontalPodAutoscalers { api, meters, clock, built_in, known: Arc::default(), metrics }
    }
}

impl Controller for HorizontalPodAutoscalers {
    const NAME: &'static str = "horizontal-pod-autoscaler";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        // Its own status is no reason to look again before the time has come.
        wires.maps_changed::<HorizontalPodAutoscaler>(
            |old, new| old.spec != new.spec || old.metadata.uid != new.metadata.uid,
            |own, _| vec![(own.metadata.namespace.clone(), own.metadata.name.clone())],
        );
        wires.reads::<Pod>();
        wires.reads::<CustomResourceDefinition>();
    }

    fn plan(&self, key: &Name, world: &World, now: Time) -> Plan {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = all.remove(key).unwrap_or_default();
        let own = world.get::<HorizontalPodAutoscaler>(&key.0, &key.1);
        self.metrics.follow(key, own.is_some());
        let Some(own) = own else { return Plan::default() };
        if known.uid != own.metadata.uid {
            known = Known { uid: own.metadata.uid.clone(), ..Known::default() };
        }
        let plan = self.round(own, &mut known, &all, world, now);
        all.insert(key.clone(), known);
        plan
    }
}

impl HorizontalPodAutoscalers {
    fn round(
        &self,
        own: &HorizontalPodAutoscaler,
        known: &mut Known,
        others: &BTreeMap<Name, Known>,
        world: &World,
        now: Time,
    ) -> Plan {
        let mut plan = Plan::default();
        plan.again_in(SYNC);
        if let Some(UnderWay { resource, rescale, since, took }) = known.under_way.take() {
            let failure = world.failure().filter(|failure| failure.is_of(Verb::Update, &resource));
            if let Some(failure) = failure {
                self.metrics.round(Action::None, Failed::Internal, took);
                let status = failed_rescale(&rescale, &failure.status.message, now);
                plan.stage(written(own, status));
                return plan;
            }
            self.metrics.round(Action::of(rescale.from, rescale.to), Failed::Not, took);
            if own.spec.behavior.is_some() {
                known.memory.scaled(rescale.from, rescale.to, since);
            }
        }
        if world.failure().is_some() {
            // As upstream's, a round that failed is over: what refuses is not asked again at once.
            return plan;
        }
        let fresh = |seen: &Seen| {
            seen.of == (own.metadata.uid.clone(), own.metadata.generation) && now.since(seen.at) < SYNC
        };
        let Some(seen) = known.seen.take().filter(fresh) else {
            known.asked = Some(now);
            plan.asks.push(self.ask(own, world));
            plan.again_in(Duration::ZERO);
            return plan;
        };
        let took = now.since(known.asked.unwrap_or(now));
        match &seen.scale {
            Err(why) => self.finish(&mut plan, own, without_scale(own, why, now), took),
            Ok(found) => {
                let namespace = &own.metadata.namespace;
                let pods: Vec<&Pod> = world.in_namespace::<Pod>(namespace).collect();
                let first = (namespace.clone(), String::new());
                let beside = others.range(first..).take_while(|(name, _)| name.0 == *namespace);
                let rivals: Vec<(&Name, &Selector)> =
                    beside.filter_map(|(name, other)| Some((name, other.selector.as_ref()?))).collect();
                let around = Around { pods: &pods, rivals: &rivals, now };
                let mut decision = decide(own, &found.scale, &seen.answers, &mut known.memory, &around);
                if let Some(selector) = decision.selector.take() {
                    known.selector = Some(selector);
                }
                if let Some(rescale) = &decision.rescale {
                    plan.stage([scaled(own, found, rescale)]);
                    let (resource, rescale) = (found.resource.clone(), rescale.clone());
                    known.under_way = Some(UnderWay { resource, rescale, since: now, took });
                }
                self.metrics.desire(
                    &(namespace.clone(), own.metadata.name.clone()),
                    decision.status.desired_replicas,
                );
                self.finish(&mut plan, own, decision, took);
            }
        }
        plan
    }

    fn finish(&self, plan: &mut Plan, own: &HorizontalPodAutoscaler, decision: Decision, took: Duration) {
        self.metrics.computed(decision.computed, took);
        // One that scales is over when it is known how that went.
        if decision.rescale.is_none() {
            self.metrics.round(Action::None, decision.failed, took);
        }
        plan.stage(written(own, decision.status));
        plan.events.extend(decision.notes);
    }

    /// Asks for what is to be known, and remembers it for the next plan.
    fn ask(&self, own: &HorizontalPodAutoscaler, world: &World) -> Ask {
        let look = Arc::new(Look::new(own, &Kinds { built_in: &self.built_in, world }));
        let (api, meters, clock) = (Arc::clone(&self.api), Arc::clone(&self.meters), Arc::clone(&self.clock));
        let (known, who) = (Arc::clone(&self.known), Arc::new(self.caller()));
        let key = (own.metadata.namespace.clone(), own.metadata.name.clone());
        let what = format!("what {}/{} is scaled by", key.0, key.1);
        let work = move || {
            let (api, meters, clock) = (Arc::clone(&api), Arc::clone(&meters), Arc::clone(&clock));
            let (known, who, look) = (Arc::clone(&known), Arc::clone(&who), Arc::clone(&look));
            let key = key.clone();
            let asked = async move {
                let seen = look.carry_out(&*api, &*meters, &clock, &who).await;
                if let Some(own) = known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&key) {
                    own.seen = Some(seen);
                }
                Ok(())
            };
            Box::pin(asked) as BoxFuture<'static, _>
        };
        Ask { what, work: Arc::new(work) }
    }
}

/// The status, if it is another.
fn written(own: &HorizontalPodAutoscaler, status: HorizontalPodAutoscalerStatus) -> Option<Write> {
    if status == own.status {
        return None;
    }
    let failed = Note::warning(own, "FailedUpdateStatus", "{error}");
    let updated = HorizontalPodAutoscaler { status, ..own.clone() };
    Some(Write::status(updated).telling(None, Some(failed)))
}

/// Gives a target its number of replicas, and tells of it.
fn scaled(own: &HorizontalPodAutoscaler, found: &Found, rescale: &Rescale) -> Write {
    let mut scale = found.scale.clone();
    scale.spec.replicas = rescale.to;
    let meta = scale.metadata.clone();
    let size = format!("New size: {}; reason: {}", rescale.to, rescale.why);
    let done = Note::normal(own, "SuccessfulRescale", size.as_str());
    let failed = Note::warning(own, "FailedRescale", format!("{size}; error: {{error}}"));
    let op = Op::Update(Box::new(scale), false);
    Write::of(&found.resource, &meta, "scale", op).telling(Some(done), Some(failed))
}
