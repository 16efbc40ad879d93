//! What has been asked of the server, under upstream's names (`k8s.io/apiserver/pkg/endpoints/metrics`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::metrics::{Histogram, Text, Type};
use client::Target;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use server_registry::{Offered, Served};

use crate::path::{Info, Place};
use crate::resource::known;

const SECONDS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
];
const BYTES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The paths that are told apart; what else is asked for could be anything, and would fill the memory with names.
const PATHS: [&str; 4] = ["/healthz", "/livez", "/metrics", "/readyz"];

/// What a request was, as its counters tell it apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kind {
    verb: &'static str,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    scope: &'static str,
    component: &'static str,
    dry_run: &'static str,
}

impl Kind {
    /// What a request counts as. Whatever is not served counts as nothing in particular.
    pub(crate) fn of(
        method: &Method,
        headers: &HeaderMap,
        info: &Info,
        (offered, custom): (&Offered, Option<&Served>),
        dry_run: bool,
    ) -> Kind {
        let dry_run = if dry_run { "All" } else { "" };
        let verb = verb(method, headers, info);
        match &info.place {
            Place::Path(path) => {
                let own = |known: &&str| path == known || path.starts_with(&format!("{known}/"));
                let path = PATHS.into_iter().find(own).unwrap_or_default();
                Kind { verb, subresource: path.to_owned(), dry_run, ..Kind::default() }
            }
            Place::Resource { target, .. } => {
                let Target { resource, subresource, .. } = target;
                let part = match (custom, known(offered, target)) {
                    (Some(served), _) => served.resource.subresource(subresource),
                    (None, Some(row)) => row.subresource(subresource),
                    (None, None) => return Kind { verb, ..Kind::default() },
                };
                let part = part.map(|part| part.name).unwrap_or_default();
                Kind {
                    verb,
                    group: resource.group.to_string(),
                    version: resource.version.to_string(),
                    resource: resource.plural.to_string(),
                    subresource: part.to_owned(),
                    scope: scope(info.verb, target),
                    component: "apiserver",
                    dry_run,
                }
            }
        }
    }

    fn labels(&self) -> [(&str, &str); 8] {
        [
            ("component", self.component),
            ("dry_run", self.dry_run),
            ("group", &self.group),
            ("resource", &self.resource),
            ("scope", self.scope),
            ("subresource", &self.subresource),
            ("verb", self.verb),
            ("version", &self.version),
        ]
    }

    /// Those of metrics that know of no dry runs.
    fn plain_labels(&self) -> Vec<(&str, &str)> {
        self.labels().into_iter().filter(|(name, _)| *name != "dry_run").collect()
    }
}

/// Upstream's `cleanVerb` of `CanonicalVerb`, and what its installer calls the opening of streams.
fn verb(method: &Method, headers: &HeaderMap, info: &Info) -> &'static str {
    if let Place::Resource { target, .. } = &info.place
        && matches!(target.subresource.as_str(), "attach" | "exec" | "portforward" | "proxy")
    {
        return "CONNECT";
    }
    match (info.verb, method.as_str()) {
        ("watch", _) => "WATCH",
        ("list", _) => "LIST",
        (_, "GET" | "HEAD") => "GET",
        (_, "POST") => "POST",
        (_, "PUT") => "PUT",
        (_, "DELETE") => "DELETE",
        (_, "PATCH") => {
            let apply = headers.get(CONTENT_TYPE).is_some_and(|it| it == "application/apply-patch+yaml");
            if apply { "APPLY" } else { "PATCH" }
        }
        _ => "other",
    }
}

/// Upstream's `CleanScope`.
fn scope(verb: &str, target: &Target) -> &'static str {
    if !target.name.is_empty() || verb == "create" {
        "resource"
    } else if !target.namespace.is_empty() {
        "namespace"
    } else {
        "cluster"
    }
}

struct Counted {
    by_code: BTreeMap<u16, u64>,
    terminated: BTreeMap<u16, u64>,
    seconds: Histogram,
    bytes: Histogram,
    running: u64,
}

impl Default for Counted {
    fn default() -> Self {
        Counted {
            by_code: BTreeMap::new(),
            terminated: BTreeMap::new(),
            seconds: Histogram::new(&SECONDS),
            bytes: Histogram::new(&BYTES),
            running: 0,
        }
    }
}

/// The counters.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<Requests>,
}

/// Kinds are shared with the requests that run: many watch the same.
type Requests = BTreeMap<Arc<Kind>, Counted>;

/// A request that may run for as long as its client likes; it is counted when it ends.
pub(crate) struct Running {
    metrics: Arc<Metrics>,
    kind: Arc<Kind>,
}

impl Running {
    /// What it counts as.
    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(counted) = self.metrics.locked().get_mut(&self.kind) {
            counted.running = counted.running.saturating_sub(1);
        }
    }
}

/// The counters of a kind.
fn counted<'a>(requests: &'a mut Requests, kind: &Kind) -> &'a mut Counted {
    if !requests.contains_key(kind) {
        requests.insert(Arc::new(kind.clone()), Counted::default());
    }
    requests.get_mut(kind).expect("it was there, or has just been put there")
}

impl Metrics {
    fn locked(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that was answered with a code after a while, and with so many bytes where that is known.
    pub(crate) fn count(&self, kind: &Kind, code: u16, took: Duration, bytes: Option<u64>) {
        let mut requests = self.locked();
        let read = matches!(kind.verb, "GET" | "LIST") && kind.component == "apiserver";
        let counted = counted(&mut requests, kind);
        *counted.by_code.entry(code).or_default() += 1;
        counted.seconds.observe(took.as_secs_f64());
        if let Some(bytes) = bytes.filter(|_| read) {
            counted.bytes.observe(bytes as f64);
        }
    }

    /// Counts a request that was turned away to protect the server.
    pub(crate) fn terminated(&self, kind: &Kind, code: u16) {
        *counted(&mut self.locked(), kind).terminated.entry(code).or_default() += 1;
    }

    /// Counts a long-running request for as long as the value lives.
    pub(crate) fn running(self: &Arc<Self>, kind: &Kind) -> Running {
        let mut requests = self.locked();
        counted(&mut requests, kind).running += 1;
        let known = requests.get_key_value(kind).map(|(known, _)| Arc::clone(known));
        Running { metrics: Arc::clone(self), kind: known.unwrap_or_else(|| Arc::new(kind.clone())) }
    }

    /// Writes all of them.
    pub(crate) fn write(&self, text: &mut Text) {
        let requests = self.locked();
        let help = "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.";
        let mut family = text.family("apiserver_request_total", Type::Counter, help);
        for (kind, counted) in requests.iter() {
            for (code, count) in &counted.by_code {
                let code = code.to_string();
                let labels = [("code", code.as_str())].into_iter().chain(kind.labels()).collect::<Vec<_>>();
                family.sample(&labels, *count as f64);
            }
        }
        let help = "Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.";
        let mut family = text.family("apiserver_request_duration_seconds", Type::Histogram, help);
        for (kind, counted) in requests.iter().filter(|(_, counted)| counted.seconds.count() > 0) {
            family.histogram(&kind.labels(), &counted.seconds);
        }
        let help = "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.";
        let mut family = text.family("apiserver_response_sizes", Type::Histogram, help);
        for (kind, counted) in requests.iter().filter(|(_, counted)| counted.bytes.count() > 0) {
            family.histogram(&kind.plain_labels(), &counted.bytes);
        }
        let help = "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.";
        let mut family = text.family("apiserver_longrunning_requests", Type::Gauge, help);
        for (kind, counted) in requests.iter().filter(|(kind, _)| is_long(kind.verb, &kind.subresource)) {
            family.sample(&kind.plain_labels(), counted.running as f64);
        }
        let help = "Number of requests which apiserver terminated in self-defense.";
        let mut family = text.family("apiserver_request_terminations_total", Type::Counter, help);
        for (kind, counted) in requests.iter() {
            for (code, count) in &counted.terminated {
                let code = code.to_string();
                let mut labels = vec![("code", code.as_str())];
                labels.extend(kind.plain_labels());
                family.sample(&labels, *count as f64);
            }
        }
    }
}

/// Whether requests of a verb, or to a part of an object, may run for as long as their clients like (upstream's
/// `BasicLongRunningRequestCheck` as kube-apiserver sets it up).
fn is_long(verb: &str, subresource: &str) -> bool {
    verb.eq_ignore_ascii_case("watch")
        || matches!(subresource, "attach" | "exec" | "proxy" | "log" | "portforward")
}

/// Whether a request may run for as long as its client likes.
pub(crate) fn is_long_running(info: &Info) -> bool {
    match &info.place {
        Place::Resource { target, .. } => is_long(info.verb, &target.subresource),
        Place::Path(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: Method, path: &str, watch: bool) -> Kind {
        let info = crate::path::parse(&method, path, watch);
        Kind::of(&method, &HeaderMap::new(), &info, (&Offered::default(), None), false)
    }

    fn text(metrics: &Metrics) -> String {
        let mut text = Text::default();
        metrics.write(&mut text);
        text.into_string()
    }

    #[test]
    fn requests_are_told_apart_as_upstream_tells_them_apart() {
        for (method, path, watch, wanted) in [
            (Method::GET, "/api/v1/namespaces/a/pods/b", false, "GET  v1 pods  resource"),
            (Method::GET, "/api/v1/namespaces/a/pods", false, "LIST  v1 pods  namespace"),
            (Method::GET, "/apis/apps/v1/deployments", true, "WATCH apps v1 deployments  cluster"),
            (Method::POST, "/api/v1/namespaces/a/pods", false, "POST  v1 pods  resource"),
            (Method::DELETE, "/api/v1/namespaces/a/pods", false, "DELETE  v1 pods  namespace"),
            (Method::GET, "/api/v1/namespaces/a/pods/b/log", false, "GET  v1 pods log resource"),
            (Method::GET, "/api/v1/namespaces/a/pods/b/exec", false, "CONNECT  v1 pods exec resource"),
            (Method::GET, "/api/v1/namespaces/a/pods/b/nonsense", false, "GET  v1 pods  resource"),
            (Method::GET, "/api/v1/nonsense", false, "LIST     "),
            (Method::GET, "/readyz/ping", false, "GET    /readyz "),
            (Method::GET, "/whatever", false, "GET     "),
        ] {
            let Kind { verb, group, version, resource, subresource, scope, .. } = kind(method, path, watch);
            assert_eq!(
                format!("{verb} {group} {version} {resource} {subresource} {scope}"),
                wanted,
                "{path}"
            );
        }
    }

    #[test]
    fn requests_are_counted_under_upstreams_names() {
        let metrics = Arc::new(Metrics::default());
        let pods = || kind(Method::GET, "/api/v1/pods", false);
        metrics.count(&pods(), 200, Duration::from_millis(30), Some(2_000));
        metrics.count(&pods(), 500, Duration::from_secs(100), None);
        metrics.terminated(&pods(), 429);
        let written = text(&metrics);
        let plain = r#"group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1""#;
        let labels = format!(r#"component="apiserver",dry_run="",{plain}"#);
        for line in [
            format!("apiserver_request_total{{code=\"200\",{labels}}} 1\n"),
            format!("apiserver_request_total{{code=\"500\",{labels}}} 1\n"),
            format!("apiserver_request_duration_seconds_bucket{{{labels},le=\"0.05\"}} 1\n"),
            format!("apiserver_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 2\n"),
            format!("apiserver_response_sizes_bucket{{component=\"apiserver\",{plain},le=\"10000\"}} 1\n"),
            format!(
                "apiserver_request_terminations_total{{code=\"429\",component=\"apiserver\",{plain}}} 1\n"
            ),
        ] {
            assert!(written.contains(&line), "{line}{written}");
        }
    }

    #[test]
    fn long_running_requests_are_counted_while_they_run() {
        let metrics = Arc::new(Metrics::default());
        let pods = || kind(Method::GET, "/api/v1/pods", true);
        let (one, two) = (metrics.running(&pods()), metrics.running(&pods()));
        assert!(Arc::ptr_eq(&one.kind, &two.kind), "what they are is known once");
        let gauge = |value: u64| format!("verb=\"WATCH\",version=\"v1\"}} {value}\n");
        assert!(text(&metrics).contains(&gauge(2)));
        drop(one);
        assert!(text(&metrics).contains(&gauge(1)));
        drop(two);
        assert!(text(&metrics).contains(&gauge(0)));
    }
}
