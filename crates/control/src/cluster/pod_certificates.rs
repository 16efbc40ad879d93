//! Pods' requests for certificates go some time after they were made: whoever made one has its answer by then, or asks anew.
//!
//! Upstream: `pkg/controller/certificates/cleaner/pcrcleaner.go`, which looks at all every five minutes; here each has its own time.

use std::time::Duration;

use api_types::certificates::v1::PodCertificateRequest;
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World, Write};

/// How long a request stays.
const KEPT: Duration = Duration::from_secs(15 * 60);

/// The controller that deletes them.
pub struct PodCertificateCleaner;

impl Controller for PodCertificateCleaner {
    const NAME: &'static str = "podcertificaterequestcleaner";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<PodCertificateRequest>();
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(request) = world.get::<PodCertificateRequest>(namespace, name) else { return plan };
        let end = request.metadata.creation_timestamp.map(Time::from).unwrap_or_default() + KEPT;
        if now < end {
            plan.again_in(end.since(now));
        } else {
            plan.stage([Write::delete(request)]);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use client::Revision;
    use client::reconcile::name;

    use super::*;

    #[test]
    fn a_request_stays_for_its_time() {
        let mut request = PodCertificateRequest::default();
        (request.metadata.namespace, request.metadata.name) = ("shop".into(), "web".into());
        request.metadata.creation_timestamp = Some(Time::EPOCH.into());
        let world = World::default().with([request], Revision(1));
        let plan = |now| PodCertificateCleaner.plan(&name("shop", "web"), &world, Time::EPOCH + now);
        let left = plan(Duration::from_secs(60));
        assert_eq!((left.stages.len(), left.again), (0, Some(Duration::from_secs(14 * 60))));
        assert_eq!(plan(KEPT).describe(), ["delete podcertificaterequests.certificates.k8s.io shop/web"]);
    }
}
