//! Certificate signing requests. Who asks is written in by the server; that the request is well-formed, its signer checks.

use std::cmp::Ordering;

use api_kind::checks::{one_of, qualified_name, required, supported};
use api_kind::{Column, Ctx, Kind, Reset, fields_of, span};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names;
use api_types::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition as Condition,
    CertificateSigningRequestStatus,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What could ask for anything in v1beta1 and is left out of v1.
const LEGACY_UNKNOWN: &str = "kubernetes.io/legacy-unknown";
const LEAST_SECONDS: i32 = 600;
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// The row.
pub const KIND: Kind<CertificateSigningRequest> =
    Kind::<CertificateSigningRequest>::of("certificates.k8s.io", "v1", "certificatesigningrequests")
        .name(names::name_is_path_segment)
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
    let Some(old) = old else {
        // Nobody asks with an approval in hand.
        own.status = CertificateSigningRequestStatus::default();
        return;
    };
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
    let request = spec.request.as_deref();
    if !request.is_some_and(has_request) {
        let shown = request.map(|bytes| BadValue::from(&STANDARD.encode(bytes)));
        let shown = shown.unwrap_or_else(|| BadValue::json("null".to_owned()));
        let why = "PEM block type must be CERTIFICATE REQUEST";
        errors.push(FieldError::invalid(&path.child("request"), shown, why));
    }
    usages(errors, &path.child("usages"), &spec.usages, old.map(|old| &old.spec.usages[..]));
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
    let was = old.map(|old| &old.status.conditions[..]).unwrap_or_default();
    conditions(errors, &own.status.conditions, was);
    if let Some(old) = old {
        changes(ctx.subresource, errors, own, old);
    }
}

/// Whether there is a block of PEM that can hold a request. What it holds, its signer looks at.
fn has_request(pem: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE REQUEST-----";
    pem.windows(BEGIN.len()).any(|part| part == BEGIN)
}

/// What was accepted before stays acceptable.
fn usages(errors: &mut ErrorList, path: &Path, usages: &[String], old: Option<&[String]>) {
    let repeats = |usages: &[String]| {
        let repeated = |index: &usize| usages[..*index].contains(&usages[*index]);
        (0..usages.len()).filter(repeated).collect::<Vec<_>>()
    };
    if usages.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    let unknown = |usage: &&String| !USAGES.contains(&usage.as_str());
    if !old.is_some_and(|old| old.iter().any(|usage| unknown(&usage))) {
        for (index, usage) in usages.iter().enumerate() {
            supported(errors, &path.index(index), usage, &USAGES);
        }
    }
    if old.is_none_or(|old| repeats(old).is_empty()) {
        for index in repeats(usages) {
            errors.push(FieldError::duplicate(&path.index(index), &usages[index]));
        }
    }
}

/// Conditions that, once they hold, say so by being true.
const DECISIONS: [&str; 3] = ["Approved", "Denied", "Failed"];

fn conditions(errors: &mut ErrorList, conditions: &[Condition], was: &[Condition]) {
    let path = Path::new("status").child("conditions");
    let untyped = was.iter().any(|condition| condition.type_.is_empty());
    let repeated =
        |list: &[Condition], index: usize| list[..index].iter().any(|other| other.type_ == list[index].type_);
    let repeats = (0..was.len()).any(|index| repeated(was, index));
    for (index, condition) in conditions.iter().enumerate() {
        let at = path.index(index);
        if !untyped {
            required(errors, &at.child("type"), &condition.type_);
        }
        let decided = DECISIONS.contains(&condition.type_.as_str());
        let known: &[&str] = if decided { &["True"] } else { &["False", "True", "Unknown"] };
        one_of(errors, &at.child("status"), &condition.status, known);
        if !repeats && repeated(conditions, index) {
            errors.push(FieldError::duplicate(&at.child("type"), &condition.type_));
        }
    }
}

/// Decisions are not taken back, and each part of the resource changes what it is for.
fn changes(
    subresource: &str,
    errors: &mut ErrorList,
    own: &CertificateSigningRequest,
    old: &CertificateSigningRequest,
) {
    let of = |own: &CertificateSigningRequest, type_: &str| -> Vec<Condition> {
        own.status.conditions.iter().filter(|condition| condition.type_ == type_).cloned().collect()
    };
    let path = Path::new("status");
    let at = path.child("conditions");
    for type_ in DECISIONS {
        if of(own, type_).len() < of(old, type_).len() {
            let why = format!("updates may not remove a condition of type \"{type_}\"");
            errors.push(FieldError::forbidden(&at, why));
        }
    }
    for type_ in DECISIONS.into_iter().filter(|type_| subresource != "approval" && *type_ != "Failed") {
        let (new, before) = (of(own, type_), of(old, type_));
        let verb = match new.len().cmp(&before.len()) {
            Ordering::Greater => "add",
            Ordering::Equal if new != before => "modify",
            _ => continue,
        };
        let why = format!("updates may not {verb} a condition of type \"{type_}\"");
        errors.push(FieldError::forbidden(&at, why));
    }
    let (new, before) = (&own.status.certificate, &old.status.certificate);
    if new != before {
        let held = before.as_ref().is_some_and(|certificate| !certificate.is_empty());
        let why = match subresource {
            "status" if held => "updates may not modify existing certificate content",
            "status" => return,
            _ => "updates may not set certificate content",
        };
        errors.push(FieldError::forbidden(&path.child("certificate"), why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const REQUEST: &str = "spec: {request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0=, signerName: a.b/c, usages: [client auth], username: u, expirationSeconds: 3600}";

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
