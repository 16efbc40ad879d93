//! Services against a store in memory whose callers take turns at every step, so that they race.

mod races;
mod repair;
mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_record::scalar::IntOrString;
use api_types::core::v1::{Service, ServicePort};
use api_types::meta::v1::{Condition, ObjectMeta};
use api_types::networking::v1::{IPAddress, ServiceCIDR};
use base::random::SystemRandom;
use base::time::{SystemClock, Time};
use client::{Caller, DeleteOptions, ListOptions, Precondition, WriteOptions};
use futures_util::future::BoxFuture;
use store::{
    CommitError, Committed, CompactError, Entry, Fault, Feed, KeyRange, MemoryStore, Page, Range, ReadError,
    Revision, Store, Txn,
};

use crate::admit::{Admission, Everything};
use crate::{Catalog, Registry, Served, Shared};

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

struct World {
    registry: Registry,
    services: Arc<Served>,
    who: Caller,
}

impl World {
    /// A cluster of these ranges, the default's first.
    async fn new(ranges: &[&str]) -> World {
        World::admitting(ranges, Arc::new(Everything)).await
    }

    async fn admitting(ranges: &[&str], admission: Arc<dyn Admission>) -> World {
        let shared = Shared {
            store: Arc::new(Polite(MemoryStore::new())),
            catalog: Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let open = Registry::new(Arc::new(shared), Arc::new(Everything)).with_node_ports(30_000..=30_063);
        let services = open.catalog().find("", "v1", "services").cloned().expect("services are served");
        let world = World { registry: open, services, who: Caller::default() };
        world.add_range("kubernetes", ranges).await;
        World { registry: world.registry.with_admission(admission), ..world }
    }

    async fn add_range(&self, name: &str, cidrs: &[&str]) {
        let served = self.registry.catalog().find("networking.k8s.io", "v1", "servicecidrs").expect("served");
        let mut range = ServiceCIDR {
            metadata: ObjectMeta { name: name.into(), ..ObjectMeta::default() },
            ..ServiceCIDR::default()
        };
        range.spec.cidrs = cidrs.iter().map(|cidr| (*cidr).to_owned()).collect();
        let write = WriteOptions::default();
        let made = self.registry.create(served, &self.who, "", Box::new(range), &write).await;
        made.map(|_| ()).expect("the range is made");
        let ready = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
            let mut range: ServiceCIDR = current.and_then(|c| c.downcast_ref()).cloned().expect("there");
            range.status.conditions = vec![Condition {
                type_: "Ready".into(),
                status: "True".into(),
                reason: "Test".into(),
                last_transition_time: Some(Time::EPOCH.into()),
                ..Condition::default()
            }];
            Ok(Box::new(range))
        };
        let any = Precondition::default();
        let done = self.registry.update(served, &self.who, "", name, "status", &ready, &any, &write).await;
        done.map(|_| ()).expect("the range is ready");
    }

    async fn create(&self, service: Service) -> Result<Service, String> {
        self.create_with(service, &WriteOptions::default()).await
    }

    async fn create_with(&self, service: Service, options: &WriteOptions) -> Result<Service, String> {
        let made =
            self.registry.create(&self.services, &self.who, "default", Box::new(service), options).await;
        let made = made.map_err(|status| status.into_inner().message)?;
        Ok(made.object.downcast_ref::<Service>().cloned().expect("a service"))
    }

    async fn update(
        &self,
        name: &str,
        change: impl Fn(&mut Service) + Send + Sync,
    ) -> Result<Service, String> {
        let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
            let current = current.and_then(|current| current.downcast_ref::<Service>());
            let mut service = current.cloned().ok_or_else(|| Status::bad_request("there is none"))?;
            change(&mut service);
            Ok(Box::new(service))
        };
        let (any, write) = (Precondition::default(), WriteOptions::default());
        let done = self
            .registry
            .update(&self.services, &self.who, "default", name, "", &change, &any, &write)
            .await
            .map_err(|status| status.into_inner().message)?;
        Ok(done.object.downcast_ref::<Service>().cloned().expect("a service"))
    }

    async fn delete(&self, name: &str) {
        let options = DeleteOptions::default();
        let gone = self.registry.delete(&self.services, &self.who, "default", name, &options, false).await;
        gone.map(|_| ()).expect("the service is deleted");
    }

    /// The services, after what must hold of all of them has been checked: nothing is held twice, and what is held is
    /// just what the services say.
    async fn checked(&self) -> Vec<Service> {
        let all = ListOptions::default();
        let list = self.registry.list(&self.services, "", &all).await.expect("a list");
        let services: Vec<Service> =
            list.items.iter().filter_map(|item| item.downcast_ref::<Service>()).cloned().collect();
        let served = self.registry.catalog().find("networking.k8s.io", "v1", "ipaddresses").expect("served");
        let list = self.registry.list(served, "", &all).await.expect("a list");
        let held: BTreeSet<(String, String)> = list
            .items
            .iter()
            .filter_map(|item| item.downcast_ref::<IPAddress>())
            .map(|address| {
                let parent = address.spec.parent_ref.as_deref().map_or("", |parent| parent.name.as_str());
                (address.metadata.name.clone(), parent.to_owned())
            })
            .collect();
        let said: Vec<(String, String)> = services
            .iter()
            .flat_map(|service| {
                let name = &service.metadata.name;
                super::addresses_of(service).into_iter().map(move |ip| (ip.to_string(), name.clone()))
            })
            .collect();
        assert_eq!(held.len(), said.len(), "an address is held twice or for nobody");
        assert_eq!(held, said.into_iter().collect(), "addresses");
        let said: Vec<u16> = services.iter().flat_map(super::ports_of).collect();
        let kept = super::ports::kept(&self.registry, &(30_000..=30_063)).await.expect("an allocation");
        assert_eq!(kept.len(), said.len(), "a port is held twice or for nobody");
        assert_eq!(kept, said.into_iter().collect(), "ports");
        services
    }
}

/// A service of a type with one port.
fn service(name: &str, type_: &str) -> Service {
    let mut service = Service::default();
    service.metadata.name = name.into();
    service.spec.type_ = type_.into();
    service.spec.selector.insert("app".into(), "web".into());
    service.spec.session_affinity = "None".into();
    if type_ == "LoadBalancer" {
        service.spec.allocate_load_balancer_node_ports = Some(true);
    }
    if type_ != "ClusterIP" {
        service.spec.external_traffic_policy = "Cluster".into();
    }
    service.spec.ports = vec![port("http", 80, 0)];
    service
}

fn port(name: &str, port: i32, node_port: i32) -> ServicePort {
    ServicePort {
        name: name.into(),
        protocol: "TCP".into(),
        port,
        target_port: IntOrString::Int(port),
        node_port,
        ..ServicePort::default()
    }
}

fn asking(name: &str, address: &str) -> Service {
    let mut service = service(name, "ClusterIP");
    service.spec.cluster_ip = address.into();
    service
}
