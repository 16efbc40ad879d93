//! Hooks that answer, fail, are late, talk nonsense or too much, and are not who they say.
#![allow(clippy::disallowed_types, clippy::unwrap_used, reason = "a test, whose hooks are real")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::drain;
use base::time::SystemClock;
use base_serve::{Socket, Tls};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use server_webhook::{Answer, Call, CallError, Client, Hook, Services, Webhooks};
use tokio::net::TcpListener;

type Body = BoxBody<Bytes, Infallible>;

/// Every service is at one address.
struct At(SocketAddr);

impl Services for At {
    fn find(&self, _: &str, _: &str, _: u16) -> Result<(String, u16), String> {
        Ok((self.0.ip().to_string(), self.0.port()))
    }
}

/// A hook, with what it was asked.
struct Served {
    address: SocketAddr,
    authority: Bytes,
    own: Bytes,
    asked: Arc<Mutex<Vec<Asked>>>,
    _signal: drain::Signal,
}

/// Who asked, and for what.
type Asked = (SocketAddr, String, String);

fn whole(body: &'static str) -> Response<Body> {
    Response::new(Full::new(Bytes::from(body)).boxed())
}

/// A hook of a name, whose certificate an authority of its own vouches for, or nobody but itself.
async fn serve(
    name: &str,
    itself: bool,
    answer: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static,
) -> Served {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = if itself {
        // As `openssl req -x509` makes them.
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&key).unwrap()
    } else {
        params.signed_by(&key, &authority).unwrap()
    };
    let chain = vec![CertificateDer::from(own.der().to_vec())];
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(chain, private).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (signal, watch) = drain::channel();
    let socket = Socket { listener, tls: Tls::new(config), connections: 64, clock: Arc::new(SystemClock) };
    let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(socket.run(watch, move |peer, request: Request<Incoming>| {
        let (seen, answer) = (Arc::clone(&seen), answer.clone());
        async move {
            let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
            let path = request.uri().to_string();
            seen.lock().unwrap().push((peer.address.unwrap(), host.unwrap_or_default(), path.clone()));
            let body = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body, "{}");
            answer(&path)
        }
    }));
    let pem = |pem: String| Bytes::from(pem);
    Served { address, authority: pem(authority.pem()), own: pem(own.pem()), asked, _signal: signal }
}

fn client(address: SocketAddr) -> Client {
    Client::new(Arc::new(At(address)), Arc::new(SystemClock))
}

fn call(hook: &Hook) -> Call<'_> {
    Call { hook, body: Bytes::from("{}"), timeout: Duration::from_secs(20), answer_bytes: 1 << 20 }
}

fn said(answer: Result<Answer, CallError>) -> String {
    match answer {
        Ok(answer) => String::from_utf8(answer.body.to_vec()).unwrap(),
        Err(CallError::Refused(status)) => format!("{} {}", status.code, status.message),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_service_is_asked_by_its_name_over_connections_that_are_kept() {
    let served = serve("svc.ns.svc", false, |_| whole(r#"{"kind":"Review","apiVersion":"v1"}"#)).await;
    let client = client(served.address);
    let hook = Hook::service("ns", "svc", "/path", None, served.authority.clone());
    for _ in 0..3 {
        let answer = client.call(call(&hook)).await.unwrap();
        assert_eq!((answer.type_meta.kind.as_str(), answer.type_meta.api_version.as_str()), ("Review", "v1"));
    }
    let asked = served.asked.lock().unwrap().clone();
    assert!(
        asked.iter().all(|(peer, host, path)| {
            *peer == asked[0].0 && host == "svc.ns.svc:443" && path == "/path?timeout=20s"
        }),
        "{asked:?}"
    );
}

#[tokio::test]
async fn only_who_is_vouched_for_is_asked() {
    let post = r#"Post "https://svc.ns.svc:443/?timeout=20s": tls: failed to verify certificate: x509: "#;
    for (name, itself, wanted) in [
        ("svc.ns.svc", false, "{}".to_owned()),
        ("svc.ns.svc", true, "{}".to_owned()),
        ("else.ns.svc", false, format!("{post}certificate is valid for else.ns.svc, not svc.ns.svc")),
        ("else.ns.svc", true, format!("{post}certificate is valid for else.ns.svc, not svc.ns.svc")),
    ] {
        let served = serve(name, itself, |_| whole("{}")).await;
        let bundle = if itself { &served.own } else { &served.authority };
        let hook = Hook::service("ns", "svc", "", None, bundle.clone());
        assert_eq!(said(client(served.address).call(call(&hook)).await), wanted, "{name} {itself}");
        let other = serve("svc.ns.svc", false, |_| whole("{}")).await;
        let stranger = Hook::service("ns", "svc", "", None, other.authority.clone());
        let refused = said(client(served.address).call(call(&stranger)).await);
        assert_eq!(refused, format!("{post}certificate signed by unknown authority"));
        let trusted = Hook::service("ns", "svc", "", None, Bytes::new());
        let refused = client(served.address).call(call(&trusted)).await;
        assert!(refused.is_err(), "no authority of the machine knows it");
    }
    let hook = Hook::service("ns", "svc", "", None, Bytes::from("no PEM"));
    let unusable = client(([127, 0, 0, 1], 1).into()).call(call(&hook)).await;
    assert!(matches!(&unusable, Err(CallError::Unusable(_))), "{unusable:?}");
    assert_eq!(said(unusable), "unable to load root certificates: unable to parse bytes as PEM block");
}

#[tokio::test]
async fn what_is_no_answer_is_told_in_upstreams_words() {
    let served = serve("svc.ns.svc", false, |path| {
        let coded = |code: u16, body: &'static str| {
            let mut response = whole(body);
            *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
            response
        };
        match path.split('?').next().unwrap() {
            "/status" => {
                whole(r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no","code":418}"#)
            }
            "/failed" => coded(
                500,
                r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"oh","code":500}"#,
            ),
            "/text" => coded(500, "no such luck\n"),
            "/missing" => coded(404, "404 page not found"),
            "/moved" => {
                let mut response = coded(307, "");
                response.headers_mut().insert("location", "/status".parse().unwrap());
                response
            }
            "/garbage" => whole("<html>"),
            "/empty" => whole(""),
            "/huge" => Response::new(Full::new(Bytes::from(vec![b' '; (1 << 20) + 1])).boxed()),
            _ => {
                let never = pending();
                Response::new(StreamBody::new(never).boxed())
            }
        }
    })
    .await;
    let client = client(served.address);
    let broken = "unexpected error when reading response body. Please retry. Original error: ";
    for (path, wanted) in [
        ("/status", "418 no".to_owned()),
        ("/failed", "500 oh".to_owned()),
        (
            "/text",
            r#"500 an error on the server ("no such luck") has prevented the request from succeeding"#
                .to_owned(),
        ),
        ("/missing", "404 the server could not find the requested resource".to_owned()),
        (
            "/moved",
            "307 the server responded with the status code 307 but did not return more information"
                .to_owned(),
        ),
        ("/garbage", "couldn't get version/kind; json parse error: ".to_owned()),
        ("/empty", "0-length response with status code: 200 and content type: application/json".to_owned()),
        ("/huge", format!("{broken}the answer is larger than 1048576 bytes")),
    ] {
        let hook = Hook::service("ns", "svc", path, None, served.authority.clone());
        let said = said(client.call(call(&hook)).await);
        assert!(said.starts_with(&wanted), "{path}: {said}");
    }
    let hook = Hook::service("ns", "svc", "/never", None, served.authority.clone());
    let late = Call { timeout: Duration::from_millis(300), ..call(&hook) };
    assert_eq!(said(client.call(late).await), format!("{broken}context deadline exceeded"));
}

/// A body that never comes.
fn pending() -> futures_util::stream::Pending<Result<Frame<Bytes>, Infallible>> {
    futures_util::stream::pending()
}

#[tokio::test]
async fn who_is_not_there_or_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let served = serve("svc.ns.svc", false, |_| whole("{}")).await;
    let hook = Hook::service("ns", "svc", "/x", Some(9443), served.authority.clone());
    let late = Call { timeout: Duration::from_millis(200), ..call(&hook) };
    let url = "https://svc.ns.svc:9443/x?timeout=1s";
    assert_eq!(
        said(client(address).call(late.clone()).await),
        format!("Post \"{url}\": context deadline exceeded")
    );
    drop(silent);
    let refused = format!("Post \"{url}\": dial tcp {address}: connect: connection refused");
    assert_eq!(said(client(address).call(late).await), refused);
    struct Nowhere;
    impl Services for Nowhere {
        fn find(&self, _: &str, name: &str, _: u16) -> Result<(String, u16), String> {
            Err(format!("service {name:?} not found"))
        }
    }
    let client = Client::new(Arc::new(Nowhere), Arc::new(SystemClock));
    let missing = said(client.call(call(&hook)).await);
    assert_eq!(missing, r#"Post "https://svc.ns.svc:9443/x?timeout=20s": service "svc" not found"#);
}

#[tokio::test]
async fn a_url_is_asked_as_it_is() {
    let served = serve("localhost", false, |_| whole("{}")).await;
    let url = format!("https://localhost:{}/hook/", served.address.port());
    let hook = Hook::url(&url, served.authority.clone());
    assert_eq!(said(client(([127, 0, 0, 1], 1).into()).call(call(&hook)).await), "{}");
    let asked = served.asked.lock().unwrap().clone();
    assert!(asked[0].2.ends_with("/hook?timeout=20s"), "{asked:?}");
}
