//! How far a target may be scaled at once.
//!
//! Upstream: `normalizeDesiredReplicas` and `normalizeDesiredReplicasWithBehaviors` of `horizontal.go`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use api_types::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};
use base::time::Time;

use crate::limits::STABILIZATION;
use crate::memory::Memory;

/// A target and the limits of its autoscaler.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) current: i32,
    pub(crate) least: i32,
    pub(crate) most: i32,
}

/// What is done, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Normal {
    pub(crate) replicas: i32,
    /// The reason and the message of `AbleToScale`.
    pub(crate) able: Words,
    /// Whether something else than what was recommended lately is done, and why.
    pub(crate) limited: (bool, Words),
}

/// A reason and a message.
pub(crate) type Words = (&'static str, &'static str);

const READY: Words = ("ReadyForNewScale", "recommended size matches current size");
const HELD_DOWN: Words = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const HELD_UP: Words = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const WITHIN: Words = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FAST_UP: Words =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const TOO_FAST_DOWN: Words =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");
const TOO_MANY: Words =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: Words = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");

/// Of an autoscaler that says nothing of its behavior.
pub(crate) fn plainly(memory: &mut Memory, bounds: Bounds, desired: i32, now: Time) -> Normal {
    let cutoff = now - STABILIZATION;
    let recent = memory.recommended().filter(|(at, _)| *at >= cutoff).map(|(_, replicas)| replicas);
    let stabilized = recent.fold(desired, i32::max);
    memory.recommend(desired, now);
    let able = if stabilized == desired { READY } else { HELD_UP };
    let (replicas, words) = ruled(bounds, stabilized);
    Normal { replicas, able, limited: (replicas != stabilized, words) }
}

fn ruled(bounds: Bounds, desired: i32) -> (i32, Words) {
    let Bounds { current, least, most } = bounds;
    // Against figures that are wrong for a moment.
    let rate = current.saturating_mul(2).max(4);
    let (highest, words) = if most > rate { (rate, TOO_FAST_UP) } else { (most, TOO_MANY) };
    if desired < least {
        (least, TOO_FEW)
    } else if desired > highest {
        (highest, words)
    } else {
        (desired, WITHIN)
    }
}

/// Of an autoscaler with a behavior.
pub(crate) fn as_it_behaves(
    memory: &mut Memory,
    bounds: Bounds,
    desired: i32,
    behavior: &HorizontalPodAutoscalerBehavior,
    now: Time,
) -> Normal {
    let nothing = HPAScalingRules::default();
    let up = behavior.scale_up.as_deref().unwrap_or(&nothing);
    let down = behavior.scale_down.as_deref().unwrap_or(&nothing);
    let stabilized = stabilized(memory, bounds.current, desired, (up, down), now);
    memory.recommend(desired, now);
    let able = match () {
        () if stabilized == desired => READY,
        () if desired >= bounds.current => HELD_DOWN,
        () => HELD_UP,
    };
    let (replicas, words) = limited(memory, bounds, stabilized, (up, down), now);
    Normal { replicas, able, limited: (replicas != stabilized, words) }
}

/// No more than the lowest of the recommendations of late, and no fewer than the highest.
fn stabilized(
    memory: &Memory,
    current: i32,
    desired: i32,
    (up, down): (&HPAScalingRules, &HPAScalingRules),
    now: Time,
) -> i32 {
    let window = |rules: &HPAScalingRules, otherwise| {
        let seconds = rules.stabilization_window_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.map_or(otherwise, Duration::from_secs)
    };
    let within = |window: Duration| {
        memory.recommended().filter(move |(at, _)| *at > now - window).map(|(_, replicas)| replicas)
    };
    let lowest = within(window(up, Duration::ZERO)).fold(desired, i32::min);
    let highest = within(window(down, STABILIZATION)).fold(desired, i32::max);
    current.max(lowest).min(highest)
}

fn limited(
    memory: &Memory,
    bounds: Bounds,
    desired: i32,
    (up, down): (&HPAScalingRules, &HPAScalingRules),
    now: Time,
) -> (i32, Words) {
    let Bounds { current, least, most } = bounds;
    if desired > current {
        let rate = rate(memory, current, up, Way::Up, now).max(current);
        let (highest, words) = if most > rate { (rate, TOO_FAST_UP) } else { (most, TOO_MANY) };
        if desired > highest {
            return (highest, words);
        }
    } else if desired < current {
        let rate = rate(memory, current, down, Way::Down, now).min(current);
        let (lowest, words) = if least < rate { (rate, TOO_FAST_DOWN) } else { (least, TOO_FEW) };
        if desired < lowest {
            return (lowest, words);
        }
    }
    (desired, WITHIN)
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Up,
    Down,
}

/// How many replicas the policies of a direction let there be now.
fn rate(memory: &Memory, current: i32, rules: &HPAScalingRules, way: Way, now: Time) -> i32 {
    let chosen = rules.select_policy.as_deref().unwrap_or("Max");
    if chosen == "Disabled" {
        return current;
    }
    let each = rules.policies.iter().map(|policy| {
        let before = memory.replicas_before(current, policy.period_seconds, now);
        let share = f64::from(policy.value) / 100.0;
        match (way, policy.type_.as_str()) {
            (Way::Up, "Pods") => before.saturating_add(policy.value),
            (Way::Down, "Pods") => before.saturating_sub(policy.value),
            // Rounded up, or a small target would never grow.
            (Way::Up, _) => (f64::from(before) * (1.0 + share)).ceil() as i32,
            (Way::Down, _) => (f64::from(before) * (1.0 - share)) as i32,
        }
    });
    let grows = (way == Way::Up) == (chosen != "Min");
    let chosen = if grows { each.max() } else { each.min() };
    chosen.unwrap_or(if way == Way::Up { i32::MAX } else { i32::MIN })
}
