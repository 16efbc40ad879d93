//! Real connections on the loopback interface.
#![allow(
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests of a shell: they serve on the loopback interface"
)]

use std::sync::Arc;
use std::time::Duration;

use base::drain;
use base::time::SystemClock;
use base_serve::{Socket, Tls, limits};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A configuration of a new certificate, and the roots that trust it.
fn certificate() -> (ServerConfig, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap(), roots)
}

async fn connect(port: u16, roots: &RootCertStore) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
    let socket = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await
}

#[tokio::test]
async fn a_socket_answers_changes_its_certificate_and_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let ((first, trusts_first), (second, trusts_second)) = (certificate(), certificate());
    let tls = Tls::new(first);
    let socket = Socket { listener, tls: tls.clone(), connections: 2, clock: Arc::new(SystemClock) };
    let (signal, watch) = drain::channel();
    let task = tokio::spawn(socket.run(watch, |peer, request: Request<Incoming>| async move {
        let text = format!("{} {}", request.uri().path(), peer.chain.len());
        Response::new(http_body_util::Full::new(Bytes::from(text)))
    }));
    let stream = connect(port, &trusts_first).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let held = tokio::spawn(connection);
    let request = Request::get("/path").body(Empty::<Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "/path 0");
    tls.replace(second);
    assert!(connect(port, &trusts_first).await.is_err());
    connect(port, &trusts_second).await.unwrap();
    signal.drain().await;
    task.await.unwrap();
    // The connection that was still there has been ended by the server.
    held.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_may_rest_between_requests_as_long_as_upstream_lets_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, roots) = certificate();
    let socket = Socket { listener, tls: Tls::new(config), connections: 1, clock: Arc::new(SystemClock) };
    let (signal, watch) = drain::channel();
    let task = tokio::spawn(socket.run(watch, |_, _: Request<Incoming>| async {
        Response::new(http_body_util::Full::new(Bytes::new()))
    }));
    let stream = connect(port, &roots).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let held = tokio::spawn(connection);
    let mut ask = async || {
        let request = Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    };
    ask().await;
    rest(limits::IDLE - Duration::from_secs(10)).await;
    ask().await;
    rest(limits::IDLE + Duration::from_secs(10)).await;
    held.await.unwrap().unwrap();
    signal.drain().await;
    task.await.unwrap();
}

/// Lets time pass at once.
async fn rest(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
