//! Requests that are handed on to a server over real connections on the loopback interface.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;

use base::drain;
use base::time::SystemClock;
use base_serve::{Socket, Tls};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::service::service_fn;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::relay;

/// A server that says over which version it was asked, with the connections that it has had.
async fn server(protocols: &[&[u8]]) -> (SocketAddr, Arc<Mutex<BTreeSet<SocketAddr>>>, drain::Signal) {
    let made = rcgen::generate_simple_self_signed(vec!["api.shop.svc".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config =
        builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<BTreeSet<SocketAddr>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let socket = Socket { listener, tls: Tls::new(config), connections: 16, clock: Arc::new(SystemClock) };
    let (signal, watch) = drain::channel();
    tokio::spawn(socket.run(watch, move |peer, request: Request<Incoming>| {
        noted.lock().unwrap().extend(peer.address);
        async move {
            let said = format!("{:?} {} {}", request.version(), request.method(), request.uri().path());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(Full::new(Bytes::from([said.as_bytes(), b" ", &body].concat())))
        }
    }));
    (address, seen, signal)
}

/// A connection to somebody who hands every request on to this server.
async fn front(client: Client, address: SocketAddr) -> http1::SendRequest<Full<Bytes>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| {
            let client = client.clone();
            async move {
                let sent = relay::send(&client, &address.to_string(), request).await;
                let failed = |why: String| Response::new(crate::content::whole(why));
                Ok::<_, Infallible>(sent.unwrap_or_else(failed))
            }
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    });
    let stream = TcpStream::connect(own).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn said(sender: &mut http1::SendRequest<Full<Bytes>>, body: &'static str) -> String {
    let request = Request::post("/apis/shop/v1/fruits").header("host", "server:6443");
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    sender.ready().await.unwrap();
    let answer = sender.send_request(request).await.unwrap();
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn secure(protocols: &[&[u8]]) -> Secure {
    let config = Arc::new(base_serve::anyone::config(protocols).unwrap());
    Secure { config, name: ServerName::try_from("api.shop.svc").unwrap() }
}

#[tokio::test]
async fn requests_share_connections_in_either_version() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    for (offered, version) in [(both, "HTTP/2.0"), (&both[1..], "HTTP/1.1")] {
        let (address, seen, _signal) = server(offered).await;
        let (lasting, places) = (Lasting::default(), Arc::new(Semaphore::new(8)));
        let client = lasting.to("v1.shop", &secure(both), &places, |_| true);
        let mut sender = front(client, address).await;
        for body in ["one", "two", "three"] {
            assert_eq!(said(&mut sender, body).await, format!("{version} POST /apis/shop/v1/fruits {body}"));
        }
        assert_eq!(seen.lock().unwrap().len(), 1, "{version}");
        assert_eq!(places.available_permits(), 7, "the connection has a place");
    }
}

#[tokio::test]
async fn a_connection_that_has_ended_is_replaced() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    let (address, seen, signal) = server(both).await;
    let (lasting, places) = (Lasting::default(), Arc::new(Semaphore::new(8)));
    let mut sender = front(lasting.to("v1.shop", &secure(both), &places, |_| true), address).await;
    said(&mut sender, "").await;
    signal.drain().await;
    let refused = said(&mut sender, "").await;
    assert_eq!(refused, format!("dial tcp {address}: connect: connection refused"));
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_to_be_spoken_to_otherwise_is_and_others_are_forgotten() {
    let (lasting, places) = (Lasting::default(), Arc::new(Semaphore::new(8)));
    let first = secure(&[b"h2"]);
    lasting.to("v1.shop", &first, &places, |_| true);
    lasting.to("v1.other", &first, &places, |_| true);
    let next = secure(&[b"h2"]);
    lasting.to("v1.shop", &next, &places, |name| name == "v1.shop");
    let known = lasting.known.lock().unwrap();
    assert!(Arc::ptr_eq(&known["v1.shop"].0.config, &next.config));
    assert_eq!(known.len(), 1);
}
