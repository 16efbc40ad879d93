//! Certificate signing requests. Who asks is written in by the server; that the request is well-formed, its signer checks.

use api_kind::checks::{qualified_name, required};
use api_kind::{Column, Ctx, Kind, Reset, fields_of, span};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::certificates::v1::CertificateSigningRequest;

/// What could ask for anything in v1beta1 and is left out of v1.
const LEGACY_UNKNOWN: &str = "kubernetes.io/legacy-unknown";
const LEAST_SECONDS: i32 = 600;

/// The row.
pub const KIND: Kind<CertificateSigningRequest> =
    Kind::<CertificateSigningRequest>::of("certificates.k8s.io", "v1", "certificatesigningrequests")
        .bare(&["approval"])
        .resets(resets)
        .prepare(prepare)
        .validate(validate)
        .columns(&[
            Column::<CertificateSigningRequest>::name(),
            Column::<CertificateSigningRequest>::age(),
            Column::<CertificateSigningRequest>::text("SignerName", "signerName indicates the requested signer, and is a qualified name.", |own, _| {
                if own.spec.signer_name.is_empty() { "<none>".into() } else { own.spec.signer_name.as_str().into() }
            }),
            Column::<CertificateSigningRequest>::text("Requestor", "request contains an x509 certificate signing request encoded in a \"CERTIFICATE REQUEST\" PEM block.", |own, _| own.spec.username.as_str().into()),
            Column::<CertificateSigningRequest>::text("RequestedDuration", "expirationSeconds is the requested duration of validity of the issued certificate.", |own, _| {
                own.spec.expiration_seconds.map_or_else(|| "<none>".to_owned(), |seconds| span(seconds.into())).into()
            }),
            Column::<CertificateSigningRequest>::text("Condition", "conditions applied to the request.", |own, _| state(own).into()),
        ])
        .selectable(&[("spec.signerName", |own| own.spec.signer_name.as_str().into())]);

fn state(own: &CertificateSigningRequest) -> String {
    let is = |type_: &str| own.status.conditions.iter().any(|condition| condition.type_ == type_);
    let mut text = if is("Denied") {
        "Denied"
    } else if is("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if is("Failed") {
        text.push_str(",Failed");
    }
    if own.status.certificate.as_ref().is_some_and(|certificate| !certificate.is_empty()) {
        text.push_str(",Issued");
    }
    text
}

/// What is asked for is never changed; what becomes of it is changed through the part that it is for.
fn resets(part: &str) -> Option<Reset> {
    match part {
        "" => Some(fields_of(&["spec", "status"])),
        "status" => Some(fields_of(&["spec", "status.conditions"])),
        "approval" => Some(fields_of(&["spec", "status.certificate"])),
        _ => None,
    }
}

/// A request never changes; its approval is nothing but conditions, its status leaves those of approval alone.
fn prepare(ctx: &Ctx<'_>, own: &mut CertificateSigningRequest, old: Option<&CertificateSigningRequest>) {
    let Some(old) = old else { return };
    own.spec.clone_from(&old.spec);
    match ctx.subresource {
        "approval" => own.status.certificate.clone_from(&old.status.certificate),
        "status" => {
            let decided = |type_: &str| matches!(type_, "Approved" | "Denied");
            let kept: Vec<_> = old.status.conditions.iter().filter(|c| decided(&c.type_)).cloned().collect();
            own.status.conditions.retain(|condition| !decided(&condition.type_));
            own.status.conditions.splice(0..0, kept);
        }
        _ => {}
    }
}

fn validate(
    ctx: &Ctx<'_>,
    own: &CertificateSigningRequest,
    old: Option<&CertificateSigningRequest>,
    errors: &mut ErrorList,
) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    let empty = spec.request.as_ref().is_none_or(|request| request.is_empty());
    if empty && old.is_none() {
        errors.push(FieldError::invalid(
            &path.child("request"),
            "",
            "PEM block type must be CERTIFICATE REQUEST",
        ));
    }
    if spec.usages.is_empty() {
        errors.push(FieldError::required(&path.child("usages"), ""));
    }
    let at = path.child("signerName");
    if spec.signer_name == LEGACY_UNKNOWN {
        let why = "the legacy signerName is not allowed via this API version";
        errors.push(FieldError::invalid(&at, &spec.signer_name, why));
    }
    if required(errors, &at, &spec.signer_name) && !spec.signer_name.contains('/') {
        qualified_name(errors, &at, &spec.signer_name);
        let why = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
        errors.push(FieldError::invalid(&at, &spec.signer_name, why));
    }
    if let Some(seconds) = spec.expiration_seconds.filter(|seconds| *seconds < LEAST_SECONDS) {
        let why = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(FieldError::invalid(&path.child("expirationSeconds"), seconds, why));
    }
    let is = |type_: &str| own.status.conditions.iter().any(|condition| condition.type_ == type_);
    if ctx.subresource == "approval" && is("Approved") && is("Denied") {
        let at = Path::new("status").child("conditions");
        let why = "Approved and Denied conditions are mutually exclusive";
        errors.push(FieldError::invalid(&at, "Denied", why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const REQUEST: &str = "spec: {request: YQ==, signerName: a.b/c, usages: [client auth], username: u, expirationSeconds: 3600}";

    #[test]
    fn approval_is_apart_from_the_certificate() {
        assert_eq!(create(&KIND, REQUEST).cells(&KIND), "x|<unknown>|a.b/c|u|60m|Pending");
        let approved = update(
            &KIND,
            "approval",
            REQUEST,
            "status: {certificate: YQ==, conditions: [{type: Approved, status: 'True'}]}",
        );
        assert_eq!(approved.errors, [""; 0]);
        assert_eq!(approved.cells(&KIND), "x|<unknown>|a.b/c|u|60m|Approved");
        let issued = update(
            &KIND,
            "status",
            REQUEST,
            "status: {certificate: YQ==, conditions: [{type: Approved, status: 'True'}]}",
        );
        assert_eq!(issued.cells(&KIND), "x|<unknown>|a.b/c|u|60m|Pending,Issued");
    }
}
