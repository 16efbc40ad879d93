//! Autoscalers, what was answered for them, and what becomes of them and their targets.

use std::time::Duration;

use api_record::scalar::Quantity;
use api_types::autoscaling::v2::{
    CrossVersionObjectReference, ExternalMetricSource, MetricIdentifier, MetricSpec, MetricTarget,
    ObjectMetricSource, PodsMetricSource, ResourceMetricSource,
};
use api_types::core::v1::{Container, PodCondition};

use super::*;
use crate::reading::{Measured, Metric};

const NOW: Time = Time::from_unix_seconds(100_000);

fn resource(percent: i32) -> MetricSpec {
    let target = MetricTarget {
        type_: "Utilization".to_owned(),
        average_utilization: Some(percent),
        ..MetricTarget::default()
    };
    let own = ResourceMetricSource { name: "cpu".to_owned(), target };
    MetricSpec { type_: "Resource".to_owned(), resource: Some(Box::new(own)), ..MetricSpec::default() }
}

fn named(name: &str) -> MetricIdentifier {
    MetricIdentifier { name: name.to_owned(), selector: None }
}

fn value(millis: i64) -> MetricTarget {
    let value = Some(Quantity::from_millis(millis));
    MetricTarget { type_: "Value".to_owned(), value, ..MetricTarget::default() }
}

fn average(millis: i64) -> MetricTarget {
    let average_value = Some(Quantity::from_millis(millis));
    MetricTarget { type_: "AverageValue".to_owned(), average_value, ..MetricTarget::default() }
}

fn external(target: MetricTarget) -> MetricSpec {
    let own = ExternalMetricSource { metric: named("queue"), target };
    MetricSpec { type_: "External".to_owned(), external: Some(Box::new(own)), ..MetricSpec::default() }
}

fn object(target: MetricTarget) -> MetricSpec {
    let described_object = CrossVersionObjectReference {
        kind: "Service".to_owned(),
        name: "web".to_owned(),
        api_version: "v1".to_owned(),
    };
    let own = ObjectMetricSource { described_object, target, metric: named("qps") };
    MetricSpec { type_: "Object".to_owned(), object: Some(Box::new(own)), ..MetricSpec::default() }
}

fn pods(millis: i64) -> MetricSpec {
    let own = PodsMetricSource { metric: named("qps"), target: average(millis) };
    MetricSpec { type_: "Pods".to_owned(), pods: Some(Box::new(own)), ..MetricSpec::default() }
}

fn used(millis: &[i64]) -> Answer {
    let one = |(index, millis): (usize, &i64)| {
        (format!("web-{index}"), Metric { at: NOW, window: Duration::from_secs(15), millis: *millis })
    };
    Ok(Measured::Pods(millis.iter().enumerate().map(one).collect()))
}

fn none() -> Answer {
    Err("no metrics returned from resource metrics API".to_owned())
}

fn autoscaler(least: i32, most: i32, metrics: &[MetricSpec]) -> HorizontalPodAutoscaler {
    let mut own = HorizontalPodAutoscaler::default();
    own.metadata.name = "web".to_owned();
    own.metadata.namespace = "shop".to_owned();
    own.metadata.generation = 3;
    own.spec.min_replicas = Some(least);
    own.spec.max_replicas = most;
    own.spec.metrics = metrics.to_vec();
    own
}

fn scale(replicas: i32) -> Scale {
    let mut scale = Scale::default();
    scale.spec.replicas = replicas;
    scale.status.replicas = replicas;
    scale.status.selector = "app=web".to_owned();
    scale
}

fn pod(index: i32) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = format!("web-{index}");
    pod.metadata.labels.insert("app".to_owned(), "web".to_owned());
    pod.status.phase = "Running".to_owned();
    pod.status.start_time = Some((NOW - Duration::from_secs(3600)).into());
    pod.status.conditions.push(PodCondition {
        type_: "Ready".to_owned(),
        status: TRUE.to_owned(),
        last_transition_time: Some((NOW - Duration::from_secs(3500)).into()),
        ..PodCondition::default()
    });
    let mut container = Container { name: "main".to_owned(), ..Container::default() };
    container.resources.requests.insert("cpu".to_owned(), Quantity::from_millis(1000));
    pod.spec.containers.push(container);
    pod
}

/// Decides with as many ready pods as the target has, and beside an autoscaler of these pods.
fn decided(
    own: &HorizontalPodAutoscaler,
    scale: &Scale,
    answers: &[Answer],
    memory: &mut Memory,
    rival: Option<&str>,
) -> Decision {
    let pods: Vec<Pod> = (0..scale.status.replicas).map(pod).collect();
    let pods: Vec<&Pod> = pods.iter().collect();
    let name: Name = ("shop".to_owned(), "other".to_owned());
    let selector = rival.map(|text| Selector::parse(text, &Path::NONE).expect("a selector"));
    let rivals: Vec<(&Name, &Selector)> = selector.iter().map(|own| (&name, own)).collect();
    decide(own, scale, answers, memory, &Around { pods: &pods, rivals: &rivals, now: NOW })
}

fn simply(own: &HorizontalPodAutoscaler, replicas: i32, answers: &[Answer]) -> Decision {
    decided(own, &scale(replicas), answers, &mut Memory::default(), None)
}

fn shown(decision: &Decision) -> String {
    let rescale =
        decision.rescale.as_ref().map_or("stays".to_owned(), |own| format!("{}: {}", own.to, own.why));
    let one = |own: &HorizontalPodAutoscalerCondition| {
        let holds = if own.status == TRUE { "" } else { "!" };
        format!("{holds}{}", own.reason)
    };
    let conditions: Vec<String> = decision.status.conditions.iter().map(one).collect();
    format!("{rescale} ({})", conditions.join(" "))
}

fn events(decision: &Decision) -> Vec<(&'static str, &str)> {
    decision.notes.iter().map(|note| (note.reason, note.message.as_str())).collect()
}

#[test]
fn a_target_is_scaled_as_its_metrics_say() {
    let cpu = |percent| autoscaler(2, 6, &[resource(percent)]);
    let name = "cpu resource utilization (percentage of request)";
    for (own, replicas, answers, expected) in [
        (
            cpu(30),
            3,
            used(&[300, 500, 700]),
            format!(
                "5: {name} above target (SucceededRescale ValidMetricFound !DesiredWithinRange !NotScaledToZero)"
            ),
        ),
        (
            cpu(30),
            4,
            used(&[900, 900, 900, 900]),
            format!(
                "6: {name} above target (SucceededRescale ValidMetricFound TooManyReplicas !NotScaledToZero)"
            ),
        ),
        (
            cpu(50),
            3,
            used(&[500, 500, 500]),
            "stays (ReadyForNewScale ValidMetricFound !DesiredWithinRange)".to_owned(),
        ),
        (
            cpu(50),
            1,
            none(),
            "2: Current number of replicas below Spec.MinReplicas (SucceededRescale !NotScaledToZero)"
                .to_owned(),
        ),
        (
            cpu(50),
            9,
            none(),
            "6: Current number of replicas above Spec.MaxReplicas (SucceededRescale !NotScaledToZero)"
                .to_owned(),
        ),
        (cpu(50), 0, none(), "stays (SucceededGetScale !ScalingDisabled)".to_owned()),
        (
            cpu(50),
            5,
            used(&[100, 300, 500, 250, 250]),
            "stays (ScaleDownStabilized ValidMetricFound !DesiredWithinRange)".to_owned(),
        ),
    ] {
        let decision = simply(&own, replicas, &[answers]);
        assert_eq!(shown(&decision), expected);
        assert_eq!(decision.status.observed_generation, Some(3));
        assert_eq!(decision.status.current_replicas, replicas);
        assert_eq!(decision.status.last_scale_time.is_some(), decision.rescale.is_some());
        assert_eq!(events(&decision), []);
    }
}

#[test]
fn a_target_shrinks_once_its_recommendations_have() {
    let own = autoscaler(2, 6, &[resource(50)]);
    let mut memory = Memory::default();
    memory.begin(5, NOW - Duration::from_secs(301));
    let decision = decided(&own, &scale(5), &[used(&[100, 300, 500, 250, 250])], &mut memory, None);
    let expected = "3: All metrics below target (SucceededRescale ValidMetricFound !DesiredWithinRange !NotScaledToZero)";
    assert_eq!(shown(&decision), expected);
    let now =
        decision.status.current_metrics.first().and_then(|own| own.resource.as_ref()).expect("a metric");
    assert_eq!(now.current.average_utilization, Some(28));
    assert_eq!(now.current.average_value.as_ref().map(ToString::to_string).as_deref(), Some("280m"));
    assert_eq!(decision.status.desired_replicas, 3);
}

#[test]
fn the_metric_that_calls_for_most_counts() {
    let own =
        autoscaler(1, 20, &[resource(50), pods(10_000), external(average(2_000)), object(value(1_000))]);
    let answers = [
        used(&[500, 500]),
        used(&[20_000, 20_000]),
        Ok(Measured::External(vec![5_000, 5_000])),
        Ok(Measured::Object(500)),
    ];
    let decision = simply(&own, 2, &answers);
    let expected = "4: external metric queue(nil) above target (SucceededRescale ValidMetricFound ScaleUpLimit !NotScaledToZero)";
    assert_eq!(shown(&decision), expected);
    let message = &conditions::find(&decision.status.conditions, ACTIVE).expect("a condition").message;
    assert_eq!(
        message,
        "the HPA was able to successfully calculate a replica count from external metric queue(nil)"
    );
    let types: Vec<&str> = decision.status.current_metrics.iter().map(|own| own.type_.as_str()).collect();
    assert_eq!(types, ["Resource", "Pods", "External", "Object"]);
}

#[test]
fn what_is_not_known_holds_a_target_up_but_not_down() {
    let own = autoscaler(1, 20, &[resource(50), external(average(2_000))]);
    let silent = Err("unable to fetch metrics from external metrics API: gone".to_owned());
    let grows = simply(&own, 2, &[used(&[900, 900]), silent.clone()]);
    assert_eq!(grows.rescale.as_ref().map(|own| own.to), Some(4));
    let why = "unable to get external metric shop/queue/nil: unable to fetch metrics from external metrics API: gone";
    assert_eq!(events(&grows), [("FailedGetExternalMetric", why)]);
    let mut memory = Memory::default();
    memory.begin(2, NOW - Duration::from_secs(301));
    let stays = decided(&own, &scale(2), &[used(&[100, 100]), silent], &mut memory, None);
    assert_eq!(shown(&stays), "stays (SucceededGetScale !FailedGetExternalMetric)");
    let all = format!(
        "invalid metrics (1 invalid out of 2), first error is: failed to get queue external metric value: failed to get queue external metric: {why}"
    );
    assert_eq!(events(&stays), [("FailedGetExternalMetric", why), ("FailedComputeMetricsReplicas", &*all)]);
    assert_eq!(stays.status.current_metrics.len(), 2, "what is known is told");
}

#[test]
fn a_metric_that_is_missing_is_said_in_upstreams_words() {
    let gone = || Err("unable to fetch metrics from custom metrics API: gone".to_owned());
    let resource_words = "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API";
    for (spec, answer, reason, why, error) in [
        (
            resource(50),
            none(),
            "FailedGetResourceMetric",
            resource_words,
            "failed to get cpu resource metric value: ",
        ),
        (
            pods(1),
            gone(),
            "FailedGetPodsMetric",
            "unable to get metric qps: unable to fetch metrics from custom metrics API: gone",
            "failed to get pods metric value: ",
        ),
        (
            object(value(1)),
            gone(),
            "FailedGetObjectMetric",
            "unable to get metric qps on Service shop/web: unable to fetch metrics from custom metrics API: gone",
            "failed to get object metric value: ",
        ),
        (
            object(average(1)),
            gone(),
            "FailedGetObjectMetric",
            "unable to get metric qps on Service shop/web: unable to fetch metrics from custom metrics API: gone",
            "failed to get object metric value: failed to get qps object metric: ",
        ),
        (
            external(value(1)),
            gone(),
            "FailedGetExternalMetric",
            "unable to get external metric shop/queue/nil: unable to fetch metrics from custom metrics API: gone",
            "failed to get queue external metric value: failed to get external metric queue: ",
        ),
        (
            external(MetricTarget::default()),
            gone(),
            "FailedGetExternalMetric",
            "invalid external metric source: neither a value target nor an average value target was set",
            "failed to get queue external metric value: ",
        ),
        (
            MetricSpec { type_: "Odd".to_owned(), ..MetricSpec::default() },
            gone(),
            "InvalidMetricSourceType",
            "unknown metric source type \"Odd\"",
            "",
        ),
    ] {
        let decision = simply(&autoscaler(1, 9, &[spec]), 2, &[answer]);
        let all = format!("invalid metrics (1 invalid out of 1), first error is: {error}{why}");
        assert_eq!(events(&decision), [(reason, why), ("FailedComputeMetricsReplicas", &*all)]);
        let condition = conditions::find(&decision.status.conditions, ACTIVE).expect("a condition");
        let message = format!("the HPA was unable to compute the replica count: {why}");
        assert_eq!((condition.reason.as_str(), &condition.message), (reason, &message));
    }
}

#[test]
fn whose_pods_are_not_known_or_anothers_is_not_scaled() {
    let own = autoscaler(1, 9, &[resource(50)]);
    let answers = [used(&[900, 900])];
    let of = |selector: &str, rival: Option<&str>| {
        let mut scale = scale(2);
        scale.status.selector = selector.to_owned();
        decided(&own, &scale, &answers, &mut Memory::default(), rival)
    };
    let missing = of("", None);
    assert_eq!(shown(&missing), "stays (SucceededGetScale !InvalidSelector)");
    let required = "selector is required";
    assert_eq!(
        events(&missing),
        [("SelectorRequired", required), ("FailedComputeMetricsReplicas", required)]
    );
    let wrong = of("cheddar cheese", None);
    assert_eq!(shown(&wrong), "stays (SucceededGetScale !InvalidSelector)");
    assert_eq!(wrong.notes[0].reason, "InvalidSelector");
    assert!(
        wrong.notes[0]
            .message
            .starts_with("couldn't convert selector into a corresponding internal selector object: ")
    );
    assert!(wrong.selector.is_none());
    let shared = of("app=web", Some("app"));
    assert_eq!(shown(&shared), "stays (SucceededGetScale !AmbiguousSelector)");
    let why = "pods by selector app=web are controlled by more than one HPA (e.g. [shop/web shop/other])";
    assert_eq!(events(&shared), [("AmbiguousSelector", why), ("FailedComputeMetricsReplicas", why)]);
    assert!(shared.selector.is_some(), "others can tell");
    assert!(of("app=web", Some("app=other")).rescale.is_some());
}

#[test]
fn a_target_goes_to_none_and_comes_back() {
    let mut own = autoscaler(0, 9, &[external(value(10_000))]);
    let empty = [Ok(Measured::External(vec![0]))];
    let mut memory = Memory::default();
    memory.begin(2, NOW - Duration::from_secs(301));
    let sleeps = decided(&own, &scale(2), &empty, &mut memory, None);
    let expected =
        "0: All metrics below target (SucceededRescale ValidMetricFound !DesiredWithinRange ScaledToZero)";
    assert_eq!(shown(&sleeps), expected);
    // Who was switched off by hand stays off.
    assert!(!needs_metrics(&own, &scale(0)));
    own.status = sleeps.status;
    assert!(needs_metrics(&own, &scale(0)));
    let woken = simply(&own, 0, &[Ok(Measured::External(vec![15_000]))]);
    let expected = "2: external metric queue(nil) above target (SucceededRescale ValidMetricFound !DesiredWithinRange !NotScaledToZero)";
    assert_eq!(shown(&woken), expected);
    own.spec.min_replicas = Some(3);
    // Upstream gives no reason either, unless there is a behavior.
    let raised = simply(&own, 0, &empty);
    let expected = "3:  (SucceededRescale ValidMetricFound TooFewReplicas !NotScaledToZero)";
    assert_eq!(shown(&raised), expected);
    own.spec.behavior = Some(Box::default());
    let raised = simply(&own, 0, &empty);
    let expected = "3: Current number of replicas below Spec.MinReplicas (SucceededRescale ValidMetricFound !DesiredWithinRange !NotScaledToZero)";
    assert_eq!(shown(&raised), expected);
}

#[test]
fn what_cannot_be_scaled_or_looked_at_says_so() {
    let own = autoscaler(1, 9, &[resource(50)]);
    let decision = without_scale(&own, "no matches for kind \"Toy\" in group \"apps\"", NOW);
    assert_eq!(shown(&decision), "stays (!FailedGetScale)");
    let why = "no matches for kind \"Toy\" in group \"apps\"";
    assert_eq!(events(&decision), [("FailedGetScale", why)]);
    let grows = simply(&own, 2, &[used(&[900, 900])]);
    let failed = failed_rescale(grows.rescale.as_ref().expect("a rescale"), "no", NOW);
    let able = conditions::find(&failed.conditions, ABLE).expect("a condition");
    assert_eq!(able.reason, "FailedUpdateScale");
    assert_eq!(able.message, "the HPA controller was unable to update the target scale: no");
    assert_eq!((failed.last_scale_time, failed.desired_replicas), (None, 0));
    assert!(conditions::find(&failed.conditions, AT_ZERO).is_none());
}
