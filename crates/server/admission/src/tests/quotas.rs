//! Quotas over a registry and a store whose callers take turns, so that they race.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Pod, ResourceQuota, Service, ServiceAccount, ServicePort,
};
use api_types::meta::v1::Condition;
use api_types::networking::v1::ServiceCIDR;
use base::random::SystemRandom;
use base::time::{SystemClock, Time};
use client::{Caller, Precondition, WriteOptions};
use futures_util::future::{BoxFuture, join_all};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared, Written};
use store::{
    CommitError, Committed, CompactError, Entry, Fault, Feed, KeyRange, MemoryStore, Page, Range, ReadError,
    Revision, Store, Txn,
};

use super::limits::list;
use super::{named, pod};
use crate::{Chain, Parts, Stored};

/// A store that lets others go first, always.
struct Polite(MemoryStore);

impl Store for Polite {
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.commit(txn).await
        })
    }
    fn get(&self, key: bytes::Bytes) -> BoxFuture<'_, Result<Option<Entry>, ReadError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.get(key).await
        })
    }
    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.0.range(range).await
        })
    }
    fn watch(&self, keys: KeyRange, from: Revision) -> Feed {
        self.0.watch(keys, from)
    }
    fn expire(&self, now: Time) -> BoxFuture<'_, Result<u64, Fault>> {
        self.0.expire(now)
    }
    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<(), CompactError>> {
        self.0.compact(at)
    }
    fn current_revision(&self) -> Revision {
        self.0.current_revision()
    }
}

/// API servers over one store, each with plugins of its own.
struct Cluster {
    servers: Vec<Registry>,
    who: Caller,
}

impl Cluster {
    async fn of(servers: usize) -> Cluster {
        let shared = Shared {
            store: Arc::new(Polite(MemoryStore::new())),
            catalog: Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let open = Registry::new(Arc::new(shared), Arc::new(Everything));
        let server = |_| {
            open.with_admission(Arc::new(Chain::standard(Parts {
                lookup: Arc::new(Stored::new(open.clone())),
                authorizer: Arc::new(|_| true),
                clock: Arc::new(SystemClock),
                random: Arc::new(SystemRandom),
            })))
        };
        let cluster = Cluster { servers: (0..servers).map(server).collect(), who: Caller::new("alice", &[]) };
        let mut range = ServiceCIDR { metadata: named("", "kubernetes"), ..ServiceCIDR::default() };
        range.spec.cidrs = vec!["10.0.0.0/24".to_owned()];
        cluster.make(0, "networking.k8s.io", "servicecidrs", range).await.expect("made");
        let ready = cluster.change(
            "networking.k8s.io",
            "servicecidrs",
            "kubernetes",
            "status",
            |range: &mut ServiceCIDR| {
                range.status.conditions = vec![Condition {
                    type_: "Ready".into(),
                    status: "True".into(),
                    reason: "Test".into(),
                    last_transition_time: Some(Time::EPOCH.into()),
                    ..Condition::default()
                }];
            },
        );
        ready.await.expect("ready");
        let namespace = Namespace { metadata: named("", "default"), ..Namespace::default() };
        cluster.make(0, "", "namespaces", namespace).await.expect("made");
        let account = ServiceAccount { metadata: named("default", "default"), ..ServiceAccount::default() };
        cluster.make(0, "", "serviceaccounts", account).await.expect("made");
        cluster
    }

    async fn make(
        &self,
        server: usize,
        group: &str,
        plural: &str,
        object: impl Record,
    ) -> Result<Written, Status> {
        self.make_as(server, group, plural, object, false).await
    }

    async fn make_as(
        &self,
        server: usize,
        group: &str,
        plural: &str,
        object: impl Record,
        dry_run: bool,
    ) -> Result<Written, Status> {
        let registry = &self.servers[server % self.servers.len()];
        let served = registry.catalog().find(group, "v1", plural).expect("served");
        let namespace = if served.resource.namespaced { "default" } else { "" };
        let options = WriteOptions { dry_run, ..WriteOptions::default() };
        registry.create(served, &self.who, namespace, Box::new(object), &options).await
    }

    async fn change<T: Record + Clone>(
        &self,
        group: &str,
        plural: &str,
        name: &str,
        subresource: &str,
        change: impl Fn(&mut T) + Send + Sync,
    ) -> Result<Written, Status> {
        let registry = &self.servers[0];
        let served = registry.catalog().find(group, "v1", plural).expect("served");
        let namespace = if served.resource.namespaced { "default" } else { "" };
        let change = |current: Option<&dyn Record>| {
            let mut object = current.and_then(|object| object.downcast_ref::<T>()).expect("there").clone();
            change(&mut object);
            Ok(Box::new(object) as Box<dyn Record>)
        };
        let (precondition, options) = (Precondition::default(), WriteOptions::default());
        registry
            .update(served, &self.who, namespace, name, subresource, &change, &precondition, &options)
            .await
    }

    /// A quota that somebody has counted already.
    async fn quota(&self, name: &str, hard: &str, used: &str) {
        let mut quota = ResourceQuota { metadata: named("default", name), ..ResourceQuota::default() };
        quota.spec.hard = list(hard);
        self.make(0, "", "resourcequotas", quota).await.expect("made");
        let counted = self
            .change("", "resourcequotas", name, "status", |quota: &mut ResourceQuota| {
                quota.status.hard = list(hard);
                quota.status.used = list(used);
            })
            .await;
        counted.expect("counted");
    }

    async fn used(&self, name: &str) -> String {
        let registry = &self.servers[0];
        let served = registry.catalog().find("", "v1", "resourcequotas").expect("served");
        let quota = registry.get_hub(served, "default", name).await.expect("there");
        api_quota::shown(&quota.downcast_ref::<ResourceQuota>().expect("a quota").status.used)
    }
}

fn map(name: &str) -> ConfigMap {
    ConfigMap { metadata: named("default", name), ..ConfigMap::default() }
}

fn asking(name: &str, cpu: &str) -> Pod {
    let mut pod = pod(name);
    pod.spec.containers[0].image = "x".into();
    pod.spec.containers[0].resources.requests = list(&format!("cpu={cpu}"));
    pod
}

fn message(result: Result<Written, Status>) -> Option<String> {
    result.err().map(|status| status.into_inner().message)
}

#[tokio::test]
async fn what_a_quota_has_no_room_for_is_refused_and_charges_nothing() {
    let cluster = Cluster::of(1).await;
    cluster.quota("q", "pods=2,requests.cpu=1", "pods=0,requests.cpu=0").await;
    assert_eq!(message(cluster.make(0, "", "pods", asking("a", "600m")).await), None);
    assert_eq!(cluster.used("q").await, "pods=1,requests.cpu=600m");
    assert_eq!(
        message(cluster.make(0, "", "pods", asking("b", "500m")).await).as_deref(),
        Some(
            "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: \
             requests.cpu=1"
        )
    );
    let mut silent = asking("c", "1");
    silent.spec.containers[0].resources.requests.clear();
    assert_eq!(
        message(cluster.make(0, "", "pods", silent).await).as_deref(),
        Some("pods \"c\" is forbidden: failed quota: q: must specify requests.cpu for: main")
    );
    let again = message(cluster.make(0, "", "pods", asking("a", "100m")).await);
    assert_eq!(again.as_deref(), Some("pods \"a\" already exists"));
    assert_eq!(message(cluster.make_as(0, "", "pods", asking("d", "100m"), true).await), None);
    assert_eq!(cluster.used("q").await, "pods=1,requests.cpu=600m");
}

#[tokio::test]
async fn a_quota_that_nobody_has_counted_yet_lets_nothing_pass() {
    let cluster = Cluster::of(1).await;
    cluster.quota("q", "configmaps=2,count/deployments.apps=1", "count/deployments.apps=0").await;
    assert_eq!(
        message(cluster.make(0, "", "configmaps", map("a")).await).as_deref(),
        Some("configmaps \"a\" is forbidden: status unknown for quota: q, resources: configmaps")
    );
}

#[tokio::test]
async fn those_who_make_things_at_once_never_exceed_a_quota() {
    for servers in [1, 3] {
        let cluster = Cluster::of(servers).await;
        cluster.quota("few", "configmaps=7", "configmaps=0").await;
        cluster.quota("many", "count/configmaps=9,pods=5", "count/configmaps=0,pods=0").await;
        let names: Vec<String> = (0..24).map(|number| format!("m{number}")).collect();
        let made =
            names.iter().enumerate().map(|(number, name)| cluster.make(number, "", "configmaps", map(name)));
        let made = join_all(made).await;
        let refused: Vec<String> = made.into_iter().filter_map(message).collect();
        assert_eq!(refused.len(), 17, "{servers}: {refused:?}");
        let why = "is forbidden: exceeded quota: few, requested: configmaps=1, used: configmaps=7, limited: configmaps=7";
        assert!(refused.iter().all(|message| message.ends_with(why)), "{refused:?}");
        assert_eq!(cluster.used("few").await, "configmaps=7");
        assert_eq!(cluster.used("many").await, "count/configmaps=7,pods=0");
    }
}

#[tokio::test]
async fn changes_charge_the_difference() {
    let cluster = Cluster::of(1).await;
    cluster.quota("q", "services=2,services.nodeports=3", "services=0,services.nodeports=0").await;
    let mut service = Service { metadata: named("default", "s"), ..Service::default() };
    service.spec.ports =
        (1..4).map(|port| ServicePort { name: format!("p{port}"), port, ..ServicePort::default() }).collect();
    assert_eq!(message(cluster.make(0, "", "services", service).await), None);
    assert_eq!(cluster.used("q").await, "services=1,services.nodeports=0");
    let node_ports = |service: &mut Service| service.spec.type_ = "NodePort".into();
    assert_eq!(message(cluster.change("", "services", "s", "", node_ports).await), None);
    assert_eq!(cluster.used("q").await, "services=1,services.nodeports=3");
    let more = |service: &mut Service| {
        service.spec.ports.push(ServicePort { name: "p4".into(), port: 4, ..ServicePort::default() });
    };
    let refused = message(cluster.change("", "services", "s", "", more).await);
    assert_eq!(
        refused.as_deref(),
        Some(
            "services \"s\" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=3, \
             limited: services.nodeports=3"
        )
    );
}

#[tokio::test]
async fn resizes_and_deadlines_of_pods_and_statuses_of_claims_count() {
    let cluster = Cluster::of(1).await;
    cluster.quota("q", "requests.cpu=2", "requests.cpu=0").await;
    assert_eq!(message(cluster.make(0, "", "pods", asking("a", "1")).await), None);
    let to = |cpu: &'static str| {
        move |pod: &mut Pod| pod.spec.containers[0].resources.requests = list(&format!("cpu={cpu}"))
    };
    assert_eq!(message(cluster.change("", "pods", "a", "resize", to("1500m")).await), None);
    assert_eq!(cluster.used("q").await, "requests.cpu=1500m");
    let refused = message(cluster.change("", "pods", "a", "resize", to("3")).await).unwrap_or_default();
    assert!(
        refused.contains("exceeded quota: q, requested: requests.cpu=1500m, used: requests.cpu=1500m"),
        "{refused}"
    );
    let mut claim =
        PersistentVolumeClaim { metadata: named("default", "c"), ..PersistentVolumeClaim::default() };
    claim.spec.access_modes = vec!["ReadWriteOnce".into()];
    claim.spec.resources.requests = list("storage=1Gi");
    cluster.quota("s", "requests.storage=1Gi", "requests.storage=0").await;
    assert_eq!(message(cluster.make(0, "", "persistentvolumeclaims", claim).await), None);
    let grown = |claim: &mut PersistentVolumeClaim| claim.status.allocated_resources = list("storage=2Gi");
    let status = cluster.change("", "persistentvolumeclaims", "c", "status", grown).await;
    assert_eq!(message(status), None, "what is so already is counted, not refused");
    assert_eq!(cluster.used("s").await, "requests.storage=2Gi");
}

#[tokio::test]
async fn quotas_of_scopes_are_about_their_pods_alone() {
    let cluster = Cluster::of(1).await;
    let mut quota = ResourceQuota { metadata: named("default", "short"), ..ResourceQuota::default() };
    quota.spec.hard = list("pods=1");
    quota.spec.scopes = vec!["Terminating".into()];
    cluster.make(0, "", "resourcequotas", quota).await.expect("made");
    let counted = cluster.change("", "resourcequotas", "short", "status", |quota: &mut ResourceQuota| {
        quota.status.hard = list("pods=1");
        quota.status.used = list("pods=0");
    });
    counted.await.expect("counted");
    for name in ["a", "b"] {
        assert_eq!(message(cluster.make(0, "", "pods", asking(name, "1")).await), None);
    }
    assert_eq!(cluster.used("short").await, "pods=0");
    let deadline = |pod: &mut Pod| pod.spec.active_deadline_seconds = Some(100);
    assert_eq!(message(cluster.change("", "pods", "a", "", deadline).await), None);
    assert_eq!(cluster.used("short").await, "pods=1");
    let refused = message(cluster.change("", "pods", "b", "", deadline).await).unwrap_or_default();
    assert!(
        refused.ends_with("exceeded quota: short, requested: pods=1, used: pods=1, limited: pods=1"),
        "{refused}"
    );
}
