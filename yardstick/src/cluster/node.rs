//! What a stock node runs: containerd with kubelet, and kube-proxy.

use anyhow::Result;

use super::{Cluster, DNS, Maker, POD_RANGE};
use crate::go::Go;
use crate::images::PAUSE;
use crate::machine::{Machine, wait_until};
use crate::registry::reference;

/// Debian's containerd with Debian's network plugins.
/// (`PAUSE` is the image that holds a pod's namespaces, `NETWORKS` the directory of their networks.)
const CONTAINERD: &str = r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
  # Without CAP_SYS_RESOURCE a container that asks for a lower score cannot be started.
  restrict_oom_score_adj = true
  sandbox_image = "PAUSE"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "NETWORKS"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
"#;

/// Starts containerd and kubelet on a machine. The network plugin gets its range as soon as the node has one.
pub(super) fn kubelet(cluster: &mut Cluster, go: &Go, index: usize) -> Result<()> {
    let machine = cluster.machines[index].clone();
    let networks = machine.directory.join("networks");
    std::fs::create_dir_all(&networks)?;
    let config = CONTAINERD.replace("PAUSE", &reference(&PAUSE));
    let config = config.replace("NETWORKS", &networks.display().to_string());
    let file = machine.directory.join("containerd.toml");
    std::fs::write(&file, config)?;
    let mut containerd = machine.command("containerd");
    containerd.arg("--config").arg(&file);
    cluster.start(&machine, "containerd", &mut containerd)?;
    wait_until("containerd answers", || {
        cluster.check()?;
        Ok(machine.run("ctr", &["version"]).is_ok())
    })?;

    let user = format!("system:node:{}", machine.name);
    let kubeconfig = cluster.identity(&machine.name, &user, &["system:nodes"])?;
    let authority = machine.directory.join("ca.crt");
    std::fs::write(&authority, cluster.authority.certificate())?;
    let config = machine.directory.join("kubelet.yaml");
    let signed = cluster.parts.api == Maker::Knarr;
    std::fs::write(&config, kubelet_config(&machine, &authority.display().to_string(), signed))?;
    let mut kubelet = machine.command(go.program("kubelet")?);
    kubelet
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--config={}", config.display()))
        .arg(format!("--node-ip={}", machine.address))
        .arg(format!("--hostname-override={}", machine.name));
    cluster.start(&machine, "kubelet", &mut kubelet)?;
    wait_until(&format!("{} has a range for its pods", machine.name), || {
        cluster.check()?;
        let words = ["get", "node", &machine.name, "--ignore-not-found", "-o", "jsonpath={.spec.podCIDR}"];
        let range = cluster.kubectl(&words)?;
        if range.is_empty() {
            return Ok(false);
        }
        std::fs::write(networks.join("10-bridge.conflist"), network(&range))?;
        route(cluster, &machine, &range)?;
        Ok(true)
    })
}

/// The other machines, and the hub, reach this one's pods directly.
fn route(cluster: &Cluster, machine: &Machine, range: &str) -> Result<()> {
    for other in cluster.machines.iter().chain([&cluster.hub]).filter(|other| other.name != machine.name) {
        other.run("ip", &["route", "replace", range, "via", &machine.address])?;
    }
    Ok(())
}

/// A bridge for the node's pods.
fn network(range: &str) -> String {
    serde_json::json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
                "ipam": { "type": "host-local", "ranges": [[{ "subnet": range }]], "routes": [{ "dst": "0.0.0.0/0" }] },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
    .to_string()
}

/// (Knarr's API server wants to know whom it speaks to: `signed` asks for a certificate.)
fn kubelet_config(machine: &Machine, authority: &str, signed: bool) -> String {
    serde_json::json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": { "enabled": false }, "x509": { "clientCAFile": authority }, "webhook": { "enabled": true },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", machine.group),
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        // How full this machine's disk is is nobody's subject here.
        "evictionHard": { "memory.available": "1Mi" },
        "failCgroupV1": false,
        "failSwapOn": false,
        "imageGCHighThresholdPercent": 100,
        "serverTLSBootstrap": signed,
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
    })
    .to_string()
}

/// Starts kube-proxy on a machine.
pub(super) fn proxy(cluster: &mut Cluster, go: &Go, index: usize) -> Result<()> {
    let machine = cluster.machines[index].clone();
    let kubeconfig = cluster.identity(&format!("proxy-{}", machine.name), "system:kube-proxy", &[])?;
    let config = machine.directory.join("proxy.yaml");
    let text = serde_json::json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": { "kubeconfig": kubeconfig.display().to_string() },
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": machine.name,
        // The tables' size is the kernel's, not the namespace's.
        "conntrack": { "maxPerCore": 0, "min": 0 },
    });
    std::fs::write(&config, text.to_string())?;
    let mut command = machine.command(go.program("kube-proxy")?);
    command.arg(format!("--config={}", config.display()));
    cluster.start(&machine, "kube-proxy", &mut command)
}
