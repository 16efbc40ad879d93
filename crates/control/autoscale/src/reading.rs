//! What the documents of the three metrics APIs say, in thousandths.

use std::collections::BTreeMap;
use std::time::Duration;

use api_record::scalar::{Duration as Span, Quantity, parse_moment};
use base::time::Time;
use serde_json::Value;

/// What was measured for one metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Measured {
    /// Of each pod.
    Pods(Metrics),
    /// Of one object.
    Object(i64),
    /// Somewhere else, in parts that are summed up.
    External(Vec<i64>),
}

/// What was measured of pods, by their names.
pub(crate) type Metrics = BTreeMap<String, Metric>;

/// What was measured of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// When.
    pub(crate) at: Time,
    /// Over the time before that.
    pub(crate) window: Duration,
    /// How much.
    pub(crate) millis: i64,
}

/// The window of a custom metric that says none.
const WINDOW: Duration = Duration::from_secs(60);

/// What pods, or the containers of that name in them, use of a resource (`PodMetricsList`). A pod of which a part is not known is left out.
pub(crate) fn usage(document: &Value, resource: &str, container: &str) -> Result<Measured, String> {
    let items = items(document);
    if items.is_empty() {
        return Err("no metrics returned from resource metrics API".to_owned());
    }
    let one = |item: &Value| {
        let all = item["containers"].as_array()?;
        let mut own = all.iter().filter(|own| container.is_empty() || own["name"] == container).peekable();
        own.peek()?;
        let millis =
            own.try_fold(0i64, |sum, own| Some(sum.saturating_add(millis(&own["usage"][resource])?)))?;
        let window = item["window"].as_str().and_then(|text| text.parse::<Span>().ok()).unwrap_or_default();
        let window = Duration::from_nanos(u64::try_from(window.nanos).unwrap_or_default());
        Some((text(&item["metadata"]["name"]), Metric { at: moment(&item["timestamp"]), window, millis }))
    };
    Ok(Measured::Pods(items.iter().filter_map(one).collect()))
}

/// A metric of pods (`MetricValueList` of both versions).
pub(crate) fn of_pods(document: &Value) -> Result<Measured, String> {
    let items = items(document);
    if items.is_empty() {
        return Err("no metrics returned from custom metrics API".to_owned());
    }
    let one = |item: &Value| {
        let seconds = item["windowSeconds"].as_u64().or_else(|| item["window"].as_u64());
        let window = seconds.map_or(WINDOW, Duration::from_secs);
        let metric = Metric { at: moment(&item["timestamp"]), window, millis: millis(&item["value"])? };
        Some((text(&item["describedObject"]["name"]), metric))
    };
    Ok(Measured::Pods(items.iter().filter_map(one).collect()))
}

/// A metric of one object.
pub(crate) fn of_object(document: &Value) -> Result<Measured, String> {
    match items(document) {
        [one] => {
            let value = millis(&one["value"]).ok_or_else(|| unreadable("custom", &one["value"]))?;
            Ok(Measured::Object(value))
        }
        other => Err(format!(
            "unable to fetch metrics from custom metrics API: the custom metrics API server returned {} results when we asked for exactly one",
            other.len()
        )),
    }
}

/// A metric of something else (`ExternalMetricValueList`).
pub(crate) fn external(document: &Value) -> Result<Measured, String> {
    let items = items(document);
    if items.is_empty() {
        return Err("no metrics returned from external metrics API".to_owned());
    }
    let value = |item: &Value| millis(&item["value"]).ok_or_else(|| unreadable("external", &item["value"]));
    items.iter().map(value).collect::<Result<_, _>>().map(Measured::External)
}

fn unreadable(api: &str, value: &Value) -> String {
    format!("unable to fetch metrics from {api} metrics API: {value} is no quantity")
}

fn items(document: &Value) -> &[Value] {
    document["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn moment(value: &Value) -> Time {
    value.as_str().and_then(|text| parse_moment(text).ok()).unwrap_or(Time::EPOCH)
}

fn millis(value: &Value) -> Option<i64> {
    let quantity: Quantity = match value {
        Value::String(text) => text.parse().ok()?,
        Value::Number(number) => number.to_string().parse().ok()?,
        _ => return None,
    };
    Some(quantity.millis())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(measured: Result<Measured, String>) -> String {
        match measured {
            Ok(Measured::Pods(all)) => {
                let one = |(name, own): (&String, &Metric)| {
                    format!("{name}={}@{}/{}", own.millis, own.at.unix_seconds(), own.window.as_secs())
                };
                all.iter().map(one).collect::<Vec<_>>().join(" ")
            }
            Ok(other) => format!("{other:?}"),
            Err(why) => why,
        }
    }

    #[test]
    fn usage_is_that_of_all_containers_or_of_one() {
        let containers = json!([{"name": "a", "usage": {"cpu": "1500u", "memory": "1Ki"}}, {"name": "b", "usage": {"cpu": "2"}}]);
        let document = json!({"items": [
            {"metadata": {"name": "x"}, "timestamp": "1970-01-01T00:01:00Z", "window": "15s", "containers": containers},
            {"metadata": {"name": "empty"}, "timestamp": "1970-01-01T00:01:00Z", "window": "15s", "containers": []},
            {"metadata": {"name": "odd"}, "containers": [{"name": "b", "usage": {"cpu": "many"}}]},
        ]});
        assert_eq!(shown(usage(&document, "cpu", "")), "x=2002@60/15");
        assert_eq!(shown(usage(&document, "cpu", "b")), "x=2000@60/15");
        assert_eq!(shown(usage(&document, "memory", "")), "", "one container does not say");
        assert_eq!(shown(usage(&document, "memory", "a")), "x=1024000@60/15");
        assert_eq!(shown(usage(&json!({}), "cpu", "")), "no metrics returned from resource metrics API");
    }

    #[test]
    fn both_versions_of_custom_metrics_are_read() {
        let item = |window: &str, seconds: Value| {
            let mut item =
                json!({"describedObject": {"name": "x"}, "timestamp": "1970-01-01T00:01:00Z", "value": "20"});
            item[window] = seconds;
            json!({"items": [item]})
        };
        assert_eq!(shown(of_pods(&item("windowSeconds", json!(30)))), "x=20000@60/30");
        assert_eq!(shown(of_pods(&item("window", json!(30)))), "x=20000@60/30");
        assert_eq!(shown(of_pods(&item("window", Value::Null))), "x=20000@60/60");
        assert_eq!(shown(of_pods(&json!([]))), "no metrics returned from custom metrics API");
        assert_eq!(of_object(&item("window", json!(1))), Ok(Measured::Object(20_000)));
        let none = "unable to fetch metrics from custom metrics API: the custom metrics API server returned 0 results when we asked for exactly one";
        assert_eq!(shown(of_object(&json!({"items": []}))), none);
    }

    #[test]
    fn external_metrics_come_in_parts() {
        let document = json!({"items": [{"value": "1"}, {"value": "500m"}]});
        assert_eq!(external(&document), Ok(Measured::External(vec![1000, 500])));
        assert_eq!(shown(external(&json!({"items": []}))), "no metrics returned from external metrics API");
        let odd = json!({"items": [{"value": {}}]});
        assert_eq!(
            shown(external(&odd)),
            "unable to fetch metrics from external metrics API: {} is no quantity"
        );
    }
}
