//! `knarr server`: control plane and node in the foreground, until asked to stop.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use cli::config::ServerConfig;
use cli::kubeconfig::owner::Owner;
use cli::kubeconfig::{self, Access};
use cli::surroundings::ProcessSurroundings;
use client::Api;
use host::netlink::{LinuxNetlink, Namespace, Netlink as _};
use server_authn::pki::component::Component;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::server::{Config, ControlPlane, address, node};

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
    cli::check::require(&config)?;
    let _claim = cli::instance::claim_server(&config)?;
    let advertise = tokio::task::block_in_place(|| advertised(&config))?;
    let wanted = Config {
        data_dir: config.place.data_dir.clone(),
        listen: SocketAddr::new(config.bind_address, config.https_listen_port),
        advertise,
        service_address: config.kubernetes_service(),
        cluster_domain: config.cluster_domain.clone(),
        pod_range: config.cluster_cidr.to_string(),
        service_range: config.service_cidr.to_string(),
        names: config.tls_san.clone(),
        host_name: config.node.name.to_string(),
    };
    let plane = ControlPlane::open(&wanted).await?;
    write_kubeconfig(&config, &wanted, &plane)?;
    let (signal, watch) = drain::channel();
    let (up, is_up) = oneshot::channel();
    let mut running = JoinSet::new();
    let api: Arc<dyn Api> = Arc::new(plane.local.clone());
    let nodes = Arc::clone(&plane.nodes);
    let plane_watch = watch.clone();
    running.spawn(async move { plane.run(&wanted, up, plane_watch).await });
    if config.disable_agent {
        drop(watch);
    } else {
        running.spawn(async move {
            // Without a control plane there is nothing for a node to do.
            if is_up.await.is_ok() { node::run(&config, advertise, api, &nodes, watch).await } else { Ok(()) }
        });
    }
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

/// Completes at SIGINT or SIGTERM.
async fn asked_to_stop() -> anyhow::Result<()> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    Ok(())
}

/// The address that members of the cluster reach the API by.
fn advertised(config: &ServerConfig) -> anyhow::Result<IpAddr> {
    let bound =
        Some(config.bind_address).filter(|address| !address.is_unspecified() && !address.is_loopback());
    let told = config.advertise_address.or_else(|| config.node.addresses.first().copied()).or(bound);
    if let Some(told) = told {
        return Ok(told);
    }
    let network =
        LinuxNetlink::new().observe(&Namespace::Host).context("reading this machine's addresses")?;
    address::own(&network).context(
        "this machine has no address that others could reach: give one with --node-ip or --advertise-address",
    )
}

fn write_kubeconfig(config: &ServerConfig, wanted: &Config, plane: &ControlPlane) -> anyhow::Result<()> {
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
    kubeconfig::file::write(&config.place.kubeconfig, &access, config.kubeconfig_mode, owner)?;
    tracing::info!(path = %config.place.kubeconfig.display(), server = access.server, "kubeconfig.written");
    Ok(())
}
