//! How the administrator's kubeconfig lets one in.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Where the API is, and the TLS of somebody who may do everything.
#[derive(Clone)]
pub struct Access {
    /// The socket.
    pub address: SocketAddr,
    /// Trusts the cluster's authority, and shows the administrator's certificate.
    pub tls: Arc<ClientConfig>,
}

impl Access {
    /// Reads a kubeconfig as `knarr server` writes it, for whoever is on the server's machine.
    pub fn read(kubeconfig: &Path, port: u16) -> Result<Access> {
        let text = std::fs::read_to_string(kubeconfig).context("reading the kubeconfig")?;
        Access::of(&text, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// Reads a kubeconfig with one cluster, and its server's address.
    pub fn elsewhere(kubeconfig: &Path) -> Result<Access> {
        let text = std::fs::read_to_string(kubeconfig).context("reading the kubeconfig")?;
        let server = text.split_once("server:").map(|(_, rest)| rest.trim_start()).unwrap_or_default();
        let url = server.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
        let address = url.strip_prefix("https://").and_then(|rest| rest.trim_end_matches('/').parse().ok());
        Access::of(&text, address.with_context(|| format!("{url:?} is no address of a server"))?)
    }

    fn of(text: &str, address: SocketAddr) -> Result<Access> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&value(text, "certificate-authority-data")?)?)?;
        let certificate = value(text, "client-certificate-data")?;
        let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&value(text, "client-key-data")?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Access { address, tls: Arc::new(tls) })
    }
}

/// A value in base64, which may be folded over several lines.
fn value(text: &str, key: &str) -> Result<Vec<u8>> {
    let (_, rest) =
        text.split_once(&format!("{key}:")).ok_or_else(|| anyhow!("the kubeconfig has no {key}"))?;
    let words = rest.split_whitespace().filter(|word| *word != ">-");
    let value: String = words.take_while(|word| !word.ends_with(':')).collect();
    STANDARD.decode(value.trim_matches('"')).with_context(|| format!("{key} is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_from_its_line_or_from_the_lines_below() {
        let text = "user:\n    certificate: >-\n      aGVs\n      bG8=\n    key: d29ybGQ=\ncontexts:\n";
        assert_eq!(value(text, "certificate").expect("it is there"), b"hello");
        assert_eq!(value(text, "key").expect("it is there"), b"world");
        assert!(value(text, "token").is_err());
    }
}
