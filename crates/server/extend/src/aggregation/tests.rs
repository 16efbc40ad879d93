//! Servers that are well, old-fashioned, broken and silent, and what is known of them.
#![allow(clippy::disallowed_types, reason = "the servers listen")]

use std::sync::atomic::{AtomicUsize, Ordering};

use api_types::apiregistration::v1::{APIService, APIServiceCondition, ServiceReference};
use api_types::core::v1::{Service, ServicePort};
use api_types::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};
use base::time::SystemClock;
use base_serve::{Socket, Tls};
use client::{Caller, Revision, Snapshot, Target, Uri, view};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;

use server_webhook::endpoint::SERVICE_NAME;

use super::*;

/// Nothing of anybody, in a cluster without services.
pub(super) fn nothing() -> Aggregation {
    of(None, Vec::new(), Vec::new())
}

fn of(shown: Option<Shown>, services: Vec<Service>, slices: Vec<EndpointSlice>) -> Aggregation {
    let (mut publish_services, services_view) = view::channel();
    let services = services.into_iter().map(|own| Arc::new(own) as Arc<dyn api_record::Record>);
    publish_services.replace(services, Revision(7));
    let (mut publish_slices, slices_view) = view::channel();
    let slices = slices.into_iter().map(|own| Arc::new(own) as Arc<dyn api_record::Record>);
    publish_slices.replace(slices, Revision(7));
    Aggregation::over(services_view, slices_view, shown, Arc::new(SystemClock))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Well,
    OldFashioned,
    Broken,
    Garbage,
    Silent,
}

const DOCUMENT: &str = r#"{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"shop"},"versions":[
    {"version":"v1","resources":[{"resource":"wares","responseKind":{"kind":"Ware"}}]}]}]}"#;
const LIST: &str =
    r#"{"kind":"APIResourceList","groupVersion":"shop/v1","resources":[{"name":"wares","kind":"Ware"}]}"#;
const INDEX: &str = r#"{"paths":{"apis/shop/v1":{"serverRelativeURL":"/openapi/v3/apis/shop/v1?hash=1"},
    "apis/apps/v1":{"serverRelativeURL":"/openapi/v3/apis/apps/v1?hash=1"}}}"#;
const SWAGGER: &str = r##"{"paths":{"/apis/shop/v1/wares":{"$ref":"#/definitions/Ware"},"/apis/apps/v1/x":{}},
    "definitions":{"Ware":{"p":{"$ref":"#/definitions/Price"}},"Price":{"p":{"$ref":"#/definitions/Ware"}},"Other":{}}}"##;

async fn answer(mood: Mood, asked: Arc<AtomicUsize>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    asked.fetch_add(1, Ordering::SeqCst);
    let whole = |code: u16, content_type: &str, text: &str| {
        let response =
            Response::builder().status(code).header("content-type", content_type).header("etag", "\"1\"");
        response.body(Full::new(Bytes::from(text.to_owned()))).expect("an answer")
    };
    if request.uri().path().starts_with("/apis/shop/v1/namespaces/") {
        assert_eq!(request.headers()["x-remote-user"], "ada");
        assert_eq!(request.uri().query(), Some("labelSelector=a%3Db"));
        let refused = r#"{"kind":"Status","reason":"Forbidden","message":"not for you"}"#;
        return match mood {
            Mood::Well => whole(200, "application/json", r#"{"items":[1]}"#),
            Mood::OldFashioned => whole(403, "application/json", refused),
            Mood::Garbage => whole(200, "application/json", "[{"),
            _ => whole(404, "text/plain", "404 page not found"),
        };
    }
    assert_eq!(request.headers()["x-remote-user"], "system:kube-aggregator");
    assert_eq!(request.headers()["x-remote-group"], "system:masters");
    let aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    match (mood, request.uri().path()) {
        (Mood::Silent, _) => std::future::pending().await,
        (Mood::Broken, _) => whole(500, "text/plain", "no"),
        (Mood::Garbage, "/apis") => whole(200, aggregated, "[{"),
        (Mood::Garbage, _) => whole(200, "application/json", "\u{0}"),
        (Mood::Well, "/apis") if request.headers().contains_key("if-none-match") => whole(304, "", ""),
        (Mood::Well, "/apis") => whole(200, aggregated, DOCUMENT),
        (Mood::OldFashioned, "/apis") => whole(200, "application/json", r#"{"kind":"APIGroupList"}"#),
        (_, "/apis/shop/v1") => whole(200, "application/json", LIST),
        (Mood::Well, "/openapi/v3") => whole(200, "application/json", INDEX),
        (Mood::Well, "/openapi/v2") => whole(200, "application/json", SWAGGER),
        _ => whole(404, "text/plain", "404"),
    }
}

/// A server in a mood, an APIService that leads to it, and how often it was asked.
struct World {
    aggregation: Aggregation,
    service: APIService,
    port: i32,
    asked: Arc<AtomicUsize>,
    _signal: base::drain::Signal,
}

impl World {
    async fn with(mood: Mood) -> World {
        let params = rcgen::CertificateParams::new(vec!["api.shop.svc".to_owned()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], der)
            .expect("a usable certificate");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let socket =
            Socket { listener, tls: Tls::new(config), connections: 10, clock: Arc::new(SystemClock) };
        let (signal, drain) = base::drain::channel();
        let counting = Arc::clone(&asked);
        tokio::spawn(socket.run(drain, move |_, request| answer(mood, Arc::clone(&counting), request)));
        let mut service = Service::default();
        service.metadata.namespace = "shop".to_owned();
        service.metadata.name = "api".to_owned();
        service.spec.type_ = "ClusterIP".to_owned();
        service.spec.ports = vec![ServicePort { port: 443, ..ServicePort::default() }];
        let mut slice = EndpointSlice { address_type: "IPv4".to_owned(), ..EndpointSlice::default() };
        slice.metadata.namespace = "shop".to_owned();
        slice.metadata.name = "api-1".to_owned();
        slice.metadata.labels.insert(SERVICE_NAME.to_owned(), "api".to_owned());
        let addresses = vec!["127.0.0.1".to_owned()].into();
        slice.endpoints = vec![Endpoint { addresses, ..Endpoint::default() }].into();
        let (name, port) = (Some(String::new()), i32::from(port));
        slice.ports = vec![EndpointPort { name, port: Some(port), ..EndpointPort::default() }].into();
        let mut api = APIService::default();
        api.metadata.name = "v1.shop".to_owned();
        api.spec.group = "shop".to_owned();
        api.spec.version = "v1".to_owned();
        api.spec.ca_bundle = Some(own.pem().into_bytes().into());
        let (namespace, name) = ("shop".to_owned(), "api".to_owned());
        api.spec.service = Some(Box::new(ServiceReference { namespace, name, port: Some(443) }));
        let aggregation = of(None, vec![service], vec![slice]);
        World { aggregation, service: api, port, asked, _signal: signal }
    }

    fn route(&self) -> Arc<Route> {
        Arc::new(Route::of(&self.service, None, None).expect("it leads elsewhere"))
    }

    /// What is known after it was asked once.
    async fn known(&self) -> (Result<(), String>, Known) {
        let (route, routes) = (self.route(), vec![self.route()]);
        let told = follow::once(&self.aggregation, &route.backend, &routes).await;
        let known = self.aggregation.known();
        (told, Known::clone(&known[&route.backend]))
    }
}

fn resources(known: &Known) -> Vec<String> {
    let own = &known.discovered[&("shop".to_owned(), "v1".to_owned())];
    own.resources.iter().filter_map(|one| one["resource"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_a_server_says_is_known() {
    for mood in [Mood::Well, Mood::OldFashioned] {
        let (told, known) = World::with(mood).await.known().await;
        assert_eq!((told, resources(&known)), (Ok(()), vec!["wares".to_owned()]), "{mood:?}");
        assert!(known.discovered.values().all(|own| own.fresh));
        let wants = mood == Mood::Well;
        assert_eq!(
            known.v3.values().map(String::as_str).collect::<Vec<_>>(),
            if wants { vec!["/openapi/v3/apis/shop/v1?hash=1"] } else { vec![] }
        );
        assert_eq!(known.without_v3, !wants);
        let definitions = known.v2.map(|own| own["definitions"].as_object().map_or(0, serde_json::Map::len));
        assert_eq!(definitions, wants.then_some(2), "what is not needed is left out");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_of_use_is_there_with_nothing() {
    for mood in [Mood::Broken, Mood::Garbage] {
        let world = World::with(mood).await;
        let (told, known) = world.known().await;
        assert!(told.is_err() && resources(&known).is_empty(), "{mood:?}: {told:?}");
        assert!(known.discovered.values().all(|own| !own.fresh));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_waited_for_a_little_while_only() {
    let world = World::with(Mood::Silent).await;
    let (told, known) = world.known().await;
    assert!(told.is_err_and(|why| why.contains("context deadline exceeded")));
    assert!(resources(&known).is_empty());
    let failed = probe::probe(&world.aggregation, &world.route()).await;
    let told = failed.expect_err("nobody answers");
    assert!(told.starts_with("failing or missing response from https://127.0.0.1:"), "{told}");
}

#[tokio::test]
async fn one_answer_is_enough_and_its_code_counts() {
    let world = World::with(Mood::Well).await;
    assert_eq!(probe::probe(&world.aggregation, &world.route()).await, Ok(()));
    let told = probe::probe(&World::with(Mood::Broken).await.aggregation, &world.route()).await;
    assert!(told.is_err());
    let world = World::with(Mood::Broken).await;
    let told = probe::probe(&world.aggregation, &world.route()).await.expect_err("it answers with an error");
    assert!(
        told.contains(": bad status from https://127.0.0.1:") && told.ends_with("/apis/shop/v1: 500"),
        "{told}"
    );
    assert!(world.asked.load(Ordering::SeqCst) >= 1);
}

#[tokio::test]
async fn a_server_outside_of_the_cluster_is_asked_by_its_name() {
    let mut world = World::with(Mood::Well).await;
    let mut named = Service::default();
    named.metadata.namespace = "shop".to_owned();
    named.metadata.name = "api".to_owned();
    named.spec.type_ = "ExternalName".to_owned();
    named.spec.external_name = "localhost".to_owned();
    world.aggregation = of(None, vec![named], vec![]);
    world.service.spec.service.as_mut().expect("a service").port = Some(world.port);
    let at = world.aggregation.resolve(&world.route());
    assert_eq!(at, Ok(format!("localhost:{}", world.port)));
    assert_eq!(probe::probe(&world.aggregation, &world.route()).await, Ok(()));
}

#[tokio::test]
async fn whoever_is_somebody_else_is_not_asked() {
    let mut world = World::with(Mood::Well).await;
    world.service.spec.ca_bundle = None;
    let told = probe::probe(&world.aggregation, &world.route()).await.expect_err("nobody vouches for it");
    assert!(told.contains("tls: failed to verify certificate: x509: "), "{told}");
    world.service.spec.insecure_skip_tls_verify = true;
    assert_eq!(probe::probe(&world.aggregation, &world.route()).await, Ok(()));
    world.service.spec.insecure_skip_tls_verify = false;
    world.service.spec.ca_bundle = Some(b"nonsense".to_vec().into());
    let told = probe::probe(&world.aggregation, &world.route()).await.expect_err("that is no bundle");
    assert!(told.ends_with("unable to load root certificates: unable to parse bytes as PEM block"), "{told}");
}

#[tokio::test]
async fn a_document_is_read_for_whoever_asks() {
    let target = Target {
        resource: Resource::of("shop", "v1", "wares"),
        namespace: "eu".to_owned(),
        name: String::new(),
        subresource: String::new(),
    };
    let mut told = Vec::new();
    for (mood, available) in [
        (Mood::Well, true),
        (Mood::OldFashioned, true),
        (Mood::Garbage, true),
        (Mood::Broken, true),
        (Mood::Well, false),
    ] {
        let mut world = World::with(mood).await;
        world.service.status.conditions.push(APIServiceCondition {
            type_: "Available".to_owned(),
            status: if available { "True" } else { "False" }.to_owned(),
            ..APIServiceCondition::default()
        });
        let mut uri = Uri::of(&target, false);
        uri.add("labelSelector", "a=b");
        let who = Caller::new("ada", &[]);
        let read = world.aggregation.read(&who, &world.route(), &target, uri).await;
        told.push(read.map_or_else(
            |status| format!("{} {}", status.code, status.message),
            |document| document.to_string(),
        ));
    }
    assert_eq!(
        told,
        [
            r#"{"items":[1]}"#,
            "403 not for you",
            "500 Internal error occurred: what /apis/shop/v1/namespaces/eu/wares?labelSelector=a%3Db answers is no JSON",
            "404 the server could not find the requested resource (get wares.shop)",
            "503 the server is currently unable to handle the request",
        ]
    );
}

#[test]
fn routes_that_say_the_same_stay_the_same() {
    let mut service = APIService::default();
    service.metadata.name = "v1.shop".to_owned();
    service.spec.group = "shop".to_owned();
    service.spec.version = "v1".to_owned();
    service.spec.insecure_skip_tls_verify = true;
    let (namespace, name) = ("shop".to_owned(), "api".to_owned());
    service.spec.service = Some(Box::new(ServiceReference { namespace, name, port: Some(443) }));
    let shown = |service: &APIService| {
        Snapshot::of([Arc::new(service.clone()) as Arc<dyn api_record::Record>], Revision(7))
    };
    let first = Routes::of(&shown(&service), None, &Routes::default());
    let second = Routes::of(&shown(&service), None, &first);
    let route = |routes: &Routes| Arc::clone(routes.find("shop", "v1").expect("a route"));
    assert!(route(&first) == route(&second));
    service.spec.service.as_mut().expect("a service").port = Some(444);
    assert!(route(&first) != route(&Routes::of(&shown(&service), None, &second)));
    service.spec.service = None;
    let local = Routes::of(&shown(&service), None, &second);
    assert!(local.find("shop", "v1").is_none() && local.registered().len() == 1);
}
