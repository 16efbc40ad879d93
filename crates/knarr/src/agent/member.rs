//! The agent as a member of its cluster: known by its certificates, which it renews while it runs.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use base::time::Clock;
use cli::config::AgentConfig;
use client::Api;
use client_remote::{Access, Certificate, Credentials, Remote};
use node_http::{Direct, Tls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use server_authn::bootstrap::join::JoinToken;
use server_authn::certificate::AlternativeName;
use server_authn::pki::directory::Directory;
use server_authn::x509::ClientAuthorities;
use tokio::net::TcpListener;

use super::identity::{Held, Purpose};
use super::join;
use crate::node;

/// A node that the cluster knows.
pub struct Member {
    /// The API, as the node.
    pub api: Remote,
    name: String,
    files: Directory,
    authority_der: CertificateDer<'static>,
    authorities: ClientAuthorities,
    client: Held,
    shown: Arc<Certificate>,
    clock: Arc<dyn Clock>,
}

impl Member {
    /// Joins the cluster by its token, unless that has been done.
    pub async fn join(config: &AgentConfig, clock: Arc<dyn Clock>) -> anyhow::Result<Member> {
        let files = Directory::new(config.place.data_dir.join("agent/tls"));
        let token = JoinToken::parse(config.token.reveal()).context("--token")?;
        let authority = join::authority(config, &files, &token).await?;
        let authority_der = CertificateDer::from_pem_slice(authority.as_bytes())?;
        let (server, name) = (config.server.to_string(), config.node.name.to_string());
        let mut client = Held::open(&files, Purpose::Client, &name, &[], &authority_der)?;
        if client.is_due(clock.now()) {
            tracing::info!(server, node = name, "agent.joining");
            let stranger = Access::new(&server, &authority, Credentials::Token(token.token().to_string()));
            let api = Remote::new(&stranger, Arc::clone(&clock))?;
            let joined = client.renew(&api, &files, &*clock).await;
            joined.with_context(|| format!("joining the cluster at {server}"))?;
        }
        let shown = Arc::new(Certificate::from_pem(client.certificate(), client.key())?);
        let access = Access::new(&server, &authority, Credentials::Certificate(Arc::clone(&shown)));
        let api = Remote::new(&access, Arc::clone(&clock))?;
        let authorities = ClientAuthorities::from_pem(authority.as_bytes())?;
        Ok(Member { api, name, files, authority_der, authorities, client, shown, clock })
    }

    /// Serves the node's API until the drain, with a certificate for these addresses; the node must be registered with them
    /// by now, or nobody approves it.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        direct: Direct,
        addresses: Vec<IpAddr>,
        mut drain: drain::Watch,
    ) -> anyhow::Result<()> {
        let host = std::iter::once(AlternativeName::Dns(self.name.clone()));
        let names: Vec<_> = host.chain(addresses.into_iter().map(AlternativeName::Ip)).collect();
        let mut serving = Held::open(&self.files, Purpose::Serving, &self.name, &names, &self.authority_der)?;
        tokio::select! {
            () = drain.signaled() => return Ok(()),
            () = self.renew(&mut serving) => {}
        }
        let tls = Tls::new(node::tls(serving.certificate(), serving.key(), &self.authorities)?);
        let api: Arc<dyn Api> = Arc::new(self.api.clone());
        let server = node::serve(listener, direct, tls.clone(), self.authorities.clone(), api, &self.name);
        tokio::select! {
            () = server.run(drain) => Ok(()),
            failed = self.keep_current(serving, tls) => failed,
        }
    }

    async fn renew(&self, held: &mut Held) {
        if held.is_due(self.clock.now()) {
            held.renew_until_done(&self.api, &self.files, &*self.clock).await;
        }
    }

    async fn keep_current(&mut self, mut serving: Held, tls: Tls) -> anyhow::Result<()> {
        loop {
            let now = self.clock.now();
            self.clock.sleep(serving.until_due(now).min(self.client.until_due(now))).await;
            let now = self.clock.now();
            if self.client.is_due(now) {
                self.client.renew_until_done(&self.api, &self.files, &*self.clock).await;
                self.shown.replace(self.client.certificate(), self.client.key())?;
            }
            if serving.is_due(now) {
                serving.renew_until_done(&self.api, &self.files, &*self.clock).await;
                tls.replace(node::tls(serving.certificate(), serving.key(), &self.authorities)?);
            }
        }
    }
}
