//! Connections: a name looked up, TCP, and TLS but where it is not wanted.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hickory_resolver::TokioResolver;
use http::Uri;
use http_body_util::Full;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection as Describes};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::limits;

/// A client whose requests share connections.
pub type Pooled = legacy::Client<Connector, Full<Bytes>>;

/// Makes connections.
#[derive(Clone)]
pub struct Connector {
    /// How TLS is spoken, if it is.
    tls: Option<TlsConnector>,
    /// Who answers, where that is not the host that is connected to.
    expected: Option<ServerName<'static>>,
}

impl Connector {
    /// Connections that speak TLS by this configuration.
    pub fn new(tls: ClientConfig) -> Connector {
        Connector { tls: Some(TlsConnector::from(Arc::new(tls))), expected: None }
    }

    /// Connections in the open, for endpoints whose URL says so.
    pub fn open() -> Connector {
        Connector { tls: None, expected: None }
    }

    /// The same to whoever has this name, wherever that is: one of those who serve a service.
    #[must_use]
    pub fn expecting(self, name: ServerName<'static>) -> Connector {
        Connector { expected: Some(name), ..self }
    }

    /// A client that keeps so many of its connections to a host for the next request.
    pub fn pooled(self, connections: usize) -> Pooled {
        legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::IDLE)
            .pool_max_idle_per_host(connections)
            .build(self)
    }

    /// Connects to a port of a host, which is an address or a name.
    ///
    /// # Errors
    /// When it cannot be reached, or is not who it has to be.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<Connection> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = || match &self.expected {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other),
        };
        let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        for address in resolve(host).await? {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let Some(tls) = &self.tls else { return Ok(Connection::Open(TokioIo::new(stream))) };
                    let stream = Box::new(tls.connect(name()?, stream).await?);
                    return Ok(Connection::Tls(TokioIo::new(stream)));
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The addresses of a host. A static binary cannot count on the C library for that.
async fn resolve(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let found = resolver.map_err(io::Error::other)?.lookup_ip(host).await.map_err(io::Error::other)?;
    Ok(found.iter().collect())
}

/// A connection.
pub enum Connection {
    /// One that speaks TLS.
    Tls(TokioIo<Box<TlsStream<TcpStream>>>),
    /// One in the open.
    Open(TokioIo<TcpStream>),
}

impl Connection {
    fn of(self: Pin<&mut Self>) -> Pin<&mut (dyn Both + Unpin + '_)> {
        let stream: &mut (dyn Both + Unpin) = match self.get_mut() {
            Connection::Tls(stream) => stream,
            Connection::Open(stream) => stream,
        };
        Pin::new(stream)
    }
}

trait Both: Read + Write {}

impl<T: Read + Write> Both for T {}

impl Describes for Connection {
    fn connected(&self) -> Connected {
        match self {
            Connection::Tls(stream) if stream.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Connection::Tls(_) | Connection::Open(_) => Connected::new(),
        }
    }
}

impl Read for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        self.of().poll_read(cx, buf)
    }
}

impl Write for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.of().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.of().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.of().poll_shutdown(cx)
    }
}

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let host = server.host().unwrap_or_default();
            let port = server.port_u16().unwrap_or(if connector.tls.is_some() { 443 } else { 80 });
            match tokio::time::timeout(limits::CONNECT, connector.connect(host, port)).await {
                Ok(connection) => connection,
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, format!("{host}:{port} does not answer")))
                }
            }
        })
    }
}
