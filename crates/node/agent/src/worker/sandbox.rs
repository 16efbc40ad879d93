//! A pod's sandbox: its directory and files, its volumes, its network, and then its namespaces and control group.

use std::sync::Arc;

use api_types::core::v1::Pod;
use net_pod::network::PodRequest;
use net_pod::rules::{HostPort, Protocol};
use node_pod::container::all;
use node_pod::{files, resources};
use node_runtime::PodHandle;
use node_runtime::RuntimeError;
use node_runtime::spec::PodSandbox;
use tokio::sync::watch;

use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::records::{overwrite, read_text};

/// What was made.
pub(crate) struct Sandbox {
    pub(super) handle: PodHandle,
    pub(super) addresses: Vec<String>,
}

/// The event of a failure: its reason, and what it says.
pub(super) fn event(error: &AgentError) -> Option<(&'static str, String)> {
    // What is wrong with a volume or a device was told where it was found.
    let told = matches!(
        error,
        AgentError::Cancelled
            | AgentError::Devices { .. }
            | AgentError::Volume(_)
            | AgentError::Payload(_)
            | AgentError::Claim(_)
            | AgentError::Field(_)
            | AgentError::Mount(_)
            | AgentError::Api(_)
            | AgentError::Timeout { .. }
    );
    (!told).then(|| ("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {}", error.text())))
}

/// Makes a pod's sandbox. What a failed attempt leaves, the next one takes up or the pod's end takes away.
pub(super) async fn make(
    core: Arc<Core>,
    pod: Arc<Pod>,
    mut cancel: watch::Receiver<bool>,
) -> Result<Sandbox, AgentError> {
    core.prepare_devices(&pod).await?;
    let uid = pod.metadata.uid.clone();
    let mut netns = None;
    let addresses = if pod.spec.host_network {
        core.config.node_ips.iter().map(ToString::to_string).collect()
    } else {
        let (network, request) = (core.network()?, request(&pod));
        let (record, place) = blocking(move || {
            let record = network.add(&request)?;
            Ok((record, network.namespace(&request.uid)))
        })
        .await?;
        netns = Some(place);
        record.addresses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    write_files(&core, &pod, &addresses).await?;
    tokio::select! {
        made = core.make_volumes(&pod, &addresses, false) => made?,
        _ = cancel.wait_for(|cancelled| *cancelled) => return Err(AgentError::Cancelled),
    }
    let spec = PodSandbox {
        uid: uid.clone(),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        hostname: files::kernel_hostname(&pod, &core.config.cluster_domain),
        cgroup: resources::cgroup(&core.config.cgroup, &pod)?,
        limits: resources::pod_limits(&pod),
        sysctls: sysctls(&pod).filter(|(name, _)| !name.starts_with("net.")).collect(),
        share_process_namespace: pod.spec.share_process_namespace == Some(true),
        host_network: pod.spec.host_network,
        host_pid: pod.spec.host_pid,
        host_ipc: pod.spec.host_ipc,
        netns,
        shm_bytes: None,
    };
    let handle = match core.runtime.create_pod(spec.clone()).await {
        // Of an attempt whose answer was lost.
        Err(RuntimeError::PodExists { .. }) => {
            core.runtime.remove_remains(&uid).await?;
            core.runtime.create_pod(spec).await?
        }
        made => made?,
    };
    Ok(Sandbox { handle, addresses })
}

fn sysctls(pod: &Pod) -> impl Iterator<Item = (String, String)> + '_ {
    let list = pod.spec.security_context.as_deref().map(|context| context.sysctls.as_slice());
    list.unwrap_or_default().iter().map(|sysctl| (sysctl.name.clone(), sysctl.value.clone()))
}

fn request(pod: &Pod) -> PodRequest {
    let ports = all(pod).flat_map(|(container, _)| &container.ports).filter_map(|port| {
        Some(HostPort {
            protocol: match port.protocol.as_str() {
                "UDP" => Protocol::Udp,
                "SCTP" => Protocol::Sctp,
                _ => Protocol::Tcp,
            },
            host_ip: port.host_ip.parse().ok().filter(|ip: &std::net::IpAddr| !ip.is_unspecified()),
            host_port: u16::try_from(port.host_port).ok().filter(|number| *number > 0)?,
            container_port: u16::try_from(port.container_port).ok()?,
        })
    });
    PodRequest {
        uid: pod.metadata.uid.clone(),
        host_ports: ports.collect(),
        sysctls: sysctls(pod)
            .filter(|(name, _)| name.starts_with("net."))
            .map(|(name, value)| (name.replace('.', "/"), value))
            .collect(),
    }
}

/// The files that every container of the pod gets.
async fn write_files(core: &Core, pod: &Arc<Pod>, addresses: &[String]) -> Result<(), AgentError> {
    let config = core.config.clone();
    let directory = core.records.directory(&pod.metadata.uid);
    let (pod, addresses) = (Arc::clone(pod), addresses.to_vec());
    blocking(move || {
        let domain = &config.cluster_domain;
        let machine_hosts = read_text(std::path::Path::new("/etc/hosts"));
        let hosts = files::hosts(&pod, &addresses, domain, &machine_hosts);
        overwrite(&directory.join("etc-hosts"), hosts.as_bytes())?;
        let hostname = files::kernel_hostname(&pod, domain) + "\n";
        overwrite(&directory.join("hostname"), hostname.as_bytes())?;
        let machine = files::Dns::parse(&read_text(&config.resolv_conf));
        let servers: Vec<String> = config.cluster_dns.iter().map(ToString::to_string).collect();
        let dns = files::dns(&pod, &servers, domain, &machine);
        overwrite(&directory.join("resolv.conf"), dns.text().as_bytes())
    })
    .await
}
