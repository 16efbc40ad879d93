//! Connections to an address, in the open or in TLS, within bounds of time; what goes wrong is told in Go's words.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection as Describes};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::{limits, words};

/// Bytes both ways, in the open or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// How TLS is spoken with whoever answers at an address, and who that has to be.
#[derive(Clone)]
pub struct Secure {
    /// How it is spoken.
    pub config: Arc<ClientConfig>,
    /// Who it has to be.
    pub name: ServerName<'static>,
}

/// A connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    http2: bool,
    _kept: Option<Box<dyn Any + Send>>,
}

impl Connection {
    /// Whether both ends have agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.http2
    }

    /// Keeps something until it ends, such as its place among others.
    #[must_use]
    pub fn keeping(self, kept: impl Any + Send) -> Connection {
        Connection { _kept: Some(Box::new(kept)), ..self }
    }
}

/// Connects to an address or a name, `host:port`, in TLS if that is wanted.
///
/// # Errors
/// When nobody answers there in time, or not in TLS, or somebody else.
pub async fn dial(address: &str, secure: Option<&Secure>) -> Result<Connection, String> {
    let connect = within(limits::DIAL, TcpStream::connect(address)).await;
    let stream = connect.map_err(|error| words::of_dial(address, &error))?;
    // A connection that cannot be hurried is one all the same.
    let _ = stream.set_nodelay(true);
    let Some(secure) = secure else {
        return Ok(Connection { stream: Box::new(stream), http2: false, _kept: None });
    };
    let connector = TlsConnector::from(Arc::clone(&secure.config));
    let stream = match timeout(limits::HANDSHAKE, connector.connect(secure.name.clone(), stream)).await {
        Ok(shaken) => shaken.map_err(|error| words::of_io(&error))?,
        Err(_) => return Err("net/http: TLS handshake timeout".to_owned()),
    };
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Connection { stream: Box::new(stream), http2, _kept: None })
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

impl Describes for Connection {
    fn connected(&self) -> Connected {
        if self.http2 { Connected::new().negotiated_h2() } else { Connected::new() }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
