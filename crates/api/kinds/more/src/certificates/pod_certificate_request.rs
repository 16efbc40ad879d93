//! Requests that nodes make for certificates of their pods. That a node asks for a pod of its own, admission sees to.

mod issued;
mod key;

use api_kind::checks::{each, immutable, shown};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::signer_name::{self, LEAST_SECONDS};
use api_meta::conditions;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::format_labels;
use api_meta::names;
use api_types::certificates::v1::{
    PodCertificateRequest, PodCertificateRequestSpec, PodCertificateRequestStatus,
};

const UID_BYTES: usize = 128;
const STATES: &[&str] = &["Issued", "Denied", "Failed"];

/// The row.
pub const KIND: Kind<PodCertificateRequest> =
    Kind::<PodCertificateRequest>::of("certificates.k8s.io", "v1", "podcertificaterequests")
        .conditional_update()
        .frozen_metadata()
        .validate(validate)
        .columns(&[
            Column::<PodCertificateRequest>::name(),
            Column::<PodCertificateRequest>::text(
                "PodName",
                "podName is the name of the pod into which the certificate will be mounted.",
                |own, _| own.spec.pod_name.as_str().into(),
            ),
            Column::<PodCertificateRequest>::text(
                "ServiceAccountName",
                "serviceAccountName is the name of the service account the pod is running as.",
                |own, _| own.spec.service_account_name.as_str().into(),
            ),
            Column::<PodCertificateRequest>::text(
                "NodeName",
                "nodeName is the name of the node the pod is assigned to.",
                |own, _| own.spec.node_name.as_str().into(),
            ),
            Column::<PodCertificateRequest>::text(
                "SignerName",
                "signerName indicates the requested signer.",
                |own, _| own.spec.signer_name.as_str().into(),
            ),
            Column::<PodCertificateRequest>::text(
                "State",
                "Is the request Pending, Issued, Denied, or Failed?",
                |own, _| state(&own.status).unwrap_or("Pending").into(),
            ),
            Column::<PodCertificateRequest>::text(
                "UnverifiedUserAnnotations",
                "unverifiedUserAnnotations allow pod authors to pass additional information to the signer implementation.",
                |own, _| format_labels(&own.spec.unverified_user_annotations).into(),
            )
            .wide(),
        ])
        .selectable(&[
            ("spec.signerName", |own| own.spec.signer_name.as_str().into()),
            ("spec.podName", |own| own.spec.pod_name.as_str().into()),
            ("spec.nodeName", |own| own.spec.node_name.as_str().into()),
        ]);

/// What was decided, if anything was.
fn state(status: &PodCertificateRequestStatus) -> Option<&str> {
    let types = status.conditions.iter().map(|condition| condition.type_.as_str());
    types.rev().find(|type_| STATES.contains(type_))
}

fn validate(
    ctx: &Ctx<'_>,
    own: &PodCertificateRequest,
    old: Option<&PodCertificateRequest>,
    errors: &mut ErrorList,
) {
    match old {
        None => create(errors, &Path::new("spec"), &own.spec),
        Some(old) if ctx.subresource == "status" => update_status(errors, own, old),
        Some(old) => immutable(errors, &Path::new("spec"), own.spec == old.spec, shown(&own.spec)),
    }
}

fn create(errors: &mut ErrorList, path: &Path, own: &PodCertificateRequestSpec) {
    signer_name::check(errors, &path.child("signerName"), &own.signer_name);
    let at = path.child("unverifiedUserAnnotations");
    signer_name::annotations(errors, &at, &own.unverified_user_annotations);
    for (name, uid, text, id) in [
        ("podName", "podUID", &own.pod_name, &own.pod_uid),
        ("serviceAccountName", "serviceAccountUID", &own.service_account_name, &own.service_account_uid),
        ("nodeName", "nodeUID", &own.node_name, &own.node_uid),
    ] {
        each(errors, &path.child(name), text, names::name_is_dns_subdomain(text, false));
        let at = path.child(uid);
        if id.is_empty() {
            errors.push(FieldError::invalid(&at, "", "must not be empty"));
        }
        if id.len() > UID_BYTES {
            errors.push(FieldError::too_long(&at, UID_BYTES));
        }
    }
    let at = path.child("maxExpirationSeconds");
    let Some(seconds) = own.max_expiration_seconds else {
        errors.push(FieldError::required(&at, "must be set"));
        return;
    };
    let most = signer_name::most_seconds(&own.signer_name);
    if !(LEAST_SECONDS..=most).contains(&seconds) {
        let why = format!("must be in the range [{LEAST_SECONDS}, {most}]");
        errors.push(FieldError::invalid(&at, seconds, why));
    }
    match own.stub_pkcs10_request.as_ref().filter(|request| !request.is_empty()) {
        Some(request) => key::check(errors, &path.child("stubPKCS10Request"), request),
        None => {
            let why = "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set";
            errors.push(FieldError::invalid(path, BadValue::OMITTED, why));
        }
    }
}

/// A request is decided once, by one condition.
fn update_status(errors: &mut ErrorList, own: &PodCertificateRequest, old: &PodCertificateRequest) {
    let (path, status) = (Path::new("status"), &own.status);
    let at = path.child("conditions");
    let mut known = 0;
    for (index, condition) in status.conditions.iter().enumerate() {
        // Upstream's path has a dot before the index.
        let at = at.child(format!("[{index}]"));
        if !STATES.contains(&condition.type_.as_str()) {
            errors.push(FieldError::not_supported(&at.child("type"), &condition.type_, STATES));
            continue;
        }
        known += 1;
        if known > 1 {
            let why = "There may be at most one condition with type \"Issued\", \"Denied\", or \"Failed\"";
            errors.push(FieldError::invalid(&at.child("type"), &condition.type_, why));
        }
        if condition.status != "True" {
            errors.push(FieldError::not_supported(&at.child("status"), &condition.status, &["True"]));
        }
    }
    errors.extend(conditions::validate(&status.conditions, &at));
    if !errors.is_empty() {
        return;
    }
    let mut refuse = |changed: bool, why: &str| {
        if changed {
            errors.push(FieldError::invalid(&path, BadValue::OMITTED, why));
        }
    };
    let changed = *status != old.status;
    match (state(&old.status), state(status)) {
        (Some(_), _) => refuse(changed, "immutable after PodCertificateRequest is issued, denied, or failed"),
        (None, Some("Issued")) => issued::check(errors, &path, own),
        (None, Some(_)) => {
            let alone = PodCertificateRequestStatus {
                conditions: status.conditions.clone(),
                ..PodCertificateRequestStatus::default()
            };
            let why =
                "non-condition status fields must be empty when denying or failing the PodCertificateRequest";
            refuse(*status != alone, why);
        }
        (None, None) => {
            refuse(
                changed,
                "status is immutable unless transitioning to \"Issued\", \"Denied\", or \"Failed\"",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const REQUEST: &str = "spec: {signerName: a.b/c, podName: p, podUID: u, serviceAccountName: s, serviceAccountUID: u, nodeName: one, nodeUID: u, unverifiedUserAnnotations: {a.b/k: v}}";
    const DENIED: &str =
        "conditions: [{type: Denied, status: 'True', reason: R, lastTransitionTime: '2026-01-01T00:00:00Z'}]";

    #[test]
    fn a_request_is_signed_by_its_key() {
        assert_eq!(
            create(&KIND, REQUEST).errors,
            [
                "spec: Invalid value: exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"
            ]
        );
        assert_eq!(
            create(&KIND, &REQUEST.replace("spec: {", "spec: {stubPKCS10Request: YQ==, ")).errors,
            ["spec.stubPKCS10Request: Invalid value: must be a valid PKCS#10 CSR"]
        );
    }

    #[test]
    fn it_is_decided_once() {
        let denied = update(&KIND, "status", REQUEST, &format!("status: {{{DENIED}}}"));
        assert_eq!(denied.errors, [""; 0]);
        assert_eq!(denied.cells(&KIND), "x|p|s|one|a.b/c|Denied|a.b/k=v");
        assert_eq!(
            update(&KIND, "status", REQUEST, &format!("status: {{certificateChain: a, {DENIED}}}")).errors,
            [
                "status: Invalid value: non-condition status fields must be empty when denying or failing the PodCertificateRequest"
            ]
        );
        assert_eq!(
            update(&KIND, "status", REQUEST, "status: {certificateChain: a}").errors,
            [
                "status: Invalid value: status is immutable unless transitioning to \"Issued\", \"Denied\", or \"Failed\""
            ]
        );
        assert_eq!(
            update(
                &KIND,
                "status",
                REQUEST,
                &format!("status: {{certificateChain: a, {}}}", DENIED.replace("Denied", "Issued"))
            )
            .errors,
            [
                "status.certificateChain: Invalid value: \"a\": issued certificate chain must contain at least one certificate"
            ]
        );
    }
}
