//! `metrics.k8s.io`: what nodes and pods use, asked of the nodes when somebody wants to know.
//!
//! What metrics-server is elsewhere (`pkg/{api,scraper,storage}`), with its meaning of times and windows, its tables and its answers about what
//! is not known. Whoever brings a metrics-server, or any other server for the group, has all of it: an APIService that leads to a service
//! comes before what is here.

pub mod collect;
pub mod points;

use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_record::scalar::{Duration, Quantity};
use api_types::core::v1::{Node, Pod};
use api_types::meta::v1::ObjectMeta;
use api_types::metrics::v1beta1::{ContainerMetrics, NodeMetrics, PodMetrics};
use base::time::Time;
use client::{Answer, List, ListOptions, Outcome, Request, Verb};
use server_registry::{Registry, Served};

use collect::Collector;
use points::{Points, Used};

/// The group.
pub(crate) const GROUP: &str = "metrics.k8s.io";

/// Answers a request for what is used.
pub(crate) async fn answer(
    collector: Option<&Arc<Collector>>,
    registry: &Registry,
    served: &Served,
    request: &Request,
) -> Result<Answer, Status> {
    let collector = collector.ok_or_else(|| Status::service_unavailable("nobody counts what is used"))?;
    let (namespace, name) = (&request.target.namespace, &request.target.name);
    let plural = &*served.resource.plural;
    let of = registry.catalog().find("", "v1", plural);
    let of = of.ok_or_else(|| Status::internal_error(format!("no {plural}")))?;
    let now = registry.now();
    let outcome = match request.verb {
        Verb::Get => {
            let object = registry.get_hub(of, namespace, name).await?;
            let points = collector.points().await;
            let found = used(&*object, &points, now);
            let shown = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
            Outcome::Object(found.ok_or_else(|| Status::not_found(served.group_resource(), &shown))?)
        }
        Verb::List => {
            let wanted = ListOptions {
                labels: request.list.labels.clone(),
                fields: request.list.fields.clone(),
                ..ListOptions::default()
            };
            let objects = registry.list(of, namespace, &wanted).await?;
            let points = collector.points().await;
            let items = objects.items.iter().filter_map(|object| used(&**object, &points, now));
            Outcome::List(List { items: items.collect(), ..List::default() })
        }
        other => return Err(Status::method_not_supported(served.group_resource(), other.name())),
    };
    Ok(Answer { outcome, created: false, warnings: Vec::new() })
}

/// What a node or a running pod uses; `None` while that is not known.
fn used(object: &dyn Record, points: &Points, now: Time) -> Option<Arc<dyn Record>> {
    if let Some(node) = object.downcast_ref::<Node>() {
        let used = points.node(&node.metadata.name)?;
        return Some(Arc::new(NodeMetrics {
            metadata: metadata(&node.metadata, now),
            timestamp: Some(used.at.into()),
            window: window(&used),
            usage: Some(amounts(&used)),
        }));
    }
    let pod = object.downcast_ref::<Pod>().filter(|pod| pod.status.phase == "Running")?;
    let all = points.pod(&pod.metadata.namespace, &pod.metadata.name)?;
    // The moment of the whole is that of the part that was looked at first.
    let (_, first) = all.iter().min_by_key(|(_, used)| used.at)?;
    let container = |(name, used): &(&str, Used)| ContainerMetrics {
        name: (*name).to_owned(),
        usage: Some(amounts(used)),
    };
    Some(Arc::new(PodMetrics {
        metadata: metadata(&pod.metadata, now),
        timestamp: Some(first.at.into()),
        window: window(first),
        containers: all.iter().map(container).collect::<Vec<_>>().into(),
    }))
}

fn metadata(of: &ObjectMeta, now: Time) -> ObjectMeta {
    ObjectMeta {
        name: of.name.clone(),
        namespace: of.namespace.clone(),
        labels: of.labels.clone(),
        creation_timestamp: Some(now.into()),
        ..ObjectMeta::default()
    }
}

fn window(used: &Used) -> Duration {
    Duration { nanos: i64::try_from(used.window.as_nanos()).unwrap_or(i64::MAX) }
}

/// CPU in billionths, memory in kibibytes where that says all of it.
fn amounts(used: &Used) -> BTreeMap<String, Quantity> {
    let bytes = used.working_set_bytes;
    let memory = if bytes.is_multiple_of(1024) { format!("{}Ki", bytes / 1024) } else { bytes.to_string() };
    let amounts = [("cpu", format!("{}n", used.cpu_nanos_per_second)), ("memory", memory)];
    let read = |(name, text): (&str, String)| Some((name.to_owned(), text.parse().ok()?));
    amounts.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Span;

    use super::points::{ContainerSample, Count, PodSample, Sample};
    use super::*;

    fn sample(seconds: i64, cpu_nanos: u64) -> Vec<(String, Sample)> {
        let count = Count { cpu_nanos, working_set_bytes: 3 << 20 };
        let started = Time::from_unix_seconds(1);
        let containers = vec![ContainerSample { name: "main".to_owned(), started, count }];
        let pod = PodSample { namespace: "shop".to_owned(), name: "web".to_owned(), containers };
        let at = Time::from_unix_seconds(seconds);
        vec![("one".to_owned(), Sample { at, machine: count, pods: vec![pod] })]
    }

    fn json(object: Option<Arc<dyn Record>>) -> String {
        let mut text = Vec::new();
        if let Some(object) = object {
            api_codec::json::encode(&*object, None, &mut text);
        }
        String::from_utf8_lossy(&text).trim_end().to_owned()
    }

    #[test]
    fn what_is_used_is_told_as_metrics_server_tells_it() {
        let points = Points::default().after(sample(1_000, 0), Span::from_secs(15));
        let points = points.after(sample(1_015, 1_500_000_000), Span::from_secs(15));
        let now = Time::from_unix_seconds(1_020);
        let mut node = Node::default();
        node.metadata.name = "one".to_owned();
        node.metadata.labels.insert("a".to_owned(), "b".to_owned());
        let amounts = r#"{"cpu":"100m","memory":"3Mi"}"#;
        assert_eq!(
            json(used(&node, &points, now)),
            format!(
                r#"{{"metadata":{{"name":"one","creationTimestamp":"1970-01-01T00:17:00Z","labels":{{"a":"b"}}}},"timestamp":"1970-01-01T00:16:55Z","window":"15s","usage":{amounts}}}"#
            )
        );
        let mut pod = Pod::default();
        pod.metadata.name = "web".to_owned();
        pod.metadata.namespace = "shop".to_owned();
        assert_eq!(json(used(&pod, &points, now)), "", "it does not run");
        pod.status.phase = "Running".to_owned();
        let told = json(used(&pod, &points, now));
        assert!(
            told.contains(&format!(r#""window":"15s","containers":[{{"name":"main","usage":{amounts}}}]"#)),
            "{told}"
        );
        pod.metadata.name = "other".to_owned();
        assert_eq!(json(used(&pod, &points, now)), "");
    }
}
