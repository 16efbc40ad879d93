//! The tables of upstream's `replica_calculator_test.go`: pods, what they use, and how many there should be.

use std::time::Duration;

use api_types::core::v1::{Container, PodCondition};

use super::*;

const NOW: Time = Time::from_unix_seconds(100_000);

/// A pod of two containers that ask for a CPU each: `r` ready for long, `u` not ready and never was, `h` ready but just started,
/// `c` just started and not ready, `p` pending, `f` failed, `d` being deleted.
fn pod(index: usize, state: char, millis: [i64; 2]) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = format!("p{index}");
    pod.metadata.deletion_timestamp = (state == 'd').then(|| NOW.into());
    pod.status.phase = match state {
        'p' => "Pending",
        'f' => "Failed",
        _ => "Running",
    }
    .to_owned();
    let young = matches!(state, 'h' | 'c');
    let start = if young { NOW - Duration::from_secs(30) } else { NOW - Duration::from_secs(3600) };
    pod.status.start_time = Some(start.into());
    let ready = matches!(state, 'r' | 'h' | 'd');
    // Who was never ready has said so since the start.
    let changed = if ready && !young { start + Duration::from_secs(60) } else { start };
    pod.status.conditions.push(PodCondition {
        type_: "Ready".to_owned(),
        status: if ready { "True" } else { "False" }.to_owned(),
        last_transition_time: Some(if state == 'h' { NOW.into() } else { changed.into() }),
        ..PodCondition::default()
    });
    for (name, millis) in ["one", "two"].into_iter().zip(millis) {
        let mut container = Container { name: name.to_owned(), ..Container::default() };
        if millis > 0 {
            container.resources.requests.insert("cpu".to_owned(), Quantity::from_millis(millis));
        }
        pod.spec.containers.push(container);
    }
    pod
}

/// What the pods use, those left out at the end not known.
fn metrics(used: &[i64]) -> Metrics {
    let one = |(index, millis): (usize, &i64)| {
        let metric = Metric { at: NOW, window: Duration::from_secs(60), millis: *millis };
        (format!("p{index}"), metric)
    };
    used.iter().enumerate().map(one).collect()
}

struct World(Vec<Pod>);

impl World {
    fn of(states: &str) -> World {
        World(states.chars().enumerate().map(|(index, state)| pod(index, state, [1000, 1000])).collect())
    }

    fn given(&self, wanted: i32, tolerances: Tolerances) -> Given<'_> {
        Given { wanted, there: wanted, tolerances, pods: self.0.iter().collect(), now: NOW }
    }
}

fn shown(counted: Result<Counted, String>) -> String {
    counted.map_or_else(|why| why, |own| format!("{} {}% {}", own.replicas, own.percent, own.used))
}

/// What is shown, how many replicas are wanted, the pods' states, what each uses, the target; what comes of it.
type Row<T> = (&'static str, i32, &'static str, &'static [i64], T, &'static str);

#[test]
fn usage_is_weighed_against_what_is_asked_for() {
    let table: &[Row<i32>] = &[
        ("more", 3, "rrr", &[600, 1000, 1400], 30, "5 50% 1000"),
        ("pods that never were ready dampen", 3, "urr", &[600, 1000, 1400], 30, "4 60% 1200"),
        ("pods that have just started dampen", 3, "hrr", &[600, 1000, 1400], 30, "4 60% 1200"),
        ("more than one of them", 3, "ruu", &[800, 1000, 1400], 30, "3 40% 800"),
        ("and those that are young and not ready", 3, "rcc", &[800, 1000, 1400], 30, "3 40% 800"),
        ("those that failed are none", 2, "rrff", &[1000, 1400], 30, "4 60% 1200"),
        ("nor are those that go", 2, "rrdd", &[1000, 1400], 30, "4 60% 1200"),
        ("fewer", 5, "rrrrr", &[200, 600, 1000, 500, 500], 50, "3 28% 560"),
        ("fewer, whatever the unready use", 5, "rrruu", &[200, 600, 1000, 500, 500], 50, "2 30% 600"),
        ("fewer, without those that wait for a node", 5, "rpppp", &[200], 50, "1 10% 200"),
        ("nothing to be done", 3, "rrr", &[1000, 1000, 1000], 50, "3 50% 1000"),
        ("nearly nothing", 3, "rrr", &[1060, 1060, 1060], 50, "3 53% 1060"),
        (
            "metrics of pods of earlier count for nothing",
            4,
            "rrrr",
            &[8000, 19000, 6000, 14000, 6400, 4000],
            100,
            "24 587% 11750",
        ),
        ("who is silent uses all that he asked for", 4, "rrrr", &[800, 190], 100, "3 24% 495"),
        ("as many as there are", 2, "rr", &[2000], 100, "2 100% 2000"),
        ("who is silent is no reason for more", 2, "rr", &[3800], 100, "2 190% 3800"),
        ("nor for fewer", 2, "rr", &[1200], 100, "2 60% 1200"),
        ("not more than there are on the way down", 3, "urr", &[200, 900], 50, "3 45% 900"),
        ("more even so", 3, "urr", &[200, 4000], 50, "4 200% 4000"),
        ("fewer even so", 4, "urrr", &[200, 200, 200], 50, "3 10% 200"),
        ("a rolling update's extra pod", 2, "rrr", &[200, 200], 50, "2 10% 200"),
        (
            "all have just begun",
            2,
            "cc",
            &[200, 200],
            50,
            "did not receive metrics for targeted pods (pods might be unready)",
        ),
        (
            "nobody is there",
            2,
            "",
            &[200],
            50,
            "no pods returned by selector while calculating replica count",
        ),
    ];
    for (name, wanted, states, used, percent, expected) in table {
        let world = World::of(states);
        let given = world.given(*wanted, Tolerances::of(None));
        let counted = by_utilization(&given, metrics(used), ("cpu", ""), *percent);
        assert_eq!(shown(counted), *expected, "{name}");
    }
}

#[test]
fn a_container_is_weighed_against_what_it_asks_for_itself() {
    let world = World::of("rrr");
    let given = world.given(3, Tolerances::of(None));
    let of =
        |container: &str| shown(by_utilization(&given, metrics(&[300, 500, 700]), ("cpu", container), 30));
    assert_eq!(of("two"), "5 50% 500");
    assert_eq!(of("three"), "container three not found in Pod p0");
    let world = World(vec![pod(0, 'r', [1000, 0])]);
    let given = world.given(1, Tolerances::of(None));
    let of = |container: &str| shown(by_utilization(&given, metrics(&[500]), ("cpu", container), 50));
    assert_eq!(of("two"), "missing request for cpu in container two of Pod p0");
    assert_eq!((of(""), of("one")), (of("two"), "1 50% 500".to_owned()));
}

#[test]
fn what_a_pod_asks_for_as_a_whole_comes_first() {
    let mut whole = pod(0, 'r', [1000, 0]);
    let mut resources = api_types::core::v1::ResourceRequirements::default();
    resources.requests.insert("cpu".to_owned(), Quantity::from_millis(4000));
    whole.spec.resources = Some(Box::new(resources));
    let world = World(vec![whole]);
    let given = world.given(1, Tolerances::of(None));
    let of = |resource: &str, container: &str| {
        shown(by_utilization(&given, metrics(&[4000]), (resource, container), 50))
    };
    assert_eq!((of("cpu", ""), of("cpu", "one")), ("2 100% 4000".to_owned(), "8 400% 4000".to_owned()));
    assert_eq!(of("memory", ""), "missing pod-level request for memory in Pod p0");
}

#[test]
fn metrics_that_nobody_asks_for_are_averaged() {
    let table: &[Row<i64>] = &[
        ("more", 3, "rrr", &[20_000, 10_000, 30_000], 15_000, "4 0% 20000"),
        ("readiness is nothing to them", 3, "ruu", &[50_000, 10_000, 30_000], 15_000, "6 0% 30000"),
        ("waiting for a node is", 3, "rrp", &[50_000, 15_000, 30_000], 15_000, "5 0% 32500"),
        ("fewer", 5, "rrrrr", &[12_000, 12_000, 12_000, 12_000, 12_000], 20_000, "3 0% 12000"),
        ("nothing to be done", 3, "rrr", &[10_000, 10_000, 10_000], 10_500, "3 0% 10000"),
        ("who is silent is taken to be as he should", 4, "rrrr", &[4_000, 4_000], 10_000, "3 0% 4000"),
    ];
    for (name, wanted, states, used, target, expected) in table {
        let world = World::of(states);
        let given = world.given(*wanted, Tolerances::of(None));
        assert_eq!(shown(by_average(&given, metrics(used), "", *target)), *expected, "{name}");
    }
}

#[test]
fn an_amount_of_all_counts_by_the_pods_that_are_ready() {
    let world = World::of("rrru");
    let of = |wanted, used, target| shown(by_value(&world.given(wanted, Tolerances::of(None)), used, target));
    assert_eq!(of(4, 20_000, 15_000), "4 0% 20000", "three are ready");
    assert_eq!(of(4, 60_000, 15_000), "12 0% 60000");
    assert_eq!(of(4, 15_900, 15_000), "4 0% 15900", "within what is tolerated");
    assert_eq!(of(0, 20_000, 15_000), "2 0% 20000", "from none");
    assert_eq!(of(0, 0, 15_000), "0 0% 0");
    assert_eq!(of(4, i64::MAX, 1), "2147483647 0% 9223372036854775807");
    let nobody = World::of("");
    let given = nobody.given(3, Tolerances::of(None));
    let why = "unable to calculate ready pods: no pods returned by selector while calculating replica count";
    assert_eq!(shown(by_value(&given, 60_000, 15_000)), why);
}

#[test]
fn an_amount_is_shared_between_those_that_are_there() {
    let world = World::of("");
    let of =
        |there, used, target| shown(Ok(by_share(&world.given(there, Tolerances::of(None)), used, target)));
    assert_eq!(of(5, 20_000, 4_000), "5 0% 4000");
    assert_eq!(of(3, 8_600, 2_150), "4 0% 2867");
    assert_eq!(of(5, 8_600, 10_000), "1 0% 1720");
    assert_eq!(of(0, 8_600, 2_150), "4 0% 9223372036854775807");
    assert_eq!(of(3, i64::MAX, 1), "2147483647 0% 9223372036854775807");
}

#[test]
fn tolerances_are_the_autoscalers_own() {
    let behavior = |down: &str, up: &str| {
        let rules = |text: &str| {
            let tolerance = Some(text.parse().expect("a quantity"));
            Some(Box::new(api_types::autoscaling::v2::HPAScalingRules { tolerance, ..Default::default() }))
        };
        HorizontalPodAutoscalerBehavior { scale_up: rules(up), scale_down: rules(down) }
    };
    assert_eq!(Tolerances::of(None), Tolerances { least: 0.9, most: 1.1 });
    let own = behavior("0", "0.05");
    assert_eq!(Tolerances::of(Some(&own)), Tolerances { least: 1.0, most: 1.05 });
    let world = World::of("rrr");
    let of = |used: i64, down: &str, up: &str| {
        let own = behavior(down, up);
        let given = world.given(3, Tolerances::of(Some(&own)));
        by_utilization(&given, metrics(&[used; 3]), ("cpu", ""), 50).map(|own| own.replicas)
    };
    assert_eq!((of(1060, "0.1", "0.1"), of(1060, "0.1", "0.05")), (Ok(3), Ok(4)));
    assert_eq!((of(640, "0.4", "0.1"), of(640, "0.3", "0.1")), (Ok(3), Ok(2)));
}
