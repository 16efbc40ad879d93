//! The APIServices of what is built in, which order it in discovery.
//!
//! Upstream: `kube-aggregator/pkg/controllers/autoregister` with what `pkg/controlplane/apiserver/aggregator.go` gives it "on start": made where
//! they are missing and brought to what they should be where they carry the label, once at each start and not again.

use api_kinds_more::apiregistration::priority;
use api_types::apiregistration::v1::{APIService, APIServiceSpec};
use client::{Resource, Status};
use futures_util::future::try_join_all;

use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};
use server_registry::Offered;

static API_SERVICES: Resource = Resource::of("apiregistration.k8s.io", "v1", "apiservices");

/// The label that says that an APIService is brought to what it should be.
const MANAGED: &str = "kube-aggregator.kubernetes.io/automanaged";
const ON_START: &str = "onstart";

pub(crate) async fn reconcile(writer: &Writer<'_>) -> Result<(), Status> {
    let wanted = wanted(writer.offered());
    // Beside each other, so that the store keeps them with few writes.
    try_join_all(wanted.iter().map(|service| one(writer, service))).await?;
    for own in writer.all::<APIService>(&API_SERVICES, "").await? {
        let meta = &own.metadata;
        let managed = meta.labels.get(MANAGED).is_some_and(|value| value == ON_START);
        if managed && !wanted.iter().any(|wanted| wanted.metadata.name == meta.name) {
            writer.delete(&API_SERVICES, &own).await?;
        }
    }
    Ok(())
}

async fn one(writer: &Writer<'_>, wanted: &APIService) -> Result<(), Status> {
    let name = &wanted.metadata.name;
    for _ in 0..ATTEMPTS {
        let existing: Option<APIService> = writer.get(&API_SERVICES, "", name).await?;
        let done = match existing {
            None => writer.create(&API_SERVICES, Box::new(wanted.clone())).await?,
            Some(own) if !own.metadata.labels.contains_key(MANAGED) || own.spec == wanted.spec => true,
            Some(own) => {
                let next = APIService { spec: wanted.spec.clone(), ..own };
                writer.update(&API_SERVICES, "", &next).await?
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(&API_SERVICES, name))
}

fn wanted(offered: &Offered) -> Vec<APIService> {
    let mut all: Vec<APIService> = Vec::new();
    for resource in offered.iter() {
        let (group, version) = (resource.kind.group, resource.kind.version);
        let Some(priority) = priority::of(group, version) else { continue };
        let name = format!("{version}.{group}");
        if all.iter().any(|own| own.metadata.name == name) {
            continue;
        }
        let mut service = APIService::default();
        service.metadata.name = name;
        service.metadata.labels.insert(MANAGED.to_owned(), ON_START.to_owned());
        service.spec = APIServiceSpec {
            group: group.to_owned(),
            version: version.to_owned(),
            group_priority_minimum: priority.group,
            version_priority: priority.version,
            ..APIServiceSpec::default()
        };
        all.push(service);
    }
    all
}
