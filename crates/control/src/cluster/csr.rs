//! Requests for certificates: approving those of nodes for themselves, and signing what is approved.
//!
//! Upstream: `pkg/controller/certificates/{approver,signer}`. Reading requests and signing is a [`Signer`]'s, who holds the keys.

use std::sync::Arc;

use api_meta::conditions::TRUE;
use api_record::Bytes;
use api_types::authorization::v1::{ResourceAttributes, SubjectAccessReview};
use api_types::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
};
use base::time::Time;
use client::reconcile::{Controller, Guard, Plan, Wires, World, Write};

/// A permission that makes a request be approved without anybody's looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The subresource of `certificatesigningrequests` that the requester must be allowed to create.
    pub subresource: &'static str,
    /// What the approval says.
    pub message: &'static str,
}

/// Who reads requests and holds the keys. Answers only for signers that are its own.
pub trait Signer: Send + Sync {
    /// The ways in which a request may be approved automatically, in the order to be tried.
    fn approvals(&self, request: &CertificateSigningRequestSpec) -> Vec<Approval>;

    /// The certificate in PEM, or why there is none; `None` if somebody else signs it.
    fn sign(&self, request: &CertificateSigningRequestSpec, now: Time) -> Option<Result<String, String>>;
}

/// The controller of requests for certificates.
pub struct CertificateRequests {
    signer: Arc<dyn Signer>,
}

impl CertificateRequests {
    /// A controller that has this signer sign.
    pub fn new(signer: Arc<dyn Signer>) -> CertificateRequests {
        CertificateRequests { signer }
    }

    fn approve(&self, request: &CertificateSigningRequest, world: &World, now: Time) -> Option<Write> {
        let ways = self.signer.approvals(&request.spec);
        // The second way is tried when the first has just been refused.
        let way = if world.failure().is_some() { ways.last() } else { ways.first() }?;
        let mut approved = request.clone();
        approved.status.conditions.push(condition("Approved", "AutoApproved", way.message.to_owned(), now));
        let write = Write::update_part(approved, "approval");
        Some(write.guarded(Guard::Allowed(Box::new(review(&request.spec, way.subresource)))))
    }

    fn sign(&self, request: &CertificateSigningRequest, now: Time) -> Option<Write> {
        let mut signed = request.clone();
        match self.signer.sign(&request.spec, now)? {
            Ok(pem) => signed.status.certificate = Some(Bytes::from(pem)),
            Err(why) => {
                signed.status.conditions.push(condition("Failed", "SignerValidationFailure", why, now));
            }
        }
        Some(Write::status(signed))
    }
}

impl Controller for CertificateRequests {
    const NAME: &'static str = "certificate-controller";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<CertificateSigningRequest>(|request, _| vec![request.metadata.name.clone()]);
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(request) = world.get::<CertificateSigningRequest>("", key) else { return plan };
        let is = |type_: &str| request.status.conditions.iter().any(|condition| condition.type_ == type_);
        let issued = request.status.certificate.as_ref().is_some_and(|certificate| !certificate.is_empty());
        if issued || is("Denied") || is("Failed") {
            return plan;
        }
        let write = if is("Approved") { self.sign(request, now) } else { self.approve(request, world, now) };
        plan.stage(write);
        plan
    }
}

fn condition(type_: &str, reason: &str, message: String, now: Time) -> CertificateSigningRequestCondition {
    CertificateSigningRequestCondition {
        type_: type_.into(),
        status: TRUE.into(),
        reason: reason.into(),
        message,
        last_update_time: Some(now.into()),
        last_transition_time: Some(now.into()),
    }
}

fn review(request: &CertificateSigningRequestSpec, subresource: &str) -> SubjectAccessReview {
    let mut review = SubjectAccessReview::default();
    review.spec.user.clone_from(&request.username);
    review.spec.uid.clone_from(&request.uid);
    review.spec.groups.clone_from(&request.groups);
    review.spec.extra.clone_from(&request.extra);
    review.spec.resource_attributes = Some(Box::new(ResourceAttributes {
        group: "certificates.k8s.io".into(),
        version: "*".into(),
        resource: "certificatesigningrequests".into(),
        subresource: subresource.into(),
        verb: "create".into(),
        ..ResourceAttributes::default()
    }));
    review
}

#[cfg(test)]
mod tests {
    use client::Revision;

    use super::*;

    struct Fake;

    impl Signer for Fake {
        fn approvals(&self, request: &CertificateSigningRequestSpec) -> Vec<Approval> {
            let ours = request.signer_name == "kubelet";
            ours.then_some(Approval { subresource: "nodeclient", message: "fine" }).into_iter().collect()
        }

        fn sign(&self, request: &CertificateSigningRequestSpec, _: Time) -> Option<Result<String, String>> {
            match request.signer_name.as_str() {
                "kubelet" => Some(Ok("PEM".into())),
                "strict" => Some(Err("no".into())),
                _ => None,
            }
        }
    }

    fn request(signer: &str, conditions: &[&str]) -> CertificateSigningRequest {
        let mut request = CertificateSigningRequest::default();
        request.metadata.name = "r".into();
        request.spec.signer_name = signer.into();
        request.spec.username = "joiner".into();
        let now = Time::EPOCH;
        request.status.conditions =
            conditions.iter().map(|it| condition(it, "", String::new(), now)).collect();
        request
    }

    fn plan(request: CertificateSigningRequest) -> Plan {
        let world = World::default().with([request], Revision(1));
        CertificateRequests::new(Arc::new(Fake)).plan(&"r".to_owned(), &world, Time::EPOCH)
    }

    #[test]
    fn requests_are_approved_then_signed() {
        let approving = plan(request("kubelet", &[]));
        assert_eq!(
            approving.describe(),
            ["update certificatesigningrequests.certificates.k8s.io/approval r"]
        );
        let [Guard::Allowed(review)] = &approving.stages[0][0].guards[..] else { panic!("a review") };
        assert_eq!(review.spec.user, "joiner");
        let signing = plan(request("kubelet", &["Approved"]));
        let signed: &CertificateSigningRequest = signing.stages[0][0].object().expect("a request");
        assert_eq!(signed.status.certificate.as_deref(), Some(&b"PEM"[..]));
        let failing = plan(request("strict", &["Approved"]));
        let failed: &CertificateSigningRequest = failing.stages[0][0].object().expect("a request");
        assert_eq!(failed.status.conditions[1].reason, "SignerValidationFailure");
        for (signer, conditions) in [("other", &["Approved"][..]), ("other", &[]), ("kubelet", &["Denied"])] {
            assert!(plan(request(signer, conditions)).stages.is_empty());
        }
    }
}
