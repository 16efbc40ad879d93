//! A cluster's first start, its later ones, and what they find.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_record::Record;
use api_types::coordination::v1::Lease;
use api_types::core::v1::{ConfigMap, Endpoints, Secret, Service};
use api_types::discovery::v1::EndpointSlice;
use api_types::rbac::v1::ClusterRole;
use base::random::SystemRandom;
use base::time::SystemClock;
use client::{Caller, DeleteOptions, ListOptions, WriteOptions};
use server_admission::{Chain, Parts, Stored};
use server_authn::bootstrap::BootstrapToken;
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use store::{MemoryStore, Revision, Store};

use crate::{Authentication, Config, Identity, Join, bootstrap, identity};

fn token() -> BootstrapToken {
    BootstrapToken::parse("abcdef.0123456789abcdef").expect("a token")
}

fn settings(dns: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("cluster-dns".to_owned(), dns.to_owned())])
}

struct World {
    store: Arc<MemoryStore>,
    registry: Registry,
}

impl World {
    fn new() -> World {
        let store = Arc::new(MemoryStore::new());
        let shared = Shared {
            store: Arc::clone(&store) as Arc<dyn Store>,
            catalog: Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let open = Registry::new(Arc::new(shared), Arc::new(Everything));
        let parts = Parts {
            lookup: Arc::new(Stored::new(open.clone())),
            authorizer: Arc::new(|_| true),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        World { registry: open.with_admission(Arc::new(Chain::standard(parts))), store }
    }

    async fn start(&self, config: &Config) -> Revision {
        bootstrap(&self.registry, config).await.expect("the cluster is there");
        self.store.current_revision()
    }

    async fn get<T: Record + Clone>(&self, resource: (&str, &str), namespace: &str, name: &str) -> T {
        let served = self.registry.catalog().find(resource.0, "v1", resource.1).expect("served");
        let object = self.registry.get_hub(served, namespace, name).await.expect("there");
        object.downcast_ref::<T>().cloned().expect("its type")
    }

    async fn names(&self, group: &str, plural: &str) -> Vec<String> {
        let served = self.registry.catalog().find(group, "v1", plural).expect("served");
        let list = self.registry.list(served, "", &ListOptions::default()).await.expect("a list");
        let name = |object: &Arc<dyn Record>| api_types::object_meta(&**object).map(|meta| meta.name.clone());
        list.items.iter().filter_map(name).collect()
    }
}

fn config() -> Config {
    Config {
        service_ranges: vec!["10.96.0.0/16".to_owned()],
        service_address: [10, 96, 0, 1].into(),
        advertise: [192, 0, 2, 1].into(),
        port: 6443,
        dns: Some([10, 96, 0, 10].into()),
        join: Some(Join { token: token(), settings: settings("10.96.0.10") }),
        authentication: Some(Authentication::default()),
    }
}

#[tokio::test]
async fn a_new_cluster_has_what_kubernetes_needs() {
    let world = World::new();
    world.start(&config()).await;
    let namespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];
    assert_eq!(world.names("", "namespaces").await, namespaces);
    let classes = ["system-cluster-critical", "system-node-critical"];
    assert_eq!(world.names("scheduling.k8s.io", "priorityclasses").await, classes);
    assert_eq!(world.names("storage.k8s.io", "storageclasses").await, ["local"]);
    assert_eq!(world.names("networking.k8s.io", "servicecidrs").await, ["kubernetes"]);
    assert_eq!(world.names("networking.k8s.io", "ipaddresses").await, ["10.96.0.1", "10.96.0.10"]);
    let trust: ConfigMap =
        world.get(("", "configmaps"), "kube-system", "extension-apiserver-authentication").await;
    assert_eq!(trust.data["requestheader-uid-headers"], r#"["X-Remote-Uid"]"#);
    let name = "kube-apiserver-legacy-service-account-token-tracking";
    let tracking: ConfigMap = world.get(("", "configmaps"), "kube-system", name).await;
    assert_eq!(tracking.data["since"].len(), "2006-01-02".len());
    let service: Service = world.get(("", "services"), "default", "kubernetes").await;
    assert_eq!((service.spec.cluster_ips, service.spec.ports[0].port), (vec!["10.96.0.1".to_owned()], 443));
    let slice: EndpointSlice =
        world.get(("discovery.k8s.io", "endpointslices"), "default", "kubernetes").await;
    assert_eq!(slice.endpoints[0].addresses[..], ["192.0.2.1".to_owned()]);
    assert_eq!(slice.ports[0].port, Some(6443));
    let roles = world.names("rbac.authorization.k8s.io", "clusterroles").await;
    assert!(
        ["admin", "cluster-admin", "system:node"].iter().all(|name| roles.iter().any(|role| role == name))
    );
}

#[tokio::test]
async fn a_later_start_writes_nothing() {
    let world = World::new();
    let first = world.start(&config()).await;
    assert_eq!(world.start(&config()).await, first);
}

#[tokio::test]
async fn a_later_start_mends_what_is_missing_and_follows_the_address() {
    let world = World::new();
    world.start(&config()).await;
    let roles =
        world.registry.catalog().find("rbac.authorization.k8s.io", "v1", "clusterroles").expect("served");
    let (who, options) = (Caller::default(), DeleteOptions::default());
    let gone = world.registry.delete(roles, &who, "", "view", &options, false).await;
    gone.map(|_| ()).expect("deleted");
    let moved = Config { advertise: [192, 0, 2, 7].into(), port: 7443, ..config() };
    world.start(&moved).await;
    let role: ClusterRole = world.get(("rbac.authorization.k8s.io", "clusterroles"), "", "view").await;
    assert!(role.aggregation_rule.is_some());
    let endpoints: Endpoints = world.get(("", "endpoints"), "default", "kubernetes").await;
    assert_eq!(endpoints.subsets[0].addresses[0].ip, "192.0.2.7");
    assert_eq!(endpoints.subsets[0].ports[0].port, 7443);
    let sixth = Config { advertise: "2001:db8::7".parse().expect("an address"), ..moved };
    world.start(&sixth).await;
    let slice: EndpointSlice =
        world.get(("discovery.k8s.io", "endpointslices"), "default", "kubernetes").await;
    assert_eq!(slice.address_type, "IPv6");
    assert_eq!(
        slice.metadata.labels,
        BTreeMap::from([("kubernetes.io/service-name".into(), "kubernetes".into())])
    );
}

#[tokio::test]
async fn servers_that_start_at_once_agree() {
    let world = World::new();
    let config = config();
    let (one, other) =
        futures_util::future::join(bootstrap(&world.registry, &config), bootstrap(&world.registry, &config))
            .await;
    assert!(one.is_ok() && other.is_ok());
}

#[tokio::test]
async fn nodes_join_by_the_token_that_the_server_keeps_and_are_told_of_the_cluster() {
    let world = World::new();
    let mut config = config();
    world.start(&config).await;
    let told: ConfigMap = world.get(("", "configmaps"), "kube-system", "knarr-cluster").await;
    assert_eq!(told.data, settings("10.96.0.10"));
    let mut own = Secret { type_: "bootstrap.kubernetes.io/token".to_owned(), ..Secret::default() };
    own.metadata.name = "bootstrap-token-zzzzzz".to_owned();
    own.metadata.namespace = "kube-system".to_owned();
    let served = world.registry.catalog().find("", "v1", "secrets").expect("served");
    let admin = Caller::new("admin", &["system:masters"]);
    let made =
        world.registry.create(served, &admin, "kube-system", Box::new(own), &WriteOptions::default()).await;
    made.expect("a person makes a token");
    let next = BootstrapToken::parse("ghijkl.0123456789abcdef").expect("a token");
    config.join = Some(Join { token: next, settings: settings("10.96.0.11") });
    world.start(&config).await;
    let told: ConfigMap = world.get(("", "configmaps"), "kube-system", "knarr-cluster").await;
    assert_eq!(told.data, settings("10.96.0.11"));
    let secrets = world.names("", "secrets").await;
    assert_eq!(secrets, ["bootstrap-token-ghijkl", "bootstrap-token-zzzzzz"]);
    let again = world.start(&config).await;
    assert_eq!(world.start(&config).await, again, "nothing is left to be written");
}

#[tokio::test]
async fn the_address_of_the_dns_is_its_services() {
    let world = World::new();
    let mut config = config();
    world.start(&config).await;
    let service: Service = world.get(("", "services"), "kube-system", "kube-dns").await;
    assert_eq!(service.spec.cluster_ip, "10.96.0.10");
    let mut other = service.clone();
    other.metadata = Default::default();
    other.metadata.name = "mine".to_owned();
    let served = world.registry.catalog().find("", "v1", "services").expect("served");
    let eve = Caller::new("eve", &[]);
    let made =
        world.registry.create(served, &eve, "default", Box::new(other), &WriteOptions::default()).await;
    let refused = made.err().expect("the address is taken").to_string();
    assert!(refused.contains("provided IP is already allocated"), "{refused}");
    let admin = Caller::new("admin", &["system:masters"]);
    for (namespace, name) in [("kube-system", "kube-dns"), ("default", "kubernetes")] {
        let options = DeleteOptions::default();
        let gone = world.registry.delete(served, &admin, namespace, name, &options, false).await;
        gone.expect("it can be deleted");
    }
    crate::services(&world.registry, &config).await.expect("they are made again");
    let names = world.names("", "services").await;
    assert_eq!(names, ["kubernetes", "kube-dns"]);
    config.dns = Some([10, 96, 0, 11].into());
    world.start(&config).await;
    let service: Service = world.get(("", "services"), "kube-system", "kube-dns").await;
    assert_eq!(service.spec.cluster_ip, "10.96.0.11", "it follows the server's flag");
}

#[tokio::test]
async fn a_server_holds_a_lease_while_it_runs_and_those_of_dead_ones_are_collected() {
    let world = World::new();
    world.start(&config()).await;
    let (registry, leases) = (&world.registry, ("coordination.k8s.io", "leases"));
    let own = Identity::new("box", [192, 0, 2, 1].into(), 6443, &SystemRandom);
    own.renew(registry).await.expect("it is made");
    own.renew(registry).await.expect("it is renewed");
    let names = world.names(leases.0, leases.1).await;
    let [name] = &names[..] else { panic!("{names:?}") };
    let lease: Lease = world.get(leases, "kube-system", name).await;
    assert_eq!(lease.metadata.labels["apiserver.kubernetes.io/identity"], "kube-apiserver");
    assert_eq!(lease.metadata.labels["kubernetes.io/hostname"], "box");
    assert_eq!(lease.metadata.annotations["kubernetes.io/peer-advertise-address"], "192.0.2.1:6443");
    assert_eq!(lease.spec.lease_duration_seconds, Some(3600));
    assert!(lease.spec.holder_identity.expect("held").starts_with(&format!("{name}_")));

    let served = registry.catalog().find(leases.0, "v1", leases.1).expect("served");
    let admin = Caller::new("admin", &["system:masters"]);
    for (name, labelled) in [("apiserver-dead", true), ("other", false)] {
        let mut dead = Lease::default();
        dead.metadata.name = name.to_owned();
        dead.metadata.namespace = "kube-system".to_owned();
        if labelled {
            let label = ("apiserver.kubernetes.io/identity".to_owned(), "kube-apiserver".to_owned());
            dead.metadata.labels = BTreeMap::from([label]);
        }
        let options = WriteOptions::default();
        registry.create(served, &admin, "kube-system", Box::new(dead), &options).await.expect("made");
    }
    identity::collect(registry).await.expect("collected");
    assert_eq!(world.names(leases.0, leases.1).await, [name.as_str(), "other"]);
    own.release(registry).await.expect("deleted");
    assert_eq!(world.names(leases.0, leases.1).await, ["other"]);
}
