//! Version 1 and back. What it has no field for stands in annotations (`annotation`), so that nothing is lost but the order of metrics:
//! the processor's utilization comes last, as upstream has it.

mod annotation;

use std::collections::BTreeMap;

use api_record::Record;
use api_types::autoscaling::{v1, v2};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

/// Those that only conversions write; what a client says in them is nobody's.
const ANNOTATIONS: &[&str] = &[
    BEHAVIOR,
    CONDITIONS,
    CURRENT,
    METRICS,
    "autoscaling.alpha.kubernetes.io/scale-down-tolerance",
    "autoscaling.alpha.kubernetes.io/scale-up-tolerance",
];

/// Drops the annotations of conversions.
pub(super) fn drop_annotations(annotations: &mut BTreeMap<String, String>) {
    annotations.retain(|key, _| !ANNOTATIONS.contains(&key.as_str()));
}

/// What version 1 has a field for.
fn is_processor(metric: &v2::MetricSpec) -> bool {
    let utilization =
        |own: &v2::ResourceMetricSource| own.name == "cpu" && own.target.average_utilization.is_some();
    metric.type_ == "Resource" && metric.resource.as_deref().is_some_and(utilization)
}

/// Version 1 of the hub's object.
pub(super) fn from_hub(record: &dyn Record) -> Box<dyn Record> {
    let Some(hub) = record.downcast_ref::<v2::HorizontalPodAutoscaler>() else { return record.boxed_clone() };
    let hub = hub.clone();
    let mut own = v1::HorizontalPodAutoscaler { metadata: hub.metadata, ..Default::default() };
    let annotations = &mut own.metadata.annotations;
    drop_annotations(annotations);
    let (processor, rest): (Vec<_>, Vec<_>) =
        hub.spec.metrics.iter().partition(|metric| is_processor(metric));
    let utilization = |metric: &&v2::MetricSpec| metric.resource.as_ref()?.target.average_utilization;
    own.spec.target_cpu_utilization_percentage = processor.first().and_then(utilization);
    if !rest.is_empty() {
        annotations.insert(METRICS.into(), annotation::specs(&rest));
    }
    if let Some(behavior) = &hub.spec.behavior {
        annotations.insert(BEHAVIOR.into(), annotation::behavior(behavior));
    }
    if !hub.status.current_metrics.is_empty() {
        annotations.insert(CURRENT.into(), annotation::statuses(&hub.status.current_metrics));
    }
    if !hub.status.conditions.is_empty() {
        annotations.insert(CONDITIONS.into(), annotation::conditions(&hub.status.conditions));
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
    // Of several, the last counts.
    own.status.current_cpu_utilization_percentage =
        hub.status.current_metrics.iter().rev().find_map(|status| {
            let resource =
                status.resource.as_ref().filter(|own| status.type_ == "Resource" && own.name == "cpu");
            resource.and_then(|own| own.current.average_utilization)
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
    let said = |key: &str| hub.metadata.annotations.get(key);
    hub.spec.metrics = said(METRICS).and_then(|text| annotation::read_specs(text)).unwrap_or_default();
    if let Some(percent) = own.spec.target_cpu_utilization_percentage {
        let mut metric = super::default_metric();
        if let Some(resource) = &mut metric.resource {
            resource.target.average_utilization = Some(percent);
        }
        hub.spec.metrics.push(metric);
    }
    if hub.spec.metrics.is_empty() {
        hub.spec.metrics.push(super::default_metric());
    }
    hub.spec.behavior = said(BEHAVIOR).and_then(|text| annotation::read_behavior(text)).map(Box::new);
    let current = said(CURRENT).and_then(|text| annotation::read_statuses(text));
    hub.status.conditions =
        said(CONDITIONS).and_then(|text| annotation::read_conditions(text)).unwrap_or_default();
    drop_annotations(&mut hub.metadata.annotations);
    // The annotation has more to say of the metrics than the field.
    let field = own.status.current_cpu_utilization_percentage.map(|percent| {
        let mut resource = v2::ResourceMetricStatus { name: "cpu".into(), ..Default::default() };
        resource.current.average_utilization = Some(percent);
        vec![v2::MetricStatus {
            type_: "Resource".into(),
            resource: Some(Box::new(resource)),
            ..Default::default()
        }]
    });
    if let Some(metrics) = current.or(field) {
        hub.status.current_metrics = metrics.into();
    }
    hub.status.observed_generation = own.status.observed_generation;
    hub.status.last_scale_time = own.status.last_scale_time;
    hub.status.current_replicas = own.status.current_replicas;
    hub.status.desired_replicas = own.status.desired_replicas;
    Box::new(hub)
}
