//! `/stats/summary`: what the machine, pods and containers use, as kubelet tells it in JSON (`kubelet/pkg/apis/stats/v1alpha1`).
//!
//! What nobody counts here is left out, as kubelet leaves it out where its runtime does not: rates, page faults, disks and network.

use base::time::Time;
use host::cgroup::Usage;
use node_agent::node_api::{Used, UsedByPod};
use serde_json::{Value, json};

/// The whole of it; of CPU and memory alone, if nothing else is asked for.
pub(crate) fn shown(used: &Used, cpu_and_memory_only: bool) -> Value {
    let mut node = used_by(&used.machine, used.at);
    node["nodeName"] = used.node.as_str().into();
    let left = used.memory_bytes.saturating_sub(used.machine.working_set_bytes);
    node["memory"]["availableBytes"] = left.into();
    if !cpu_and_memory_only {
        node["rlimit"] = json!({ "time": time(used.at), "curproc": used.machine.pids });
    }
    let pods: Vec<Value> = used.pods.iter().map(|own| pod(own, used.at, cpu_and_memory_only)).collect();
    json!({ "node": node, "pods": pods })
}

fn pod(own: &UsedByPod, at: Time, cpu_and_memory_only: bool) -> Value {
    let containers = own.containers.iter().map(|container| {
        let mut shown = used_by(&container.all, at);
        shown["name"] = container.name.as_str().into();
        shown["startTime"] = time(Time::from_unix_nanos(container.started_nanos)).into();
        shown
    });
    let containers: Vec<Value> = containers.collect();
    let mut shown = used_by(&own.all, at);
    shown["podRef"] = json!({ "name": own.name, "namespace": own.namespace, "uid": own.uid });
    shown["startTime"] = time(Time::from_unix_nanos(own.seen_nanos)).into();
    shown["containers"] = containers.into();
    if !cpu_and_memory_only {
        shown["process_stats"] = json!({ "process_count": own.all.pids });
    }
    shown
}

fn used_by(usage: &Usage, at: Time) -> Value {
    json!({
        "cpu": { "time": time(at), "usageCoreNanoSeconds": usage.cpu_nanos },
        "memory": {
            "time": time(at),
            "usageBytes": usage.memory_bytes,
            "workingSetBytes": usage.working_set_bytes,
        },
    })
}

fn time(at: Time) -> String {
    api_record::scalar::Time::from(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_told_in_kubelets_shape() {
        let machine = Usage { cpu_nanos: 5, working_set_bytes: 40, ..Usage::default() };
        let at = Time::from_unix_seconds(60);
        let web =
            UsedByPod { uid: "u".into(), namespace: "shop".into(), name: "web".into(), ..Default::default() };
        let used =
            Used { node: "one".into(), at, memory_bytes: 100, machine, pods: vec![web], incomplete: false };
        let told = shown(&used, true);
        assert_eq!(told["node"]["nodeName"], "one");
        assert_eq!(told["node"]["cpu"], json!({"time": "1970-01-01T00:01:00Z", "usageCoreNanoSeconds": 5}));
        assert_eq!(told["node"]["memory"]["availableBytes"], 60);
        assert_eq!(told["pods"][0]["podRef"], json!({"name": "web", "namespace": "shop", "uid": "u"}));
        assert!(told["node"].get("rlimit").is_none() && shown(&used, false)["node"].get("rlimit").is_some());
    }
}
