//! Who may ask through the proxy, and how a node is asked: requests to the whole handler.

use api_record::Record;
use base::random::SystemRandom;
use client::Caller;
use http::HeaderMap;
use server_local::{Direct, Local, Policy, TokenIssuer};
use server_registry::admit::{Admission, Attributes, Everything};
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;

use super::*;
use crate::documents::{Document, DocumentRequest, Documents};
use crate::identity::Identify;
use crate::proxy::locate::tests::put;

struct Nothing;

impl TokenIssuer for Nothing {
    fn issue<'a>(
        &'a self,
        _: &'a Direct,
        _: &'a Caller,
        _: &'a api_types::core::v1::ServiceAccount,
        _: api_types::authentication::v1::TokenRequest,
    ) -> BoxFuture<'a, Result<api_types::authentication::v1::TokenRequest, Status>> {
        Box::pin(async { Err(Status::bad_request("no tokens")) })
    }
}

impl Documents for Nothing {
    fn find(&self, _: &DocumentRequest<'_>) -> Option<Document> {
        None
    }

    fn paths(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Identify for Nothing {
    fn identify(&self, _: &Peer, headers: &HeaderMap, _: &str) -> Option<Caller> {
        Some(match headers.get("authorization")?.to_str().ok()? {
            "root" => Caller::new("root", &["system:masters"]),
            name => Caller::new(name, &["readers"]),
        })
    }
}

/// A node that says what it was asked.
struct Echo;

impl Nodes for Echo {
    fn forward<'a>(
        &'a self,
        node: &'a str,
        request: Request<Incoming>,
    ) -> BoxFuture<'a, Result<Response<Body>, Unanswered>> {
        Box::pin(async move {
            assert!(!request.headers().contains_key("authorization"));
            let text = format!("{node}: {} {}", request.method(), request.uri());
            let mut response = Response::new(content::whole(text));
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/pods/"));
            Ok(response)
        })
    }
}

/// A handler whose policy lets the group `readers` get pods' proxies.
pub(super) async fn handler() -> Arc<Handler> {
    handler_admitting(Arc::new(Everything)).await
}

async fn handler_admitting(admission: Arc<dyn Admission>) -> Arc<Handler> {
    let clock = Arc::new(SystemClock);
    let shared = Shared {
        store: Arc::new(MemoryStore::new()),
        catalog: Catalog::new(),
        gates: api_kind::Gates::default(),
        clock: Arc::<SystemClock>::clone(&clock),
        random: Arc::new(SystemRandom),
    };
    let registry = Registry::new(Arc::new(shared), Arc::new(Everything));
    let node = r#"{"metadata":{"name":"n"},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"}],
        "daemonEndpoints":{"kubeletEndpoint":{"Port":10250}}}}"#;
    put(&registry, "", "nodes", node).await;
    let role = r#"{"metadata":{"name":"reader"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods/proxy"]}]}"#;
    let binding = r#"{"metadata":{"name":"reader"},"subjects":[{"kind":"Group","apiGroup":"rbac.authorization.k8s.io","name":"readers"}],
        "roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"reader"}}"#;
    put(&registry, "rbac.authorization.k8s.io", "clusterroles", role).await;
    put(&registry, "rbac.authorization.k8s.io", "clusterrolebindings", binding).await;
    let registry = registry.with_admission(admission);
    let policy = Arc::new(Policy::default());
    let local =
        Local::new(Direct::new(registry, policy, Arc::new(Nothing), Arc::<SystemClock>::clone(&clock)));
    local.follow().await;
    let (identify, documents, nodes) = (Arc::new(Nothing), Arc::new(Nothing), Arc::new(Echo));
    Arc::new(Handler::new(local, clock, identify, documents, nodes, String::new()))
}

pub(super) async fn asked(handler: &Arc<Handler>, who: &str, method: &str, path: &str) -> Response<Incoming> {
    // Of a node of no form that the API speaks: what is behind the proxy may speak it.
    let accept = if path.starts_with("/api/v1/nodes/n") { "text/html" } else { "*/*" };
    let request = Request::builder().method(method).uri(path).header("host", "h");
    let request = request.header("authorization", who).header("accept", accept);
    sent(handler, request.body(Empty::<Bytes>::new()).unwrap()).await
}

async fn sent<B>(handler: &Arc<Handler>, request: Request<B>) -> Response<Incoming>
where
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = Arc::clone(handler);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, std::convert::Infallible>(handler.handle(Arc::default(), request).await) }
        });
        let _ =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

#[tokio::test]
async fn who_may_not_ask_is_not_listened_to() {
    let handler = handler().await;
    for (method, path) in [
        ("POST", "/api/v1/namespaces/shop/configmaps"),
        ("PUT", "/api/v1/namespaces/shop/configmaps/a"),
        ("PATCH", "/api/v1/namespaces/shop/configmaps/a"),
        ("DELETE", "/api/v1/namespaces/shop/configmaps/a"),
    ] {
        let endless = StreamBody::new(futures_util::stream::pending());
        let request = Request::builder().method(method).uri(path).header("host", "h");
        let request =
            request.header("authorization", "jane").header("content-type", "application/merge-patch+json");
        let request: Request<StreamBody<_>> = request.body(endless).unwrap();
        let request =
            request.map(|body: StreamBody<futures_util::stream::Pending<Result<Frame<Bytes>, _>>>| body);
        assert_eq!(sent(&handler, request).await.status(), 403, "{method}");
    }
}

#[tokio::test]
async fn each_method_is_a_verb_of_the_subresource() {
    let handler = handler().await;
    let path = "/api/v1/namespaces/shop/pods/http:p:80/proxy/x";
    for (method, verb) in
        [("POST", "create"), ("PUT", "update"), ("PATCH", "patch"), ("DELETE", "delete"), ("OPTIONS", "")]
    {
        let (code, reason, message) = refused(asked(&handler, "jane", method, path).await).await;
        let why = format!(
            "pods \"http:p:80\" is forbidden: User \"jane\" cannot {verb} resource \"pods/proxy\" in API group \"\" in the namespace \"shop\""
        );
        assert_eq!((code, reason.as_str(), message), (403, "Forbidden", why), "{method}");
        let (code, _, message) = refused(asked(&handler, "root", method, path).await).await;
        assert_eq!((code, message.as_str()), (404, "pods \"p\" not found"), "{method}");
    }
    let (code, _, message) = refused(asked(&handler, "jane", "GET", path).await).await;
    assert_eq!((code, message.as_str()), (404, "pods \"p\" not found"));
    assert_eq!(asked(&handler, "jane", "HEAD", path).await.status(), 404);
    for other in ["/api/v1/namespaces/shop/services/p/proxy/", "/api/v1/nodes/n/proxy/"] {
        assert_eq!(refused(asked(&handler, "jane", "GET", other).await).await.0, 403, "{other}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let handler = handler().await;
    for (method, path, code) in [
        ("TRACE", "/api/v1/nodes/n/proxy/", 405),
        ("OPTIONS", "/api/v1/nodes", 405),
        ("GET", "/api/v1/proxy/nodes/n/", 404),
        ("GET", "/api/v1/namespaces/a/configmaps/b/proxy/", 404),
    ] {
        assert_eq!(asked(&handler, "root", method, path).await.status(), code, "{method} {path}");
    }
    let dry = asked(&handler, "root", "POST", "/api/v1/nodes/n/proxy/?dryRun=All").await;
    let (code, _, message) = refused(dry).await;
    assert_eq!((code, message.as_str()), (400, "dryRun is not supported"));
}

/// Refuses everything, and says what it was.
struct Refusing;

impl Admission for Refusing {
    fn mutate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }

    fn validate<'a>(
        &'a self,
        asked: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        let mut options = Vec::new();
        if let Some(object) = object {
            api_codec::json::encode(object, None, &mut options);
        }
        let options = String::from_utf8_lossy(&options).into_owned();
        let (operation, part, name) = (asked.operation, asked.subresource, asked.name);
        Box::pin(async move { Err(Status::bad_request(format!("{operation:?} {part} {name} {options}"))) })
    }
}

#[tokio::test]
async fn a_stream_is_opened_once_admission_agrees() {
    let handler = handler_admitting(Arc::new(Refusing)).await;
    for (path, wanted) in [
        (
            "namespaces/shop/pods/p/exec?command=ls&command=-l&stdout=true&container=c",
            r#"Connect exec p {"stdout":true,"container":"c","command":["ls","-l"]}"#,
        ),
        ("namespaces/shop/pods/p/attach?stdin=1", r#"Connect attach p {"stdin":true}"#),
        ("namespaces/shop/pods/p/portforward?ports=80", r#"Connect portforward p {"ports":[80]}"#),
        ("namespaces/shop/pods/p:80/proxy/a/b/", r#"Connect proxy p:80 {"path":"/a/b/"}"#),
        ("namespaces/shop/services/s/proxy", r#"Connect proxy s {}"#),
        ("nodes/n/proxy/healthz", r#"Connect proxy n {"path":"/healthz"}"#),
    ] {
        let (code, _, message) =
            refused(asked(&handler, "root", "GET", &format!("/api/v1/{path}")).await).await;
        assert_eq!((code, message.as_str()), (400, wanted), "{path}");
    }
    let log = asked(&handler, "root", "GET", "/api/v1/namespaces/shop/pods/p/log").await;
    assert_eq!(log.status(), 404, "a log is read, and no stream is opened for it");
}

#[tokio::test]
async fn nodes_are_asked_for_their_own_api() {
    let handler = handler().await;
    for (path, wanted) in [
        ("/api/v1/nodes/n/proxy/pods?a=b", "n: GET /pods?a=b"),
        ("/api/v1/nodes/n:10250/proxy/logs/", "n: GET /logs/"),
        ("/api/v1/nodes/https:n:10250/proxy/", "n: GET /"),
    ] {
        let response = asked(&handler, "root", "GET", path).await;
        let proxy = path.split_inclusive("proxy").next().unwrap();
        assert_eq!(response.headers()[LOCATION], format!("{proxy}/pods/"), "{path}");
        assert_eq!(text(response).await, wanted);
    }
}
