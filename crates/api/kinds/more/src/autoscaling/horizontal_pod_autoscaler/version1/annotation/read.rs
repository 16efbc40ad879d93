//! Reads the annotations. `None` is for what upstream cannot read either.

use api_codec::json;
use api_codec::limits::Limits;
use api_record::Record;
use api_record::scalar::Quantity;
use api_types::autoscaling::v2::{
    ContainerResourceMetricSource, ContainerResourceMetricStatus, CrossVersionObjectReference,
    ExternalMetricSource, ExternalMetricStatus, HPAScalingPolicy, HPAScalingRules,
    HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerCondition, MetricIdentifier, MetricSpec,
    MetricStatus, MetricTarget, MetricValueStatus, ObjectMetricSource, ObjectMetricStatus, PodsMetricSource,
    PodsMetricStatus, ResourceMetricSource, ResourceMetricStatus,
};
use serde_json::Value;

/// A field that is missing is as one that is null.
#[derive(Clone, Copy)]
struct Part<'a>(&'a serde_json::Map<String, Value>);

impl<'a> Part<'a> {
    /// `encoding/json` is not particular about large letters.
    fn get(self, key: &str) -> Option<&'a Value> {
        let found = self.0.get(key).or_else(|| {
            self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    fn text(self, key: &str) -> Option<String> {
        self.get(key).map_or(Some(String::new()), |value| value.as_str().map(str::to_owned))
    }

    fn number(self, key: &str) -> Option<Option<i32>> {
        let number = |value: &Value| value.as_i64().and_then(|number| i32::try_from(number).ok());
        self.get(key).map_or(Some(None), |value| number(value).map(Some))
    }

    fn quantity(self, key: &str) -> Option<Option<Quantity>> {
        let text = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        };
        self.get(key).map_or(Some(None), |value| text(value).map(Some))
    }

    /// What there is of a field, by what reads it.
    fn part<T>(self, key: &str, read: impl Fn(Part<'a>) -> Option<T>) -> Option<Option<Box<T>>> {
        self.get(key).map_or(Some(None), |value| {
            value.as_object().and_then(|own| read(Part(own))).map(|own| Some(Box::new(own)))
        })
    }

    fn metric(self, selector: &str) -> Option<MetricIdentifier> {
        let selector = self.part(selector, |own| record(&Value::Object(own.0.clone())))?;
        Some(MetricIdentifier { name: self.text("metricName")?, selector })
    }

    fn reference(self) -> Option<CrossVersionObjectReference> {
        let own = self.part("target", |own| record(&Value::Object(own.0.clone())))?;
        Some(own.map(|own| *own).unwrap_or_default())
    }
}

fn record<T: Record + Default>(value: &Value) -> Option<T> {
    let mut own = T::default();
    json::decode(value.to_string().as_bytes(), &mut own, None, Limits::REQUEST).ok()?;
    Some(own)
}

fn list<T>(text: &str, read: impl Fn(Part<'_>) -> Option<T>) -> Option<Vec<T>> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.as_array()?.iter().map(|item| read(Part(item.as_object()?))).collect()
}

/// Metrics that are wanted.
pub fn specs(text: &str) -> Option<Vec<MetricSpec>> {
    list(text, |own| {
        Some(MetricSpec {
            type_: own.text("type")?,
            object: own.part("object", object_source)?,
            pods: own.part("pods", |own| {
                let target = MetricTarget {
                    type_: "AverageValue".into(),
                    average_value: Some(own.quantity("targetAverageValue")?.unwrap_or_default()),
                    ..MetricTarget::default()
                };
                Some(PodsMetricSource { metric: own.metric("selector")?, target })
            })?,
            resource: own.part("resource", |own| {
                Some(ResourceMetricSource { name: own.text("name")?, target: averages(own)? })
            })?,
            container_resource: own.part("containerResource", |own| {
                let (name, container) = (own.text("name")?, own.text("container")?);
                Some(ContainerResourceMetricSource { name, target: averages(own)?, container })
            })?,
            external: own.part("external", |own| {
                let value = own.quantity("targetValue")?;
                let type_ = if value.is_some() { "Value" } else { "AverageValue" };
                let average_value = own.quantity("targetAverageValue")?;
                let target =
                    MetricTarget { type_: type_.into(), value, average_value, ..MetricTarget::default() };
                Some(ExternalMetricSource { metric: own.metric("metricSelector")?, target })
            })?,
        })
    })
}

fn object_source(own: Part<'_>) -> Option<ObjectMetricSource> {
    let average_value = own.quantity("averageValue")?;
    let value = own.quantity("targetValue")?.unwrap_or_default();
    // Version 1 cannot leave the value out; a zero beside an average is none.
    let (type_, value) = match &average_value {
        None => ("Value", Some(value)),
        Some(_) => ("AverageValue", Some(value).filter(|value| !value.is_zero())),
    };
    let target = MetricTarget { type_: type_.into(), value, average_value, average_utilization: None };
    Some(ObjectMetricSource { described_object: own.reference()?, target, metric: own.metric("selector")? })
}

fn averages(own: Part<'_>) -> Option<MetricTarget> {
    let average_utilization = own.number("targetAverageUtilization")?;
    let type_ = if average_utilization.is_some() { "Utilization" } else { "AverageValue" };
    let average_value = own.quantity("targetAverageValue")?;
    Some(MetricTarget { type_: type_.into(), value: None, average_value, average_utilization })
}

/// Metrics that are measured.
pub fn statuses(text: &str) -> Option<Vec<MetricStatus>> {
    let averages = |own: Part<'_>| {
        Some(MetricValueStatus {
            value: None,
            average_value: Some(own.quantity("currentAverageValue")?.unwrap_or_default()),
            average_utilization: own.number("currentAverageUtilization")?,
        })
    };
    let values = |own: Part<'_>, average: &str| {
        Some(MetricValueStatus {
            value: Some(own.quantity("currentValue")?.unwrap_or_default()),
            average_value: own.quantity(average)?,
            average_utilization: None,
        })
    };
    list(text, |own| {
        Some(MetricStatus {
            type_: own.text("type")?,
            object: own.part("object", |own| {
                let (metric, described_object) = (own.metric("selector")?, own.reference()?);
                Some(ObjectMetricStatus { metric, current: values(own, "averageValue")?, described_object })
            })?,
            pods: own.part("pods", |own| {
                let current = MetricValueStatus { average_utilization: None, ..averages(own)? };
                Some(PodsMetricStatus { metric: own.metric("selector")?, current })
            })?,
            resource: own.part("resource", |own| {
                Some(ResourceMetricStatus { name: own.text("name")?, current: averages(own)? })
            })?,
            container_resource: own.part("containerResource", |own| {
                let (name, container) = (own.text("name")?, own.text("container")?);
                Some(ContainerResourceMetricStatus { name, current: averages(own)?, container })
            })?,
            external: own.part("external", |own| {
                let current = values(own, "currentAverageValue")?;
                Some(ExternalMetricStatus { metric: own.metric("metricSelector")?, current })
            })?,
        })
    })
}

/// How fast an autoscaler may scale, where that says anything.
pub fn behavior(text: &str) -> Option<HorizontalPodAutoscalerBehavior> {
    let value: Value = serde_json::from_str(text).ok()?;
    let own = Part(value.as_object()?);
    let (scale_up, scale_down) = (own.part("ScaleUp", rules)?, own.part("ScaleDown", rules)?);
    let own = HorizontalPodAutoscalerBehavior { scale_up, scale_down };
    (own != HorizontalPodAutoscalerBehavior::default()).then_some(own)
}

fn rules(own: Part<'_>) -> Option<HPAScalingRules> {
    let policy = |item: &Value| {
        let own = Part(item.as_object()?);
        Some(HPAScalingPolicy {
            type_: own.text("Type")?,
            value: own.number("Value")?.unwrap_or_default(),
            period_seconds: own.number("PeriodSeconds")?.unwrap_or_default(),
        })
    };
    let policies = match own.get("Policies") {
        None => Vec::new(),
        Some(list) => list.as_array()?.iter().map(policy).collect::<Option<Vec<_>>>()?,
    };
    let select_policy = own.get("SelectPolicy").map(|_| own.text("SelectPolicy"));
    Some(HPAScalingRules {
        stabilization_window_seconds: own.number("StabilizationWindowSeconds")?,
        select_policy: match select_policy {
            Some(policy) => Some(policy?),
            None => None,
        },
        policies,
        tolerance: own.quantity("Tolerance")?,
    })
}

/// Conditions, which both versions have alike.
pub fn conditions(text: &str) -> Option<Vec<HorizontalPodAutoscalerCondition>> {
    list(text, |own| record(&Value::Object(own.0.clone())))
}
