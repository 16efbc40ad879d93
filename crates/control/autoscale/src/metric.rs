//! One metric of an autoscaler: how many replicas it calls for, and what is said of it.
//!
//! Upstream: `computeReplicasForMetric` of `horizontal.go`, whose words these are.

use api_meta::labels::Selector;
use api_record::scalar::{Quantity, QuantityFormat};
use api_types::autoscaling::v2::{
    ContainerResourceMetricStatus, ExternalMetricSource, ExternalMetricStatus, MetricIdentifier, MetricSpec,
    MetricStatus, MetricTarget, MetricValueStatus, ObjectMetricSource, ObjectMetricStatus, PodsMetricSource,
    PodsMetricStatus, ResourceMetricStatus,
};
use control_base::words;

use crate::reading::{Measured, Metrics};
use crate::replicas::{Counted, Given, by_average, by_share, by_utilization, by_value};

/// What a metric calls for.
#[derive(Clone)]
pub(crate) struct Proposal {
    pub(crate) replicas: i32,
    /// The metric, in words.
    pub(crate) name: String,
    pub(crate) status: MetricStatus,
}

/// Why a metric says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The reason of the condition and of the event.
    pub(crate) reason: &'static str,
    /// What the event says.
    pub(crate) why: String,
    /// What is said of it among all metrics.
    pub(crate) error: String,
}

impl Refused {
    fn new(reason: &'static str, why: String, error: impl FnOnce(&str) -> String) -> Refused {
        let error = error(&why);
        Refused { reason, why, error }
    }
}

/// The reason of a metric whose type nobody knows.
pub(crate) const UNKNOWN_TYPE: &str = "InvalidMetricSourceType";

/// What was measured, or why nothing was.
pub(crate) type Answer = Result<Measured, String>;

/// What a metric calls for, in a namespace.
pub(crate) fn propose(
    spec: &MetricSpec,
    namespace: &str,
    given: &Given<'_>,
    answer: &Answer,
) -> Result<Proposal, Refused> {
    match spec.type_.as_str() {
        "Object" if let Some(own) = &spec.object => object(own, namespace, given, answer),
        "Pods" if let Some(own) = &spec.pods => pods(own, given, answer),
        "Resource" if let Some(own) = &spec.resource => {
            let (name, current, replicas) = resource(&own.name, "", &own.target, given, answer)
                .map_err(|why| refused_resource(why, "FailedGetResourceMetric", &own.name, "resource"))?;
            let resource = ResourceMetricStatus { name: own.name.clone(), current };
            let status = MetricStatus { resource: Some(Box::new(resource)), ..typed(&spec.type_) };
            Ok(Proposal { replicas, name, status })
        }
        "ContainerResource" if let Some(own) = &spec.container_resource => {
            let reason = "FailedGetContainerResourceMetric";
            let (name, current, replicas) =
                resource(&own.name, &own.container, &own.target, given, answer)
                    .map_err(|why| refused_resource(why, reason, &own.container, "container"))?;
            let (resource, container) = (own.name.clone(), own.container.clone());
            let own = ContainerResourceMetricStatus { name: resource, current, container };
            let status = MetricStatus { container_resource: Some(Box::new(own)), ..typed(&spec.type_) };
            Ok(Proposal { replicas, name, status })
        }
        "External" if let Some(own) = &spec.external => external(own, namespace, given, answer),
        other => {
            let why = format!("unknown metric source type {other:?}");
            Err(Refused::new(UNKNOWN_TYPE, why, str::to_owned))
        }
    }
}

fn typed(type_: &str) -> MetricStatus {
    MetricStatus { type_: type_.to_owned(), ..MetricStatus::default() }
}

fn refused_resource(why: String, reason: &'static str, name: &str, sort: &str) -> Refused {
    Refused::new(reason, why, |why| format!("failed to get {name} {sort} metric value: {why}"))
}

fn object(
    own: &ObjectMetricSource,
    namespace: &str,
    given: &Given<'_>,
    answer: &Answer,
) -> Result<Proposal, Refused> {
    const REASON: &str = "FailedGetObjectMetric";
    let (metric, target, described) = (&own.metric, &own.target, &own.described_object);
    let plainly =
        |why: String| Refused::new(REASON, why, |why| format!("failed to get object metric value: {why}"));
    Selector::from_api(metric.selector.as_deref()).map_err(|why| plainly(why.to_string()))?;
    let used = || match answer {
        Ok(Measured::Object(used)) => Ok(*used),
        Ok(_) => Err("something else was measured".to_owned()),
        Err(why) => Err(why.clone()),
    };
    let unable = |why: String| {
        let (name, kind) = (&metric.name, &described.kind);
        format!("unable to get metric {name} on {kind} {namespace}/{}: {why}", described.name)
    };
    let (name, counted, current) = match (target.type_.as_str(), &target.value, &target.average_value) {
        ("Value", Some(value), _) => {
            let counted = used().map_err(unable).and_then(|used| by_value(given, used, value.millis()));
            let counted = counted.map_err(plainly)?;
            (format!("{} metric {}", described.kind, metric.name), counted, in_all(counted))
        }
        ("AverageValue", _, Some(value)) => {
            let used = used().map_err(unable).map_err(|why| {
                let name = &metric.name;
                Refused::new(REASON, why, |why| {
                    format!("failed to get object metric value: failed to get {name} object metric: {why}")
                })
            })?;
            let counted = by_share(given, used, value.millis());
            (external_name(metric), counted, on_average(counted))
        }
        _ => {
            let why =
                "invalid object metric source: neither a value target nor an average value target was set";
            return Err(plainly(why.to_owned()));
        }
    };
    let own = ObjectMetricStatus { metric: metric.clone(), current, described_object: described.clone() };
    let status = MetricStatus { object: Some(Box::new(own)), ..typed("Object") };
    Ok(Proposal { replicas: counted.replicas, name, status })
}

fn pods(own: &PodsMetricSource, given: &Given<'_>, answer: &Answer) -> Result<Proposal, Refused> {
    let metric = &own.metric;
    let refused = |why: String| {
        Refused::new("FailedGetPodsMetric", why, |why| format!("failed to get pods metric value: {why}"))
    };
    Selector::from_api(metric.selector.as_deref()).map_err(|why| refused(why.to_string()))?;
    let target = own.target.average_value.as_ref().map_or(0, Quantity::millis);
    let measured = of_pods(answer).map_err(|why| format!("unable to get metric {}: {why}", metric.name));
    let counted = measured.and_then(|measured| by_average(given, measured, "", target)).map_err(refused)?;
    let own = PodsMetricStatus { metric: metric.clone(), current: on_average(counted) };
    let status = MetricStatus { pods: Some(Box::new(own)), ..typed("Pods") };
    Ok(Proposal { replicas: counted.replicas, name: format!("pods metric {}", metric.name), status })
}

fn of_pods(answer: &Answer) -> Result<Metrics, String> {
    match answer {
        Ok(Measured::Pods(metrics)) => Ok(metrics.clone()),
        Ok(_) => Err("something else was measured".to_owned()),
        Err(why) => Err(why.clone()),
    }
}

/// What pods, or their containers of a name, use of a resource.
fn resource(
    resource: &str,
    container: &str,
    target: &MetricTarget,
    given: &Given<'_>,
    answer: &Answer,
) -> Result<(String, MetricValueStatus, i32), String> {
    let measured =
        || of_pods(answer).map_err(|why| format!("unable to get metrics for resource {resource}: {why}"));
    // Bytes are shown as metrics-server shows them.
    let amount = |millis: i64| match resource {
        "memory" if millis % 1000 == 0 => Some(Quantity::from_units(millis / 1000, QuantityFormat::BinarySi)),
        _ => Some(Quantity::from_millis(millis)),
    };
    if let Some(value) = &target.average_value {
        let counted = measured().and_then(|all| by_average(given, all, resource, value.millis()));
        let counted = counted.map_err(|why| format!("failed to get {resource} usage: {why}"))?;
        let current = MetricValueStatus { average_value: amount(counted.used), ..Default::default() };
        return Ok((format!("{resource} resource"), current, counted.replicas));
    }
    let Some(percent) = target.average_utilization else {
        return Err("invalid resource metric source: neither an average utilization target nor an average value (usage) target was set".to_owned());
    };
    let counted = measured().and_then(|all| by_utilization(given, all, (resource, container), percent));
    let counted = counted.map_err(|why| format!("failed to get {resource} utilization: {why}"))?;
    let part = if container.is_empty() { "" } else { " container" };
    let name = format!("{resource}{part} resource utilization (percentage of request)");
    let current = MetricValueStatus {
        average_value: amount(counted.used),
        average_utilization: Some(counted.percent),
        ..Default::default()
    };
    Ok((name, current, counted.replicas))
}

fn external(
    own: &ExternalMetricSource,
    namespace: &str,
    given: &Given<'_>,
    answer: &Answer,
) -> Result<Proposal, Refused> {
    const REASON: &str = "FailedGetExternalMetric";
    let (metric, target) = (&own.metric, &own.target);
    let name = &metric.name;
    let used = || {
        Selector::from_api(metric.selector.as_deref()).map_err(|why| why.to_string())?;
        match answer {
            Ok(Measured::External(all)) => Ok(all.iter().fold(0i64, |sum, own| sum.saturating_add(*own))),
            other => {
                let why = other.as_ref().err().map_or("something else was measured", String::as_str);
                let selector = words::of_selector(metric.selector.as_deref());
                Err(format!("unable to get external metric {namespace}/{name}/{selector}: {why}"))
            }
        }
    };
    let failed = |why: String, what: String| {
        let said = |why: &str| format!("failed to get {name} external metric value: {what}: {why}");
        Refused::new(REASON, why, said)
    };
    let (counted, current) = match (&target.average_value, &target.value) {
        (Some(value), _) => {
            let used = used().map_err(|why| failed(why, format!("failed to get {name} external metric")))?;
            let counted = by_share(given, used, value.millis());
            (counted, on_average(counted))
        }
        (None, Some(value)) => {
            let counted = used().and_then(|used| by_value(given, used, value.millis()));
            let counted =
                counted.map_err(|why| failed(why, format!("failed to get external metric {name}")))?;
            (counted, in_all(counted))
        }
        (None, None) => {
            let why =
                "invalid external metric source: neither a value target nor an average value target was set";
            return Err(Refused::new(REASON, why.to_owned(), |why| {
                format!("failed to get {name} external metric value: {why}")
            }));
        }
    };
    let own = ExternalMetricStatus { metric: metric.clone(), current };
    let status = MetricStatus { external: Some(Box::new(own)), ..typed("External") };
    Ok(Proposal { replicas: counted.replicas, name: external_name(metric), status })
}

fn external_name(metric: &MetricIdentifier) -> String {
    format!("external metric {}({})", metric.name, words::of_selector(metric.selector.as_deref()))
}

fn in_all(counted: Counted) -> MetricValueStatus {
    MetricValueStatus { value: Some(Quantity::from_millis(counted.used)), ..Default::default() }
}

fn on_average(counted: Counted) -> MetricValueStatus {
    MetricValueStatus { average_value: Some(Quantity::from_millis(counted.used)), ..Default::default() }
}
