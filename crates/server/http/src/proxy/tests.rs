//! Requests through the proxy over real connections on the loopback interface: what the other end sees, and what comes back.

mod logged;
mod rights;

use std::future::Future;
use std::sync::Mutex;

use api_meta::Status;
use base::drain;
use base::time::SystemClock;
use base_serve::{Socket, Tls};
use bytes::Bytes;
use client::BoxFuture;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::negotiate::Codec;
use crate::path::Place as Asked;

const PROXY: &str = "/api/v1/namespaces/a/pods/b:80/proxy";

/// Nodes of which none can be reached.
struct NoNodes;

impl Nodes for NoNodes {
    fn forward<'a>(
        &'a self,
        node: &'a str,
        _: Request<Incoming>,
    ) -> BoxFuture<'a, Result<Response<Body>, Unanswered>> {
        Box::pin(async move { Err(Unanswered::Refused(Status::internal_error(node))) })
    }
}

async fn answer(place: Place, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let info = crate::path::parse(request.method(), request.uri().path(), false);
    let Asked::Resource { rest, .. } = info.place else { panic!("{info:?}") };
    let answered =
        Way::of(request.uri().path(), &rest).go(&Reach::new(Arc::new(NoNodes)), place, &peer, request).await;
    answered.unwrap_or_else(|status| crate::handler::failure(Codec::Json, status))
}

/// A connection to a server that passes every request on to this place.
async fn front(place: Place) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, address) = listener.accept().await.unwrap();
        let peer = Peer { address: Some(address), ..Peer::default() };
        let service = service_fn(move |request| {
            let (place, peer) = (place.clone(), peer.clone());
            async move { Ok::<_, std::convert::Infallible>(answer(place, peer, request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        let _ = connection.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    });
    TcpStream::connect(address).await.unwrap()
}

fn at(address: SocketAddr, tls: bool) -> Place {
    Place::Address { tls, address, host: address.to_string() }
}

/// A place where one connection is served by `serve`, which is given what the request's head was.
async fn backend<F>(serve: impl FnOnce(TcpStream, String) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        serve(stream, String::from_utf8(head).unwrap()).await;
    });
    address
}

/// A place that gives this answer, and what it was asked.
async fn answering(answer: &'static str) -> (SocketAddr, mpsc::Receiver<String>) {
    let (told, heard) = mpsc::channel(1);
    let address = backend(move |mut stream, head| async move {
        told.send(head).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // Whoever closes with something unread takes back what was said.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    (address.await, heard)
}

async fn ask<B>(place: Place, request: Request<B>) -> Response<Incoming>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(front(place).await)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request.map(|body| body.map_err(Into::into).boxed_unsync())).await.unwrap()
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("{PROXY}{path}")).header("host", "server:6443");
    request.body(Empty::new()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

async fn refused(response: Response<Incoming>) -> (u16, String, String) {
    let status: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    (status["code"].as_u64().unwrap_or_default() as u16, text("reason"), text("message"))
}

#[tokio::test]
async fn what_is_asked_goes_on_without_its_sender() {
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nCache-Control: max-age=1\r\nX-Own: 1\r\n\
                  Access-Control-Allow-Origin: *\r\nKeep-Alive: timeout=5\r\n\r\nhi";
    let (address, mut heard) = answering(answer).await;
    let request = Request::patch(format!("{PROXY}/some//path/../with%20space/%2e?q=%2f&r"))
        .header("host", "server:6443")
        .header("authorization", "Bearer secret")
        .header("impersonate-user", "ada")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-other", "2")
        .header("x-forwarded-for", "192.0.2.1");
    let response = ask(at(address, false), request.body(Full::new(Bytes::from("body"))).unwrap()).await;
    let head = heard.recv().await.unwrap().to_ascii_lowercase();
    let mut lines: Vec<&str> = head.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "patch /some/with%20space?q=%2f&r http/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines.iter().filter(|line| !line.starts_with("x-forwarded-uri")).collect::<Vec<_>>(),
        [&"content-length: 4", &"host: server:6443", &"x-forwarded-for: 192.0.2.1, 127.0.0.1", &"x-other: 2"]
    );
    assert_eq!(response.status(), 201);
    let headers = response.headers();
    let kept: Vec<&[u8]> = headers.get_all("cache-control").iter().map(HeaderValue::as_bytes).collect();
    assert_eq!(
        (kept, headers["x-own"].as_bytes()),
        (vec![&b"no-cache, private"[..], b"max-age=1"], &b"1"[..])
    );
    assert!(!headers.contains_key("access-control-allow-origin") && !headers.contains_key("keep-alive"));
    assert_eq!(text(response).await, "hi");
}

#[tokio::test]
async fn the_other_end_learns_its_place_behind_the_proxy() {
    for (path, uri) in
        [("/", format!("{PROXY}/")), ("/a/b/", format!("{PROXY}/a/b/")), ("/a", format!("{PROXY}/a"))]
    {
        let (address, mut heard) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(ask(at(address, false), get(path)).await.status(), 204);
        let head = heard.recv().await.unwrap();
        assert!(head.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{head}");
        assert!(head.contains(&format!("x-forwarded-uri: {uri}\r\n")), "{head}");
    }
}

#[tokio::test]
async fn without_its_slash_a_page_is_somewhere_else() {
    let nowhere = at("127.0.0.1:1".parse().unwrap(), false);
    for method in [Method::GET, Method::HEAD] {
        let mut request = get("?method=GET");
        *request.method_mut() = method;
        let response = ask(nowhere.clone(), request).await;
        assert_eq!(response.status(), 301);
        assert_eq!(response.headers()[LOCATION], format!("{PROXY}/?method=GET"));
    }
    let (address, mut heard) = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let mut request = get("?method=DELETE");
    *request.method_mut() = Method::DELETE;
    assert_eq!(ask(at(address, false), request).await.status(), 200);
    assert!(heard.recv().await.unwrap().starts_with("DELETE /?method=DELETE HTTP/1.1\r\n"));
}

#[tokio::test]
async fn redirections_and_links_lead_through_the_proxy() {
    let moved = "HTTP/1.1 302 Found\r\nLocation: /login?next=/\r\nContent-Length: 0\r\n\r\n";
    let (address, _heard) = answering(moved).await;
    let response = ask(at(address, false), get("/a")).await;
    assert_eq!(response.headers()[LOCATION], format!("{PROXY}/login?next=/"));
    let (address, _heard) =
        answering("HTTP/1.1 302 Found\r\nLocation: /%zz\r\nContent-Length: 0\r\n\r\n").await;
    let (code, reason, message) = refused(ask(at(address, false), get("/a")).await).await;
    assert_eq!((code, reason.as_str()), (500, "InternalError"));
    let why = "Internal error occurred: error trying to parse Location header: parse \"/%zz\": invalid URL escape \"%zz\"";
    assert_eq!(message, why);
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 29\r\n\r\n<a href=\"/rewriteme\">test</a>";
    let (address, _heard) = answering(page).await;
    let response = ask(at(address, false), get("/")).await;
    assert!(!response.headers().contains_key(CONTENT_LENGTH));
    assert_eq!(text(response).await, format!("<a href=\"{PROXY}/rewriteme\">test</a>"));
    let plain = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n<a href='/x'>";
    let (address, _heard) = answering(plain).await;
    assert_eq!(text(ask(at(address, false), get("/")).await).await, "<a href='/x'>");
}

/// Each piece is sent only once the one before has come back: whoever kept any would keep them all.
#[tokio::test]
async fn bodies_pass_both_ways_as_they_come() {
    let address = backend(|mut stream, head| async move {
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        let begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(begin).await.unwrap();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            // The chunks come back as they are, the last one included.
            stream.write_all(&buffer[..read]).await.unwrap();
            if read == 0 || buffer[..read].ends_with(b"0\r\n\r\n") {
                return;
            }
        }
    });
    let (pieces, sent) = mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::unfold(sent, |mut sent| async move {
        Some((Ok::<_, std::convert::Infallible>(Frame::data(sent.recv().await?)), sent))
    });
    let request = Request::post(format!("{PROXY}/echo")).header("host", "h");
    let response = ask(at(address.await, false), request.body(StreamBody::new(stream)).unwrap()).await;
    let mut body = response.into_body();
    let piece = Bytes::from(vec![b'x'; 16 << 10]);
    for _ in 0..500 {
        pieces.send(piece.clone()).await.unwrap();
        let mut back = 0;
        while back < piece.len() {
            back += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
        }
    }
    drop(pieces);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    ] {
        let (address, _heard) = answering(answer).await;
        let mut body = ask(at(address, false), get("/")).await.into_body();
        let mut ended = None;
        while let Some(frame) = body.frame().await {
            ended = frame.err();
        }
        assert!(ended.is_some(), "{answer}");
    }
}

#[tokio::test]
async fn the_other_end_hears_of_a_client_that_goes_away() {
    for begin in ["", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"] {
        let (told, mut heard) = mpsc::channel(1);
        let address = backend(move |mut stream, _| async move {
            stream.write_all(begin.as_bytes()).await.unwrap();
            told.send(()).await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            told.send(()).await.unwrap();
        });
        let mut client = front(at(address.await, false)).await;
        let request = format!("GET {PROXY}/ HTTP/1.1\r\nHost: h\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        heard.recv().await.unwrap();
        drop(client);
        heard.recv().await.unwrap();
    }
}

const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

fn upgrade() -> String {
    format!(
        "GET {PROXY}/echo?a=1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    )
}

async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn other_protocols_are_spoken_until_either_end_is_gone() {
    for client_ends in [true, false] {
        let (told, mut heard) = mpsc::channel(1);
        let address = backend(move |mut stream, head| async move {
            let small = head.to_ascii_lowercase();
            assert!(
                small.starts_with("get /echo?a=1 http/1.1\r\n") && small.contains("upgrade: echo\r\n"),
                "{head}"
            );
            assert!(
                small.contains("x-forwarded-for: 127.0.0.1\r\n") && !small.contains("authorization"),
                "{head}"
            );
            // The first words come with the head, as impatient servers send them.
            stream.write_all(format!("{UPGRADE}welcome").as_bytes()).await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
            if client_ends {
                assert_eq!(stream.read(&mut word).await.unwrap_or(0), 0);
            }
            told.send(()).await.unwrap();
        });
        let mut client = front(at(address.await, false)).await;
        client.write_all(upgrade().as_bytes()).await.unwrap();
        let answered = head(&mut client).await.to_ascii_lowercase();
        assert!(answered.starts_with("http/1.1 101") && answered.contains("upgrade: echo"), "{answered}");
        let mut said = [0; 7];
        client.read_exact(&mut said).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        client.read_exact(&mut word).await.unwrap();
        assert_eq!((&said, &word), (b"welcome", b"ping"));
        if client_ends {
            drop(client);
        } else {
            assert_eq!(client.read(&mut word).await.unwrap(), 0);
        }
        heard.recv().await.unwrap();
    }
}

#[tokio::test]
async fn who_speaks_no_other_protocol_says_why() {
    let denied = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    for (answer, code, said) in [
        (denied, "403", "no"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "500",
            "invalid upgrade response: status code 200",
        ),
        ("", "500", "EOF"),
    ] {
        let (address, _heard) = answering(answer).await;
        let mut client = front(at(address, false)).await;
        let request = upgrade().replace("Connection: Upgrade", "Connection: Upgrade, close");
        client.write_all(request.as_bytes()).await.unwrap();
        let head = head(&mut client).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {code}")), "{head}");
        let mut body = String::new();
        client.read_to_string(&mut body).await.unwrap();
        assert!(body.contains(said), "{body}");
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_in_upstreams_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nobody = format!("dial tcp {address}: connect: connection refused");
    let (code, reason, message) = refused(ask(at(address, false), get("/")).await).await;
    let wanted = format!("error trying to reach service: {nobody}");
    assert_eq!((code, reason.as_str(), message), (503, "ServiceUnavailable", wanted));
    let mut request = get("/");
    request.headers_mut().insert("connection", HeaderValue::from_static("upgrade"));
    let (code, reason, message) = refused(ask(at(address, false), request).await).await;
    assert_eq!((code, reason.as_str(), message), (500, "", format!("error dialing backend: {nobody}")));
    let (address, _heard) = answering("").await;
    let (code, _, message) = refused(ask(at(address, false), get("/")).await).await;
    assert_eq!((code, message.as_str()), (503, "error trying to reach service: EOF"));
    let (address, _heard) = answering("no HTTP at all\r\n\r\n").await;
    let (code, _, message) = refused(ask(at(address, false), get("/")).await).await;
    assert!(code == 503 && message.contains("transport connection broken"), "{message}");
    let node = ask(Place::Node("n".into()), get("/")).await;
    assert_eq!(refused(node).await.2, "Internal error occurred: n");
}

#[tokio::test]
async fn what_is_served_in_tls_is_read_whoever_vouches_for_it() {
    let made = rcgen::generate_simple_self_signed(vec!["elsewhere".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config =
        builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    for (protocols, spoken) in [(&[&b"h2"[..], b"http/1.1"][..], "HTTP/2.0"), (&[], "HTTP/1.1")] {
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket =
            Socket { listener, tls: Tls::new(config.clone()), connections: 4, clock: Arc::new(SystemClock) };
        let (signal, watch) = drain::channel();
        let seen = Arc::new(Mutex::new(String::new()));
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(socket.run(watch, move |_, request: Request<Incoming>| {
            let host = relay::host(&request).and_then(|host| host.to_str().ok().map(str::to_owned));
            *noted.lock().unwrap() = format!("{:?} {}", request.version(), host.unwrap_or_default());
            async move { Response::new(request.into_body()) }
        }));
        let request = Request::put(format!("{PROXY}/")).header("host", "server:6443");
        let response = ask(at(address, true), request.body(Full::new(Bytes::from("secret"))).unwrap()).await;
        assert_eq!(text(response).await, "secret");
        assert_eq!(*seen.lock().unwrap(), format!("{spoken} server:6443"));
        signal.drain().await;
        task.await.unwrap();
    }
    let (address, _heard) = backend_in_the_open().await;
    let (code, _, message) = refused(ask(at(address, true), get("/")).await).await;
    let why = "error trying to reach service: tls: first record does not look like a TLS handshake";
    assert_eq!((code, message.as_str()), (503, why));
}

/// A place that answers whatever comes with words in the open.
async fn backend_in_the_open() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    });
    (address, task)
}
