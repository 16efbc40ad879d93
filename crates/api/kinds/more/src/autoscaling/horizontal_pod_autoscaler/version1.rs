//! Version 1 and back. What it has no field for stands in annotations as JSON of version 2, so that nothing is lost.

use api_codec::json;
use api_codec::limits::Limits;
use api_record::Record;
use api_types::autoscaling::v2::{HorizontalPodAutoscalerSpec, HorizontalPodAutoscalerStatus};
use api_types::autoscaling::{v1, v2};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

fn is_processor(metric: &v2::MetricSpec) -> bool {
    metric.resource.as_ref().is_some_and(|own| own.name == "cpu" && own.target.average_utilization.is_some())
}

fn text(record: &dyn Record) -> String {
    let mut out = Vec::new();
    json::encode(record, None, &mut out);
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

/// Version 1 of the hub's object.
pub(super) fn from_hub(record: &dyn Record) -> Box<dyn Record> {
    let Some(hub) = record.downcast_ref::<v2::HorizontalPodAutoscaler>() else { return record.boxed_clone() };
    let hub = hub.clone();
    let mut own = v1::HorizontalPodAutoscaler { metadata: hub.metadata, ..Default::default() };
    let annotations = &mut own.metadata.annotations;
    let mut rest = HorizontalPodAutoscalerSpec::default();
    for metric in hub.spec.metrics {
        if is_processor(&metric)
            && own.spec.target_cpu_utilization_percentage.is_none()
            && rest.metrics.is_empty()
        {
            own.spec.target_cpu_utilization_percentage =
                metric.resource.as_ref().and_then(|resource| resource.target.average_utilization);
        } else {
            rest.metrics.push(metric);
        }
    }
    if !rest.metrics.is_empty() {
        annotations.insert(METRICS.into(), text(&rest));
    }
    if hub.spec.behavior.is_some() {
        let alone = HorizontalPodAutoscalerSpec { behavior: hub.spec.behavior, ..Default::default() };
        annotations.insert(BEHAVIOR.into(), text(&alone));
    }
    if !hub.status.current_metrics.is_empty() {
        let current_metrics = hub.status.current_metrics.clone();
        let alone = HorizontalPodAutoscalerStatus { current_metrics, ..Default::default() };
        annotations.insert(CURRENT.into(), text(&alone));
    }
    if !hub.status.conditions.is_empty() {
        let alone = HorizontalPodAutoscalerStatus { conditions: hub.status.conditions, ..Default::default() };
        annotations.insert(CONDITIONS.into(), text(&alone));
    }
    let target = hub.spec.scale_target_ref;
    own.spec.scale_target_ref = v1::CrossVersionObjectReference {
        kind: target.kind,
        name: target.name,
        api_version: target.api_version,
    };
    own.spec.min_replicas = hub.spec.min_replicas;
    own.spec.max_replicas = hub.spec.max_replicas;
    own.status.observed_generation = hub.status.observed_generation;
    own.status.last_scale_time = hub.status.last_scale_time;
    own.status.current_replicas = hub.status.current_replicas;
    own.status.desired_replicas = hub.status.desired_replicas;
    own.status.current_cpu_utilization_percentage = hub.status.current_metrics.iter().find_map(|status| {
        status
            .resource
            .as_ref()
            .filter(|own| own.name == "cpu")
            .and_then(|own| own.current.average_utilization)
    });
    Box::new(own)
}

/// The hub's object of version 1; an annotation that cannot be read is dropped, as upstream drops it.
pub(super) fn to_hub(record: Box<dyn Record>) -> Box<dyn Record> {
    let Some(own) = record.downcast_ref::<v1::HorizontalPodAutoscaler>() else { return record };
    let own = own.clone();
    let mut hub = v2::HorizontalPodAutoscaler { metadata: own.metadata, ..Default::default() };
    let target = own.spec.scale_target_ref;
    hub.spec.scale_target_ref = v2::CrossVersionObjectReference {
        kind: target.kind,
        name: target.name,
        api_version: target.api_version,
    };
    hub.spec.min_replicas = own.spec.min_replicas;
    hub.spec.max_replicas = own.spec.max_replicas;
    if let Some(percent) = own.spec.target_cpu_utilization_percentage {
        let mut metric = super::default_metric();
        if let Some(resource) = &mut metric.resource {
            resource.target.average_utilization = Some(percent);
        }
        hub.spec.metrics.push(metric);
    }
    let annotations = &mut hub.metadata.annotations;
    let (mut spec, mut status) =
        (HorizontalPodAutoscalerSpec::default(), HorizontalPodAutoscalerStatus::default());
    for key in [METRICS, BEHAVIOR] {
        if let Some(text) = annotations.remove(key) {
            let _unreadable = json::decode(text.as_bytes(), &mut spec, None, Limits::REQUEST);
        }
    }
    for key in [CURRENT, CONDITIONS] {
        if let Some(text) = annotations.remove(key) {
            let _unreadable = json::decode(text.as_bytes(), &mut status, None, Limits::REQUEST);
        }
    }
    hub.spec.metrics.append(&mut spec.metrics);
    hub.spec.behavior = spec.behavior;
    hub.status.current_metrics = status.current_metrics;
    // The annotation has more to say of the metrics than the field.
    if let (true, Some(percent)) =
        (hub.status.current_metrics.is_empty(), own.status.current_cpu_utilization_percentage)
    {
        let mut resource = v2::ResourceMetricStatus { name: "cpu".into(), ..Default::default() };
        resource.current.average_utilization = Some(percent);
        hub.status.current_metrics = vec![v2::MetricStatus {
            type_: "Resource".into(),
            resource: Some(Box::new(resource)),
            ..Default::default()
        }]
        .into();
    }
    hub.status.conditions = status.conditions;
    hub.status.observed_generation = own.status.observed_generation;
    hub.status.last_scale_time = own.status.last_scale_time;
    hub.status.current_replicas = own.status.current_replicas;
    hub.status.desired_replicas = own.status.desired_replicas;
    Box::new(hub)
}
