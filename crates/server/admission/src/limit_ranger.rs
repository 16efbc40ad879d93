//! LimitRanger: what a namespace's limit ranges give to containers that say nothing, and refuse to those that say too much.

mod bounds;

use std::sync::Arc;

use api_meta::Status;
use api_quota::ResourceList;
use api_record::Record;
use api_types::core::v1::{Container, LimitRange, PersistentVolumeClaim, Pod};
use api_types::object_meta;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

const RANGES: Resource = Resource::of("", "v1", "limitranges");
/// Where a pod says what it was given.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Applies limit ranges to pods and to claims of volumes.
pub struct LimitRanger {
    lookup: Arc<dyn Lookup>,
}

impl LimitRanger {
    /// Looks limit ranges up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> LimitRanger {
        LimitRanger { lookup }
    }

    async fn ranges(&self, attributes: &Attributes<'_>) -> Result<Vec<Arc<dyn Record>>, Status> {
        self.lookup.list(&RANGES, attributes.namespace).await.map_err(|_| {
            let verb = if attributes.operation == Operation::Create { "CREATE" } else { "UPDATE" };
            let Resource { group, version, plural } = &attributes.resource;
            let why = format!(
                "unable to {verb} {group}/{version}, Resource={plural} at this time because there was an error \
                 enforcing limit ranges"
            );
            forbidden(attributes, None, why)
        })
    }
}

/// Whether limit ranges have a say: on new pods and claims, on claims that change, and on pods that are resized.
fn is_asked(attributes: &Attributes<'_>, old: Option<&dyn Record>) -> bool {
    if old.and_then(object_meta).is_some_and(|meta| meta.deletion_timestamp.is_some()) {
        return false;
    }
    let pods = is_about(attributes, "", "pods");
    match (attributes.subresource, attributes.operation) {
        ("resize", Operation::Update) => pods,
        ("", Operation::Create) => pods || is_about(attributes, "", "persistentvolumeclaims"),
        ("", Operation::Update) => is_about(attributes, "", "persistentvolumeclaims"),
        _ => false,
    }
}

/// Gives the containers of a pod what the range has for those that say nothing, and writes down what.
fn give(range: &LimitRange, pod: &mut Pod) {
    let (mut requests, mut limits) = (ResourceList::new(), ResourceList::new());
    for item in range.spec.limits.iter().filter(|item| item.type_ == "Container") {
        requests.extend(item.default_request.clone());
        limits.extend(item.default_.clone());
    }
    let mut given = Vec::new();
    for container in pod.spec.containers.iter_mut() {
        give_to(container, "container", &requests, &limits, &mut given);
    }
    for container in &mut pod.spec.init_containers {
        give_to(container, "init container", &requests, &limits, &mut given);
    }
    if !given.is_empty() {
        let text = format!("LimitRanger plugin set: {}", given.join("; "));
        pod.metadata.annotations.insert(ANNOTATION.to_owned(), text);
    }
}

fn give_to(
    container: &mut Container,
    what: &str,
    requests: &ResourceList,
    limits: &ResourceList,
    given: &mut Vec<String>,
) {
    let name = &container.name;
    let own = &mut container.resources;
    let lists = [(&mut own.requests, requests, "request"), (&mut own.limits, limits, "limit")];
    for (own, defaults, kind) in lists {
        let missing: Vec<&str> =
            defaults.keys().map(String::as_str).filter(|resource| !own.contains_key(*resource)).collect();
        if missing.is_empty() {
            continue;
        }
        given.push(format!("{} {kind} for {what} {name}", missing.join(", ")));
        own.extend(missing.into_iter().map(|resource| (resource.to_owned(), defaults[resource].clone())));
    }
}

impl Plugin for LimitRanger {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if !is_asked(attributes, old) {
                return Ok(());
            }
            let Some(pod) = object.downcast_mut::<Pod>() else { return Ok(()) };
            for range in self.ranges(attributes).await? {
                if let Some(range) = range.downcast_ref::<LimitRange>() {
                    give(range, pod);
                }
            }
            Ok(())
        })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let Some(object) = object.filter(|_| is_asked(attributes, old)) else { return Ok(()) };
            for range in self.ranges(attributes).await? {
                let Some(range) = range.downcast_ref::<LimitRange>() else { continue };
                let faults =
                    match (object.downcast_ref::<Pod>(), object.downcast_ref::<PersistentVolumeClaim>()) {
                        (Some(pod), _) => bounds::of_pod(range, pod),
                        (None, Some(claim)) => bounds::of_claim(range, claim),
                        (None, None) => Vec::new(),
                    };
                if let Some(why) = bounds::together(faults) {
                    return Err(forbidden(attributes, Some(object), why));
                }
            }
            Ok(())
        })
    }
}
