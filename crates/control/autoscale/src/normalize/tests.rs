//! The tables of upstream's `TestConvertDesiredReplicasWithRules`, `TestNormalizeDesiredReplicas`, `TestScalingWithRules` and
//! `TestNormalizeDesiredReplicasWithBehavior`.

use api_types::autoscaling::v2::HPAScalingPolicy;

use super::*;

const NOW: Time = Time::from_unix_seconds(100_000);

fn ago(seconds: u64) -> Time {
    NOW - Duration::from_secs(seconds)
}

fn bounds(current: i32, least: i32, most: i32) -> Bounds {
    Bounds { current, least, most }
}

#[test]
fn without_a_behavior_a_target_grows_by_half_or_to_four() {
    for (current, desired, least, most, expected, reason) in [
        (1, 10, 1, 100, 4, "ScaleUpLimit"),
        (10, 100, 1, 100, 20, "ScaleUpLimit"),
        (5, 7, 3, 8, 7, "DesiredWithinRange"),
        (3, 1, 2, 8, 2, "TooFewReplicas"),
        (1, 0, 0, 10, 0, "DesiredWithinRange"),
        (8, 20, 1, 10, 10, "TooManyReplicas"),
    ] {
        let normal = plainly(&mut Memory::default(), bounds(current, least, most), desired, NOW);
        assert_eq!((normal.replicas, normal.limited.1.0), (expected, reason), "{current} to {desired}");
        assert_eq!(normal.limited.0, expected != desired);
    }
}

#[test]
fn the_highest_recommendation_of_five_minutes_holds_a_target_up() {
    let mut memory = Memory::default();
    memory.recommend(10, ago(301));
    memory.recommend(7, ago(200));
    let normal = plainly(&mut memory, bounds(8, 1, 20), 5, NOW);
    assert_eq!((normal.replicas, normal.able), (7, HELD_UP));
    let normal = plainly(&mut memory, bounds(8, 1, 20), 9, NOW + Duration::from_secs(15));
    assert_eq!((normal.replicas, normal.able), (9, READY));
    let normal = plainly(&mut memory, bounds(9, 1, 20), 3, NOW + Duration::from_secs(320));
    assert_eq!((normal.replicas, normal.able), (3, READY), "all that was higher is long ago");
}

fn rules(window: Option<i32>, select: &str, policies: &[(&str, i32, i32)]) -> HPAScalingRules {
    let policy = |(type_, value, period_seconds): &(&str, i32, i32)| HPAScalingPolicy {
        type_: (*type_).to_owned(),
        value: *value,
        period_seconds: *period_seconds,
    };
    HPAScalingRules {
        stabilization_window_seconds: window,
        select_policy: Some(select.to_owned()),
        policies: policies.iter().map(policy).collect(),
        tolerance: None,
    }
}

/// Growing by four or to twice as many, shrinking to any number.
fn usual() -> HorizontalPodAutoscalerBehavior {
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(Box::new(rules(Some(0), "Max", &[("Pods", 4, 15), ("Percent", 100, 15)]))),
        scale_down: Some(Box::new(rules(None, "Max", &[("Percent", 100, 15)]))),
    }
}

/// Which policy is chosen, the policies, how many replicas there are and how many are wanted; how many come of it, and why.
type Row = (&'static str, &'static [(&'static str, i32, i32)], i32, i32, (i32, &'static str));

#[test]
fn policies_limit_how_fast_a_target_grows() {
    let table: &[Row] = &[
        ("Max", &[("Pods", 4, 60), ("Percent", 100, 60)], 10, 100, (20, "ScaleUpLimit")),
        ("Min", &[("Pods", 4, 60), ("Percent", 100, 60)], 10, 100, (14, "ScaleUpLimit")),
        ("Max", &[("Percent", 5, 60)], 10, 100, (11, "ScaleUpLimit")),
        ("Max", &[("Pods", 4, 60)], 10, 12, (12, "DesiredWithinRange")),
        ("Max", &[("Pods", 400, 60)], 10, 300, (200, "TooManyReplicas")),
        ("Disabled", &[("Pods", 4, 60)], 10, 100, (10, "ScaleUpLimit")),
    ];
    for (select, policies, current, desired, expected) in table {
        let scale_up = Some(Box::new(rules(Some(0), select, policies)));
        let behavior = HorizontalPodAutoscalerBehavior { scale_up, ..usual() };
        let normal =
            as_it_behaves(&mut Memory::default(), bounds(*current, 1, 200), *desired, &behavior, NOW);
        assert_eq!((normal.replicas, normal.limited.1.0), *expected, "{select} {policies:?}");
    }
}

#[test]
fn policies_limit_how_fast_a_target_shrinks() {
    let table: &[Row] = &[
        ("Max", &[("Pods", 4, 60), ("Percent", 50, 60)], 10, 1, (5, "ScaleDownLimit")),
        ("Min", &[("Pods", 4, 60), ("Percent", 50, 60)], 10, 1, (6, "ScaleDownLimit")),
        ("Max", &[("Percent", 10, 60)], 5, 1, (4, "ScaleDownLimit")),
        ("Max", &[("Percent", 100, 60)], 10, 1, (2, "TooFewReplicas")),
        ("Max", &[("Pods", 4, 60)], 10, 8, (8, "DesiredWithinRange")),
        ("Disabled", &[("Pods", 4, 60)], 10, 1, (10, "ScaleDownLimit")),
    ];
    for (select, policies, current, desired, expected) in table {
        let scale_down = Some(Box::new(rules(Some(0), select, policies)));
        let behavior = HorizontalPodAutoscalerBehavior { scale_down, ..usual() };
        let normal =
            as_it_behaves(&mut Memory::default(), bounds(*current, 2, 200), *desired, &behavior, NOW);
        assert_eq!((normal.replicas, normal.limited.1.0), *expected, "{select} {policies:?}");
    }
}

#[test]
fn what_was_done_in_a_period_counts() {
    let scale_up = Some(Box::new(rules(Some(0), "Max", &[("Pods", 4, 60)])));
    let scale_down = Some(Box::new(rules(Some(0), "Max", &[("Pods", 4, 60)])));
    let behavior = HorizontalPodAutoscalerBehavior { scale_up, scale_down };
    let of = |memory: &Memory, desired| {
        as_it_behaves(&mut memory.clone(), bounds(10, 1, 200), desired, &behavior, NOW).replicas
    };
    let mut memory = Memory::default();
    memory.scaled(4, 7, ago(50));
    assert_eq!((of(&memory, 100), of(&memory, 1)), (11, 3), "there were seven when the period began");
    memory.scaled(1, 4, ago(61));
    assert_eq!(of(&memory, 100), 11, "that is over");
    memory.scaled(7, 13, ago(10));
    assert_eq!(of(&memory, 100), 10, "all has been used up, and more");
    memory.scaled(13, 8, ago(5));
    assert_eq!(of(&memory, 100), 10);
    memory.scaled(13, 8, ago(5));
    assert_eq!(of(&memory, 100), 15, "what went away may come back");
}

#[test]
fn windows_hold_a_target_where_it_was() {
    let both = |up, down| {
        let scale_up = Some(Box::new(rules(Some(up), "Max", &[("Percent", 1000, 15)])));
        let scale_down = Some(Box::new(rules(Some(down), "Max", &[("Percent", 100, 15)])));
        HorizontalPodAutoscalerBehavior { scale_up, scale_down }
    };
    let of = |recommended: &[(u64, i32)], current, desired, behavior: &HorizontalPodAutoscalerBehavior| {
        let mut memory = Memory::default();
        for (seconds, replicas) in recommended {
            memory.recommend(*replicas, ago(*seconds));
        }
        let normal = as_it_behaves(&mut memory, bounds(current, 1, 200), desired, behavior, NOW);
        (normal.replicas, normal.able.0)
    };
    let (held_up, held_down, ready) = ("ScaleDownStabilized", "ScaleUpStabilized", "ReadyForNewScale");
    assert_eq!(of(&[(30, 8), (90, 20)], 10, 5, &both(0, 60)), (8, held_up));
    assert_eq!(of(&[(30, 8), (90, 20)], 10, 5, &both(0, 20)), (5, ready));
    assert_eq!(of(&[(30, 12), (90, 5)], 10, 50, &both(60, 0)), (12, held_down));
    assert_eq!(of(&[(30, 12), (90, 5)], 10, 50, &both(0, 0)), (50, ready));
    assert_eq!(of(&[(30, 4), (40, 30)], 10, 50, &both(60, 60)), (10, held_down), "it swings: it stays");
    assert_eq!(of(&[(200, 9)], 10, 5, &usual()), (9, held_up), "five minutes, if nothing is said");
}
