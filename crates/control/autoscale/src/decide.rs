//! What becomes of an autoscaler and of its target.
//!
//! Upstream: `reconcileAutoscaler` of `horizontal.go`, whose reasons and words these are. Pure, but for what is remembered.

#[cfg(test)]
mod tests;

use api_meta::conditions::{self, FALSE, TRUE};
use api_meta::field::Path;
use api_meta::gvk::GroupVersion;
use api_meta::labels::Selector;
use api_types::autoscaling::v1::Scale;
use api_types::autoscaling::v2::{
    HorizontalPodAutoscaler, HorizontalPodAutoscalerCondition, HorizontalPodAutoscalerStatus, MetricSpec,
    MetricStatus,
};
use api_types::core::v1::Pod;
use base::time::Time;
use client::reconcile::{Name, Note};

use crate::memory::Memory;
use crate::metric::{Answer, Proposal, UNKNOWN_TYPE, propose};
use crate::metrics::{Action, Computed, Failed};
use crate::normalize::{Bounds, as_it_behaves, plainly};
use crate::replicas::{Given, Tolerances};

const ABLE: &str = "AbleToScale";
const ACTIVE: &str = "ScalingActive";
const LIMITED: &str = "ScalingLimited";
const AT_ZERO: &str = "ScaledToZero";

const BELOW_LEAST: &str = "Current number of replicas below Spec.MinReplicas";

/// What there is beside an autoscaler.
pub(crate) struct Around<'a> {
    /// The pods of its namespace.
    pub(crate) pods: &'a [&'a Pod],
    /// The other autoscalers of its namespace, and the pods that they were last seen to scale.
    pub(crate) rivals: &'a [(&'a Name, &'a Selector)],
    pub(crate) now: Time,
}

/// What is decided.
pub(crate) struct Decision {
    /// What the status is to be, once the target is scaled.
    pub(crate) status: HorizontalPodAutoscalerStatus,
    /// What people should hear of.
    pub(crate) notes: Vec<Note>,
    /// How the target is to be scaled.
    pub(crate) rescale: Option<Rescale>,
    /// The pods that it scales, if that is known.
    pub(crate) selector: Option<Selector>,
    /// Where an error lay, if there was one.
    pub(crate) failed: Failed,
    /// What came of each metric that was looked at.
    pub(crate) computed: Vec<Computed>,
}

/// How a target is to be scaled.
#[derive(Clone)]
pub(crate) struct Rescale {
    pub(crate) from: i32,
    pub(crate) to: i32,
    pub(crate) why: String,
    /// What the status is to be if it cannot be; [`failed_rescale`] says why.
    pub(crate) otherwise: HorizontalPodAutoscalerStatus,
}

/// How many replicas a target has, before its metrics are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Somebody has switched it off.
    Off,
    Above,
    Below,
    /// Its metrics say.
    Within,
}

fn standing(own: &HorizontalPodAutoscaler, current: i32) -> Standing {
    let least = own.spec.min_replicas.unwrap_or(1);
    if current == 0 {
        let at_zero = conditions::is_true(&own.status.conditions, AT_ZERO);
        let woken = at_zero && (least != 0 || watches_others(own));
        return if woken { Standing::Within } else { Standing::Off };
    }
    if current > own.spec.max_replicas {
        Standing::Above
    } else if current < least {
        Standing::Below
    } else {
        Standing::Within
    }
}

/// Whether its metrics must be known.
pub(crate) fn needs_metrics(own: &HorizontalPodAutoscaler, scale: &Scale) -> bool {
    standing(own, scale.spec.replicas) == Standing::Within && selector_of(scale).is_ok()
}

/// Whether it has metrics of something else than the target's pods, which say something when there are none.
fn watches_others(own: &HorizontalPodAutoscaler) -> bool {
    own.spec.metrics.iter().any(|metric| matches!(metric.type_.as_str(), "Object" | "External"))
}

/// The pods of a target, or the reason of the event that says why that is not known, its words, and those of the condition.
fn selector_of(scale: &Scale) -> Result<Selector, (&'static str, String, String)> {
    let text = &scale.status.selector;
    if text.is_empty() {
        let said = "the HPA target's scale is missing a selector";
        return Err(("SelectorRequired", "selector is required".to_owned(), said.to_owned()));
    }
    Selector::parse(text, &Path::NONE).map_err(|why| {
        let why = format!("couldn't convert selector into a corresponding internal selector object: {why}");
        ("InvalidSelector", why.clone(), why)
    })
}

/// What becomes of an autoscaler whose target cannot be looked at.
pub(crate) fn without_scale(own: &HorizontalPodAutoscaler, why: &str, now: Time) -> Decision {
    let mut status = own.status.clone();
    let said = format!("the HPA controller was unable to get the target's current scale: {why}");
    set(&mut status, ABLE, false, ("FailedGetScale", &said), now);
    let notes = vec![Note::warning(own, "FailedGetScale", why)];
    // What the target is called by is the one thing here that is the autoscaler's own.
    let is_named = GroupVersion::parse(&own.spec.scale_target_ref.api_version).is_ok();
    let failed = if is_named { Failed::Internal } else { Failed::Spec };
    Decision { status, notes, rescale: None, selector: None, failed, computed: Vec::new() }
}

/// The status of an autoscaler whose target could not be scaled.
pub(crate) fn failed_rescale(rescale: &Rescale, why: &str, now: Time) -> HorizontalPodAutoscalerStatus {
    let mut status = rescale.otherwise.clone();
    let said = format!("the HPA controller was unable to update the target scale: {why}");
    set(&mut status, ABLE, false, ("FailedUpdateScale", &said), now);
    status
}

/// What becomes of an autoscaler whose target has this scale, and whose metrics were answered so, if they had to be known.
pub(crate) fn decide(
    own: &HorizontalPodAutoscaler,
    scale: &Scale,
    answers: &[Answer],
    memory: &mut Memory,
    around: &Around<'_>,
) -> Decision {
    let (now, current) = (around.now, scale.spec.replicas);
    let mut round = Round { own, now, status: own.status.clone(), notes: Vec::new(), computed: Vec::new() };
    let said = "the HPA controller was able to get the target's current scale";
    set(&mut round.status, ABLE, true, ("SucceededGetScale", said), now);
    memory.begin(current, now);
    let mut selector = None;
    let (desired, why, metrics) = match standing(own, current) {
        Standing::Off => {
            let said = "scaling is disabled since the replica count of the target is zero";
            set(&mut round.status, ACTIVE, false, ("ScalingDisabled", said), now);
            (0, String::new(), Vec::new())
        }
        Standing::Above => {
            let why = "Current number of replicas above Spec.MaxReplicas";
            (own.spec.max_replicas, why.to_owned(), Vec::new())
        }
        Standing::Below => (own.spec.min_replicas.unwrap_or(1), BELOW_LEAST.to_owned(), Vec::new()),
        Standing::Within => {
            let (chosen, metrics) = round.choose(scale, answers, around, &mut selector);
            match chosen {
                Ok(best) => {
                    let (desired, why) = round.bounded(memory, current, &best);
                    (desired, why, metrics)
                }
                Err(why) => {
                    round.counted(current, own.status.desired_replicas, metrics);
                    round.notes.push(Note::warning(own, "FailedComputeMetricsReplicas", why));
                    let Round { status, notes, computed, .. } = round;
                    let failed = computed.iter().map(|own| own.failed).find(|own| *own != Failed::Not);
                    let failed = failed.unwrap_or(Failed::Internal);
                    return Decision { status, notes, rescale: None, selector, failed, computed };
                }
            }
        }
    };
    let rescale = (desired != current).then(|| round.rescaled(current, desired, why, &metrics));
    round.counted(current, desired, metrics);
    if rescale.is_some() {
        round.status.last_scale_time = Some(now.into());
    }
    let Round { status, notes, computed, .. } = round;
    Decision { status, notes, rescale, selector, failed: Failed::Not, computed }
}

/// An autoscaler that is being decided about.
struct Round<'a> {
    own: &'a HorizontalPodAutoscaler,
    now: Time,
    status: HorizontalPodAutoscalerStatus,
    notes: Vec<Note>,
    computed: Vec<Computed>,
}

/// What the metrics call for together: as many as the one that calls for most, whose name this is.
struct Best {
    replicas: i32,
    name: String,
}

impl Round<'_> {
    fn set(&mut self, type_: &str, holds: bool, words: (&str, &str)) {
        set(&mut self.status, type_, holds, words, self.now);
    }

    fn warn(&mut self, reason: &'static str, why: &str) {
        self.notes.push(Note::warning(self.own, reason, why));
    }

    fn computes(&mut self, spec: &MetricSpec, action: Action, failed: Failed) {
        self.computed.push(Computed { type_: spec.type_.clone(), action, failed });
    }

    fn counted(&mut self, current: i32, desired: i32, metrics: Vec<MetricStatus>) {
        self.status.current_replicas = current;
        self.status.desired_replicas = desired;
        self.status.observed_generation = Some(self.own.metadata.generation);
        self.status.current_metrics = metrics.into();
    }

    /// What the metrics call for, or why they say nothing; and what each of them is.
    fn choose(
        &mut self,
        scale: &Scale,
        answers: &[Answer],
        around: &Around<'_>,
        selected: &mut Option<Selector>,
    ) -> (Result<Best, String>, Vec<MetricStatus>) {
        let selector = match selector_of(scale) {
            Ok(selector) => selected.insert(selector),
            Err((reason, why, said)) => {
                self.warn(reason, &why);
                self.set(ACTIVE, false, ("InvalidSelector", &said));
                return (Err(why), Vec::new());
            }
        };
        let all = around.pods.iter().copied();
        let pods: Vec<&Pod> = all.filter(|pod| selector.matches(&pod.metadata.labels)).collect();
        if let Some(rival) = rival(&pods, around.rivals) {
            let meta = &self.own.metadata;
            let why = format!(
                "pods by selector {} are controlled by more than one HPA (e.g. [{}/{} {}/{}])",
                scale.status.selector, meta.namespace, meta.name, rival.0, rival.1
            );
            self.warn("AmbiguousSelector", &why);
            self.set(ACTIVE, false, ("AmbiguousSelector", &why));
            return (Err(why), Vec::new());
        }
        let given = Given {
            wanted: scale.spec.replicas,
            there: scale.status.replicas,
            tolerances: Tolerances::of(self.own.spec.behavior.as_deref()),
            pods,
            now: self.now,
        };
        self.weigh(&given, answers)
    }

    fn weigh(&mut self, given: &Given<'_>, answers: &[Answer]) -> (Result<Best, String>, Vec<MetricStatus>) {
        let own = self.own;
        let silent = Err("nothing was asked".to_owned());
        let specs = own.spec.metrics.iter().zip(answers.iter().chain(std::iter::repeat(&silent)));
        let (mut best, mut statuses, mut refused) = (None, Vec::new(), Vec::new());
        for (spec, answer) in specs {
            match propose(spec, &own.metadata.namespace, given, answer) {
                Ok(Proposal { replicas, name, status }) => {
                    self.computes(spec, Action::of(own.status.current_replicas, replicas), Failed::Not);
                    let least: i32 = best.as_ref().map_or(0, |best: &Best| best.replicas);
                    if least == 0 || replicas > least {
                        best = Some(Best { replicas, name });
                    }
                    statuses.push(status);
                }
                Err(why) => {
                    let is_unknown = why.reason == UNKNOWN_TYPE;
                    let failed = if is_unknown { Failed::Spec } else { Failed::Internal };
                    self.computes(spec, Action::None, failed);
                    self.warn(why.reason, &why.why);
                    refused.push(why);
                    statuses.push(MetricStatus::default());
                }
            }
        }
        // What cannot be known could call for more: nothing is scaled down past it.
        let best = best.filter(|best| refused.is_empty() || best.replicas >= given.wanted);
        let Some(best) = best else {
            let (count, all) = (refused.len(), own.spec.metrics.len());
            let Some(first) = refused.first() else { return (Err("there are no metrics".into()), statuses) };
            let said = format!("the HPA was unable to compute the replica count: {}", first.why);
            self.set(ACTIVE, false, (first.reason, &said));
            let why =
                format!("invalid metrics ({count} invalid out of {all}), first error is: {}", first.error);
            return (Err(why), statuses);
        };
        let said = format!("the HPA was able to successfully calculate a replica count from {}", best.name);
        self.set(ACTIVE, true, ("ValidMetricFound", &said));
        (Ok(best), statuses)
    }

    /// How many replicas there are to be, and why.
    fn bounded(&mut self, memory: &mut Memory, current: i32, best: &Best) -> (i32, String) {
        let (own, now) = (self.own, self.now);
        let least = own.spec.min_replicas.unwrap_or(1);
        let wanted = best.replicas.max(0);
        let mut why = match wanted {
            _ if wanted > current => format!("{} above target", best.name),
            _ if wanted < current => "All metrics below target".to_owned(),
            _ => String::new(),
        };
        let bounds = Bounds { current, least, most: own.spec.max_replicas };
        let normal = match own.spec.behavior.as_deref() {
            None => plainly(memory, bounds, wanted, now),
            Some(behavior) => as_it_behaves(memory, bounds, wanted, behavior, now),
        };
        self.set(ABLE, true, normal.able);
        self.set(LIMITED, normal.limited.0, normal.limited.1);
        let mut desired = normal.replicas;
        if current == 0 && desired < least {
            desired = least;
            if why.is_empty() {
                BELOW_LEAST.clone_into(&mut why);
            }
        }
        (desired, why)
    }

    /// Says that the target is scaled, and keeps what is to be said if it cannot be.
    fn rescaled(&mut self, from: i32, to: i32, why: String, metrics: &[MetricStatus]) -> Rescale {
        let mut otherwise =
            Round { status: self.status.clone(), notes: Vec::new(), computed: Vec::new(), ..*self };
        otherwise.counted(from, self.own.status.desired_replicas, metrics.to_vec());
        let said = format!("the HPA controller was able to update the target scale to {to}");
        self.set(ABLE, true, ("SucceededRescale", &said));
        let least = self.own.spec.min_replicas.unwrap_or(1);
        if from > 0 && to == 0 && least == 0 && watches_others(self.own) {
            self.set(AT_ZERO, true, ("ScaledToZero", "the HPA controller scaled the workload to zero"));
        } else {
            let said = "the HPA controller did not scale the workload to zero";
            self.set(AT_ZERO, false, ("NotScaledToZero", said));
        }
        Rescale { from, to, why, otherwise: otherwise.status }
    }
}

/// Another autoscaler that scales some of these pods.
fn rival<'a>(pods: &[&Pod], rivals: &[(&'a Name, &Selector)]) -> Option<&'a Name> {
    let picks = |selector: &Selector| pods.iter().any(|pod| selector.matches(&pod.metadata.labels));
    rivals.iter().find(|(_, selector)| picks(selector)).map(|(name, _)| *name)
}

fn set(
    status: &mut HorizontalPodAutoscalerStatus,
    type_: &str,
    holds: bool,
    (reason, message): (&str, &str),
    now: Time,
) {
    let condition = HorizontalPodAutoscalerCondition {
        type_: type_.to_owned(),
        status: if holds { TRUE } else { FALSE }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..HorizontalPodAutoscalerCondition::default()
    };
    conditions::set(&mut status.conditions, condition, now.into());
}
