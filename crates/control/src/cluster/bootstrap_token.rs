//! Bootstrap tokens as their Secrets hold them. Upstream: `k8s.io/cluster-bootstrap/util/secrets`.

use api_record::scalar;
use api_types::core::v1::Secret;
use base::time::Time;

/// Where they are.
pub(super) const NAMESPACE: &str = "kube-system";

const TYPE: &str = "bootstrap.kubernetes.io/token";
const PREFIX: &str = "bootstrap-token-";

/// Whether a Secret is there to hold a token.
pub(super) fn is_token(secret: &Secret) -> bool {
    secret.metadata.namespace == NAMESPACE && secret.type_ == TYPE
}

/// When it is over, if ever; what cannot be read counts as over.
pub(super) fn end(secret: &Secret) -> Option<Time> {
    let text = field(secret, "expiration")?;
    Some(text.parse::<scalar::Time>().map_or(Time::EPOCH, Time::from))
}

/// Its id and its secret, if it is one that the control plane may sign with now.
pub(super) fn for_signing(secret: &Secret, now: Time) -> Option<(&str, &str)> {
    let id = secret.metadata.name.strip_prefix(PREFIX)?;
    let is_id = id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    let is_named = is_id && field(secret, "token-id") == Some(id);
    let is_over = end(secret).is_some_and(|end| end <= now);
    let may_sign = field(secret, "usage-bootstrap-signing") == Some("true");
    (is_token(secret) && is_named && !is_over && may_sign).then_some((id, field(secret, "token-secret")?))
}

/// A field that is not empty; what is no text is as good as something that nobody can read.
fn field<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    let text = secret.data.get(name).filter(|text| !text.is_empty())?;
    Some(std::str::from_utf8(text).unwrap_or("\u{fffd}"))
}
