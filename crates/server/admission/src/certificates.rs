//! CertificateApproval, CertificateSigning and CertificateSubjectRestriction: who may approve and sign which requests.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::certificates::v1::CertificateSigningRequest;
use client::{BoxFuture, Caller};
use server_authn::request::Request;
use server_registry::admit::{Attributes, Operation};

use crate::plugin::is_about;
use crate::{Plugin, forbidden};

/// Whether something is allowed. A function, as whoever knows is set up after admission.
pub type Authorizer = Arc<dyn Fn(&server_authz::Attributes<'_>) -> bool + Send + Sync>;

const GROUP: &str = "certificates.k8s.io";
const API_CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// Only who may `approve` for a signer approves requests to it.
pub struct CertificateApproval {
    authorizer: Authorizer,
}

impl CertificateApproval {
    /// Asks `authorizer`.
    pub fn new(authorizer: Authorizer) -> CertificateApproval {
        CertificateApproval { authorizer }
    }
}

/// Only who may `sign` for a signer fills in certificates.
pub struct CertificateSigning {
    authorizer: Authorizer,
}

impl CertificateSigning {
    /// Asks `authorizer`.
    pub fn new(authorizer: Authorizer) -> CertificateSigning {
        CertificateSigning { authorizer }
    }
}

/// Nobody becomes a `system:masters` by a request to the API's client signer.
pub struct CertificateSubjectRestriction;

/// Whether the caller may do it for the signer, or for all signers of its domain.
fn may(authorizer: &Authorizer, caller: &Caller, verb: &str, signer: &str) -> bool {
    let domain = signer.split('/').next().unwrap_or_default();
    let all = format!("{domain}/*");
    [signer, &all].into_iter().any(|name| {
        let asked = server_authz::Attributes::of(&caller.name, &caller.groups).on(verb, GROUP, "signers");
        authorizer(&server_authz::Attributes { name, ..asked })
    })
}

fn is_request(attributes: &Attributes<'_>, operation: Operation, subresource: &str) -> bool {
    is_about(attributes, GROUP, "certificatesigningrequests")
        && attributes.operation == operation
        && attributes.subresource == subresource
}

fn request(object: Option<&dyn Record>) -> Option<&CertificateSigningRequest> {
    object.and_then(|object| object.downcast_ref())
}

impl Plugin for CertificateApproval {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let Some(old) = request(old).filter(|_| is_request(attributes, Operation::Update, "approval"))
            else {
                return Ok(());
            };
            // The old object's signer: an approval cannot change it.
            let signer = &old.spec.signer_name;
            if may(&self.authorizer, attributes.caller, "approve", signer) {
                return Ok(());
            }
            let why = format!("user not permitted to approve requests with signerName {signer:?}");
            Err(forbidden(attributes, object, why))
        })
    }
}

impl Plugin for CertificateSigning {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let about = is_request(attributes, Operation::Update, "status");
            let (Some(new), Some(old)) = (request(object), request(old)) else { return Ok(()) };
            let same = new.status.certificate == old.status.certificate
                && new.status.conditions == old.status.conditions;
            let signer = &old.spec.signer_name;
            if !about || same || may(&self.authorizer, attributes.caller, "sign", signer) {
                return Ok(());
            }
            let why = format!("user not permitted to sign requests with signerName {signer:?}");
            Err(forbidden(attributes, object, why))
        })
    }
}

impl Plugin for CertificateSubjectRestriction {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let Some(csr) = request(object).filter(|_| is_request(attributes, Operation::Create, "")) else {
                return Ok(());
            };
            if csr.spec.signer_name != API_CLIENT_SIGNER {
                return Ok(());
            }
            let text = csr.spec.request.as_deref().unwrap_or_default();
            let parsed = Request::from_pem(text)
                .map_err(|error| forbidden(attributes, object, format!("failed to parse CSR: {error}")))?;
            if parsed.subject.organization.iter().any(|group| group == "system:masters") {
                let why =
                    format!("use of {API_CLIENT_SIGNER} signer with system:masters group is not allowed");
                return Err(forbidden(attributes, object, why));
            }
            Ok(())
        })
    }
}
