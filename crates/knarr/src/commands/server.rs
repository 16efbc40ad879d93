//! `knarr server`: control plane and node in the foreground, until asked to stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use base::time::SystemClock;
use cli::config::ServerConfig;
use cli::instance::Claim;
use cli::kubeconfig::owner::Owner;
use cli::kubeconfig::{self, Access};
use cli::surroundings::ProcessSurroundings;
use client::Api;
use node_http::{Direct, Tls};
use server_authn::pki::component::Component;
use server_authn::x509::ClientAuthorities;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::node::{self, Node, Settings};
use crate::server::nodes::AllNodes;
use crate::server::{Config, ControlPlane};
use api_kind::Gates;
use server_registry::Offered;

/// Runs the server.
pub fn run(config: ServerConfig) -> anyhow::Result<()> {
    if config.background {
        cli::up::detach()?;
    }
    base::telemetry::init(config.verbosity.filter()).map_err(|error| anyhow::anyhow!("logging: {error}"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    runtime.block_on(serve(config))
}

async fn serve(config: ServerConfig) -> anyhow::Result<()> {
    // Before the ports, which that one holds.
    cli::instance::refuse_second(&config.place)?;
    cli::check::require(&config)?;
    if !config.disable_agent {
        node::registries(&config.node)?;
    }
    let of_flag = |flag: &'static str| move |why: String| anyhow::anyhow!("{flag}: {why}");
    let offered = Offered::parse(&config.runtime_config).map_err(of_flag("--runtime-config"))?;
    let gates = Gates::parse(&config.feature_gates).map_err(of_flag("--feature-gates"))?;
    let claim = Arc::new(cli::instance::claim_server(&config)?);
    let advertise = tokio::task::block_in_place(|| advertised(&config))?;
    let wanted = Config {
        data_dir: config.place.data_dir.clone(),
        listen: SocketAddr::new(config.bind_address, config.https_listen_port),
        advertise,
        service_address: config.kubernetes_service(),
        node_ports: config.service_node_port_range.first..=config.service_node_port_range.last,
        settings: settings(&config),
        own_node: (!config.disable_agent).then(|| config.node.name.to_string()),
        without_scheduler: config.disable_scheduler,
        without_controllers: config.disable_controller_manager,
        token: config.token.as_ref().map(|token| token.reveal().to_owned()),
        names: config.tls_san.clone(),
        host_name: config.node.name.to_string(),
        audit: config.audit.clone(),
        offered,
        gates,
    };
    let plane = ControlPlane::open(&wanted).await?;
    write_kubeconfig(&config, &wanted, &plane, &claim)?;
    let (signal, watch) = drain::channel();
    let (up, is_up) = oneshot::channel();
    let mut running = JoinSet::new();
    let own = if config.disable_agent { None } else { Some(OwnNode::new(&config, &wanted, &plane).await?) };
    let plane_watch = watch.clone();
    running.spawn(async move { plane.run(&wanted, up, plane_watch).await });
    let made = Arc::clone(&claim);
    running.spawn(async move {
        let mut watch = watch;
        // Without a control plane there is nothing for a node to do.
        if is_up.await.is_err() {
            return Ok(());
        }
        tokio::task::block_in_place(|| made.keep())?;
        match own {
            Some(own) => own.run(&config, watch).await?,
            None => watch.signaled().await,
        }
        Ok(())
    });
    let ended = tokio::select! {
        asked = asked_to_stop() => asked,
        Some(ended) = running.join_next() => ended?,
    };
    match &ended {
        Ok(()) => tracing::info!("server.stopping"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "server.stopping"),
    }
    if let Err(error) = cli::notify::stopping() {
        tracing::warn!(%error, "server.notify");
    }
    signal.drain().await;
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    ended
}

/// The node of the server's own process.
struct OwnNode {
    address: IpAddr,
    settings: Settings,
    listener: TcpListener,
    tls: Tls,
    authorities: ClientAuthorities,
    api: Arc<dyn Api>,
    nodes: Arc<AllNodes>,
}

impl OwnNode {
    /// Takes the node's port, and gives it a certificate.
    async fn new(config: &ServerConfig, wanted: &Config, plane: &ControlPlane) -> anyhow::Result<OwnNode> {
        let settings = settings(config);
        let address = wanted.advertise;
        let node = Node { place: &config.place, config: &config.node, address, settings: &settings };
        let listener = node.listen().await?;
        let name = config.node.name.to_string();
        let certificate = plane.node_certificate(wanted, &name, &node.addresses())?;
        let authorities = ClientAuthorities::from_pem(plane.pki.cluster.certificate_pem().as_bytes())?;
        let tls = Tls::new(node::tls(&certificate.certificate, &certificate.key, &[&authorities])?);
        let api: Arc<dyn Api> = Arc::new(plane.local.clone());
        let nodes = Arc::clone(&plane.nodes);
        Ok(OwnNode { address, settings, listener, tls, authorities, api, nodes })
    }

    /// Runs the node until it is asked to finish. Its pods go on then.
    async fn run(self, config: &ServerConfig, drain: drain::Watch) -> anyhow::Result<()> {
        let OwnNode { address, settings, listener, tls, authorities, api, nodes } = self;
        let node = Node { place: &config.place, config: &config.node, address, settings: &settings };
        let Some(agent) = node.start(Arc::clone(&api), drain.clone()).await? else { return Ok(()) };
        let name = config.node.name.to_string();
        let direct = Direct::new(agent.node_api(), Arc::new(SystemClock));
        nodes.add(&name, direct.clone());
        let server = node::serve(listener, direct, tls, authorities, api, &name);
        let serving = tokio::spawn(server.run(drain));
        agent.run().await?;
        Ok(serving.await?)
    }
}

/// What nodes must know of the cluster.
fn settings(config: &ServerConfig) -> Settings {
    let dns = !config.disable.contains(&cli::arguments::value::Component::Coredns);
    Settings {
        cluster_cidr: config.cluster_cidr,
        service_cidr: config.service_cidr,
        cluster_dns: Some(config.cluster_dns),
        serves_dns: dns,
        cluster_domain: config.cluster_domain.clone(),
    }
}

/// Completes at SIGINT or SIGTERM.
pub async fn asked_to_stop() -> anyhow::Result<()> {
    stop_asked()?.await;
    Ok(())
}

/// Listens for SIGINT and SIGTERM from now on; what comes back completes at the first.
pub fn stop_asked() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// The address that members of the cluster reach the API by.
fn advertised(config: &ServerConfig) -> anyhow::Result<IpAddr> {
    let bound =
        Some(config.bind_address).filter(|address| !address.is_unspecified() && !address.is_loopback());
    let told = config.advertise_address.or_else(|| config.node.addresses.first().copied()).or(bound);
    if let Some(told) = told {
        return Ok(told);
    }
    node::own_address()
}

fn write_kubeconfig(
    config: &ServerConfig,
    wanted: &Config,
    plane: &ControlPlane,
    claim: &Claim,
) -> anyhow::Result<()> {
    let identity = plane.certificate(wanted, &Component::SuperAdmin)?;
    let host = if config.bind_address.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        config.bind_address
    };
    let access = Access {
        name: config.place.context(),
        server: format!("https://{}", SocketAddr::new(host, plane.port())),
        authority_pem: plane.pki.cluster.certificate_pem().to_owned(),
        certificate_pem: identity.certificate,
        key_pem: identity.key,
    };
    let owner = Owner::of_invoker(&ProcessSurroundings);
    if let Some(made) =
        kubeconfig::file::write(&config.place.kubeconfig, &access, config.kubeconfig_mode, owner)?
    {
        claim.note_made(made)?;
    }
    // For components that run elsewhere, where K3s keeps them.
    for (file, component) in
        [("controller", Component::ControllerManager), ("scheduler", Component::Scheduler)]
    {
        let identity = plane.certificate(wanted, &component)?;
        let path = config.place.data_dir.join(format!("server/cred/{file}.kubeconfig"));
        let access =
            Access { certificate_pem: identity.certificate, key_pem: identity.key, ..access.clone() };
        kubeconfig::file::write(&path, &access, 0o600, None)?;
    }
    tracing::info!(path = %config.place.kubeconfig.display(), server = access.server, "kubeconfig.written");
    Ok(())
}
