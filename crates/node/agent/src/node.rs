//! The node's own objects: its Node, with a status that is kept up to date, and its Lease, which says that it lives.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use api_meta::conditions;
use api_record::scalar::{MicroTime, Quantity, QuantityFormat};
use api_types::coordination::v1::Lease;
use api_types::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeFeatures,
    NodeStatus, NodeSwapStatus, NodeSystemInfo, ObjectReference,
};
use api_types::meta::v1::OwnerReference;
use base::drain;
use base::error::Chain;
use base::time::Time;

use crate::calls::{LEASES, NODES};
use crate::config::Config;
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::Kind;
use crate::limits;
use crate::pressure::Condition;

const LEASE_NAMESPACE: &str = "kube-node-lease";
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
/// The release of Kubernetes whose behaviour this is.
const KUBERNETES: &str = "v1.37.1";

/// What this node can do that not every node can, of what a pod's change can call for.
const DECLARED_FEATURES: [&str; 2] =
    ["InPlacePodLevelResourcesVerticalScaling", "InPlacePodVerticalScalingInitContainers"];

pub(crate) fn reference(name: &str) -> ObjectReference {
    ObjectReference {
        kind: "Node".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
        ..ObjectReference::default()
    }
}

/// A node that is only registered: its name, labels and taints.
pub(crate) fn bare(config: &Config) -> Node {
    let mut node = Node::default();
    node.metadata.name.clone_from(&config.node_name);
    node.metadata.labels = labels(config);
    // Whoever takes one away later is right: as kubelet's, they are given once.
    node.spec.taints = config.taints.clone();
    node
}

fn labels(config: &Config) -> BTreeMap<String, String> {
    let mut labels = config.labels.clone();
    for (key, value) in [
        ("kubernetes.io/hostname", config.node_name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", ARCHITECTURE),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", ARCHITECTURE),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    labels
}

/// Whether two statuses say the same, whenever they said it.
fn same(a: &NodeStatus, b: &NodeStatus) -> bool {
    let timeless = |status: &NodeStatus| {
        let mut status = status.clone();
        status.conditions.iter_mut().for_each(|condition| condition.last_heartbeat_time = None);
        status
    };
    timeless(a) == timeless(b)
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

    /// Others write to the node as well, most of all when it is new: whoever is late looks again.
    async fn register_once(&self) -> Result<Node, AgentError> {
        for _ in 1..limits::NODE_STATUS_TRIES {
            match self.try_register().await {
                Err(error) if error.is_conflict() => {}
                done => return done,
            }
        }
        self.try_register().await
    }

    async fn try_register(&self) -> Result<Node, AgentError> {
        let name = self.config.node_name.clone();
        let mut node = match crate::lookup::present(self.calls.get::<Node>(NODES, "", &name).await)? {
            Some(node) => node,
            None => {
                let mut node = bare(&self.config);
                self.fill(&mut node, self.clock.now(), &[]);
                self.calls.create(NODES, ("", "", ""), node).await?
            }
        };
        let labels = labels(&self.config);
        if labels.iter().any(|(key, value)| node.metadata.labels.get(key) != Some(value)) {
            node.metadata.labels.extend(labels);
            node = self.calls.update(NODES, ("", &name, ""), node).await?;
        }
        self.send_status(node, true).await
    }

    /// Tells the node's status if it has changed, or if it is to be told anyway.
    async fn send_status(&self, old: Node, anyway: bool) -> Result<Node, AgentError> {
        let images = self.listed_images().await;
        let images: Vec<ContainerImage> = images
            .into_iter()
            .take(limits::NODE_IMAGES)
            .map(|image| ContainerImage {
                names: image.digests.into_iter().chain(image.references).collect::<Vec<_>>().into(),
                size_bytes: i64::try_from(image.size_bytes).unwrap_or(i64::MAX),
            })
            .collect();
        let mut node = old.clone();
        self.fill(&mut node, self.clock.now(), &images);
        self.allocations.set_allocatable(node.status.allocatable.clone());
        if !anyway && same(&old.status, &node.status) {
            return Ok(old);
        }
        let name = node.metadata.name.clone();
        let told = self.calls.update(NODES, ("", &name, "status"), node.clone()).await?;
        self.tell_transitions(&old.status, &node.status);
        Ok(told)
    }

    /// Says which conditions have turned.
    fn tell_transitions(&self, old: &NodeStatus, new: &NodeStatus) {
        for condition in &new.conditions {
            if conditions::is(&old.conditions, &condition.type_, &condition.status) {
                continue;
            }
            let holds = condition.status == conditions::TRUE;
            let pressure = Condition::ALL.into_iter().find(|one| one.words(holds)[0] == condition.type_);
            let event = match (pressure, holds) {
                (Some(pressure), _) => pressure.words(holds)[3],
                (None, true) => "NodeReady",
                (None, false) => "NodeNotReady",
            };
            let name = &self.config.node_name;
            let message = format!("Node {name} status is now: {event}");
            self.events.record(reference(name), Kind::Normal, event, message);
        }
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
        let others = extended(&status.capacity);
        status.capacity = resources(machine.memory_bytes, machine.storage_bytes);
        // Kubelet's hard eviction threshold keeps a tenth of the disk.
        let storage = machine.storage_bytes - machine.storage_bytes / 10;
        status.allocatable = resources(machine.allocatable_memory_bytes(), storage);
        status.capacity.extend(others.clone());
        status.allocatable.extend(others);
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
            swap: (machine.swap_bytes > 0)
                .then(|| Box::new(NodeSwapStatus { capacity: Some(machine.swap_bytes) })),
            ..NodeSystemInfo::default()
        };
        status.images = images.to_vec();
        status.features = Some(Box::new(NodeFeatures { supplemental_groups_policy: Some(true) }));
        status.declared_features = DECLARED_FEATURES.map(str::to_owned).to_vec();
        for (type_, holds, reason, message) in self.conditions(status) {
            let state = if holds { conditions::TRUE } else { conditions::FALSE };
            let condition = NodeCondition {
                type_,
                status: state.to_owned(),
                reason,
                message,
                last_heartbeat_time: Some(now.into()),
                last_transition_time: None,
            };
            conditions::set(&mut status.conditions, condition, now.into());
        }
    }

    /// The node's conditions: type, whether it holds, reason and message.
    fn conditions(&self, old: &NodeStatus) -> Vec<(String, bool, String, String)> {
        let pressure = self.pressure.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = Condition::ALL
            .into_iter()
            .map(|condition| {
                let holds = pressure.is_under(condition);
                let [type_, reason, message, _] = condition.words(holds);
                (type_.to_owned(), holds, reason.to_owned(), message.to_owned())
            })
            .collect();
        let ready =
            |holds, reason: &str, message: String| ("Ready".to_owned(), holds, reason.to_owned(), message);
        all.push(match self.health.now().verdict() {
            Some(Ok(())) => ready(true, "KubeletReady", "kubelet is posting ready status".to_owned()),
            Some(Err(wrong)) => ready(false, "KubeletNotReady", wrong),
            // An agent that has just come knows nothing against what the one before it said: pods that run are not disturbed.
            None if conditions::is_true(&old.conditions, "Ready") => {
                ready(true, "KubeletReady", "kubelet is posting ready status".to_owned())
            }
            None => {
                let message = "[container runtime status check may not have completed yet]";
                ready(false, "KubeletNotReady", message.to_owned())
            }
        });
        all
    }

    /// Looks at the machine and at the runtime: what the node's conditions are made of.
    async fn look(&self) {
        let data = self.config.data_dir.clone();
        let images = self.images.store.root().to_owned();
        let runtime = self.runtime.clone();
        let looked = blocking(move || Ok((crate::machine::observe(&data, &images), runtime.check()))).await;
        match looked {
            Ok((observed, runtime)) => {
                let mut pressure = self.pressure.lock().unwrap_or_else(PoisonError::into_inner);
                pressure.observe(&self.config.eviction_hard, &observed, self.clock.now());
                self.health.say_runtime(runtime.map_err(|error| Chain(&error).to_string()));
            }
            Err(error) => self.health.say_runtime(Err(error.text())),
        }
    }

    /// Keeps the node's status up to date until the agent is to end.
    pub(crate) async fn heartbeat(self: Arc<Self>, mut drain: drain::Watch) {
        let mut health = self.health.changes();
        let mut reported = self.clock.now();
        loop {
            self.look().await;
            health.borrow_and_update();
            let due = self.clock.now().since(reported) >= limits::NODE_STATUS_REPORT;
            match self.tell(due).await {
                Ok(()) if due => reported = self.clock.now(),
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "the node's status cannot be told");
                }
            }
            tokio::select! {
                () = drain.signaled() => return,
                () = self.clock.sleep(limits::NODE_STATUS_CHECK) => {}
                // Its end is that of this.
                _ = health.changed() => {}
            }
        }
    }

    /// Tells the status, of the node as it is by then; registers it again if somebody has deleted it.
    async fn tell(&self, anyway: bool) -> Result<(), AgentError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let found = self.calls.get::<Node>(NODES, "", &self.config.node_name).await;
            let told = match found {
                Err(error) if error.is_not_found() => self.register_once().await,
                Err(error) => Err(error),
                Ok(node) => self.send_status(node, anyway).await,
            };
            match told {
                Err(error) if error.is_conflict() && tries < limits::NODE_STATUS_TRIES => {}
                told => return told.map(drop),
            }
        }
    }

    /// Renews the node's lease until the agent is to end.
    pub(crate) async fn renew_lease(self: Arc<Self>, mut drain: drain::Watch) {
        loop {
            if let Err(error) = self.renew_once().await {
                tracing::warn!(error = %Chain(&error), "the node's lease cannot be renewed");
            }
            tokio::select! {
                () = drain.signaled() => return,
                () = self.clock.sleep(limits::LEASE_RENEWAL) => {}
            }
        }
    }

    async fn renew_once(&self) -> Result<(), AgentError> {
        let name = &self.config.node_name;
        let now = Some(MicroTime::from(self.clock.now()));
        let found = crate::lookup::present(self.calls.get::<Lease>(LEASES, LEASE_NAMESPACE, name).await)?;
        if let Some(mut lease) = found {
            lease.spec.renew_time = now;
            lease.spec.holder_identity = Some(name.clone());
            lease.spec.lease_duration_seconds = Some(limits::LEASE_SECONDS);
            return self.calls.update(LEASES, (LEASE_NAMESPACE, name, ""), lease).await.map(drop);
        }
        // Of the node as it is now: it may have been deleted and registered again, and a lease of the old one is garbage.
        let node = self.calls.get::<Node>(NODES, "", name).await?;
        let mut lease = Lease::default();
        lease.metadata.name.clone_from(name);
        lease.metadata.namespace = LEASE_NAMESPACE.to_owned();
        lease.metadata.owner_references = vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name: name.clone(),
            uid: node.metadata.uid,
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

/// What others say that the node has, and not the node itself: extended resources, which an administrator or a device's driver counts there. All
/// of it may be allocated, as kubelet has it.
fn extended(capacity: &BTreeMap<String, Quantity>) -> BTreeMap<String, Quantity> {
    let others = capacity.iter().filter(|(name, _)| name.contains('/'));
    others.map(|(name, amount)| (name.clone(), amount.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_resources_are_others_to_count() {
        let one = || Quantity::from_units(1, QuantityFormat::DecimalSi);
        let named = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), one())).collect();
        let capacity: BTreeMap<String, Quantity> =
            named(&["cpu", "example.com/dongle", "hugepages-2Mi", "pods"]);
        assert_eq!(extended(&capacity), named(&["example.com/dongle"]));
    }
}
