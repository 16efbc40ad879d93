//! Connections to pods and services: by address, with TLS where the name asks for it, whoever answers.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use base_serve::dial::{self, Connection, Secure};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::sync::Semaphore;

use crate::relay::Protocol;

/// The configurations for requests, and for those that want to leave HTTP, which only HTTP/1.1 can.
static CONFIGS: LazyLock<Result<[Arc<ClientConfig>; 2], rustls::Error>> = LazyLock::new(|| {
    let any = base_serve::anyone::config(&[b"h2", b"http/1.1"])?;
    let http1 = base_serve::anyone::config(&[b"http/1.1"])?;
    Ok([any, http1].map(Arc::new))
});

/// Connects to an address, if there is a place among the connections that there may be.
///
/// # Errors
/// When there is none, or nobody answers there in time, or not in TLS where that is wanted; in Go's words.
pub(crate) async fn dial(
    places: &Arc<Semaphore>,
    tls: bool,
    address: SocketAddr,
    upgrade: bool,
) -> Result<(TokioIo<Connection>, Protocol), String> {
    let secure = if tls {
        let configs = CONFIGS.as_ref().map_err(|error| format!("tls: {error}"))?;
        let config = Arc::clone(&configs[usize::from(upgrade)]);
        Some(Secure { config, name: ServerName::from(address.ip()) })
    } else {
        None
    };
    dial_as(places, &address.to_string(), secure.as_ref()).await
}

/// The same of whoever has to be at an address or a name.
pub(crate) async fn dial_as(
    places: &Arc<Semaphore>,
    address: &str,
    secure: Option<&Secure>,
) -> Result<(TokioIo<Connection>, Protocol), String> {
    let place = Arc::clone(places).try_acquire_owned();
    let place = place.map_err(|_| format!("dial tcp {address}: too many connections are proxied"))?;
    let stream = dial::dial(address, secure).await?;
    let protocol = if stream.is_http2() { Protocol::Http2 } else { Protocol::Http1 };
    Ok((TokioIo::new(stream.keeping(place)), protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_has_a_place_until_it_ends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let places = Arc::new(Semaphore::new(1));
        let first = dial(&places, false, address, false).await.expect("there is a place");
        let refused = dial(&places, false, address, false).await.err();
        assert_eq!(refused, Some(format!("dial tcp {address}: too many connections are proxied")));
        drop(first);
        assert!(dial(&places, false, address, false).await.is_ok());
    }
}
