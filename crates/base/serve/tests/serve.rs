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
use base_serve::{Peer, Socket, Tls, limits};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
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
    connect_as(port, roots, &[]).await
}

async fn connect_as(
    port: u16,
    roots: &RootCertStore,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let socket = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await
}

/// A socket on the loopback interface that answers every request: its port, what ends it, and its task.
async fn served<A, F>(tls: Tls, connections: usize, answer: A) -> (u16, drain::Signal, JoinHandle<()>)
where
    A: Fn(Arc<Peer>, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = String> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = Socket { listener, tls, connections, clock: Arc::new(SystemClock) };
    let (signal, watch) = drain::channel();
    let answer = move |peer, request| {
        let answered = answer(peer, request);
        async { Response::new(Full::new(Bytes::from(answered.await))) }
    };
    (port, signal, tokio::spawn(socket.run(watch, answer)))
}

#[tokio::test]
async fn a_socket_answers_changes_its_certificate_and_ends() {
    let ((first, trusts_first), (second, trusts_second)) = (certificate(), certificate());
    let tls = Tls::new(first);
    let answer = |peer: Arc<Peer>, request: Request<Incoming>| async move {
        format!("{} {}", request.uri().path(), peer.chain.len())
    };
    let (port, signal, task) = served(tls.clone(), 2, answer).await;
    let stream = connect(port, &trusts_first).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let held = tokio::spawn(connection);
    let request = Request::get("/path").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
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
    let (config, roots) = certificate();
    let (port, signal, task) = served(Tls::new(config), 1, |_, _| async { String::new() }).await;
    let stream = connect(port, &roots).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let held = tokio::spawn(connection);
    let mut ask = async || {
        let request = Request::get("/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
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

#[tokio::test]
async fn who_does_not_say_which_host_he_means_is_refused_in_gos_words() {
    let (config, roots) = certificate();
    let (port, signal, task) = served(Tls::new(config), 1, |_, _| async { "nobody asks".to_owned() }).await;
    let mut stream = connect(port, &roots).await.unwrap();
    stream.write_all(b"GET /version HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request: missing required Host header\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n400 Bad Request: missing required Host header"), "{answer}");
    signal.drain().await;
    task.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_asked_to_end_and_does_not_is_cut_off() {
    let (mut config, roots) = certificate();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (port, signal, task) = served(Tls::new(config), 1, |_, _| async { String::new() }).await;
    let mut stream = connect_as(port, &roots, &[b"h2"]).await.unwrap();
    // The beginning of a head that does not go on, from somebody who answers no ping either.
    let begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82";
    stream.write_all(begun).await.unwrap();
    // Its settings have come once it has read what was sent.
    stream.read_exact(&mut [0; 9]).await.unwrap();
    rest(limits::IDLE + Duration::from_secs(1)).await;
    stream.read_exact(&mut [0; 9]).await.unwrap();
    let reading = async { while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {} };
    let passing = async {
        loop {
            tokio::task::yield_now().await;
            rest(limits::FAREWELL).await;
        }
    };
    tokio::select! {
        () = reading => {}
        () = passing => {}
    }
    signal.drain().await;
    task.await.unwrap();
}

#[tokio::test]
async fn a_long_selector_is_no_longer_than_a_head_may_be() {
    let (mut config, roots) = certificate();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let answer =
        |_, request: Request<Incoming>| async move { request.uri().query().map_or(0, str::len).to_string() };
    let (port, signal, task) = served(Tls::new(config), 4, answer).await;
    let (fields, query) = (500, "x".repeat(60_000));
    let request = |uri: &str| {
        let named = (0..fields).map(|number| (format!("x-{number}"), "1"));
        let request = named.fold(Request::get(uri).header("host", "localhost"), |request, (name, value)| {
            request.header(name, value)
        });
        request.body(Empty::<Bytes>::new()).unwrap()
    };
    let stream = connect_as(port, &roots, &[b"h2"]).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let held = tokio::spawn(connection);
    let answer = sender.send_request(request(&format!("https://localhost/?{query}"))).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "60000");
    held.abort();
    let stream = connect_as(port, &roots, &[b"http/1.1"]).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let held = tokio::spawn(connection);
    let answer = sender.send_request(request(&format!("/?{query}"))).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "60000");
    held.abort();
    signal.drain().await;
    task.await.unwrap();
}

/// Lets time pass at once.
async fn rest(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
