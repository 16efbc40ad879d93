//! What must hold of an autoscaler (upstream's `pkg/apis/autoscaling/validation`).

use api_kind::Ctx;
use api_kind::checks::{each, non_negative, required, supported};
use api_kinds_core::pod::resources;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::GroupVersion;
use api_meta::names;
use api_types::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, ExternalMetricSource, HPAScalingPolicy,
    HPAScalingRules, HorizontalPodAutoscaler, MetricIdentifier, MetricSpec, MetricTarget, ObjectMetricSource,
    PodsMetricSource, ResourceMetricSource,
};

const PERIOD_SECONDS: i32 = 1800;
const STABILIZATION_SECONDS: i32 = 3600;
const SOURCES: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];

/// What a reference may leave out.
#[derive(Clone, Copy)]
struct Leniency {
    any_version: bool,
    no_group: bool,
}

pub(super) fn validate(
    ctx: &Ctx<'_>,
    own: &HorizontalPodAutoscaler,
    old: Option<&HorizontalPodAutoscaler>,
    errors: &mut ErrorList,
) {
    if ctx.subresource == "status" {
        return status(own, errors);
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    let least = |own: &HorizontalPodAutoscaler| own.spec.min_replicas;
    let zero = ctx.gates.is_on("HPAScaleToZero") || old.is_some_and(|old| least(old) == Some(0));
    let bound = i32::from(!zero);
    if let Some(replicas) = spec.min_replicas.filter(|replicas| *replicas < bound) {
        let why = format!("must be greater than or equal to {bound}");
        errors.push(FieldError::invalid(&path.child("minReplicas"), replicas, why));
    }
    let at = path.child("maxReplicas");
    match spec.max_replicas {
        0 => errors.push(FieldError::required(&at, "must be set and greater than 0")),
        most if most < 0 => {
            errors.push(FieldError::invalid(&at, most, "must be greater than or equal to 1"));
        }
        _ => {}
    }
    if spec.min_replicas.is_some_and(|least| spec.max_replicas < least) {
        let why = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid(&path.child("maxReplicas"), spec.max_replicas, why));
    }
    let target = &spec.scale_target_ref;
    let same = old.map(|old| &old.spec.scale_target_ref);
    let leniency = Leniency {
        any_version: same.is_some_and(|old| old.api_version == target.api_version && old.kind == target.kind),
        no_group: target.kind == "ReplicationController",
    };
    reference(errors, &path.child("scaleTargetRef"), target, leniency);
    metrics(errors, &path.child("metrics"), own, old);
    let at = path.child("behavior");
    let behavior = spec.behavior.as_deref();
    for (name, rules) in [
        ("scaleUp", behavior.and_then(|behavior| behavior.scale_up.as_deref())),
        ("scaleDown", behavior.and_then(|behavior| behavior.scale_down.as_deref())),
    ] {
        if let Some(rules) = rules {
            scaling(errors, &at.child(name), rules);
        }
    }
}

fn status(own: &HorizontalPodAutoscaler, errors: &mut ErrorList) {
    let (path, status) = (Path::new("status"), &own.status);
    for (index, condition) in status.conditions.iter().enumerate() {
        if let Some(generation) = condition.observed_generation {
            let at = path.child("conditions").index(index).child("observedGeneration");
            non_negative(errors, &at, generation);
        }
    }
    non_negative(errors, &path.child("currentReplicas"), status.current_replicas.into());
    non_negative(errors, &path.child("desiredReplicas"), status.desired_replicas.into());
}

fn reference(
    errors: &mut ErrorList,
    path: &Path,
    reference: &CrossVersionObjectReference,
    leniency: Leniency,
) {
    for (field, text) in [("kind", &reference.kind), ("name", &reference.name)] {
        let at = path.child(field);
        if required(errors, &at, text) {
            each(errors, &at, text, names::is_path_segment_name(text));
        }
    }
    if let Some(why) = version_fault(reference, leniency) {
        errors.push(FieldError::invalid(&path.child("apiVersion"), &reference.api_version, why));
    }
}

fn version_fault(reference: &CrossVersionObjectReference, leniency: Leniency) -> Option<String> {
    match GroupVersion::parse(&reference.api_version) {
        _ if leniency.any_version => None,
        Err(error) => Some(error.to_string()),
        Ok(version) if version.group.is_empty() && !leniency.no_group => {
            Some("apiVersion must specify API group".to_owned())
        }
        Ok(_) => None,
    }
}

fn metrics(
    errors: &mut ErrorList,
    path: &Path,
    own: &HorizontalPodAutoscaler,
    old: Option<&HorizontalPodAutoscaler>,
) {
    let mut leniency = Leniency { any_version: false, no_group: true };
    let before = old.into_iter().flat_map(|old| &old.spec.metrics);
    let mut described =
        before.filter(|metric| metric.type_ == "Object").filter_map(|metric| metric.object.as_deref());
    leniency.any_version =
        described.any(|source| version_fault(&source.described_object, leniency).is_some());
    for (index, one) in own.spec.metrics.iter().enumerate() {
        metric(errors, &path.index(index), one, leniency);
    }
    let outside = |metric: &MetricSpec| matches!(metric.type_.as_str(), "Object" | "External");
    if own.spec.min_replicas == Some(0) && !own.spec.metrics.iter().any(outside) {
        let why = "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(FieldError::forbidden(path, why));
    }
}

fn metric(errors: &mut ErrorList, path: &Path, spec: &MetricSpec, leniency: Leniency) {
    let at = path.child("type");
    if spec.type_.is_empty() {
        errors.push(FieldError::required(&at, "must specify a metric source type"));
    }
    supported(errors, &at, &spec.type_, &SOURCES);
    // Only the first of several is looked at.
    let mut present = Vec::new();
    let mut first = |name: &'static str| {
        present.push(name);
        (present.len() == 1).then(|| path.child(name))
    };
    if let Some(source) = &spec.object
        && let Some(at) = first("object")
    {
        object(errors, &at, source, leniency);
    }
    if let Some(source) = &spec.external
        && let Some(at) = first("external")
    {
        external(errors, &at, source);
    }
    if let Some(source) = &spec.pods
        && let Some(at) = first("pods")
    {
        pods(errors, &at, source);
    }
    if let Some(source) = &spec.resource
        && let Some(at) = first("resource")
    {
        resource(errors, &at, source);
    }
    if let Some(source) = &spec.container_resource
        && let Some(at) = first("containerResource")
    {
        container_resource(errors, &at, source);
    }
    let expected = match spec.type_.as_str() {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "External" => "external",
        "ContainerResource" => "containerResource",
        // Upstream says it twice.
        other => {
            supported(errors, &at, other, &SOURCES);
            ""
        }
    };
    if !expected.is_empty() && !present.contains(&expected) {
        let why = "must populate information for the given metric source";
        errors.push(FieldError::required(&path.child(expected), why));
    }
    if present.len() != 1 {
        for name in present.into_iter().filter(|name| *name != expected) {
            let why = "must populate the given metric source only";
            errors.push(FieldError::forbidden(&path.child(name), why));
        }
    }
}

fn object(errors: &mut ErrorList, path: &Path, source: &ObjectMetricSource, leniency: Leniency) {
    reference(errors, &path.child("describedObject"), &source.described_object, leniency);
    identifier(errors, &path.child("metric"), &source.metric);
    let at = path.child("target");
    target(errors, &at, &source.target);
    if source.target.value.is_none() && source.target.average_value.is_none() {
        let why = "must set either a target value or averageValue";
        errors.push(FieldError::required(&at.child("averageValue"), why));
    }
}

fn external(errors: &mut ErrorList, path: &Path, source: &ExternalMetricSource) {
    identifier(errors, &path.child("metric"), &source.metric);
    let at = path.child("target");
    target(errors, &at, &source.target);
    match (&source.target.value, &source.target.average_value) {
        (None, None) => {
            let why = "must set either a target value for metric or a per-pod target";
            errors.push(FieldError::required(&at.child("averageValue"), why));
        }
        (Some(_), Some(_)) => {
            let why = "may not set both a target value for metric and a per-pod target";
            errors.push(FieldError::forbidden(&at.child("value"), why));
        }
        _ => {}
    }
}

fn pods(errors: &mut ErrorList, path: &Path, source: &PodsMetricSource) {
    identifier(errors, &path.child("metric"), &source.metric);
    let at = path.child("target");
    target(errors, &at, &source.target);
    if source.target.average_value.is_none() {
        let why = "must specify a positive target averageValue";
        errors.push(FieldError::required(&at.child("averageValue"), why));
    }
}

fn container_resource(errors: &mut ErrorList, path: &Path, source: &ContainerResourceMetricSource) {
    let at = path.child("name");
    if source.name.is_empty() {
        errors.push(FieldError::required(&at, "must specify a resource name"));
    } else {
        resources::container_name(errors, &at, &source.name);
    }
    let at = path.child("container");
    if source.container.is_empty() {
        errors.push(FieldError::required(&at, "must specify a container"));
    } else {
        each(errors, &at, &source.container, names::is_dns1123_label(&source.container));
    }
    raw_or_share(errors, &path.child("target"), &source.target);
}

fn resource(errors: &mut ErrorList, path: &Path, source: &ResourceMetricSource) {
    if source.name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), "must specify a resource name"));
    }
    raw_or_share(errors, &path.child("target"), &source.target);
}

fn raw_or_share(errors: &mut ErrorList, path: &Path, wanted: &MetricTarget) {
    target(errors, path, wanted);
    match (wanted.average_utilization, &wanted.average_value) {
        (None, None) => {
            let why = "must set either a target raw value or a target utilization";
            errors.push(FieldError::required(&path.child("averageUtilization"), why));
        }
        (Some(_), Some(_)) => {
            let why = "may not set both a target raw value and a target utilization";
            errors.push(FieldError::forbidden(&path.child("averageValue"), why));
        }
        _ => {}
    }
}

fn target(errors: &mut ErrorList, path: &Path, target: &MetricTarget) {
    let at = path.child("type");
    if target.type_.is_empty() {
        errors.push(FieldError::required(&at, "must specify a metric target type"));
    }
    if !matches!(target.type_.as_str(), "Utilization" | "Value" | "AverageValue") {
        let why = "must be either Utilization, Value, or AverageValue";
        errors.push(FieldError::invalid(&at, &target.type_, why));
    }
    for (field, value) in [("value", &target.value), ("averageValue", &target.average_value)] {
        if let Some(value) = value.as_ref().filter(|value| value.sign() <= 0) {
            errors.push(FieldError::invalid(&path.child(field), value, "must be positive"));
        }
    }
    if let Some(percent) = target.average_utilization.filter(|percent| *percent < 1) {
        let at = path.child("averageUtilization");
        errors.push(FieldError::invalid(&at, percent, "must be greater than 0"));
    }
}

fn identifier(errors: &mut ErrorList, path: &Path, metric: &MetricIdentifier) {
    let at = path.child("name");
    if metric.name.is_empty() {
        errors.push(FieldError::required(&at, "must specify a metric name"));
    } else {
        each(errors, &at, &metric.name, names::is_path_segment_name(&metric.name));
    }
}

fn scaling(errors: &mut ErrorList, path: &Path, rules: &HPAScalingRules) {
    let at = path.child("stabilizationWindowSeconds");
    if let Some(seconds) = rules.stabilization_window_seconds {
        if seconds < 0 {
            errors.push(FieldError::invalid(&at, seconds, "must be greater than or equal to zero"));
        }
        if seconds > STABILIZATION_SECONDS {
            let why = format!("must be less than or equal to {STABILIZATION_SECONDS}");
            errors.push(FieldError::invalid(&at, seconds, why));
        }
    }
    if let Some(select) = &rules.select_policy {
        supported(errors, &path.child("selectPolicy"), select, &["Disabled", "Max", "Min"]);
    }
    let at = path.child("policies");
    if rules.policies.is_empty() {
        errors.push(FieldError::required(&at, "must specify at least one Policy"));
    }
    for (index, one) in rules.policies.iter().enumerate() {
        policy(errors, &at.index(index), one);
    }
    if let Some(tolerance) = rules.tolerance.as_ref().filter(|value| value.sign() < 0) {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(&path.child("tolerance"), tolerance, why));
    }
}

fn policy(errors: &mut ErrorList, path: &Path, policy: &HPAScalingPolicy) {
    supported(errors, &path.child("type"), &policy.type_, &["Percent", "Pods"]);
    if policy.value <= 0 {
        errors.push(FieldError::invalid(&path.child("value"), policy.value, "must be greater than zero"));
    }
    let at = path.child("periodSeconds");
    if policy.period_seconds <= 0 {
        errors.push(FieldError::invalid(&at, policy.period_seconds, "must be greater than zero"));
    }
    if policy.period_seconds > PERIOD_SECONDS {
        let why = format!("must be less than or equal to {PERIOD_SECONDS}");
        errors.push(FieldError::invalid(&at, policy.period_seconds, why));
    }
}
