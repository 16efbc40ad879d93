//! The cluster's names on stock nodes: CoreDNS on the first machine, behind the service that pods ask.

use anyhow::{Context as _, Result};

use super::{Cluster, DNS};
use crate::go::Go;

/// Whom the name server is to the API.
const USER: &str = "system:coredns";

/// Starts it.
pub(super) fn name_server(cluster: &mut Cluster, go: &Go) -> Result<()> {
    let machine = cluster.machines[0].clone();
    let objects = cluster.directory.join("dns.json");
    std::fs::write(&objects, service(&machine.address).to_string()).context("writing the service of DNS")?;
    cluster.kubectl(&["apply", "--filename", &objects.display().to_string()])?;
    let kubeconfig = cluster.identity("coredns", USER, &[])?;
    let file = machine.directory.join("Corefile");
    let text = format!(
        ".:53 {{\n  bind {}\n  errors\n  kubernetes cluster.local in-addr.arpa ip6.arpa {{\n    kubeconfig {}\n    pods insecure\n  }}\n  cache 30\n}}\n",
        machine.address,
        kubeconfig.display()
    );
    std::fs::write(&file, text).context("writing the Corefile")?;
    let mut command = machine.command(go.name_server()?);
    command.arg("-conf").arg(&file);
    cluster.start(&machine, "coredns", &mut command)
}

/// The service with the machine's address behind it, and what the name server may read.
fn service(address: &str) -> serde_json::Value {
    let ports: Vec<_> = [("dns", "UDP"), ("dns-tcp", "TCP")]
        .into_iter()
        .map(|(name, protocol)| serde_json::json!({ "name": name, "protocol": protocol, "port": 53 }))
        .collect();
    let read = |group: &str, resources: &[&str]| serde_json::json!({ "apiGroups": [group], "resources": resources, "verbs": ["list", "watch"] });
    serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "kube-system", "name": "kube-dns" },
            "spec": { "clusterIP": DNS, "ports": ports },
        },
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "namespace": "kube-system", "name": "kube-dns",
                "labels": { "kubernetes.io/service-name": "kube-dns", "endpointslice.kubernetes.io/managed-by": "yardstick" },
            },
            "addressType": "IPv4", "ports": ports, "endpoints": [{ "addresses": [address] }],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": USER },
            "rules": [read("", &["services", "namespaces"]), read("discovery.k8s.io", &["endpointslices"])],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": USER },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": USER },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER }],
        },
    ]})
}
