//! Where requests go, over a registry with pods, services and nodes in it.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use base::time::SystemClock;
use client::{Caller, Precondition, Resource, WriteOptions};
use server_registry::admit::Everything;
use server_registry::{Catalog, Shared};
use store::MemoryStore;

use super::*;

fn registry() -> Registry {
    let shared = Shared {
        store: Arc::new(MemoryStore::new()),
        catalog: Catalog::new(),
        gates: api_kind::Gates::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    Registry::new(Arc::new(shared), Arc::new(Everything))
}

/// Makes an object, its status included.
pub(in crate::proxy) async fn put(registry: &Registry, group: &str, plural: &str, text: &str) {
    let served = served(registry, group, plural).unwrap();
    let mut object = (served.object.new)();
    json::decode(text.as_bytes(), &mut *object, None, Limits::REQUEST).unwrap();
    let meta = api_types::object_meta_mut(&mut *object).unwrap();
    let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
    let caller = Caller::new("test", &[]);
    let options = WriteOptions::default();
    registry.create(served, &caller, &namespace, object, &options).await.unwrap();
    let change = |_: Option<&dyn api_record::Record>| {
        let mut object = (served.object.new)();
        json::decode(text.as_bytes(), &mut *object, None, Limits::REQUEST).unwrap();
        Ok(object)
    };
    if !served.resource.subresources.iter().any(|own| own.name == "status") {
        return;
    }
    let precondition = Precondition::default();
    registry
        .update(served, &caller, &namespace, &name, "status", &change, &precondition, &options)
        .await
        .unwrap();
}

async fn put_pod(registry: &Registry, name: &str, address: &str, ports: &str) {
    let text = format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop"}},
            "spec":{{"containers":[{{"name":"a","image":"i"}},{{"name":"b","image":"i","ports":[{ports}]}}]}},
            "status":{{"phase":"Running","podIP":"{address}","podIPs":[{{"ip":"{address}"}}]}}}}"#
    );
    put(registry, "", "pods", &text).await;
}

/// What is found of a name: the URL's scheme and host, or the refusal.
async fn found(registry: &Registry, plural: &'static str, name: &str) -> String {
    let target = Target {
        resource: Resource::of("", "v1", plural),
        namespace: if plural == "nodes" { String::new() } else { "shop".to_owned() },
        name: name.to_owned(),
        subresource: "proxy".to_owned(),
    };
    match locate(registry, &target).await {
        Ok(Place::Node(name)) => format!("node {name}"),
        Ok(Place::Address { tls, host, address }) => {
            let scheme = if tls { "https" } else { "http" };
            assert!(address.to_string().starts_with(&host), "{address} {host}");
            format!("{scheme}://{host} {}", address.port())
        }
        Err(status) => format!("{} {}", status.http_code(), status.message),
    }
}

#[tokio::test]
async fn pods_are_asked_at_their_address() {
    let registry = registry();
    put_pod(&registry, "web", "10.1.0.5", r#"{"containerPort":8080},{"containerPort":81}"#).await;
    put_pod(&registry, "bare", "10.1.0.6", "").await;
    put_pod(&registry, "six", "fd00::5", "").await;
    put_pod(&registry, "self", "127.0.0.1", "").await;
    put_pod(&registry, "meta", "169.254.169.254", "").await;
    let unscheduled =
        r#"{"metadata":{"name":"new","namespace":"shop"},"spec":{"containers":[{"name":"a","image":"i"}]}}"#;
    put(&registry, "", "pods", unscheduled).await;
    for (name, wanted) in [
        ("web", "http://10.1.0.5:8080 8080"),
        ("web:", "http://10.1.0.5:8080 8080"),
        ("web:81", "http://10.1.0.5:81 81"),
        ("https:web:", "https://10.1.0.5:8080 8080"),
        ("https:web:8443", "https://10.1.0.5:8443 8443"),
        ("bare", "http://10.1.0.6 80"),
        ("https:bare:", "https://10.1.0.6 443"),
        ("six:80", "http://[fd00::5]:80 80"),
        ("six", "http://[fd00::5] 80"),
        ("self", "400 address not allowed"),
        ("meta", "400 address not allowed"),
        ("new", "400 address not allowed"),
        ("web:http", "400 invalid pod request \"web:http\""),
        ("web:99999", "400 invalid pod request \"web:99999\""),
        ("ftp:web:80", "400 invalid pod request \"ftp:web:80\""),
        ("none", "404 pods \"none\" not found"),
    ] {
        assert_eq!(found(&registry, "pods", name).await, wanted, "{name}");
    }
}

async fn put_service(registry: &Registry, name: &str, ports: &str) {
    let text = format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop"}},"spec":{{"clusterIP":"None","ports":[{ports}]}}}}"#
    );
    put(registry, "", "services", &text).await;
}

async fn put_slice(registry: &Registry, name: &str, service: &str, ports: &str, endpoints: &[&str]) {
    let text = format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"shop","labels":{{"kubernetes.io/service-name":"{service}"}}}},
            "addressType":"IPv4","ports":[{ports}],"endpoints":[{}]}}"#,
        endpoints.join(",")
    );
    put(registry, "discovery.k8s.io", "endpointslices", &text).await;
}

fn endpoint(address: &str, ready: &str, namespace: &str, pod: &str) -> String {
    format!(
        r#"{{"addresses":["{address}"],"conditions":{{"ready":{ready}}},"targetRef":{{"kind":"Pod","namespace":"{namespace}","name":"{pod}"}}}}"#
    )
}

#[tokio::test]
async fn services_are_asked_at_a_ready_pod() {
    let registry = registry();
    put_pod(&registry, "a", "10.1.0.1", "").await;
    put_pod(&registry, "b", "10.1.0.2", "").await;
    let ports = r#"{"name":"web","port":80,"targetPort":8080},{"name":"tls","port":443,"targetPort":8443}"#;
    put_service(&registry, "both", ports).await;
    let slice_ports = r#"{"name":"web","port":8080},{"name":"tls","port":8443}"#;
    let endpoints = [
        endpoint("10.1.0.9", "true", "shop", "a"),
        endpoint("10.1.0.8", "true", "other", "a"),
        endpoint("10.1.0.7", "true", "shop", "gone"),
        r#"{"addresses":["10.1.0.3"]}"#.to_owned(),
        endpoint("10.1.0.1", "false", "shop", "a"),
        endpoint("10.1.0.2", "null", "shop", "b"),
    ];
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    put_slice(&registry, "both-1", "both", slice_ports, &endpoints).await;
    put_slice(&registry, "both-2", "both", slice_ports, &[]).await;
    put_service(&registry, "plain", r#"{"port":80,"targetPort":160}"#).await;
    let ready = endpoint("10.1.0.1", "true", "shop", "a");
    put_slice(&registry, "plain-1", "plain", r#"{"name":"","port":160}"#, &[&ready]).await;
    put_service(&registry, "lonely", r#"{"port":80}"#).await;
    // Whichever is tried first, only one may be asked.
    for _ in 0..20 {
        assert_eq!(found(&registry, "services", "both:web").await, "http://10.1.0.2:8080 8080");
    }
    for (name, wanted) in [
        ("both:80", "http://10.1.0.2:8080 8080"),
        ("https:both:443", "https://10.1.0.2:8443 8443"),
        ("https:both:tls", "https://10.1.0.2:8443 8443"),
        ("plain", "http://10.1.0.1:160 160"),
        ("plain:80", "http://10.1.0.1:160 160"),
        ("https:plain:", "https://10.1.0.1:160 160"),
        ("both", "503 no endpoints available for service \"both\""),
        ("both:81", "503 no service port 81 found for service \"both\""),
        ("both:other", "503 no endpoints available for service \"both\""),
        ("lonely", "503 no endpoints available for service \"lonely\""),
        ("none", "503 no endpoints available for service \"none\""),
        ("none:80", "404 services \"none\" not found"),
        ("a:b:c:d", "400 invalid service request \"a:b:c:d\""),
    ] {
        assert_eq!(found(&registry, "services", name).await, wanted, "{name}");
    }
}

#[tokio::test]
async fn every_ready_pod_is_asked_some_time() {
    let registry = registry();
    let mut endpoints = Vec::new();
    for number in 1..=3 {
        put_pod(&registry, &format!("p{number}"), &format!("10.1.0.{number}"), "").await;
        endpoints.push(endpoint(&format!("10.1.0.{number}"), "true", "shop", &format!("p{number}")));
    }
    put_slice(&registry, "s-1", "s", r#"{"name":"","port":80}"#, &[&endpoints[0], &endpoints[1]]).await;
    put_slice(&registry, "s-2", "s", r#"{"name":"","port":80}"#, &[&endpoints[2]]).await;
    let mut asked = std::collections::BTreeSet::new();
    // That one of three is left out of three hundred choices has a chance below 10^-37.
    for _ in 0..300 {
        asked.insert(found(&registry, "services", "s").await);
    }
    assert_eq!(asked.len(), 3, "{asked:?}");
}

#[tokio::test]
async fn nodes_are_asked_for_their_own_api_or_another_port() {
    let registry = registry();
    let node = |name: &str, addresses: &str, port: u16| {
        format!(
            r#"{{"metadata":{{"name":"{name}"}},"status":{{"addresses":[{addresses}],"daemonEndpoints":{{"kubeletEndpoint":{{"Port":{port}}}}}}}}}"#
        )
    };
    let own = r#"{"type":"Hostname","address":"one"},{"type":"ExternalIP","address":"192.0.2.9"},{"type":"InternalIP","address":"192.0.2.1"}"#;
    put(&registry, "", "nodes", &node("one", own, 10_251)).await;
    put(&registry, "", "nodes", &node("self", r#"{"type":"InternalIP","address":"::1"}"#, 10_250)).await;
    put(&registry, "", "nodes", &node("named", r#"{"type":"Hostname","address":"named"}"#, 10_250)).await;
    for (name, wanted) in [
        ("one", "node one"),
        ("one:10251", "node one"),
        ("https:one:10251", "node one"),
        ("one:10250", "http://192.0.2.1:10250 10250"),
        ("https:one:9100", "https://192.0.2.1:9100 9100"),
        ("self", "400 address not allowed"),
        ("named", "500 no preferred addresses found; known addresses: [{Hostname named}]"),
        ("one:x", "400 invalid node request \"one:x\""),
        (":", "400 invalid node request \":\""),
        ("none", "404 nodes \"none\" not found"),
    ] {
        assert_eq!(found(&registry, "nodes", name).await, wanted, "{name}");
    }
}

#[test]
fn only_addresses_of_somebody_are_asked() {
    for (address, allowed) in [
        ("10.0.0.1", true),
        ("192.0.2.1", true),
        ("fd00::1", true),
        ("127.0.0.1", false),
        ("0.0.0.0", false),
        ("169.254.169.254", false),
        ("224.0.0.1", false),
        ("255.255.255.255", false),
        ("::", false),
        ("::1", false),
        ("fe80::1", false),
        ("ff02::1", false),
        ("::ffff:127.0.0.1", false),
        ("::ffff:10.0.0.1", true),
    ] {
        assert_eq!(is_allowed(address.parse().unwrap()), allowed, "{address}");
    }
}
