//! Requests for certificates: approving those of nodes, signing what is approved, and clearing away what is done with.
//!
//! Upstream: `pkg/controller/certificates/{approver,signer,cleaner}`. Reading requests and signing is a [`Signer`]'s, who
//! holds the keys and makes the certificate at once, without asking anybody.

mod cleaner;
mod serving;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api_meta::Status;
use api_meta::conditions::TRUE;
use api_record::Bytes;
use api_types::authorization::v1::{ResourceAttributes, SubjectAccessReview};
use api_types::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec,
};
use base::time::Time;
use client::reconcile::{BackOff, Controller, Guard, Plan, Wires, World, Write};

pub use cleaner::CertificateCleaner;
pub use serving::KubeletServing;

/// A permission that makes a request be approved without anybody's looking at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The subresource of `certificatesigningrequests` that the requester must be allowed to create.
    pub subresource: &'static str,
    /// What the approval says.
    pub message: &'static str,
}

/// What a node's serving certificate is to prove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    /// The user that it names.
    pub user: String,
    /// The host names.
    pub hosts: Vec<String>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

/// Why there is no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// The signer does not permit what is asked for, and never will.
    Refused(String),
    /// The signer could not: it is tried again.
    Failed(String),
}

/// Who reads requests and holds the keys. Answers only for signers that are its own.
pub trait Signer: Send + Sync {
    /// The ways in which a request may be approved by permission, in the order to be tried.
    fn approvals(&self, request: &CertificateSigningRequestSpec) -> Vec<Approval>;

    /// What a request asks for, if it is one for a node's serving certificate that its signer permits.
    fn serving(&self, request: &CertificateSigningRequestSpec) -> Option<Serving>;

    /// The certificate in PEM, or why there is none; `None` if somebody else signs it.
    fn sign(&self, request: &CertificateSigningRequestSpec, now: Time) -> Option<Result<String, Unsigned>>;

    /// When a certificate in PEM ends; `None` if it cannot be read.
    fn end(&self, certificate: &[u8]) -> Option<Time>;
}

/// The controller that approves nodes' client certificates and has all be signed.
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
        let guard = Guard::Allowed(Box::new(review(&request.spec, way.subresource)));
        Some(approval(request, way.message, now).guarded(guard))
    }
}

impl Controller for CertificateRequests {
    const NAME: &'static str = "certificate-controller";
    const BACK_OFF: BackOff = BackOff { first: Duration::from_millis(200), ..BackOff::USUAL };
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<CertificateSigningRequest>(|request, _| vec![request.metadata.name.clone()]);
    }

    fn plan(&self, key: &String, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(request) = world.get::<CertificateSigningRequest>("", key) else { return plan };
        if is_issued(request) || has(request, "Denied") || has(request, "Failed") {
            return plan;
        }
        if !has(request, "Approved") {
            plan.stage(self.approve(request, world, now));
            return plan;
        }
        let Some(answer) = self.signer.sign(&request.spec, now) else { return plan };
        let mut signed = request.clone();
        match answer {
            Ok(pem) => signed.status.certificate = Some(Bytes::from(pem)),
            Err(Unsigned::Refused(why)) => {
                signed.status.conditions.push(condition("Failed", "SignerValidationFailure", why, now));
            }
            Err(Unsigned::Failed(why)) => {
                plan.failure = Some(Status::internal_error(format!("error auto signing csr: {why}")));
                return plan;
            }
        }
        plan.stage([Write::status(signed)]);
        plan
    }
}

fn has(request: &CertificateSigningRequest, type_: &str) -> bool {
    request.status.conditions.iter().any(|condition| condition.type_ == type_)
}

fn is_issued(request: &CertificateSigningRequest) -> bool {
    request.status.certificate.as_ref().is_some_and(|certificate| !certificate.is_empty())
}

/// The request, approved by no person.
fn approval(request: &CertificateSigningRequest, message: &str, now: Time) -> Write {
    let mut approved = request.clone();
    approved.status.conditions.push(condition("Approved", "AutoApproved", message.to_owned(), now));
    Write::update_part(approved, "approval")
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
