//! Starting all controllers.

mod kinds;

use std::sync::Arc;

use base::drain;
use base::task::Tasks;
use base::time::Clock;
use client::Api;
use client::reconcile::{self, Controller, Deps, Inspector};
use control_autoscale::{HorizontalPodAutoscalers, Meters};
use tokio::task::JoinSet;

use crate::cluster::{Range, Signer, TokenSigner};
use crate::{Others, cluster, network, resource, storage, workload};
use control_base::resources::Served;

/// What the controllers need to know of the cluster.
#[derive(Clone, Default)]
pub struct Config {
    /// The resources that the server serves, each in one version. Every one of them is followed, and the garbage collector
    /// and the namespaces' controller wait until all can be.
    pub served: Vec<Served>,
    /// Whether those that definitions bring are followed as well, as they come and go.
    pub definitions: bool,
    /// The certificates, in PEM, by which pods know the API server.
    pub root_ca: String,
    /// The pods' range, which is divided between the nodes; nodes get no range if there is none.
    pub pod_range: Option<Range>,
    /// Who signs requests for certificates; nobody approves or signs any if there is none.
    pub signer: Option<Arc<dyn Signer>>,
    /// Who signs the tokens that lie in Secrets; nobody fills such Secrets if there is none.
    pub tokens: Option<Arc<dyn TokenSigner>>,
    /// The nodes, if they can be asked for directories that are volumes.
    pub volumes: Option<Arc<dyn storage::NodeVolumes>>,
    /// The other API servers behind this one, if there can be any.
    pub others: Option<Arc<dyn Others>>,
    /// Who says what is measured; nothing is autoscaled if nobody does.
    pub meters: Option<Arc<dyn Meters>>,
    /// What autoscaling counts.
    pub autoscaling: Arc<control_autoscale::Metrics>,
    /// Where they can be asked what they do.
    pub inspector: Arc<Inspector>,
}

/// Runs all controllers until they are asked to finish, and returns once nothing that they began is left.
pub async fn run(api: Arc<dyn Api>, clock: Arc<dyn Clock>, config: Config, drain: drain::Watch) {
    let health = cluster::NodeLifecycle::new(clock.now());
    let deps = Deps { api, clock, tasks: Tasks::default(), inspector: Arc::clone(&config.inspector) };
    let mut all = All { deps, drain, running: JoinSet::new() };
    all.start(workload::ReplicaSets);
    all.start(workload::ReplicationControllers);
    all.start(workload::Deployments);
    all.start(workload::StatefulSets);
    all.start(workload::Jobs);
    all.start(workload::TtlAfterFinished);
    all.start(workload::CronJobs);
    all.start(workload::DaemonSets::default());
    all.start(cluster::ServiceAccounts);
    if let Some(tokens) = config.tokens {
        all.start(cluster::AccountTokens::new(tokens, &config.root_ca));
    }
    all.start(cluster::LegacyTokens);
    all.start(cluster::RootCa::new(&config.root_ca));
    if !config.root_ca.is_empty() {
        all.start(cluster::ServingTrust::new(&config.root_ca));
    }
    if let Some(meters) = config.meters {
        let (api, clock) = (Arc::clone(&all.deps.api), Arc::clone(&all.deps.clock));
        all.start(HorizontalPodAutoscalers::new(api, meters, clock, &config.served, config.autoscaling));
    }
    if config.definitions {
        let others = config.others.clone();
        all.running.spawn(kinds::run(all.deps.clone(), config.served, others, all.drain.clone()));
    } else {
        all.start(cluster::Namespaces::new(&config.served).beside(config.others.clone()));
        all.start(cluster::Garbage::new(&config.served));
        all.start(cluster::ResourceQuotas::new(&config.served));
        all.start(cluster::StorageMigrations::new(&config.served));
        all.start(workload::Disruptions::new(&config.served));
    }
    all.start(network::EndpointSlices);
    all.start(network::EndpointSliceMirroring);
    all.start(network::EndpointsObjects);
    all.start(network::ServiceAddresses);
    all.start(network::ServiceCidrs);
    all.start(storage::PersistentVolumeBinder::default());
    all.start(storage::AttachDetach::default());
    all.start(storage::EphemeralVolumes);
    all.start(storage::Expansions);
    if let Some(nodes) = config.volumes {
        all.start(storage::LocalVolumes::new(nodes));
    }
    all.start(storage::ClaimProtection);
    all.start(storage::VolumeProtection);
    all.start(storage::AttributesClassProtection);
    all.start(resource::ResourceClaims::default());
    all.start(resource::DeviceTaintEviction::default());
    all.start(cluster::RoleAggregation);
    all.start(cluster::PolicyTypes);
    all.start(health);
    all.start(cluster::TaintEviction);
    all.start(cluster::PodGarbage::default());
    all.start(cluster::NodeTtl);
    all.start(cluster::TokenCleaner);
    all.start(cluster::BootstrapSigner);
    all.start(cluster::PodCertificateCleaner);
    if let Some(range) = config.pod_range {
        all.start(cluster::NodeIpam::new(range));
    }
    if let Some(signer) = config.signer {
        all.start(cluster::CertificateRequests::new(Arc::clone(&signer)));
        all.start(cluster::KubeletServing::new(Arc::clone(&signer)));
        all.start(cluster::CertificateCleaner::new(signer));
    }
    let All { drain, mut running, .. } = all;
    drop(drain);
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller has died");
        }
    }
}

struct All {
    deps: Deps,
    drain: drain::Watch,
    running: JoinSet<()>,
}

impl All {
    fn start<C: Controller>(&mut self, controller: C) {
        self.running.spawn(reconcile::run(controller, self.deps.clone(), self.drain.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `kubectl get events` shows them: upstream's recorders are not named as its controllers are.
    #[test]
    fn events_are_from_upstreams_components() {
        fn source<C: Controller>() -> (&'static str, &'static str) {
            (C::NAME, C::SOURCE)
        }
        let sources = [
            source::<cluster::NodeIpam>(),
            source::<cluster::NodeLifecycle>(),
            source::<network::EndpointSlices>(),
            source::<network::ServiceCidrs>(),
            source::<workload::DaemonSets>(),
            source::<workload::Deployments>(),
        ];
        let wanted = [
            ("node-ipam-controller", "cidrAllocator"),
            ("node-lifecycle-controller", "node-controller"),
            ("endpointslice-controller", "endpoint-slice-controller"),
            ("service-cidrs-controller", "service-cidr-controller"),
            ("daemon-set-controller", "daemonset-controller"),
            ("deployment-controller", "deployment-controller"),
        ];
        assert_eq!(sources, wanted);
    }
}
