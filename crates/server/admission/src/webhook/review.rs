//! What a webhook is sent, and what it may answer. (`plugin/webhook/{request,errors}`.)

use api_codec::json::{self, TypeMeta};
use api_codec::limits::Limits;
use api_meta::{Status, quote};
use api_record::Bytes;
use api_types::GroupVersionKind;
use api_types::admission::v1::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use api_types::meta::v1;
use server_webhook::Answer;

const GROUP: &str = "admission.k8s.io";
const KIND: &str = "AdmissionReview";
const JSON_PATCH: &str = "JSONPatch";

/// The review that a webhook wants to be sent: the first that is known of those that it takes.
///
/// # Errors
/// When there is none, in upstream's words.
pub(super) fn version(reviews: &[String]) -> Result<&'static str, String> {
    let known =
        reviews.iter().find_map(|version| ["v1", "v1beta1"].into_iter().find(|known| known == version));
    known.ok_or_else(|| "webhook does not accept known AdmissionReview versions (v1, v1beta1)".to_owned())
}

/// A review with a question, in JSON. Both versions have the same fields.
pub(super) fn question(version: &str, request: AdmissionRequest) -> Bytes {
    let review = AdmissionReview { request: Some(Box::new(request)), response: None };
    let mut text = Vec::new();
    json::encode(&review, Some(&GroupVersionKind { group: GROUP, version, kind: KIND }), &mut text);
    text.into()
}

/// What a webhook decided.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) allowed: bool,
    pub(super) result: Option<v1::Status>,
    pub(super) warnings: Vec<String>,
    /// What it has noted for the audit log.
    pub(super) annotations: std::collections::BTreeMap<String, String>,
    /// A JSON patch, or something else, as its type says.
    pub(super) patch: Option<(Bytes, String)>,
}

/// Why an answer is none.
#[derive(Debug)]
pub(super) enum Invalid {
    /// It cannot be read.
    Unreadable(String),
    /// It says what it may not.
    Refused(String),
}

/// Reads the answer to a question of an id (`VerifyAdmissionResponse`).
pub(super) fn verdict(version: &str, uid: &str, mutating: bool, answer: &Answer) -> Result<Verdict, Invalid> {
    let mut review = AdmissionReview::default();
    json::decode(&answer.body, &mut review, None, Limits::RESPONSE)
        .map_err(|error| Invalid::Unreadable(error.to_string()))?;
    let refused = |why: String| Err(Invalid::Refused(why));
    let Some(response) = review.response else { return refused("webhook response was absent".to_owned()) };
    let AdmissionResponse {
        uid: own, allowed, result, patch, patch_type, warnings, audit_annotations, ..
    } = *response;
    let patch = patch.filter(|patch| !patch.is_empty());
    if version == "v1" {
        if own != uid {
            return refused(format!("expected response.uid={}, got {}", quote::go(uid), quote::go(&own)));
        }
        let TypeMeta { api_version, kind } = &answer.type_meta;
        if kind != KIND || *api_version != format!("{GROUP}/v1") {
            let found = format!("{}, Kind={kind}", slashed(api_version));
            return refused(format!("expected webhook response of {GROUP}/v1, Kind={KIND}, got {found}"));
        }
        match (mutating, &patch, &patch_type) {
            (false, Some(_), _) => {
                return refused("validating webhook may not return response.patch".to_owned());
            }
            (false, None, Some(_)) => {
                return refused("validating webhook may not return response.patchType".to_owned());
            }
            (true, Some(_), None) => {
                return refused("webhook returned response.patch but not response.patchType".to_owned());
            }
            (true, None, Some(_)) => {
                return refused("webhook returned response.patchType but not response.patch".to_owned());
            }
            (true, Some(_), Some(of)) if of.is_empty() => {
                return refused("webhook returned invalid response.patchType of \"\"".to_owned());
            }
            _ => {}
        }
    }
    // Nobody checked in the days of v1beta1, when there was one type of patch.
    let of = if version == "v1" { patch_type.unwrap_or_default() } else { JSON_PATCH.to_owned() };
    Ok(Verdict {
        allowed,
        result: result.map(|result| *result),
        warnings,
        annotations: audit_annotations.into_iter().collect(),
        patch: patch.filter(|_| mutating).map(|patch| (patch, of)),
    })
}

/// The patch of a verdict, unless it is of an unknown type.
pub(super) fn json_patch(patch: &(Bytes, String)) -> Result<&[u8], String> {
    match patch {
        (patch, of) if of == JSON_PATCH => Ok(patch),
        (_, of) => Err(format!("unsupported patch type {}", quote::go(of))),
    }
}

/// A version as Go prints a group and a version, of which either may be missing.
fn slashed(api_version: &str) -> String {
    match api_version.contains('/') {
        true => api_version.to_owned(),
        false => format!("/{api_version}"),
    }
}

/// What the caller is told of a refusal (`ToStatusErr`).
pub(super) fn denial(name: &str, result: Option<v1::Status>) -> Status {
    let mut status = result.unwrap_or_default();
    if status.code < 400 {
        status.code = 400;
    }
    if matches!(status.status.as_str(), "" | "Success") {
        "Failure".clone_into(&mut status.status);
    }
    let by = format!("admission webhook {} denied the request", quote::go(name));
    status.message = match (status.message.as_str(), status.reason.as_str()) {
        ("", "") => format!("{by} without explanation"),
        ("", reason) => format!("{by}: {reason}"),
        (message, _) => format!("{by}: {message}"),
    };
    Status::from(status)
}
