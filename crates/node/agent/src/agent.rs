//! The agent put together: opened, adopted what runs, then following this node's pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_meta::fields;
use api_types::core::v1::{Node, Pod};
use base::drain;
use base::error::Chain;
use base::random::Random;
use base::time::Clock;
use client::view::typed;
use client::{Api, Caller, Scope, View};
use host::netlink::{Cidr, FileRecords};
use net_pod::network::PodNetwork;
use net_pod::peers::Here;
use node_image::store::{Store, StoreOptions};
use node_pod::allocation::Allocation;
use node_pod::ledger::Given;
use node_pod::record::{PodRecord, Stage};
use node_runtime::{PodHandle, Runtime, RuntimeConfig};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::calls::{Calls, NODES, PODS, SERVICES};
use crate::config::Config;
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events;
use crate::limits;
use crate::machine::Machine;
use crate::node_api::{Directory, Local, NodeApi};
use crate::records::Records;
use crate::services::{NAMESPACES, SLICES, Views};
use crate::volumes::{Tokens, TrustBundles};
use crate::worker::Worker;

/// A running agent.
pub struct Agent {
    core: Arc<Core>,
    node: Node,
    drain: drain::Watch,
    workers: BTreeMap<String, watch::Sender<Option<Arc<Pod>>>>,
    tasks: JoinSet<String>,
}

impl Agent {
    /// Opens what the agent works with and registers the node. Nothing of any pod is touched. `None` if it is to end before that.
    ///
    /// # Errors
    /// When the runtime, the images or the network cannot be used.
    pub async fn start(
        config: Config,
        api: Arc<dyn Api>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        mut drain: drain::Watch,
    ) -> Result<Option<Agent>, AgentError> {
        let caller = Caller::new(
            &format!("system:node:{}", config.node_name),
            &["system:nodes", "system:authenticated"],
        );
        let calls = Calls { api: Arc::clone(&api), caller: caller.clone(), clock: Arc::clone(&clock) };
        let runtime = Runtime::open(RuntimeConfig {
            state_dir: config.state_dir.clone(),
            data_dir: config.data_dir.clone(),
            executable: config.executable.clone(),
            shim_arguments: config.shim_arguments.clone(),
            shim_cgroup: config.shim_cgroup.clone(),
            keeps: true,
            clock: Arc::clone(&clock),
        })
        .await?;
        let data = config.data_dir.clone();
        let (store, machine) = blocking(move || {
            Ok((
                Store::open(&data.join(crate::image::STORE), StoreOptions::default())?,
                Machine::detect(&data),
            ))
        })
        .await?;
        let scope = Scope {
            fields: fields::Selector::equal("spec.nodeName", config.node_name.clone()),
            ..Scope::all(PODS)
        };
        let Some(view) = opened(&calls, scope, &mut drain).await else { return Ok(None) };
        let mut open = async |resource| opened(&calls, Scope::all(resource), &mut drain).await;
        let (services, slices) = (open(SERVICES).await, open(SLICES).await);
        let (namespaces, nodes) = (open(NAMESPACES).await, open(NODES).await);
        let (Some(services), Some(slices), Some(namespaces), Some(nodes)) =
            (services, slices, namespaces, nodes)
        else {
            return Ok(None);
        };
        let views = Views {
            services: View::new(services),
            slices: View::new(slices),
            namespaces: View::new(namespaces),
        };
        let events = events::start(calls.clone(), &config.node_name);
        let core = Arc::new(Core {
            images: crate::core::images(store, &config),
            records: Records::new(&config.data_dir),
            pods: View::new(view),
            nodes: View::new(nodes),
            config,
            calls,
            clock,
            trust: TrustBundles::new(&*random),
            random,
            runtime,
            network: Default::default(),
            events,
            machine,
            tokens: Tokens::default(),
            certificates: Default::default(),
            directory: Directory::default(),
            views,
            health: Default::default(),
            pressure: Default::default(),
            allocations: Default::default(),
        });
        let Some(node) = core.register(&mut drain).await else { return Ok(None) };
        core.announce();
        Ok(Some(Agent { core, node, drain, workers: BTreeMap::new(), tasks: JoinSet::new() }))
    }

    /// What the API server asks of this node. Answers for as long as the process lives, also while the agent is ending.
    pub fn node_api(&self) -> Arc<dyn NodeApi> {
        Arc::new(Local(Arc::clone(&self.core)))
    }

    /// Follows this node's pods until the agent is to end. Containers go on then.
    ///
    /// # Errors
    /// When records cannot be read, or the network not be made ready.
    pub async fn run(mut self) -> Result<(), AgentError> {
        let core = Arc::clone(&self.core);
        tokio::spawn(crate::dropped::run(Arc::clone(&core), self.drain.clone()));
        tokio::spawn(Arc::clone(&core).heartbeat(self.drain.clone()));
        tokio::spawn(Arc::clone(&core).renew_lease(self.drain.clone()));
        let Some(cidrs) = self.pod_cidrs().await else { return Ok(()) };
        core.open_network(cidrs).await?;
        let (sender, mut ready) = watch::channel(false);
        tokio::spawn(crate::peers::run(Arc::clone(&core), core.nodes.clone(), self.drain.clone(), sender));
        tokio::select! {
            () = self.drain.signaled() => return Ok(()),
            _ = ready.wait_for(|ready| *ready) => {}
        }
        let zone = self.node.metadata.labels.get("topology.kubernetes.io/zone").cloned().unwrap_or_default();
        tokio::spawn(crate::services::run(Arc::clone(&core), zone, self.drain.clone()));
        let mut changes = core.pods.raw().changed();
        while !core.pods.snapshot().is_synced() {
            tokio::select! {
                () = self.drain.signaled() => return Ok(()),
                _ = changes.changed() => {}
            }
        }
        self.adopt().await?;
        tokio::spawn(crate::garbage::run(Arc::clone(&core), self.drain.clone()));
        loop {
            self.dispatch();
            tokio::select! {
                biased;
                changed = changes.changed() => if changed.is_err() { break },
                () = self.drain.signaled() => break,
                Some(done) = self.tasks.join_next() => match done {
                    Ok(uid) => drop(self.workers.remove(&uid)),
                    Err(error) => tracing::error!(error = %Chain(&error), "a pod's worker was lost"),
                },
            }
        }
        // Without anybody to tell them more, the workers end after their present step.
        self.workers.clear();
        while self.tasks.join_next().await.is_some() {}
        Ok(())
    }

    /// The ranges of this node's pods: what its object says, what the configuration says, or else what its object will say. `None`
    /// if the agent is to end before that.
    async fn pod_cidrs(&mut self) -> Option<Vec<Cidr>> {
        let ranges = |node: &Node| -> Vec<Cidr> {
            node.spec.pod_cidrs.iter().filter_map(|text| text.parse().ok()).collect()
        };
        let (core, mut changes) = (Arc::clone(&self.core), self.core.nodes.raw().changed());
        let mut found = ranges(&self.node);
        if found.is_empty() {
            found.clone_from(&core.config.pod_cidrs);
        }
        // Whoever gives ranges does so within a moment of the node's registration, which the first start waits for.
        let mut patience = Some(core.clock.sleep(limits::RANGE_PATIENCE));
        while found.is_empty() {
            tokio::select! {
                () = self.drain.signaled() => return None,
                Ok(()) = changes.changed() => {}
                () = crate::worker::maybe(patience.as_mut()) => {
                    patience = None;
                    core.health.say_network(Err("the node has been given no range of addresses for pods (spec.podCIDR)".to_owned()));
                }
            }
            let nodes = core.nodes.snapshot();
            let own = typed::<Node>(nodes.iter()).find(|node| node.metadata.name == core.config.node_name);
            found = own.map(ranges).unwrap_or_default();
        }
        Some(found)
    }

    /// Takes up every pod that has a record or runs. Those that the API does not know any more end.
    async fn adopt(&mut self) -> Result<(), AgentError> {
        let records = self.core.records.clone();
        let mut records: BTreeMap<String, PodRecord> = blocking(move || records.load())
            .await?
            .into_iter()
            .map(|record| (record.uid.clone(), record))
            .collect();
        let mut handles: BTreeMap<String, PodHandle> = BTreeMap::new();
        for adopted in self.core.runtime.adopt().await? {
            match adopted.pod {
                Ok(pod) if records.contains_key(&adopted.uid) => drop(handles.insert(adopted.uid, pod)),
                // Without a record nobody knows what it is: what was begun before the record's first write ends here.
                Ok(pod) => pod.delete().await?,
                Err(error) => {
                    tracing::warn!(uid = adopted.uid, error = %Chain(&error), "a pod cannot be adopted");
                    self.core.runtime.remove_remains(&adopted.uid).await?;
                }
            }
        }
        let keep: BTreeSet<String> = records.keys().cloned().collect();
        let network = self.core.network()?;
        let known = keep.clone();
        blocking(move || Ok(network.retain(&keep)?)).await?;
        self.core.remove_orphans(known).await?;
        let snapshot = self.core.pods.snapshot();
        let mut known: BTreeMap<String, Arc<Pod>> = typed::<Pod>(snapshot.iter())
            .map(|pod| (pod.metadata.uid.clone(), Arc::new(pod.clone())))
            .collect();
        for (uid, record) in &mut records {
            if let Some(pod) = known.get(uid) {
                self.restore(record, pod, handles.get(uid));
            }
        }
        while let Some((uid, mut record)) = records.pop_first() {
            let handle = handles.remove(&uid);
            if handle.is_none() {
                record.forget_back_offs();
            }
            self.work(record, known.remove(&uid), handle);
        }
        // Not before all are counted that were there before.
        self.core.allocations.retry(self.core.clock.now());
        Ok(())
    }

    /// Counts what a pod has that was taken in before. A record of an agent that kept no account has what the pod asked for: nothing was
    /// resized then.
    fn restore(&self, record: &mut PodRecord, pod: &Arc<Pod>, handle: Option<&PodHandle>) {
        let begun = record.sandbox || !record.containers.is_empty();
        if record.allocation.is_none() && begun && record.verdict.is_none() {
            record.allocation = Some(Allocation::of(pod));
            record.group = handle.map(|handle| handle.sandbox().limits.clone()).unwrap_or_default();
        }
        if let (Some(allocation), true) = (&record.allocation, record.stage < Stage::Terminated) {
            let (allocation, pending) = (allocation.clone(), record.pending.clone());
            let given = Given { allocation, pending, ..Given::default() };
            self.core.allocations.restore(pod, given);
        }
    }

    fn work(&mut self, record: PodRecord, pod: Option<Arc<Pod>>, handle: Option<PodHandle>) {
        let uid = record.uid.clone();
        let (sender, receiver) = watch::channel(pod);
        self.workers.insert(uid.clone(), sender);
        let worker = Worker::new(Arc::clone(&self.core), record, receiver, handle);
        self.tasks.spawn(async move {
            worker.run().await;
            uid
        });
    }

    /// Tells every worker how its pod is now, and starts one for each new pod.
    fn dispatch(&mut self) {
        let snapshot = self.core.pods.snapshot();
        let mut seen = BTreeSet::new();
        for pod in typed::<Pod>(snapshot.iter()) {
            let uid = pod.metadata.uid.as_str();
            seen.insert(uid.to_owned());
            match self.workers.get(uid) {
                Some(worker) => {
                    let is_new = |old: &Option<Arc<Pod>>| {
                        old.as_ref()
                            .is_none_or(|old| old.metadata.resource_version != pod.metadata.resource_version)
                    };
                    if is_new(&worker.borrow()) {
                        worker.send_replace(Some(Arc::new(pod.clone())));
                    }
                }
                None => {
                    let meta = &pod.metadata;
                    let now = self.core.clock.now().unix_nanos();
                    let record = PodRecord::new(uid, &meta.namespace, &meta.name, now);
                    self.work(record, Some(Arc::new(pod.clone())), None);
                }
            }
        }
        for (uid, worker) in &self.workers {
            if !seen.contains(uid) && worker.borrow().is_some() {
                worker.send_replace(None);
            }
        }
    }
}

/// Opens a view; tries until it succeeds.
async fn opened(calls: &Calls, scope: Scope, drain: &mut drain::Watch) -> Option<client::RawView> {
    let mut wait = limits::RETRY_FIRST;
    loop {
        match calls.api.view(&calls.caller, scope.clone()).await {
            Ok(view) => return Some(view),
            Err(error) => tracing::warn!(resource = %scope.resource, error = %Chain(&error), "no view yet"),
        }
        tokio::select! {
            () = drain.signaled() => return None,
            () = calls.clock.sleep(wait) => wait = (wait * 2).min(limits::RETRY_MAX),
        }
    }
}

impl Core {
    async fn open_network(&self, pod_cidrs: Vec<Cidr>) -> Result<(), AgentError> {
        let config = &self.config;
        let here = Here {
            cluster: config.cluster.clone(),
            addresses: config.node_ips.clone(),
            pod_cidrs,
            cluster_cidrs: config.cluster_cidrs.clone(),
            overlay: config.overlay,
        };
        let settings = net_pod::network::Config {
            here,
            no_masquerade: Vec::new(),
            namespaces: config.state_dir.join("netns"),
            mtu: None,
        };
        let kernel = config.kernel.clone();
        let records = Arc::new(FileRecords::new(config.data_dir.join("network")));
        let opened =
            blocking(move || Ok(PodNetwork::restore(settings, kernel.netlink, kernel.nft, records)?)).await?;
        // It is opened once.
        let _ = self.network.set(Arc::new(opened));
        Ok(())
    }
}
