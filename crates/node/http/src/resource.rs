//! `/metrics/resource`: what the machine, pods and containers use, under kubelet's names (`pkg/kubelet/metrics/collectors`). Swap is deliberately
//! absent: pods have none here.

use base::metrics::{Text, Type};
use node_agent::node_api::{Used, UsedByContainer, UsedByPod};

/// The text of a scrape.
pub(crate) fn text(used: &Used) -> String {
    let mut text = Text::default();
    pods(&mut text, used);
    containers(&mut text, used);
    let help = "[STABLE] Cumulative cpu time consumed by the node in core-seconds";
    let mut family = text.family("node_cpu_usage_seconds_total", Type::Counter, help);
    family.sample_at(&[], seconds(used.machine.cpu_nanos), used.at);
    let help = "[STABLE] Current working set of the node in bytes";
    let mut family = text.family("node_memory_working_set_bytes", Type::Gauge, help);
    family.sample_at(&[], used.machine.working_set_bytes as f64, used.at);
    let help = "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise";
    let mut family = text.family("resource_scrape_error", Type::Gauge, help);
    family.sample(&[], f64::from(u8::from(used.incomplete)));
    text.into_string()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn pods(text: &mut Text, used: &Used) {
    let help = "[STABLE] Cumulative cpu time consumed by the pod in core-seconds";
    let mut family = text.family("pod_cpu_usage_seconds_total", Type::Counter, help);
    for pod in &used.pods {
        let labels = [("namespace", pod.namespace.as_str()), ("pod", &pod.name)];
        family.sample_at(&labels, seconds(pod.all.cpu_nanos), used.at);
    }
    let help = "[STABLE] Current working set of the pod in bytes";
    let mut family = text.family("pod_memory_working_set_bytes", Type::Gauge, help);
    for pod in &used.pods {
        let labels = [("namespace", pod.namespace.as_str()), ("pod", &pod.name)];
        family.sample_at(&labels, pod.all.working_set_bytes as f64, used.at);
    }
}

fn containers(text: &mut Text, used: &Used) {
    let mut each = |name, type_, help: &str, value: fn(&UsedByContainer) -> f64| {
        let mut family = text.family(name, type_, help);
        let all = used.pods.iter().flat_map(|pod| pod.containers.iter().map(move |own| (pod, own)));
        for (pod, container) in all {
            let UsedByPod { namespace, name, .. } = pod;
            let labels = [("container", container.name.as_str()), ("namespace", namespace), ("pod", name)];
            family.sample_at(&labels, value(container), used.at);
        }
    };
    each(
        "container_cpu_usage_seconds_total",
        Type::Counter,
        "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        |container| seconds(container.all.cpu_nanos),
    );
    each(
        "container_memory_working_set_bytes",
        Type::Gauge,
        "[STABLE] Current working set of the container in bytes",
        |container| container.all.working_set_bytes as f64,
    );
    each(
        "container_start_time_seconds",
        Type::Gauge,
        "[STABLE] Start time of the container since unix epoch in seconds",
        |container| container.started_nanos as f64 / 1e9,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_told_under_kubelets_names() {
        let mut used = Used { at: base::time::Time::from_unix_seconds(7), ..Used::default() };
        let mut pod = UsedByPod { namespace: "shop".into(), name: "web".into(), ..UsedByPod::default() };
        pod.all.cpu_nanos = 1_500_000_000;
        let mut main =
            UsedByContainer { name: "main".into(), started_nanos: 2_000_000_000, ..Default::default() };
        main.all.working_set_bytes = 4096;
        pod.containers.push(main);
        used.pods.push(pod);
        used.machine.cpu_nanos = 250_000_000;
        let told = text(&used);
        for line in [
            "pod_cpu_usage_seconds_total{namespace=\"shop\",pod=\"web\"} 1.5 7000\n",
            "container_memory_working_set_bytes{container=\"main\",namespace=\"shop\",pod=\"web\"} 4096 7000\n",
            "container_start_time_seconds{container=\"main\",namespace=\"shop\",pod=\"web\"} 2 7000\n",
            "node_cpu_usage_seconds_total 0.25 7000\n",
            "resource_scrape_error 0\n",
        ] {
            assert!(told.contains(line), "{line}{told}");
        }
    }
}
