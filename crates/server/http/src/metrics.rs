//! `/metrics`: what has been asked of the server, in Prometheus' text form and under upstream's names.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper bounds of the buckets of `apiserver_request_duration_seconds`: upstream's.
const BUCKETS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
];

/// What a request was, as its counters tell it apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) code: u16,
}

#[derive(Default)]
struct Counted {
    total: u64,
    seconds: f64,
    buckets: [u64; BUCKETS.len()],
}

/// The counters.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<Kind, Counted>>,
}

impl Metrics {
    /// Counts a request that took so long.
    pub(crate) fn count(&self, kind: Kind, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = requests.entry(kind).or_default();
        let seconds = took.as_secs_f64();
        counted.total += 1;
        counted.seconds += seconds;
        for (bucket, bound) in counted.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::from(
            "# HELP apiserver_request_total Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.\n# TYPE apiserver_request_total counter\n",
        );
        for (kind, counted) in requests.iter() {
            let _ = writeln!(
                out,
                "apiserver_request_total{{code=\"{}\",{}}} {}",
                kind.code,
                labels(kind),
                counted.total
            );
        }
        out += "# HELP apiserver_request_duration_seconds Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.\n# TYPE apiserver_request_duration_seconds histogram\n";
        for (kind, counted) in requests.iter() {
            let labels = format!("code=\"{}\",{}", kind.code, labels(kind));
            for (bucket, bound) in counted.buckets.iter().zip(BUCKETS) {
                let _ = writeln!(
                    out,
                    "apiserver_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {bucket}"
                );
            }
            let _ = writeln!(
                out,
                "apiserver_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {}",
                counted.total
            );
            let _ = writeln!(out, "apiserver_request_duration_seconds_sum{{{labels}}} {}", counted.seconds);
            let _ = writeln!(out, "apiserver_request_duration_seconds_count{{{labels}}} {}", counted.total);
        }
        out
    }
}

fn labels(kind: &Kind) -> String {
    let Kind { verb, group, version, resource, subresource, .. } = kind;
    format!(
        "component=\"apiserver\",group=\"{group}\",resource=\"{resource}\",subresource=\"{subresource}\",verb=\"{}\",version=\"{version}\"",
        verb.to_ascii_uppercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_upstreams_names() {
        let metrics = Metrics::default();
        let kind = Kind {
            verb: "get",
            group: String::new(),
            version: "v1".into(),
            resource: "pods".into(),
            subresource: String::new(),
            code: 200,
        };
        metrics.count(kind.clone(), Duration::from_millis(30));
        metrics.count(kind, Duration::from_secs(100));
        let text = metrics.text();
        let labels = r#"code="200",component="apiserver",group="",resource="pods",subresource="",verb="GET",version="v1""#;
        assert!(text.contains(&format!("apiserver_request_total{{{labels}}} 2\n")), "{text}");
        assert!(text.contains(&format!("_bucket{{{labels},le=\"0.05\"}} 1\n")));
        assert!(text.contains(&format!("_bucket{{{labels},le=\"+Inf\"}} 2\n")));
    }
}
