//! Who serves which group and version, as the APIServices say: one snapshot after another.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_kinds_more::apiregistration::api_service::{self, AVAILABLE};
use api_kinds_more::apiregistration::priority::Priority;
use api_types::apiregistration::v1::APIService;
use base_serve::dial::Secure;
use base_serve::trust::{self, Shown, Trust};
use client::Snapshot;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

/// A group and a version.
pub type GroupVersion = (String, String);

/// The service that a group and version is served by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// The service's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: i32,
}

/// How connections to a service are secured; the same as long as the APIService says the same.
pub(super) struct Security {
    skip: bool,
    bundle: Vec<u8>,
    backend: Backend,
    /// For any request, and for those that want to leave HTTP, which only HTTP/1.1 can.
    configs: Result<[Secure; 2], String>,
}

/// A group and version that a service of the cluster serves.
#[derive(Clone)]
pub struct Route {
    /// The name of its APIService.
    pub name: String,
    /// The group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// Who serves it.
    pub backend: Backend,
    /// Whether it is said to be answered.
    pub available: bool,
    /// Why, in a word.
    pub reason: String,
    pub(super) security: Arc<Security>,
}

impl Route {
    /// The route of an APIService; `None` for a local one. `before` is what the last snapshot had of it.
    pub(super) fn of(service: &APIService, shown: Option<&Shown>, before: Option<&Route>) -> Option<Route> {
        let (spec, reference) = (&service.spec, service.spec.service.as_ref()?);
        let backend = Backend {
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
            port: reference.port.unwrap_or(443),
        };
        let bundle = spec.ca_bundle.as_ref().map(|bundle| bundle.to_vec()).unwrap_or_default();
        let skip = spec.insecure_skip_tls_verify;
        let same = |own: &&Route| {
            let own = &own.security;
            (own.skip, &own.bundle, &own.backend) == (skip, &bundle, &backend)
        };
        let security = match before.filter(same) {
            Some(before) => Arc::clone(&before.security),
            None => Arc::new(Security::new(skip, bundle, backend.clone(), shown)),
        };
        Some(Route {
            name: service.metadata.name.clone(),
            group: spec.group.clone(),
            version: spec.version.clone(),
            backend,
            available: api_service::is_available(service),
            reason: api_service::condition(service, AVAILABLE)
                .map(|own| own.reason.clone())
                .unwrap_or_default(),
            security,
        })
    }

    /// How to speak with the server, whose protocol must be left if it is an upgrade that is asked for.
    ///
    /// # Errors
    /// Why it cannot be spoken with, in upstream's words.
    pub fn secure(&self, upgrade: bool) -> Result<&Secure, String> {
        let configs = self.security.configs.as_ref().map_err(Clone::clone)?;
        Ok(&configs[usize::from(upgrade)])
    }

    /// The path below which it is served.
    pub fn root(&self) -> String {
        match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.name == other.name
            && self.available == other.available
            && Arc::ptr_eq(&self.security, &other.security)
    }
}

impl Security {
    fn new(skip: bool, bundle: Vec<u8>, backend: Backend, shown: Option<&Shown>) -> Security {
        let trust = if skip { Trust::Anyone } else { Trust::Authorities(&bundle) };
        let host = format!("{}.{}.svc", backend.name, backend.namespace);
        let configs = trust::config(trust, shown).and_then(|config| {
            let name = ServerName::try_from(host).map_err(|error| format!("tls: {error}"))?;
            let offering = |protocols: &[&[u8]]| {
                let mut config: ClientConfig = config.clone();
                config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
                Secure { config: Arc::new(config), name: name.clone() }
            };
            Ok([offering(&[b"h2", b"http/1.1"]), offering(&[b"http/1.1"])])
        });
        Security { skip, bundle, backend, configs }
    }
}

/// What all APIServices say.
#[derive(Default)]
pub struct Routes {
    remote: BTreeMap<GroupVersion, Arc<Route>>,
    registered: BTreeMap<GroupVersion, Priority>,
}

impl Routes {
    pub(super) fn of(snapshot: &Snapshot, shown: Option<&Shown>, before: &Routes) -> Routes {
        let mut routes = Routes::default();
        for service in snapshot.iter().filter_map(|object| object.downcast_ref::<APIService>()) {
            let spec = &service.spec;
            let key = (spec.group.clone(), spec.version.clone());
            let priority = Priority { group: spec.group_priority_minimum, version: spec.version_priority };
            routes.registered.insert(key.clone(), priority);
            let known = before.remote.get(&key).map(|route| &**route);
            if let Some(route) = Route::of(service, shown, known) {
                routes.remote.insert(key, Arc::new(route));
            }
        }
        routes
    }

    /// The groups and versions that others serve.
    pub fn remote(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.remote.values()
    }

    /// The route of a group and version, if others serve it.
    pub fn find(&self, group: &str, version: &str) -> Option<&Arc<Route>> {
        if self.remote.is_empty() {
            return None;
        }
        self.remote.get(&(group.to_owned(), version.to_owned()))
    }

    /// The groups and versions with an APIService, and the places that these give them.
    pub fn registered(&self) -> &BTreeMap<GroupVersion, Priority> {
        &self.registered
    }
}
