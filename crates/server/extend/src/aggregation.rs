//! What other API servers serve for this one: which groups and versions, where these servers are, and what they have.
//!
//! [`Aggregation`] is what is known of that: snapshots that are read without waiting, whatever the other servers do. It is kept by
//! [`Aggregation::follow`], which reads the APIServices and asks each server what it serves, all of them beside each other; whether one is
//! answered is the `availability` controller's to say. Whoever speaks HTTP reads here where a request is to go.

mod ask;
pub(crate) mod availability;
mod contents;
mod discovery;
mod endpoint;
mod follow;
mod openapi;
mod probe;
mod read;
pub(crate) mod registration;
mod route;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use base::metrics::{Source, Text, Type};
use base::random::SystemRandom;
use base::time::{Clock, Time};
use base_serve::trust::Shown;
use client::{RawView, Resource, Scope};
use serde_json::Value;
use server_local::Local;
use tokio::sync::watch;

pub use contents::Left;
pub use discovery::Discovered;
pub use route::{Backend, GroupVersion, Route, Routes};

/// What APIServices are called.
pub(crate) const API_SERVICES: Resource = Resource::of("apiregistration.k8s.io", "v1", "apiservices");

/// What is known of a server.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What it serves, as far as APIServices lead to it.
    pub discovered: BTreeMap<GroupVersion, Discovered>,
    /// Where its documents of OpenAPI 3 are, by group and version.
    pub v3: BTreeMap<GroupVersion, String>,
    /// Whether it has none of these: it describes itself in OpenAPI 2 alone.
    pub without_v3: bool,
    /// What it says in OpenAPI 2 of what it serves: paths, definitions and parameters.
    pub v2: Option<Arc<Value>>,
}

impl PartialEq for Known {
    fn eq(&self, other: &Known) -> bool {
        let same = match (&self.v2, &other.v2) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        };
        same && self.without_v3 == other.without_v3
            && self.v3 == other.v3
            && self.discovered == other.discovered
    }
}

/// What other API servers serve for this one.
#[derive(Clone)]
pub struct Aggregation(Arc<Shared>);

struct Shared {
    shown: Option<Shown>,
    clock: Arc<dyn Clock>,
    services: RawView,
    slices: RawView,
    routes: ArcSwap<Routes>,
    known: ArcSwap<BTreeMap<Backend, Arc<Known>>>,
    changes: watch::Sender<u64>,
    lost: Mutex<BTreeMap<(String, String), u64>>,
}

impl Aggregation {
    /// Nothing yet. This server shows `shown` to the others, so that they believe what it says of users.
    pub fn new(local: &Local, shown: Option<Shown>, clock: Arc<dyn Clock>) -> Aggregation {
        let view = |group, plural| local.shared_view(Scope::all(Resource::of(group, "v1", plural)));
        Aggregation::over(view("", "services"), view("discovery.k8s.io", "endpointslices"), shown, clock)
    }

    /// The same over views of services and of their endpoints' slices.
    pub fn over(
        services: RawView,
        slices: RawView,
        shown: Option<Shown>,
        clock: Arc<dyn Clock>,
    ) -> Aggregation {
        Aggregation(Arc::new(Shared {
            shown,
            clock,
            services,
            slices,
            routes: ArcSwap::default(),
            known: ArcSwap::default(),
            changes: watch::Sender::new(0),
            lost: Mutex::default(),
        }))
    }

    /// Who serves what.
    pub fn routes(&self) -> Arc<Routes> {
        self.0.routes.load_full()
    }

    /// What is known of the others' servers.
    pub fn known(&self) -> Arc<BTreeMap<Backend, Arc<Known>>> {
        self.0.known.load_full()
    }

    /// Tells of every change of what is known.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Where the server of a route is, `host:port`: any of those that are ready.
    ///
    /// # Errors
    /// Why there is none.
    pub fn resolve(&self, route: &Route) -> Result<String, String> {
        let Backend { namespace, name, port } = &route.backend;
        let (services, slices) = (self.0.services.snapshot(), self.0.slices.snapshot());
        let (host, port) =
            server_webhook::resolve(&services, &slices, (namespace, name, *port), &SystemRandom)?;
        Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }

    pub(crate) fn shown(&self) -> Option<&Shown> {
        self.0.shown.as_ref()
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    fn set_routes(&self, routes: Routes) {
        self.count_lost(&routes);
        self.0.routes.store(Arc::new(routes));
        self.tell();
    }

    /// Knows this of a server from now on; nothing more of one that nobody leads to.
    fn learn(&self, backend: &Backend, known: Option<Known>) {
        let before = self.known();
        let before = before.get(backend);
        if before.map(|own| &**own) == known.as_ref() {
            return;
        }
        let known = known.map(Arc::new);
        self.0.known.rcu(|all| {
            let mut all = BTreeMap::clone(all);
            match &known {
                Some(known) => all.insert(backend.clone(), Arc::clone(known)),
                None => all.remove(backend),
            };
            all
        });
        self.tell();
    }

    /// Counts those that were answered and are not any more, by name and reason.
    fn count_lost(&self, next: &Routes) {
        let before = self.routes();
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for route in next.remote().filter(|route| !route.available) {
            if before.find(&route.group, &route.version).is_some_and(|own| own.available) {
                *lost.entry((route.name.clone(), route.reason.clone())).or_default() += 1;
            }
        }
    }

    fn tell(&self) {
        self.0.changes.send_modify(|count| *count += 1);
    }
}

impl Source for Aggregation {
    fn collect(&self, text: &mut Text, _: Time) {
        let help =
            "[ALPHA] Gauge of APIServices which are marked as unavailable broken down by APIService name.";
        let mut family = text.family("aggregator_unavailable_apiservice", Type::Gauge, help);
        let routes = self.routes();
        for (group, version) in routes.registered().keys() {
            let lost = routes.find(group, version).is_some_and(|route| !route.available);
            family.sample(&[("name", &format!("{version}.{group}"))], f64::from(u8::from(lost)));
        }
        let help = "[ALPHA] Counter of APIServices which are marked as unavailable broken down by APIService name and reason.";
        let mut family = text.family("aggregator_unavailable_apiservice_total", Type::Counter, help);
        let lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, reason), count) in &*lost {
            family.sample(&[("name", name), ("reason", reason)], *count as f64);
        }
    }
}
