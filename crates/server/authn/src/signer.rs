//! The signers of Kubernetes: what each permits a request to ask for, and the certificate that comes of it.
//!
//! Pure: a request, a signer, an authority and the time give a certificate or a refusal. Watching requests, their
//! approval and their conditions are the controller's. Follows `pkg/apis/certificates/helpers.go` and
//! `pkg/controller/certificates/{signer,authority,approver}`.

use std::time::Duration;

use base::random::Random;
use base::time::Time;
use thiserror::Error;

use crate::certificate::usage;
use crate::certificate::{AlternativeName, Template};
use crate::key::{KeyError, encode_pem};
use crate::limits::{BACKDATE, SIGNED_MAX_LIFETIME, SIGNED_MIN_LIFETIME, SIGNED_SHORT_LIFETIME};
use crate::pki::authority::Authority;
use crate::request::Request;

/// A signer built into Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Client certificates of any user.
    KubeApiserverClient,
    /// Client certificates of nodes.
    KubeApiserverClientKubelet,
    /// Serving certificates of nodes.
    KubeletServing,
    /// Whatever certificates.k8s.io/v1beta1 allowed.
    LegacyUnknown,
}

impl Signer {
    /// The signer of a `spec.signerName`; `None` for all that are not ours to serve.
    pub fn from_name(name: &str) -> Option<Signer> {
        Some(match name {
            "kubernetes.io/kube-apiserver-client" => Signer::KubeApiserverClient,
            "kubernetes.io/kube-apiserver-client-kubelet" => Signer::KubeApiserverClientKubelet,
            "kubernetes.io/kubelet-serving" => Signer::KubeletServing,
            "kubernetes.io/legacy-unknown" => Signer::LegacyUnknown,
            _ => return None,
        })
    }

    /// Its `spec.signerName`.
    pub const fn name(self) -> &'static str {
        match self {
            Signer::KubeApiserverClient => "kubernetes.io/kube-apiserver-client",
            Signer::KubeApiserverClientKubelet => "kubernetes.io/kube-apiserver-client-kubelet",
            Signer::KubeletServing => "kubernetes.io/kubelet-serving",
            Signer::LegacyUnknown => "kubernetes.io/legacy-unknown",
        }
    }

    /// Whether this signer permits `request` with `usages`.
    ///
    /// # Errors
    /// With the message that goes into the request's `Failed` condition (reason `SignerValidationFailure`).
    pub fn check<S: AsRef<str>>(self, request: &Request, usages: &[S]) -> Result<(), Refusal> {
        match self {
            Signer::KubeletServing => check_kubelet_serving(request, usages),
            Signer::KubeApiserverClientKubelet => check_kubelet_client(request, usages),
            Signer::KubeApiserverClient => check_client(usages),
            Signer::LegacyUnknown => Ok(()),
        }
    }
}

/// What a signer does not permit. The wording is upstream's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// A node's certificate names one organization, `system:nodes`.
    #[error("subject organization is not system:nodes")]
    Organization,
    /// A node's certificate names a node.
    #[error("subject common name does not begin with system:node:")]
    CommonName,
    /// A serving certificate serves something.
    #[error("DNS or IP subjectAltName is required")]
    NamesRequired,
    /// No host names here.
    #[error("DNS subjectAltNames are not allowed")]
    Dns,
    /// No mail addresses here.
    #[error("Email subjectAltNames are not allowed")]
    Email,
    /// No addresses here.
    #[error("IP subjectAltNames are not allowed")]
    Ip,
    /// No URIs here.
    #[error("URI subjectAltNames are not allowed")]
    Uri,
    /// Only one set of usages is allowed.
    #[error("usages did not match [{}]", .0.join(" "))]
    Usages(&'static [&'static str]),
    /// A usage that clients have no use for.
    #[error("invalid usage for client certificate: {0}")]
    ClientUsage(String),
    /// Clients need `client auth`.
    #[error("missing required usage for client certificate: client auth")]
    ClientAuthRequired,
}

// Sorted, as upstream's sets print.
const SERVING_USAGES: &[&str] = &["digital signature", "key encipherment", "server auth"];
const KUBELET_CLIENT_USAGES: &[&str] = &["client auth", "digital signature", "key encipherment"];

fn check_kubelet_serving<S: AsRef<str>>(request: &Request, usages: &[S]) -> Result<(), Refusal> {
    check_nodes_organization(request)?;
    let names = &request.alternative_names;
    if !names.iter().any(|name| matches!(name, AlternativeName::Dns(_) | AlternativeName::Ip(_))) {
        return Err(Refusal::NamesRequired);
    }
    if names.iter().any(|name| matches!(name, AlternativeName::Email(_))) {
        return Err(Refusal::Email);
    }
    if names.iter().any(|name| matches!(name, AlternativeName::Uri(_))) {
        return Err(Refusal::Uri);
    }
    check_usages(usages, SERVING_USAGES)?;
    check_node_name(request)
}

fn check_kubelet_client<S: AsRef<str>>(request: &Request, usages: &[S]) -> Result<(), Refusal> {
    check_nodes_organization(request)?;
    // Upstream looks at one kind after the other, so the first kind is named whatever the order asked for.
    let refused = request.alternative_names.iter().map(|name| match name {
        AlternativeName::Dns(_) => (0, Refusal::Dns),
        AlternativeName::Email(_) => (1, Refusal::Email),
        AlternativeName::Ip(_) => (2, Refusal::Ip),
        AlternativeName::Uri(_) => (3, Refusal::Uri),
    });
    if let Some((_, refusal)) = refused.min_by_key(|(order, _)| *order) {
        return Err(refusal);
    }
    check_node_name(request)?;
    check_usages(usages, KUBELET_CLIENT_USAGES)
}

fn check_nodes_organization(request: &Request) -> Result<(), Refusal> {
    if request.subject.organization == ["system:nodes"] { Ok(()) } else { Err(Refusal::Organization) }
}

fn check_node_name(request: &Request) -> Result<(), Refusal> {
    if request.subject.common_name.starts_with("system:node:") { Ok(()) } else { Err(Refusal::CommonName) }
}

/// All of `required`; only keys of RSA need `key encipherment`.
fn check_usages<S: AsRef<str>>(usages: &[S], required: &'static [&'static str]) -> Result<(), Refusal> {
    let known = usages.iter().all(|usage| required.contains(&usage.as_ref()));
    let complete = required
        .iter()
        .filter(|usage| **usage != "key encipherment")
        .all(|want| usages.iter().any(|usage| usage.as_ref() == *want));
    if known && complete { Ok(()) } else { Err(Refusal::Usages(required)) }
}

fn check_client<S: AsRef<str>>(usages: &[S]) -> Result<(), Refusal> {
    let mut client = false;
    for usage in usages.iter().map(AsRef::as_ref) {
        match usage {
            "digital signature" | "key encipherment" => {}
            "client auth" => client = true,
            other => return Err(Refusal::ClientUsage(other.to_owned())),
        }
    }
    if client { Ok(()) } else { Err(Refusal::ClientAuthRequired) }
}

/// How a request for a node's client certificate would be approved automatically, if its requester may
/// `create certificatesigningrequests/<subresource>` in `certificates.k8s.io`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The subresource to authorize.
    pub subresource: &'static str,
    /// The message of the `Approved` condition (reason `AutoApproved`).
    pub message: &'static str,
}

/// The ways by which `request` of the user `username` may be approved automatically, in the order to be tried.
pub fn approvals<S: AsRef<str>>(
    signer: Signer,
    request: &Request,
    usages: &[S],
    username: &str,
) -> Vec<Approval> {
    if signer != Signer::KubeApiserverClientKubelet || check_kubelet_client(request, usages).is_err() {
        return Vec::new();
    }
    let mut out = Vec::new();
    if username == request.subject.common_name {
        out.push(Approval {
            subresource: "selfnodeclient",
            message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
        });
    }
    out.push(Approval {
        subresource: "nodeclient",
        message: "Auto approving kubelet client certificate after SubjectAccessReview.",
    });
    out
}

/// Why a permitted request was not signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// The signer does not permit it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Usages that nobody knows.
    #[error("unrecognized usage values: {0:?}")]
    Usages(Vec<String>),
    /// The authority has ended.
    #[error("the signer has expired: NotAfter={0}")]
    Expired(String),
    /// The authority's key did not sign.
    #[error("failed to sign certificate")]
    Key(#[source] KeyError),
}

/// Checks and signs `request`; the certificate as PEM.
///
/// Names and other names are taken from the request, a user's uid in the subject is dropped as upstream's signer does.
///
/// # Errors
/// When the signer does not permit it, or the authority has ended.
pub fn sign<S: AsRef<str>>(
    signer: Signer,
    request: &Request,
    usages: &[S],
    expiration_seconds: Option<i32>,
    authority: &Authority,
    now: Time,
    random: &dyn Random,
) -> Result<String, SignError> {
    signer.check(request, usages)?;
    let (bits, extended_usages) = usage::parse(usages).map_err(SignError::Usages)?;
    let end = authority.not_after();
    if now >= end {
        let stamp = jiff::Timestamp::from_second(end.unix_seconds()).unwrap_or_default();
        return Err(SignError::Expired(stamp.to_string()));
    }
    let lifetime = lifetime(expiration_seconds);
    let not_after = if lifetime < SIGNED_SHORT_LIFETIME { now + lifetime } else { now + lifetime - BACKDATE };
    let mut subject = request.subject.clone();
    subject.uid.clear();
    let template = Template {
        subject,
        public_key: request.public_key.clone(),
        not_before: now - BACKDATE,
        not_after: not_after.min(end),
        is_ca: false,
        usages: bits,
        extended_usages,
        alternative_names: request.alternative_names.clone(),
    };
    let der = template.sign(authority.issuer(), random).map_err(SignError::Key)?;
    Ok(encode_pem("CERTIFICATE", &der))
}

/// The lifetime asked for, within what is allowed.
fn lifetime(expiration_seconds: Option<i32>) -> Duration {
    match expiration_seconds {
        None => SIGNED_MAX_LIFETIME,
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            .clamp(SIGNED_MIN_LIFETIME, SIGNED_MAX_LIFETIME),
    }
}

#[cfg(test)]
mod tests;
