//! Horizontal pod autoscalers: version 2 is the hub; version 1 knows the processor's utilization alone, and carries the rest
//! in annotations.

mod validate;
mod version1;

use api_kind::{Column, Ctx, Kind, Version};
use api_types::autoscaling::v2::{
    HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget,
    MetricValueStatus, ResourceMetricSource,
};

const UTILIZATION: i32 = 80;
const SHOWN: usize = 2;

/// The row.
pub const KIND: Kind<HorizontalPodAutoscaler> = Kind::<HorizontalPodAutoscaler>::of(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
)
.generation()
.defaults(defaults)
.validate(validate::validate)
.versions(&[Version {
    group: "autoscaling",
    version: "v1",
    to_hub: version1::to_hub,
    from_hub: version1::from_hub,
    selectors: &[],
}])
.columns(&[
    Column::<HorizontalPodAutoscaler>::name(),
    Column::<HorizontalPodAutoscaler>::text(
        "Reference",
        "scaleTargetRef points to the target resource to scale.",
        |own, _| format!("{}/{}", own.spec.scale_target_ref.kind, own.spec.scale_target_ref.name).into(),
    ),
    Column::<HorizontalPodAutoscaler>::text(
        "Targets",
        "metrics contains the specifications for which to use to calculate the desired replica count.",
        |own, _| metrics(own).into(),
    ),
    Column::<HorizontalPodAutoscaler>::text(
        "MinPods",
        "minReplicas is the lower limit for the number of replicas to which the autoscaler can scale down.",
        |own, _| own.spec.min_replicas.map_or_else(|| "<unset>".to_owned(), |least| least.to_string()).into(),
    ),
    Column::<HorizontalPodAutoscaler>::text(
        "MaxPods",
        "maxReplicas is the upper limit for the number of replicas to which the autoscaler can scale up.",
        |own, _| own.spec.max_replicas.into(),
    ),
    Column::<HorizontalPodAutoscaler>::text(
        "Replicas",
        "currentReplicas is current number of replicas of pods managed by this autoscaler.",
        |own, _| own.status.current_replicas.into(),
    ),
    Column::<HorizontalPodAutoscaler>::age(),
]);

fn metrics(own: &HorizontalPodAutoscaler) -> String {
    let specs = &own.spec.metrics;
    let mut all: Vec<String> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| metric(spec, own.status.current_metrics.get(index)))
        .collect();
    match all.len() {
        0 => "<none>".to_owned(),
        count if count > SHOWN => {
            all.truncate(SHOWN);
            format!("{} + {} more...", all.join(", "), count - SHOWN)
        }
        _ => all.join(", "),
    }
}

fn metric(spec: &MetricSpec, status: Option<&MetricStatus>) -> String {
    if let Some(own) = &spec.resource {
        let now = status.and_then(|status| status.resource.as_ref()).map(|status| &status.current);
        return format!("{}: {}", own.name, utilization(&own.target, now));
    }
    if let Some(own) = &spec.container_resource {
        let now = status.and_then(|status| status.container_resource.as_ref()).map(|status| &status.current);
        return format!("{}: {}", own.name, utilization(&own.target, now));
    }
    if let Some(own) = &spec.pods {
        let now = status.and_then(|status| status.pods.as_ref()).map(|status| &status.current);
        return amount(&own.target, now).trim_end_matches(" (avg)").to_owned();
    }
    if let Some(own) = &spec.object {
        let now = status.and_then(|status| status.object.as_ref()).map(|status| &status.current);
        return amount(&own.target, now);
    }
    if let Some(own) = &spec.external {
        let now = status.and_then(|status| status.external.as_ref()).map(|status| &status.current);
        return amount(&own.target, now);
    }
    "<unknown type>".to_owned()
}

fn or_unknown(value: Option<String>) -> String {
    value.unwrap_or_else(|| "<unknown>".to_owned())
}

fn utilization(target: &MetricTarget, now: Option<&MetricValueStatus>) -> String {
    if let Some(average) = &target.average_value {
        let now = now.and_then(|now| now.average_value.as_ref()).map(ToString::to_string);
        return format!("{}/{average}", or_unknown(now));
    }
    let now = now.and_then(|now| now.average_utilization).map(|percent| format!("{percent}%"));
    let wanted =
        target.average_utilization.map_or_else(|| "<auto>".to_owned(), |percent| format!("{percent}%"));
    format!("{}/{wanted}", or_unknown(now))
}

fn amount(target: &MetricTarget, now: Option<&MetricValueStatus>) -> String {
    let text = |value: Option<&api_record::scalar::Quantity>| value.map(ToString::to_string);
    match &target.average_value {
        Some(average) => {
            format!("{}/{average} (avg)", or_unknown(text(now.and_then(|now| now.average_value.as_ref()))))
        }
        None => {
            let wanted = text(target.value.as_ref()).unwrap_or_else(|| "0".to_owned());
            format!("{}/{wanted}", or_unknown(text(now.and_then(|now| now.value.as_ref()))))
        }
    }
}

/// What an autoscaler without metrics goes by.
fn default_metric() -> MetricSpec {
    let target = MetricTarget {
        type_: "Utilization".into(),
        average_utilization: Some(UTILIZATION),
        ..MetricTarget::default()
    };
    let resource = ResourceMetricSource { name: "cpu".into(), target };
    MetricSpec { type_: "Resource".into(), resource: Some(Box::new(resource)), ..MetricSpec::default() }
}

fn defaults(_: &Ctx<'_>, own: &mut HorizontalPodAutoscaler) {
    // As upstream's do on the way through the internal type.
    version1::drop_annotations(&mut own.metadata.annotations);
    own.spec.min_replicas.get_or_insert(1);
    if own.spec.metrics.is_empty() {
        own.spec.metrics.push(default_metric());
    }
    if let Some(behavior) = &mut own.spec.behavior {
        let policy = |type_: &str, value| HPAScalingPolicy { type_: type_.into(), value, period_seconds: 15 };
        let up = behavior.scale_up.get_or_insert_default();
        up.stabilization_window_seconds.get_or_insert(0);
        rules(up, vec![policy("Pods", 4), policy("Percent", 100)]);
        rules(behavior.scale_down.get_or_insert_default(), vec![policy("Percent", 100)]);
    }
}

fn rules(rules: &mut HPAScalingRules, policies: Vec<HPAScalingPolicy>) {
    rules.select_policy.get_or_insert_with(|| "Max".into());
    if rules.policies.is_empty() {
        rules.policies = policies;
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn an_autoscaler_is_filled_in_and_shown() {
        let made = create(
            &KIND,
            "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}, maxReplicas: 3}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|Deployment/d|cpu: <unknown>/80%|1|3|0|<unknown>");
    }

    #[test]
    fn version_1_loses_only_the_order_of_metrics() {
        let hub = create(
            &KIND,
            "spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: d}, maxReplicas: 3, behavior: {}, metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1Gi}}}, {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}",
        );
        let old = version1::from_hub(&*hub.object);
        let said = &api_types::object_meta(&*old).expect("metadata").annotations;
        assert_eq!(
            said.get("autoscaling.alpha.kubernetes.io/metrics").map(String::as_str),
            Some(r#"[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}]"#)
        );
        assert!(*version1::to_hub(old) == *hub.object);
    }
}
