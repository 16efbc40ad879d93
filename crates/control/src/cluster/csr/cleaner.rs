//! Requests for certificates that are done with: nodes renew for ever, and every renewal leaves one.
//!
//! Upstream: `pkg/controller/certificates/cleaner`, which looks at all once an hour; here each has its own time.

use std::sync::Arc;
use std::time::Duration;

use api_types::certificates::v1::CertificateSigningRequest;
use base::time::Time;
use client::Caller;
use client::reconcile::{Controller, Plan, Wires, World, Write, service_account};

use super::{Signer, has, is_issued};

/// How long a request stays after it was answered (`approvedExpiration`, `deniedExpiration`).
const ANSWERED: Duration = Duration::from_secs(3600);
/// How long a request waits for an answer (`pendingExpiration`).
const PENDING: Duration = Duration::from_secs(24 * 3600);

/// The controller that deletes them.
pub struct CertificateCleaner {
    signer: Arc<dyn Signer>,
}

impl CertificateCleaner {
    /// A controller that has this signer read certificates.
    pub fn new(signer: Arc<dyn Signer>) -> CertificateCleaner {
        CertificateCleaner { signer }
    }

    /// When a request is done with; `None` for one that is approved and waits for its signer.
    fn end(&self, request: &CertificateSigningRequest) -> Option<Time> {
        let status = &request.status;
        if status.conditions.is_empty() {
            return request.metadata.creation_timestamp.map(|at| Time::from(at) + PENDING);
        }
        let issued = is_issued(request);
        let answered = status.conditions.iter().filter(|condition| match condition.type_.as_str() {
            "Denied" | "Failed" => true,
            "Approved" => issued,
            _ => false,
        });
        let answered = answered.filter_map(|condition| condition.last_update_time);
        let certificate = status.certificate.as_deref().filter(|_| issued && has(request, "Approved"));
        let expired = certificate.and_then(|certificate| self.signer.end(certificate));
        answered.map(|at| Time::from(at) + ANSWERED).chain(expired).min()
    }
}

impl Controller for CertificateCleaner {
    const NAME: &'static str = "csrcleaner-controller";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<CertificateSigningRequest>(|request, _| vec![request.metadata.name.clone()]);
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(request) = world.get::<CertificateSigningRequest>("", key) else { return plan };
        match self.end(request) {
            Some(end) if end < now => {
                plan.stage([Write::delete(request)]);
            }
            // A moment after its end, as upstream deletes what is older than that.
            Some(end) => {
                plan.again_in(end.since(now) + Duration::from_secs(1));
            }
            None => {}
        }
        plan
    }

    fn caller(&self) -> Caller {
        service_account("certificate-controller")
    }
}
