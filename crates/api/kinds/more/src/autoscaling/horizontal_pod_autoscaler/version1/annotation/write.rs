//! Writes the annotations, fields in the order of upstream's types.

use api_codec::json;
use api_meta::quote;
use api_record::Record;
use api_record::scalar::Quantity;
use api_types::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingRules, HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerCondition, MetricIdentifier, MetricSpec, MetricStatus, MetricTarget,
    MetricValueStatus,
};

/// An object of JSON whose fields come one after the other.
struct Object(String);

impl Object {
    fn new() -> Object {
        Object("{".to_owned())
    }

    fn put(mut self, key: &str, value: &str) -> Object {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0 += &format!("\"{key}\":{value}");
        self
    }

    fn text(self, key: &str, text: &str) -> Object {
        self.put(key, &quote::json(text))
    }

    fn number(self, key: &str, number: Option<i32>) -> Object {
        self.maybe(key, number.map(|number| number.to_string()))
    }

    fn quantity(self, key: &str, quantity: Option<&Quantity>) -> Object {
        self.maybe(key, quantity.map(|quantity| quote::json(&quantity.to_string())))
    }

    /// One that is written though there is none.
    fn quantity_or_zero(self, key: &str, quantity: Option<&Quantity>) -> Object {
        self.text(key, &quantity.map_or_else(|| "0".to_owned(), ToString::to_string))
    }

    fn selector(self, key: &str, metric: &MetricIdentifier) -> Object {
        self.maybe(key, metric.selector.as_deref().map(|selector| record(selector)))
    }

    fn maybe(self, key: &str, value: Option<String>) -> Object {
        match value {
            Some(value) => self.put(key, &value),
            None => self,
        }
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn record(record: &dyn Record) -> String {
    let mut out = Vec::new();
    json::encode(record, None, &mut out);
    String::from_utf8_lossy(&out).trim_end().to_owned()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Metrics that are wanted.
pub fn specs(metrics: &[&MetricSpec]) -> String {
    list(metrics.iter().map(|metric| spec(metric)))
}

fn spec(own: &MetricSpec) -> String {
    let averages = |to: Object, target: &MetricTarget| {
        to.number("targetAverageUtilization", target.average_utilization)
            .quantity("targetAverageValue", target.average_value.as_ref())
    };
    let object = own.object.as_deref().map(|own| {
        described(&own.described_object, &own.metric)
            .quantity_or_zero("targetValue", own.target.value.as_ref())
            .selector("selector", &own.metric)
            .quantity("averageValue", own.target.average_value.as_ref())
            .end()
    });
    let pods = own.pods.as_deref().map(|own| {
        Object::new()
            .text("metricName", &own.metric.name)
            .quantity_or_zero("targetAverageValue", own.target.average_value.as_ref())
            .selector("selector", &own.metric)
            .end()
    });
    let resource =
        own.resource.as_deref().map(|own| averages(Object::new().text("name", &own.name), &own.target).end());
    let container = own.container_resource.as_deref().map(|own| {
        averages(Object::new().text("name", &own.name), &own.target).text("container", &own.container).end()
    });
    let external = own.external.as_deref().map(|own| {
        Object::new()
            .text("metricName", &own.metric.name)
            .selector("metricSelector", &own.metric)
            .quantity("targetValue", own.target.value.as_ref())
            .quantity("targetAverageValue", own.target.average_value.as_ref())
            .end()
    });
    kinds(&own.type_, [object, pods, resource, container, external])
}

/// Metrics that are measured.
pub fn statuses(metrics: &[MetricStatus]) -> String {
    list(metrics.iter().map(status))
}

fn status(own: &MetricStatus) -> String {
    let averages = |to: Object, current: &MetricValueStatus| {
        to.number("currentAverageUtilization", current.average_utilization)
            .quantity_or_zero("currentAverageValue", current.average_value.as_ref())
    };
    let object = own.object.as_deref().map(|own| {
        described(&own.described_object, &own.metric)
            .quantity_or_zero("currentValue", own.current.value.as_ref())
            .selector("selector", &own.metric)
            .quantity("averageValue", own.current.average_value.as_ref())
            .end()
    });
    let pods = own.pods.as_deref().map(|own| {
        Object::new()
            .text("metricName", &own.metric.name)
            .quantity_or_zero("currentAverageValue", own.current.average_value.as_ref())
            .selector("selector", &own.metric)
            .end()
    });
    let resource = own
        .resource
        .as_deref()
        .map(|own| averages(Object::new().text("name", &own.name), &own.current).end());
    let container = own.container_resource.as_deref().map(|own| {
        averages(Object::new().text("name", &own.name), &own.current).text("container", &own.container).end()
    });
    let external = own.external.as_deref().map(|own| {
        Object::new()
            .text("metricName", &own.metric.name)
            .selector("metricSelector", &own.metric)
            .quantity_or_zero("currentValue", own.current.value.as_ref())
            .quantity("currentAverageValue", own.current.average_value.as_ref())
            .end()
    });
    kinds(&own.type_, [object, pods, resource, container, external])
}

fn described(object: &CrossVersionObjectReference, metric: &MetricIdentifier) -> Object {
    Object::new().put("target", &record(object)).text("metricName", &metric.name)
}

fn kinds(type_: &str, kinds: [Option<String>; 5]) -> String {
    let names = ["object", "pods", "resource", "containerResource", "external"];
    let all = names.into_iter().zip(kinds);
    all.fold(Object::new().text("type", type_), |to, (name, kind)| to.maybe(name, kind)).end()
}

/// How fast an autoscaler may scale. Upstream writes its internal type here, whose fields have Go's names.
pub fn behavior(own: &HorizontalPodAutoscalerBehavior) -> String {
    Object::new()
        .put("ScaleUp", &or_null(own.scale_up.as_deref().map(rules)))
        .put("ScaleDown", &or_null(own.scale_down.as_deref().map(rules)))
        .end()
}

fn rules(own: &HPAScalingRules) -> String {
    let policies = own.policies.iter().map(|policy| {
        Object::new()
            .text("Type", &policy.type_)
            .number("Value", Some(policy.value))
            .number("PeriodSeconds", Some(policy.period_seconds))
            .end()
    });
    let policies = (!own.policies.is_empty()).then(|| list(policies));
    Object::new()
        .put(
            "StabilizationWindowSeconds",
            &or_null(own.stabilization_window_seconds.map(|seconds| seconds.to_string())),
        )
        .put("SelectPolicy", &or_null(own.select_policy.as_deref().map(quote::json)))
        .put("Policies", &or_null(policies))
        .put(
            "Tolerance",
            &or_null(own.tolerance.as_ref().map(|tolerance| quote::json(&tolerance.to_string()))),
        )
        .end()
}

fn or_null(value: Option<String>) -> String {
    value.unwrap_or_else(|| "null".to_owned())
}

/// Conditions, which both versions have alike.
pub fn conditions(own: &[HorizontalPodAutoscalerCondition]) -> String {
    list(own.iter().map(|condition| record(condition)))
}
