//! The controller that says whether what others serve is answered.
//!
//! Follows `kube-aggregator/pkg/controllers/status/remote`: first what the cluster knows (the service, its port, its endpoints), then whether
//! somebody there answers. What was answered is kept beside what it rests on, and holds until that changes or half a minute has gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_kinds_more::apiregistration::api_service::set_available;
use api_types::apiregistration::v1::APIService;
use api_types::core::v1::Service;
use api_types::discovery::v1::EndpointSlice;
use base::time::Time;
use client::Caller;
use client::reconcile::{Ask, Controller, Plan, Wires, World, Write};
use server_webhook::endpoint::SERVICE_NAME;

use super::route::{Backend, Route};
use super::{Aggregation, endpoint, probe};
use crate::limits::{PROBE_AGAIN, PROBE_FIRST};

/// Says whether what others serve is answered.
pub(crate) struct Availability {
    aggregation: Aggregation,
    probes: Arc<Mutex<BTreeMap<String, Probe>>>,
}

/// What the answer to a probe rests on.
#[derive(Clone, PartialEq)]
struct Mark {
    uid: String,
    spec: (Backend, bool, Vec<u8>),
    service: String,
    slices: Vec<(String, String)>,
}

/// The last answer.
struct Probe {
    mark: Mark,
    answered: Result<(), String>,
    failures: u32,
    until: Time,
}

/// What there is to say without asking anybody.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    reason: &'static str,
    message: String,
}

impl Availability {
    pub(crate) fn new(aggregation: Aggregation) -> Availability {
        Availability { aggregation, probes: Arc::default() }
    }

    /// Asks now, and keeps the answer.
    fn ask(&self, key: &str, service: &APIService, mark: Mark) -> Option<Ask> {
        let route = Arc::new(Route::of(service, self.aggregation.shown(), None)?);
        let (aggregation, probes) = (self.aggregation.clone(), Arc::clone(&self.probes));
        let what = format!("whether {key} is answered");
        let key = key.to_owned();
        let work = move || {
            let (route, aggregation, probes) = (Arc::clone(&route), aggregation.clone(), Arc::clone(&probes));
            let (key, mark) = (key.clone(), mark.clone());
            let asked = async move {
                let answered = probe::probe(&aggregation, &route).await;
                let now = aggregation.clock().now();
                let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
                let failures = match (&answered, probes.get(&key)) {
                    (Ok(()), _) => 0,
                    (Err(_), Some(before)) if before.mark == mark => before.failures + 1,
                    (Err(_), _) => 1,
                };
                let until = now + wait(failures);
                probes.insert(key, Probe { mark, answered, failures, until });
                Ok(())
            };
            Box::pin(asked) as client::BoxFuture<'static, _>
        };
        Some(Ask { what, work: Arc::new(work) })
    }
}

/// How long an answer holds.
fn wait(failures: u32) -> Duration {
    match failures {
        0 => PROBE_AGAIN,
        _ => PROBE_FIRST.saturating_mul(1 << (failures - 1).min(16)).min(PROBE_AGAIN),
    }
}

/// What the cluster knows of the service.
fn judge(backend: &Backend, world: &World) -> Result<(), Verdict> {
    let Backend { namespace, name, port } = backend;
    let verdict = |reason, message| Err(Verdict { reason, message });
    let place = format!("service/{name} in {namespace:?}");
    let Some(service) = world.get::<Service>(namespace, name) else {
        return verdict("ServiceNotFound", format!("{place} is not present"));
    };
    if service.spec.type_ != "ClusterIP" {
        return Ok(());
    }
    let Some(own) = service.spec.ports.iter().find(|own| own.port == *port) else {
        return verdict("ServicePortError", format!("{place} is not listening on port {port}"));
    };
    let slices: Vec<&EndpointSlice> = slices(backend, world).collect();
    if slices.is_empty() {
        return verdict("EndpointsNotFound", format!("cannot find endpointslices for {place}"));
    }
    if !endpoint::has_available(slices, &own.name) {
        let message = format!("endpointslices for {place} have no addresses with port name {:?}", own.name);
        return verdict("MissingEndpoints", message);
    }
    Ok(())
}

fn slices<'a>(backend: &'a Backend, world: &'a World) -> impl Iterator<Item = &'a EndpointSlice> {
    world.in_namespace::<EndpointSlice>(&backend.namespace).filter(|slice| endpoint::is_of(slice, backend))
}

fn mark(service: &APIService, backend: &Backend, world: &World) -> Mark {
    let bundle = service.spec.ca_bundle.as_ref().map(|bundle| bundle.to_vec()).unwrap_or_default();
    let version = world.get::<Service>(&backend.namespace, &backend.name);
    let slices = slices(backend, world);
    Mark {
        uid: service.metadata.uid.clone(),
        spec: (backend.clone(), service.spec.insecure_skip_tls_verify, bundle),
        service: version.map(|own| own.metadata.resource_version.clone()).unwrap_or_default(),
        slices: slices
            .map(|own| (own.metadata.name.clone(), own.metadata.resource_version.clone()))
            .collect(),
    }
}

/// The APIServices of a service.
fn of(world: &World, namespace: &str, name: &str) -> Vec<String> {
    let all = world.all::<APIService>().filter(|own| {
        own.spec.service.as_ref().is_some_and(|own| own.namespace == namespace && own.name == name)
    });
    all.map(|own| own.metadata.name.clone()).collect()
}

impl Controller for Availability {
    const NAME: &'static str = "api-service-availability";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<APIService>(|service, _| vec![service.metadata.name.clone()]);
        wires
            .maps::<Service>(|service, world| of(world, &service.metadata.namespace, &service.metadata.name));
        wires.maps::<EndpointSlice>(|slice, world| {
            let name = slice.metadata.labels.get(SERVICE_NAME);
            name.map(|name| of(world, &slice.metadata.namespace, name)).unwrap_or_default()
        });
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let service = world.get::<APIService>("", key);
        let reference = service.and_then(|service| Some((service, service.spec.service.as_ref()?)));
        let Some((service, reference)) = reference else {
            self.probes.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            return plan;
        };
        let backend = Backend {
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
            port: reference.port.unwrap_or(443),
        };
        let mut next = service.clone();
        match judge(&backend, world) {
            Err(verdict) => {
                set_available(&mut next, "False", verdict.reason, verdict.message, Some(now.into()));
            }
            Ok(()) => {
                let mark = mark(service, &backend, world);
                let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(probe) = probes.get(key).filter(|own| own.mark == mark && now < own.until) else {
                    drop(probes);
                    plan.asks.extend(self.ask(key, service, mark));
                    plan.again_in(Duration::ZERO);
                    return plan;
                };
                match &probe.answered {
                    Ok(()) => {
                        let message = "all checks passed";
                        set_available(&mut next, "True", "Passed", message, Some(now.into()));
                    }
                    Err(why) => {
                        let reason = "FailedDiscoveryCheck";
                        set_available(&mut next, "False", reason, why, Some(now.into()));
                    }
                }
                plan.again_in(probe.until.since(now));
            }
        }
        if next.status != service.status {
            plan.stage([Write::status(next)]);
        }
        plan
    }

    fn caller(&self) -> Caller {
        Caller::new("system:apiserver", &["system:masters", "system:authenticated"])
    }

    fn reader(&self) -> Caller {
        self.caller()
    }
}

#[cfg(test)]
mod tests;
