//! TLS with a server whose certificate is not looked at: a probe asks whether a container answers, not who it is, as kubelet's do.

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Config = LazyLock<Result<Arc<ClientConfig>, Error>>;

/// Speaks TLS on a connection to a host.
pub(super) async fn connect(host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    static CONFIG: Config = LazyLock::new(|| base_serve::anyone::config(&[]).map(Arc::new));
    with(&CONFIG, host, stream).await
}

/// Speaks TLS on a connection to a host, for HTTP/2.
pub(super) async fn connect_http2(host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    static CONFIG: Config = LazyLock::new(|| base_serve::anyone::config(&[b"h2"]).map(Arc::new));
    with(&CONFIG, host, stream).await
}

async fn with(config: &Config, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let config = config.as_ref().map_err(|error| io::Error::other(error.clone()))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}
