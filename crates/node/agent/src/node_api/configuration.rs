//! What kubelet would be configured with to do as this node does (`/configz`): fields of `kubelet.config.k8s.io/v1beta1`. What has no
//! meaning here is left out, so that nobody reads a promise that is not kept.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::eviction::EvictionHard;
use crate::limits;

/// The document under its upstream name.
pub(super) fn shown(config: &Config) -> Value {
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let mut kubelet = json!({
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "enableServer": config.port > 0,
        "port": config.port,
        "authentication": { "webhook": { "enabled": true }, "anonymous": { "enabled": false } },
        "authorization": { "mode": "Webhook" },
        "registerNode": true,
        "clusterDomain": config.cluster_domain,
        "clusterDNS": config.cluster_dns,
        "resolvConf": config.resolv_conf,
        "nodeStatusUpdateFrequency": seconds(limits::NODE_STATUS_CHECK),
        "nodeStatusReportFrequency": seconds(limits::NODE_STATUS_REPORT),
        "nodeLeaseDurationSeconds": limits::LEASE_SECONDS,
        "nodeStatusMaxImages": limits::NODE_IMAGES,
        "imageGCHighThresholdPercent": crate::collect::HIGH_PERCENT,
        "imageGCLowThresholdPercent": crate::collect::LOW_PERCENT,
        "cgroupsPerQOS": true,
        "cgroupDriver": "cgroupfs",
        "cpuManagerPolicy": "none",
        "memoryManagerPolicy": "None",
        "topologyManagerPolicy": "none",
        "maxPods": limits::PODS_MAX,
        "podCIDR": config.pod_cidrs.first().map(ToString::to_string).unwrap_or_default(),
        "failSwapOn": false,
        "enableSystemLogHandler": true,
        "enableDebuggingHandlers": true,
        "podLogsDir": config.log_dir,
        "evictionHard": eviction(&config.eviction_hard),
    });
    if !config.taints.is_empty() {
        let taint = |taint: &api_types::core::v1::Taint| json!({ "key": taint.key, "value": taint.value, "effect": taint.effect });
        kubelet["registerWithTaints"] = config.taints.iter().map(taint).collect();
    }
    json!({ "kubeletconfig": kubelet })
}

fn eviction(hard: &EvictionHard) -> Map<String, Value> {
    hard.named().map(|(name, amount)| (name.to_owned(), Value::from(amount))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_shown_as_they_are_given() {
        let hard: EvictionHard = "memory.available<100Mi,nodefs.available<2.5%".parse().expect("thresholds");
        let wanted = json!({ "memory.available": "100Mi", "nodefs.available": "2.5%" });
        assert_eq!(Value::from(eviction(&hard)), wanted);
    }
}
