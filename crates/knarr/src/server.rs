//! The server: store, registry, pipeline and HTTP, wired together.

mod audit;
mod components;
mod documents;
mod features;
mod identity;
mod join;
mod lasting;
mod maintenance;
mod meters;
pub mod nodes;
mod others;
mod policies;
mod role;
pub mod signing;
mod token_uses;
mod tokens;
mod usage;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use base::random::{Random, SystemRandom};
use base::task::Tasks;
use base::time::{Clock, SystemClock};
use base_serve::trust::Shown;
use cli::surroundings::{ProcessSurroundings, Surroundings as _};
use client::reconcile::Inspector;
use client::{Api, Scope};
use server_admission::{Lookup, Parts, Stored};
use server_audit::Auditor;
use server_authn::authenticator::{Anonymous, Authenticator};
use server_authn::bootstrap::BootstrapToken;
use server_authn::front_proxy::{FrontProxy, FrontProxyHeaders};
use server_authn::pki::component::Component;
use server_authn::pki::directory::Directory;
use server_authn::pki::serving::ServingNames;
use server_authn::pki::{Identity as Certificate, Pki};
use server_authn::token::Keys;
use server_authn::token::issue::Issuer;
use server_authn::token::verify::Verifier;
use server_authn::x509::ClientAuthorities;
use server_extend::Conversion;
use server_extend::aggregation::Aggregation;
use server_http::{Handler, Server};
use server_local::usage::collect::Collector;
use server_local::{Direct, Local, Policy, TokenReviewer};
use server_registry::admit::Everything;
use server_registry::{Catalog, Offered, Registry, Shared};
use server_webhook::{Client, Endpoints, Services, Webhooks};
use store::{KeyRange, SqliteStore, Store};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use documents::Ready;
use identity::Identity;
use nodes::AllNodes;
use policies::Policies;
use tokens::Tokens;
use usage::Usage;

use crate::node::{self, Settings};

/// Where service accounts' tokens come from, and whom they are for.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// What a server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Where the API is served.
    pub listen: SocketAddr,
    /// The address that others reach it by.
    pub advertise: IpAddr,
    /// The first address of the services' range, which is the API's own.
    pub service_address: IpAddr,
    /// The services' ports.
    pub node_ports: RangeInclusive<u16>,
    /// What its nodes must know.
    pub settings: Settings,
    /// The name of the node of this process, if it has one.
    pub own_node: Option<String>,
    /// The secret that nodes join with, if one was given.
    pub token: Option<String>,
    /// Whether the scheduler runs elsewhere.
    pub without_scheduler: bool,
    /// Whether the controllers run elsewhere.
    pub without_controllers: bool,
    /// More names and addresses that the server's certificate is to hold.
    pub names: Vec<String>,
    /// The name of the host.
    pub host_name: String,
    /// The audit log, if there is one.
    pub audit: Option<cli::config::AuditConfig>,
    /// Which built-in resources are served.
    pub offered: Offered,
    /// Which features of the API are on.
    pub gates: api_kind::Gates,
}

/// A control plane that serves.
pub struct ControlPlane {
    /// The pipeline, for components in this process.
    pub local: Local,
    /// The cluster's authorities.
    pub pki: Arc<Pki>,
    /// The nodes, which are reached from here.
    pub nodes: Arc<AllNodes>,
    policies: Policies,
    token: BootstrapToken,
    port: u16,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    inspector: Arc<Inspector>,
    scheduler_metrics: Arc<scheduler_shell::Metrics>,
    autoscaling: Arc<control::autoscale::Metrics>,
    aggregation: Aggregation,
    handler: Arc<Handler>,
    server: Server,
    auditor: Option<Arc<Auditor>>,
    token_uses: tokio::sync::mpsc::Receiver<token_uses::Use>,
}

impl ControlPlane {
    /// Opens the store and the authorities, and binds the socket.
    pub async fn open(config: &Config) -> anyhow::Result<ControlPlane> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("the API cannot be served at {}", config.listen))?;
        let server_dir = config.data_dir.join("server");
        let store: Arc<dyn Store> = Arc::new(open_store(&server_dir.join("db"))?);
        let shared = Shared {
            store: Arc::clone(&store),
            catalog: Catalog::of(config.offered.clone()),
            gates: config.gates.clone(),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
        };
        let endpoints = Arc::new(Endpoints::new(Arc::clone(&random)));
        let services = Arc::clone(&endpoints) as Arc<dyn Services>;
        let webhooks: Arc<dyn Webhooks> = Arc::new(Client::new(services, Arc::clone(&clock)));
        let conversion = Conversion::new(Arc::clone(&webhooks), Arc::clone(&random));
        let open = Registry::new(Arc::new(shared), Arc::new(Everything))
            .with_node_ports(config.node_ports.clone())
            .with_conversion(Arc::new(conversion));
        // Before anything is written, certificates included.
        lasting::check(&open, &config.settings).await?;
        let files = Directory::new(server_dir.join("tls"));
        let pki = Arc::new(Pki::open(&files, clock.now(), &*random)?);
        let serving = pki.serving(&files, &serving_names(config), clock.now(), &*random)?;
        let clients = ClientAuthorities::from_pem(pki.cluster.certificate_pem().as_bytes())?;
        let front_proxy = front_proxy(&pki)?;
        // The authority goes with it, so that a node that joins can tell by its token whom it has before it.
        let chain = format!("{}{}", serving.certificate, pki.cluster.certificate_pem());
        let tls = node::tls(&chain, &serving.key, &[&clients, &front_proxy.authorities])?;
        let given = config.token.as_deref();
        let token = join::token(&server_dir, given, pki.cluster.certificate_pem(), &*random)?;
        let policy = Arc::new(Policy::default());
        let deciding = Arc::clone(&policy);
        let stored = Arc::new(Stored::new(open.clone()));
        let parts = Parts {
            lookup: Arc::clone(&stored) as Arc<dyn Lookup>,
            authorizer: Arc::new(move |request| deciding.decide(request).is_allowed()),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
        };
        let authorizer = Arc::clone(&parts.authorizer);
        let policies = Policies::new(stored, authorizer, webhooks, Arc::clone(&clock), Arc::clone(&random));
        let registry = open.with_admission(Arc::new(policies.chain(parts)));
        let key = Arc::new(server_authn::key::PrivateKey::from_pem(pki.service_account.to_pem().as_bytes())?);
        let audiences = vec![ISSUER.to_owned()];
        let issuer = Issuer::new(ISSUER, audiences.clone(), key);
        let tokens = Tokens::new(issuer, Arc::clone(&clock), random);
        let direct = Direct::new(registry, policy, Arc::new(tokens), Arc::clone(&clock));
        let local = Local::new(direct);
        endpoints.follow(Endpoints::RESOURCES.map(|resource| local.shared_view(Scope::all(resource))));
        let keys = Keys::new(vec![pki.service_account.public().clone()]);
        let proxy = pki.component(&files, &Component::FrontProxy, clock.now(), &SystemRandom)?;
        let proxy = Shown { certificate: proxy.certificate, key: proxy.key };
        let aggregation = Aggregation::new(&local, Some(proxy), Arc::clone(&clock));
        let ready = Ready::new(ISSUER, &keys, local.direct().registry().clone(), aggregation.clone())?;
        let authenticator = Authenticator {
            front_proxy: Some(front_proxy),
            clients: Some(clients),
            tokens: Verifier::new(vec![ISSUER.to_owned()], audiences, keys),
            anonymous: Anonymous::All,
        };
        let (hears, token_uses) = token_uses::Uses::channel();
        let identity = Arc::new(Identity::new(authenticator, &local, hears, Arc::clone(&clock)));
        local.direct().review_tokens_by(Arc::clone(&identity) as Arc<dyn TokenReviewer>);
        let port = listener.local_addr()?.port();
        let address = SocketAddr::new(config.advertise, port).to_string();
        let client = pki.component(&files, &Component::ApiserverKubeletClient, clock.now(), &SystemRandom)?;
        let authority = pki.cluster.certificate_pem();
        let nodes = Arc::new(AllNodes::new(&local, authority, &client, Arc::clone(&clock))?);
        let sampler = Arc::new(Usage::new(Arc::clone(&nodes), Arc::clone(&clock)));
        local.direct().count_usage_by(Arc::new(Collector::new(sampler, Arc::clone(&clock))));
        let inspector = Arc::new(Inspector::default());
        let handler = Handler::new(
            local.clone(),
            Arc::clone(&clock),
            identity,
            Arc::new(ready),
            Arc::clone(&nodes) as Arc<dyn server_http::Nodes>,
            address,
        );
        let scheduler_metrics = Arc::new(scheduler_shell::Metrics::default());
        let autoscaling = Arc::new(control::autoscale::Metrics::default());
        let handler = handler
            .with_metrics(Arc::new(features::Features(config.gates.clone())))
            .with_metrics(Arc::clone(&inspector) as Arc<dyn base::metrics::Source>)
            .with_metrics(Arc::clone(&scheduler_metrics) as Arc<dyn base::metrics::Source>)
            .with_metrics(Arc::clone(&autoscaling) as Arc<dyn base::metrics::Source>)
            .with_metrics(Arc::clone(&policies.metrics) as Arc<dyn base::metrics::Source>)
            .with_metrics(Arc::clone(&policies.checks[0]) as Arc<dyn base::metrics::Source>)
            .with_metrics(Arc::clone(&policies.checks[1]) as Arc<dyn base::metrics::Source>)
            .with_metrics(Arc::new(aggregation.clone()))
            .with_aggregation(aggregation.clone());
        let auditing = config.audit.as_ref().map(|own| audit::open(own, Arc::clone(&clock))).transpose()?;
        let (handler, auditor) = match auditing {
            Some((auditor, metrics)) => {
                local.audit_by(Arc::clone(&auditor));
                (handler.with_auditor(Arc::clone(&auditor)).with_metrics(metrics), Some(auditor))
            }
            None => (handler, None),
        };
        let handler = Arc::new(handler);
        let server = Server::new(listener, Arc::new(tls), Arc::clone(&handler), Arc::clone(&clock));
        Ok(ControlPlane {
            local,
            policies,
            pki,
            nodes,
            token,
            port,
            store,
            clock,
            inspector,
            scheduler_metrics,
            autoscaling,
            aggregation,
            handler,
            server,
            auditor,
            token_uses,
        })
    }

    /// The port that the API is served on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A client certificate for a component of this cluster, kept with the server's files.
    pub fn certificate(&self, config: &Config, component: &Component) -> anyhow::Result<Certificate> {
        let files = Directory::new(config.data_dir.join("server/tls"));
        Ok(self.pki.component(&files, component, SystemClock.now(), &SystemRandom)?)
    }

    /// The serving certificate of the node of this process.
    pub fn node_certificate(
        &self,
        config: &Config,
        name: &str,
        addresses: &[IpAddr],
    ) -> anyhow::Result<Certificate> {
        let files = Directory::new(config.data_dir.join("server/tls"));
        Ok(self.pki.node_serving(&files, name, addresses, SystemClock.now(), &SystemRandom)?)
    }

    /// Serves until asked to finish. Once what every cluster starts with is there, runs the controllers and the scheduler,
    /// and tells `up`.
    pub async fn run(
        self,
        config: &Config,
        up: oneshot::Sender<()>,
        drain: drain::Watch,
    ) -> anyhow::Result<()> {
        let ControlPlane {
            local,
            policies,
            pki,
            nodes,
            token,
            port,
            store,
            clock,
            inspector,
            scheduler_metrics,
            autoscaling,
            aggregation,
            handler,
            server,
            auditor,
            token_uses,
        } = self;
        let mut running = JoinSet::new();
        running.spawn(maintenance::run(store, Arc::clone(&clock), drain.clone()));
        let wanted = server_bootstrap::Config {
            service_ranges: vec![config.settings.service_cidr.to_string()],
            service_address: config.service_address,
            advertise: config.advertise,
            port,
            dns: config.settings.cluster_dns.filter(|_| config.settings.serves_dns),
            join: Some(server_bootstrap::Join { token, settings: config.settings.to_map() }),
            authentication: Some(server_bootstrap::Authentication {
                client_ca: pki.cluster.certificate_pem().to_owned(),
                front_proxy_ca: pki.front_proxy.certificate_pem().to_owned(),
                allowed_names: vec![Component::FrontProxy.subject().common_name],
            }),
        };
        let begun = server_bootstrap::bootstrap(local.direct().registry(), &wanted).await;
        begun.map_err(|status| anyhow::anyhow!("what every cluster starts with cannot be made: {status}"))?;
        let registry = local.direct().registry();
        maintenance::repair(registry).await;
        // Nothing is taken from anybody else before it is known what policies and webhooks have to say of it.
        policies.follow(&local).await;
        running.spawn(server.run(drain.clone()));
        running.spawn(maintenance::services(registry.clone(), wanted, Arc::clone(&clock), drain.clone()));
        let host = ProcessSurroundings.host_name();
        let identity = server_bootstrap::Identity::new(&host, config.advertise, port, &SystemRandom);
        running.spawn(maintenance::identity(registry.clone(), identity, Arc::clone(&clock), drain.clone()));
        local.follow().await;
        server_extend::follow(&local).await;
        aggregation.follow(&local).await;
        running.spawn(server_extend::run(
            local.clone(),
            aggregation.clone(),
            Arc::clone(&clock),
            Arc::clone(&inspector),
            drain.clone(),
        ));
        running.spawn(token_uses::run(local.clone(), token_uses, drain.clone()));
        handler.set_ready(true);
        if let Some(name) = config.own_node.clone() {
            running.spawn(role::keep(local.clone(), name, drain.clone()));
        }
        let direct = local.direct().clone();
        let offered = direct.registry().catalog().offered().clone();
        let meters = meters::Served { local: local.clone(), aggregation: aggregation.clone() };
        let api: Arc<dyn Api> = Arc::new(local);
        let controllers = control::Config {
            served: control::resources::of_built_in(offered.iter()),
            definitions: true,
            root_ca: pki.cluster.certificate_pem().to_owned(),
            pod_range: control::cluster::Range::parse(&config.settings.cluster_cidr.to_string()),
            signer: Some(Arc::new(signing::Signing::new(Arc::clone(&pki), Arc::new(SystemRandom)))),
            tokens: Some(Arc::new(signing::AccountKey::from_pem(pki.service_account.to_pem().as_bytes())?)),
            volumes: Some(nodes),
            others: Some(Arc::new(others::Behind(aggregation.clone()))),
            meters: Some(Arc::new(meters)),
            autoscaling,
            inspector,
        };
        if !config.without_controllers {
            let control = control::run(Arc::clone(&api), Arc::clone(&clock), controllers, drain.clone());
            direct.components().add("controller-manager", components::alive(running.spawn(control)));
        }
        if config.without_scheduler {
            drop(drain);
        } else {
            let tasks = Tasks::default();
            let settings = scheduler::Config::default();
            let company = scheduler_shell::Company { metrics: scheduler_metrics, extenders: None };
            let scheduling = scheduler_shell::run_with(api, clock, tasks, settings, company, drain);
            direct.components().add("scheduler", components::alive(running.spawn(scheduling)));
        }
        if let Err(error) = cli::notify::ready() {
            tracing::warn!(%error, "server.notify");
        }
        // Nobody need be waiting.
        let _ = up.send(());
        while let Some(ended) = running.join_next().await {
            ended?;
        }
        if let Some(auditor) = auditor {
            auditor.end().await;
        }
        Ok(())
    }
}

fn serving_names(config: &Config) -> ServingNames {
    let mut names = ServingNames {
        cluster_domain: config.settings.cluster_domain.clone(),
        service_addresses: vec![config.service_address],
        hosts: vec!["localhost".to_owned(), config.host_name.clone()],
        addresses: vec![IpAddr::from([127, 0, 0, 1]), config.advertise],
    };
    for name in &config.names {
        match name.parse() {
            Ok(address) => names.addresses.push(address),
            Err(_) => names.hosts.push(name.clone()),
        }
    }
    names
}

/// Proxies in front of this server, which name users in headers: those with the certificate that it makes for itself.
fn front_proxy(pki: &Pki) -> anyhow::Result<FrontProxy> {
    Ok(FrontProxy {
        authorities: ClientAuthorities::from_pem(pki.front_proxy.certificate_pem().as_bytes())?,
        allowed_names: vec![Component::FrontProxy.subject().common_name],
        headers: FrontProxyHeaders::default(),
    })
}

fn open_store(dir: &Path) -> anyhow::Result<SqliteStore> {
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let mut options = store::Options::new(dir.join("state.db"));
    // Events are many, and seldom read; what says whether the file is well has to be read from there.
    options.apart = vec![KeyRange::prefix("/registry/events/"), KeyRange::key(server_registry::HEALTH)];
    Ok(SqliteStore::open(&options)?)
}
