//! The agent as a member of its cluster: known by its certificates, which it renews while it runs.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api_types::core::v1::Node;
use base::drain;
use base::random::SystemRandom;
use base::time::Clock;
use cli::config::{AgentConfig, Cluster};
use client::{Api, Resource, Status, Target};
use client_remote::{Access, Certificate, Credentials, Remote};
use node_http::{Direct, Tls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use server_authn::bootstrap::join::JoinToken;
use server_authn::certificate::AlternativeName;
use server_authn::pki::directory::{Directory, Files as _};
use server_authn::x509::ClientAuthorities;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::identity::{Held, PATIENCE, Purpose};
use super::{asked, join};
use crate::node;

/// A node that the cluster knows.
pub struct Member {
    /// The API, as the node.
    pub api: Remote,
    name: String,
    files: Directory,
    authority_der: CertificateDer<'static>,
    authorities: ClientAuthorities,
    /// The certificate that it joined with, and what connections show of it; none where somebody else keeps it.
    client: Option<(Held, Arc<Certificate>)>,
    clock: Arc<dyn Clock>,
}

impl Member {
    /// Becomes what the configuration says: by joining, unless that has been done, or by the kubeconfig.
    pub async fn of(config: &AgentConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Member> {
        let files = Directory::new(config.place.data_dir.join("agent/tls"));
        let name = config.node.name.to_string();
        let (access, client) = match &config.cluster {
            Cluster::Known { kubeconfig, .. } => (client_remote::kubeconfig::read(kubeconfig)?, None),
            Cluster::Join { server, token } => {
                let token = JoinToken::parse(token.reveal()).context("--token")?;
                let authority = join::authority(&config.place, server, &files, &token).await?;
                let server = server.to_string();
                if files.read("node-client.crt")?.is_none() {
                    refuse_taken(&name, &server, &authority, &token, &clock).await?;
                }
                let client = joined(&files, &name, &server, &authority, &token, &clock).await?;
                let shown = Arc::new(Certificate::from_pem(client.certificate(), client.key())?);
                let credentials = Credentials::Certificate(Arc::clone(&shown));
                (Access::new(&server, &authority, credentials), Some((client, shown)))
            }
        };
        let authority_der = CertificateDer::from_pem_slice(access.authority_pem.as_bytes())?;
        let authorities = ClientAuthorities::from_pem(access.authority_pem.as_bytes())?;
        let api = Remote::new(&access, Arc::clone(&clock))?;
        Ok(Member { api, name, files, authority_der, authorities, client, clock })
    }

    /// Serves the node's API until the drain, with a certificate for these addresses; the node must be registered with them
    /// by now, or nobody approves it. Where nobody approves it for some seconds, it is served without, and with it from then on.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        direct: Direct,
        addresses: Vec<IpAddr>,
        drain: drain::Watch,
    ) -> anyhow::Result<()> {
        let host = std::iter::once(AlternativeName::Dns(self.name.clone()));
        let names: Vec<_> = host.chain(addresses.into_iter().map(AlternativeName::Ip)).collect();
        let serving = Held::open(&self.files, Purpose::Serving, &self.name, &names, &self.authority_der)?;
        let wait = if serving.is_due(self.clock.now()) { PATIENCE } else { Duration::ZERO };
        let first = serving.or_stand_in(&*self.clock)?;
        let tls = Tls::new(node::tls(&first.certificate, &first.key, &[&self.authorities])?);
        let api: Arc<dyn Api> = Arc::new(self.api.clone());
        let server = node::serve(listener, direct, tls.clone(), self.authorities.clone(), api, &self.name);
        let (clock, signed) = (Arc::clone(&self.clock), Notify::new());
        let served = async {
            let mut stop = drain.clone();
            tokio::select! {
                () = stop.signaled() => return,
                () = signed.notified() => {}
                () = clock.sleep(wait) => {}
            }
            server.run(drain).await;
        };
        tokio::select! {
            () = served => Ok(()),
            failed = self.keep_current(serving, tls, &signed) => failed,
        }
    }

    /// Renews both certificates in time, the one to serve with at once if there is none; `signed` hears when it is there.
    async fn keep_current(&mut self, mut serving: Held, tls: Tls, signed: &Notify) -> anyhow::Result<()> {
        loop {
            let now = self.clock.now();
            let client = self.client.as_ref().map(|(client, _)| client.until_due(now));
            let next = serving.until_due(now);
            self.clock.sleep(client.map_or(next, |client| client.min(next))).await;
            let now = self.clock.now();
            if let Some((client, shown)) = &mut self.client
                && client.is_due(now)
            {
                client.renew_until_done(&self.api, &self.files, &*self.clock).await;
                shown.replace(client.certificate(), client.key())?;
            }
            if serving.is_due(now) {
                serving.renew_until_done(&self.api, &self.files, &*self.clock).await;
                tls.replace(node::tls(serving.certificate(), serving.key(), &[&self.authorities])?);
                signed.notify_one();
            }
        }
    }
}

/// Fails if the cluster has a node of this name already, which works: kubeadm's check, before anything is asked for in that name. Only
/// the cluster's own word counts: a server that cannot say is asked again.
async fn refuse_taken(
    name: &str,
    server: &str,
    authority: &str,
    token: &JoinToken,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<()> {
    let api = stranger(server, authority, token, clock)?;
    let target = Target {
        resource: Resource::of("", "v1", "nodes"),
        namespace: String::new(),
        name: name.to_owned(),
        subresource: String::new(),
    };
    // A token that is none is told so when it asks to join; one that may do that and nothing else cannot tell.
    let is_answer =
        |status: &Status| status.is_not_found() || status.is_unauthorized() || status.is_forbidden();
    let found = asked::object::<Node>(&api, &target, is_answer, &**clock, &SystemRandom).await;
    anyhow::ensure!(
        !found.is_ok_and(|node| api_meta::conditions::is_true(&node.status.conditions, "Ready")),
        "a Node with name {name:?} and status Ready already exists in the cluster: give this one another with --node-name"
    );
    Ok(())
}

/// The API, as whoever holds the token.
fn stranger(
    server: &str,
    authority: &str,
    token: &JoinToken,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Remote> {
    let access = Access::new(server, authority, Credentials::Token(token.token().to_string()));
    Ok(Remote::new(&access, Arc::clone(clock))?)
}

/// The client certificate of a node that has joined, which it does now if need be.
async fn joined(
    files: &Directory,
    name: &str,
    server: &str,
    authority: &str,
    token: &JoinToken,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Held> {
    let authority_der = CertificateDer::from_pem_slice(authority.as_bytes())?;
    let mut client = Held::open(files, Purpose::Client, name, &[], &authority_der)?;
    if client.is_due(clock.now()) {
        tracing::info!(server, node = name, "agent.joining");
        let api = stranger(server, authority, token, clock)?;
        let joined = client.renew(&api, files, &**clock).await;
        joined.with_context(|| format!("joining the cluster at {server}"))?;
    }
    Ok(client)
}
