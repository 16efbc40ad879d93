//! What nodes say that they and their pods use: the one in this process by a call, the others in the text that kubelet serves.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::time::Time;
use client::BoxFuture;
use node_http::Used;
use server_local::usage::collect::Sampler;
use server_local::usage::points::{ContainerSample, Count, PodSample, Sample};

use super::nodes::AllNodes;

/// The nodes, asked what is used.
pub struct Usage {
    nodes: Arc<AllNodes>,
    clock: Arc<dyn base::time::Clock>,
}

impl Usage {
    /// All nodes.
    pub fn new(nodes: Arc<AllNodes>, clock: Arc<dyn base::time::Clock>) -> Usage {
        Usage { nodes, clock }
    }
}

impl Sampler for Usage {
    fn nodes(&self) -> Vec<String> {
        self.nodes.names()
    }

    fn sample<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<Sample, String>> {
        Box::pin(async move {
            if let Some(own) = self.nodes.own(node) {
                return Ok(of_call(own.usage().await));
            }
            let text = self.nodes.read(node, "/metrics/resource").await?;
            Ok(of_text(&text, self.clock.now()))
        })
    }
}

fn of_call(used: Used) -> Sample {
    let count = |own: &host::cgroup::Usage| Count {
        cpu_nanos: own.cpu_nanos,
        working_set_bytes: own.working_set_bytes,
    };
    let pods = used.pods.into_iter().map(|pod| PodSample {
        namespace: pod.namespace,
        name: pod.name,
        containers: pod
            .containers
            .into_iter()
            .map(|own| ContainerSample {
                count: count(&own.all),
                started: Time::from_unix_nanos(own.started_nanos),
                name: own.name,
            })
            .collect(),
    });
    Sample { at: used.at, machine: count(&used.machine), pods: pods.collect() }
}

/// A line of a scrape: a metric, its labels, its value, and when that was so.
struct Line<'a> {
    metric: &'a str,
    labels: BTreeMap<&'a str, String>,
    value: f64,
    at: Option<Time>,
}

/// Reads the text of a scrape, as metrics-server does: what cannot be read is passed over.
fn of_text(text: &str, now: Time) -> Sample {
    let mut sample = Sample { at: now, machine: Count::default(), pods: Vec::new() };
    let mut pods: BTreeMap<(String, String), BTreeMap<String, ContainerSample>> = BTreeMap::new();
    for line in text.lines().filter_map(line) {
        let nanos = (line.value * 1e9) as u64;
        match line.metric {
            "node_cpu_usage_seconds_total" => {
                sample.machine.cpu_nanos = nanos;
                sample.at = line.at.unwrap_or(now);
            }
            "node_memory_working_set_bytes" => sample.machine.working_set_bytes = line.value as u64,
            "container_cpu_usage_seconds_total"
            | "container_memory_working_set_bytes"
            | "container_start_time_seconds" => {
                let label = |name: &str| line.labels.get(name).cloned().unwrap_or_default();
                let name = label("container");
                let containers = pods.entry((label("namespace"), label("pod"))).or_default();
                let (started, count) = (Time::EPOCH, Count::default());
                let own = containers.entry(name.clone()).or_insert(ContainerSample { name, started, count });
                match line.metric {
                    "container_cpu_usage_seconds_total" => own.count.cpu_nanos = nanos,
                    "container_start_time_seconds" => own.started = Time::from_unix_nanos(nanos as i64),
                    _ => own.count.working_set_bytes = line.value as u64,
                }
            }
            _ => {}
        }
    }
    let pods = pods.into_iter().map(|((namespace, name), containers)| PodSample {
        namespace,
        name,
        containers: containers.into_values().collect(),
    });
    sample.pods = pods.collect();
    sample
}

fn line(line: &str) -> Option<Line<'_>> {
    let end = line.find(['{', ' '])?;
    let (metric, rest) = line.split_at(end);
    if metric.is_empty() || metric.starts_with('#') {
        return None;
    }
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (name, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(name.trim_start_matches(','), value);
            rest = after;
        }
        rest = &rest[1..];
    }
    let mut words = rest.split_whitespace();
    let value: f64 = words.next()?.parse().ok()?;
    let millis = words.next().and_then(|word| word.parse::<i64>().ok());
    let at = millis.map(|millis| Time::from_unix_nanos(millis.saturating_mul(1_000_000)));
    (value.is_finite() && value >= 0.0).then_some(Line { metric, labels, value, at })
}

/// A value up to its closing quotation mark, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubelets_text_is_read() {
        let text = "# HELP node_cpu_usage_seconds_total x\n\
            node_cpu_usage_seconds_total 1.5 2000\n\
            node_memory_working_set_bytes 4096 2000\n\
            container_cpu_usage_seconds_total{container=\"a\",namespace=\"shop\",pod=\"web\"} 0.5 2000\n\
            container_memory_working_set_bytes{container=\"a\",namespace=\"shop\",pod=\"web\"} 1024 2000\n\
            container_start_time_seconds{container=\"a\",namespace=\"shop\",pod=\"web\"} 1\n\
            container_cpu_usage_seconds_total{container=\"b\\\"{},\",namespace=\"shop\",pod=\"web\"} NaN\n\
            container_cpu_usage_seconds_total{container=\"c\n\
            nonsense\n\n}{ 1\n";
        let sample = of_text(text, Time::from_unix_seconds(9));
        assert_eq!(sample.at, Time::from_unix_seconds(2));
        assert_eq!(sample.machine, Count { cpu_nanos: 1_500_000_000, working_set_bytes: 4096 });
        let count = Count { cpu_nanos: 500_000_000, working_set_bytes: 1024 };
        let a = ContainerSample { name: "a".into(), started: Time::from_unix_seconds(1), count };
        let web = PodSample { namespace: "shop".into(), name: "web".into(), containers: vec![a] };
        assert_eq!(sample.pods, [web]);
    }
}
