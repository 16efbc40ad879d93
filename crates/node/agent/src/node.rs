//! The node's own objects: its Node, with a status that is kept up to date, and its Lease, which says that it lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::conditions;
use api_record::scalar::{MicroTime, Quantity, QuantityFormat};
use api_types::coordination::v1::Lease;
use api_types::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeSystemInfo,
    ObjectReference,
};
use api_types::meta::v1::OwnerReference;
use base::drain;
use base::error::Chain;
use base::time::Time;

use crate::calls::{LEASES, NODES};
use crate::core::Core;
use crate::error::AgentError;
use crate::events::Kind;
use crate::limits;

const LEASE_NAMESPACE: &str = "kube-node-lease";
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
/// The release of Kubernetes whose behaviour this is.
const KUBERNETES: &str = "v1.37.1";

pub(crate) fn reference(name: &str) -> ObjectReference {
    ObjectReference {
        kind: "Node".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
        ..ObjectReference::default()
    }
}

impl Core {
    /// Makes the node's object, or takes up the one that is there; tries until it succeeds or the agent is to end.
    pub(crate) async fn register(&self, drain: &mut drain::Watch) -> Option<Node> {
        let mut wait = limits::RETRY_FIRST;
        loop {
            match self.register_once().await {
                Ok(node) => return Some(node),
                Err(error) => tracing::warn!(error = %Chain(&error), "the node cannot be registered yet"),
            }
            tokio::select! {
                () = drain.signaled() => return None,
                () = self.clock.sleep(wait) => wait = (wait * 2).min(limits::RETRY_MAX),
            }
        }
    }

    async fn register_once(&self) -> Result<Node, AgentError> {
        let name = self.config.node_name.clone();
        let mut node = match crate::lookup::present(self.calls.get::<Node>(NODES, "", &name).await)? {
            Some(node) => node,
            None => {
                let mut node = Node::default();
                node.metadata.name.clone_from(&name);
                node.metadata.labels = self.labels();
                self.fill(&mut node, self.clock.now(), &[]);
                self.calls.create(NODES, ("", "", ""), node).await?
            }
        };
        let labels = self.labels();
        if labels.iter().any(|(key, value)| node.metadata.labels.get(key) != Some(value)) {
            node.metadata.labels.extend(labels);
            node = self.calls.update(NODES, ("", &name, ""), node).await?;
        }
        self.send_status(node).await
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.config.labels.clone();
        for (key, value) in [
            ("kubernetes.io/hostname", self.config.node_name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", ARCHITECTURE),
            ("beta.kubernetes.io/os", "linux"),
            ("beta.kubernetes.io/arch", ARCHITECTURE),
        ] {
            labels.insert(key.to_owned(), value.to_owned());
        }
        labels
    }

    async fn send_status(&self, mut node: Node) -> Result<Node, AgentError> {
        let images = self.listed_images().await;
        let images: Vec<ContainerImage> = images
            .into_iter()
            .take(limits::NODE_IMAGES)
            .map(|image| ContainerImage {
                names: image.digests.into_iter().chain(image.references).collect::<Vec<_>>().into(),
                size_bytes: i64::try_from(image.size_bytes).unwrap_or(i64::MAX),
            })
            .collect();
        self.fill(&mut node, self.clock.now(), &images);
        let name = node.metadata.name.clone();
        self.calls.update(NODES, ("", &name, "status"), node).await
    }

    fn fill(&self, node: &mut Node, now: Time, images: &[ContainerImage]) {
        let machine = &self.machine;
        let units = |value| Quantity::from_units(value, QuantityFormat::DecimalSi);
        let bytes = |value| Quantity::from_units(value, QuantityFormat::BinarySi);
        let resources = |memory, storage| {
            BTreeMap::from([
                ("cpu".to_owned(), units(machine.cpus)),
                ("memory".to_owned(), bytes(memory)),
                ("ephemeral-storage".to_owned(), bytes(storage)),
                ("pods".to_owned(), units(limits::PODS_MAX)),
            ])
        };
        let status = &mut node.status;
        status.capacity = resources(machine.memory_bytes, machine.storage_bytes);
        // Kubelet's hard eviction threshold keeps a tenth of the disk.
        let storage = machine.storage_bytes - machine.storage_bytes / 10;
        status.allocatable = resources(machine.allocatable_memory_bytes(), storage);
        let address = |type_: &str, address: String| NodeAddress { type_: type_.to_owned(), address };
        status.addresses =
            self.config.node_ips.iter().map(|ip| address("InternalIP", ip.to_string())).collect();
        status.addresses.push(address("Hostname", self.config.node_name.clone()));
        status.daemon_endpoints =
            NodeDaemonEndpoints { kubelet_endpoint: DaemonEndpoint { port: i32::from(self.config.port) } };
        status.node_info = NodeSystemInfo {
            machine_id: machine.machine_id.clone(),
            system_uuid: machine.system_uuid.clone(),
            boot_id: machine.boot_id.clone(),
            kernel_version: machine.kernel.clone(),
            os_image: machine.os_image.clone(),
            container_runtime_version: format!("knarr://{}", env!("CARGO_PKG_VERSION")),
            kubelet_version: KUBERNETES.to_owned(),
            operating_system: "linux".to_owned(),
            architecture: ARCHITECTURE.to_owned(),
            ..NodeSystemInfo::default()
        };
        status.images = images.to_vec();
        for (type_, state, reason, message) in CONDITIONS {
            let condition = NodeCondition {
                type_: (*type_).to_owned(),
                status: (*state).to_owned(),
                reason: (*reason).to_owned(),
                message: (*message).to_owned(),
                last_heartbeat_time: Some(now.into()),
                last_transition_time: None,
            };
            conditions::set(&mut status.conditions, condition, now.into());
        }
    }

    /// Keeps the node's status up to date until the agent is to end.
    pub(crate) async fn heartbeat(self: Arc<Self>, mut drain: drain::Watch) {
        let mut reported = self.clock.now();
        loop {
            tokio::select! {
                () = drain.signaled() => return,
                () = self.clock.sleep(limits::NODE_STATUS_CHECK) => {}
            }
            let found = self.calls.get::<Node>(NODES, "", &self.config.node_name).await;
            let node = match found {
                Err(error) if error.is_not_found() => self.register_once().await.map(drop),
                Err(error) => Err(error),
                Ok(node) => {
                    let due = self.clock.now().since(reported) >= limits::NODE_STATUS_REPORT;
                    let ready = conditions::is_true(&node.status.conditions, "Ready");
                    match due || !ready {
                        true => self.send_status(node).await.map(|_| reported = self.clock.now()),
                        false => Ok(()),
                    }
                }
            };
            if let Err(error) = node {
                tracing::warn!(error = %Chain(&error), "the node's status cannot be told");
            }
        }
    }

    /// Renews the node's lease until the agent is to end.
    pub(crate) async fn renew_lease(self: Arc<Self>, node_uid: String, mut drain: drain::Watch) {
        loop {
            if let Err(error) = self.renew_once(&node_uid).await {
                tracing::warn!(error = %Chain(&error), "the node's lease cannot be renewed");
            }
            tokio::select! {
                () = drain.signaled() => return,
                () = self.clock.sleep(limits::LEASE_RENEWAL) => {}
            }
        }
    }

    async fn renew_once(&self, node_uid: &str) -> Result<(), AgentError> {
        let name = &self.config.node_name;
        let now = Some(MicroTime::from(self.clock.now()));
        let found = crate::lookup::present(self.calls.get::<Lease>(LEASES, LEASE_NAMESPACE, name).await)?;
        if let Some(mut lease) = found {
            lease.spec.renew_time = now;
            lease.spec.holder_identity = Some(name.clone());
            lease.spec.lease_duration_seconds = Some(limits::LEASE_SECONDS);
            return self.calls.update(LEASES, (LEASE_NAMESPACE, name, ""), lease).await.map(drop);
        }
        let mut lease = Lease::default();
        lease.metadata.name.clone_from(name);
        lease.metadata.namespace = LEASE_NAMESPACE.to_owned();
        lease.metadata.owner_references = vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name: name.clone(),
            uid: node_uid.to_owned(),
            ..OwnerReference::default()
        }];
        lease.spec.holder_identity = Some(name.clone());
        lease.spec.lease_duration_seconds = Some(limits::LEASE_SECONDS);
        lease.spec.renew_time = now;
        self.calls.create(LEASES, (LEASE_NAMESPACE, "", ""), lease).await.map(drop)
    }

    pub(crate) fn announce(&self) {
        let message = "Starting kubelet.".to_owned();
        self.events.record(reference(&self.config.node_name), Kind::Normal, "Starting", message);
    }
}

const CONDITIONS: &[(&str, &str, &str, &str)] = &[
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
];
