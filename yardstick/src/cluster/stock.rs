//! The control plane of Kubernetes' own parts.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Cluster, FIRST_SERVICE, POD_RANGE, PORT, SERVICE_RANGE};
use crate::go::Go;
use crate::machine::{Daemon, Machine, run};
use crate::pki::Authority;

/// Starts etcd and kube-apiserver, and answers where the authorities' files are.
pub(super) fn api_server(
    go: &Go,
    machine: &Machine,
    keys: &Path,
    daemons: &mut Vec<Daemon>,
) -> Result<PathBuf> {
    let mut etcd = machine.command(go.program("etcd")?);
    etcd.arg("--data-dir").arg(machine.directory.join("etcd")).args(["--log-level", "warn"]);
    daemons.push(machine.start("etcd", &mut etcd)?);

    let authority = Authority::open(keys, "ca")?;
    let names = [
        &machine.address,
        "127.0.0.1",
        "localhost",
        FIRST_SERVICE,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        // The issuer of tokens, which pods ask for its keys.
        "kubernetes.default.svc.cluster.local",
    ];
    authority.issue("apiserver", "kube-apiserver", &[], &names)?;
    authority.issue("apiserver-kubelet-client", "kube-apiserver-kubelet-client", &["system:masters"], &[])?;
    Authority::open(keys, "front-proxy-ca")?.issue("front-proxy-client", "front-proxy-client", &[], &[])?;
    let file = |name: &str| keys.join(name).display().to_string();
    run(std::process::Command::new("openssl").args(["genrsa", "-out", &file("sa.key"), "2048"]))?;
    let mut server = machine.command(go.program("kube-apiserver")?);
    server
        .args(["--etcd-servers=http://127.0.0.1:2379", "--allow-privileged=true"])
        .args(["--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction"])
        .args(["--kubelet-preferred-address-types=InternalIP", "--enable-bootstrap-token-auth"])
        .arg("--service-account-issuer=https://kubernetes.default.svc.cluster.local")
        .args([
            format!("--advertise-address={}", machine.address),
            format!("--secure-port={PORT}"),
            format!("--service-cluster-ip-range={SERVICE_RANGE}"),
            format!("--client-ca-file={}", file("ca.crt")),
            format!("--tls-cert-file={}", file("apiserver.crt")),
            format!("--tls-private-key-file={}", file("apiserver.key")),
            format!("--kubelet-client-certificate={}", file("apiserver-kubelet-client.crt")),
            format!("--kubelet-client-key={}", file("apiserver-kubelet-client.key")),
            format!("--service-account-key-file={}", file("sa.key")),
            format!("--service-account-signing-key-file={}", file("sa.key")),
            format!("--requestheader-client-ca-file={}", file("front-proxy-ca.crt")),
            format!("--proxy-client-cert-file={}", file("front-proxy-client.crt")),
            format!("--proxy-client-key-file={}", file("front-proxy-client.key")),
        ])
        .args(["--requestheader-allowed-names=front-proxy-client"])
        .args(["--requestheader-username-headers=X-Remote-User"])
        .args(["--requestheader-group-headers=X-Remote-Group"])
        .args(["--requestheader-extra-headers-prefix=X-Remote-Extra-"]);
    daemons.push(machine.start("kube-apiserver", &mut server)?);
    Ok(keys.to_owned())
}

/// Starts kube-controller-manager.
pub(super) fn controllers(cluster: &mut Cluster, go: &Go, keys: &Path) -> Result<()> {
    let machine = cluster.machines[0].clone();
    let kubeconfig = cluster.identity("controller-manager", "system:kube-controller-manager", &[])?;
    let file = |name: &str| keys.join(name).display().to_string();
    let mut command = machine.command(go.program("kube-controller-manager")?);
    command
        .args([
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--service-account-private-key-file={}", file("sa.key")),
            format!("--root-ca-file={}", file("ca.crt")),
            format!("--cluster-signing-cert-file={}", file("ca.crt")),
            format!("--cluster-signing-key-file={}", file("ca.key")),
            format!("--cluster-cidr={POD_RANGE}"),
        ])
        .args(["--use-service-account-credentials", "--allocate-node-cidrs", "--leader-elect=false"])
        .arg("--controllers=*,bootstrap-signer-controller,token-cleaner-controller");
    cluster.start(&machine, "kube-controller-manager", &mut command)
}

/// Starts kube-scheduler.
pub(super) fn scheduler(cluster: &mut Cluster, go: &Go) -> Result<()> {
    let machine = cluster.machines[0].clone();
    let kubeconfig = cluster.identity("scheduler", "system:kube-scheduler", &[])?;
    let mut command = machine.command(go.program("kube-scheduler")?);
    command.arg(format!("--kubeconfig={}", kubeconfig.display())).arg("--leader-elect=false");
    // By default it spares the API server: fifty pods a second, whatever it could do.
    command.args(["--kube-api-qps=10000", "--kube-api-burst=10000"]);
    cluster.start(&machine, "kube-scheduler", &mut command)
}
