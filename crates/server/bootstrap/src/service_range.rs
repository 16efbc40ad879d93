//! The ServiceCIDR `kubernetes`: the ranges that the server is configured with.

use api_types::meta::v1::{Condition, ObjectMeta};
use api_types::networking::v1::{ServiceCIDR, ServiceCIDRSpec};
use client::{Resource, Status};

use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

static RANGES: Resource = Resource::of("networking.k8s.io", "v1", "servicecidrs");
const NAME: &str = "kubernetes";

/// Makes the range and marks it ready, or adds a second family to it. A range that differs otherwise stays: services
/// have addresses of it.
pub(crate) async fn reconcile(writer: &Writer<'_>, cidrs: &[String]) -> Result<(), Status> {
    for _ in 0..ATTEMPTS {
        let existing: Option<ServiceCIDR> = writer.get(&RANGES, "", NAME).await?;
        let Some(mut range) = existing else {
            writer.create(&RANGES, Box::new(wanted(cidrs))).await?;
            continue;
        };
        if let ([first, _], [known]) = (cidrs, &range.spec.cidrs[..])
            && first == known
        {
            range.spec.cidrs = cidrs.to_vec();
            writer.update(&RANGES, "", &range).await?;
            continue;
        }
        if range.spec.cidrs != cidrs {
            let found = range.spec.cidrs.join(",");
            tracing::warn!(kind = %RANGES, name = NAME, found, wanted = cidrs.join(","), "bootstrap.mismatch");
            return Ok(());
        }
        let is_unknown = |condition: &Condition| condition.status == "Unknown";
        let known = range.status.conditions.iter().find(|condition| condition.type_ == "Ready");
        if range.metadata.deletion_timestamp.is_some() || known.is_some_and(|known| !is_unknown(known)) {
            return Ok(());
        }
        range.status.conditions.retain(|condition| condition.type_ != "Ready");
        range.status.conditions.push(Condition {
            type_: "Ready".to_owned(),
            status: "True".to_owned(),
            last_transition_time: writer.now(),
            message: "Kubernetes default Service CIDR is ready".to_owned(),
            ..Condition::default()
        });
        if writer.update(&RANGES, "status", &range).await? {
            return Ok(());
        }
    }
    Err(contended(&RANGES, NAME))
}

fn wanted(cidrs: &[String]) -> ServiceCIDR {
    ServiceCIDR {
        metadata: ObjectMeta { name: NAME.to_owned(), ..ObjectMeta::default() },
        spec: ServiceCIDRSpec { cidrs: cidrs.to_vec() },
        ..ServiceCIDR::default()
    }
}
