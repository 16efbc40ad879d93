//! Secrets: bytes by key, with types that ask for certain keys.

use api_kind::checks::{each, immutable};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_record::Bytes;
use api_types::core::v1::Secret;

use crate::config_map::FROZEN;
use crate::limits::DATA_BYTES;

const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// The row.
pub const KIND: Kind<Secret> = Kind::<Secret>::of("", "v1", "secrets")
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
    .warnings(warnings)
    .columns(&[
        Column::<Secret>::name(),
        Column::<Secret>::text(
            "Type",
            "Used to facilitate programmatic handling of secret data.",
            |secret, _| secret.type_.as_str().into(),
        ),
        Column::<Secret>::text("Data", "Data contains the secret data.", |secret, _| {
            secret.data.len().to_string().into()
        }),
        Column::<Secret>::age(),
    ])
    .selectable(&[("type", |secret| secret.type_.as_str().into())]);

fn defaults(_: &Ctx<'_>, secret: &mut Secret) {
    if secret.type_.is_empty() {
        "Opaque".clone_into(&mut secret.type_);
    }
    for (key, text) in std::mem::take(&mut secret.string_data) {
        secret.data.insert(key, Bytes::from(text));
    }
}

fn prepare(_: &Ctx<'_>, secret: &mut Secret, old: Option<&Secret>) {
    // Old clients leave the type out; it could not be changed anyway.
    if let Some(old) = old.filter(|_| secret.type_.is_empty()) {
        secret.type_.clone_from(&old.type_);
    }
}

fn validate(_: &Ctx<'_>, secret: &Secret, old: Option<&Secret>, errors: &mut ErrorList) {
    let data = Path::new("data");
    if let Some(old) = old {
        immutable(errors, &Path::new("type"), secret.type_ == old.type_, &secret.type_);
        if old.immutable == Some(true) {
            if secret.immutable != Some(true) {
                errors.push(FieldError::forbidden(&Path::new("immutable"), FROZEN));
            }
            if secret.data != old.data {
                errors.push(FieldError::forbidden(&data, FROZEN));
            }
        }
    }
    for key in secret.data.keys() {
        each(errors, &data.key(key), key, names::is_config_map_key(key));
    }
    if secret.data.values().map(|value| value.len()).sum::<usize>() > DATA_BYTES {
        errors.push(FieldError::too_long(&data, DATA_BYTES));
    }
    of_type(errors, &data, secret);
}

fn of_type(errors: &mut ErrorList, data: &Path, secret: &Secret) {
    let mut need = |key: &str, there: bool| {
        if !there {
            errors.push(FieldError::required(&data.key(key), ""));
        }
    };
    let has = |key: &str| secret.data.contains_key(key);
    match secret.type_.as_str() {
        "kubernetes.io/service-account-token"
            if secret.metadata.annotations.get(ACCOUNT).is_none_or(String::is_empty) =>
        {
            let at = Path::new("metadata").child("annotations").key(ACCOUNT);
            errors.push(FieldError::required(&at, ""));
        }
        "kubernetes.io/dockercfg" => docker(errors, data, secret, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => docker(errors, data, secret, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            need("username", false);
            need("password", false);
        }
        "kubernetes.io/ssh-auth" => {
            need("ssh-privatekey", secret.data.get("ssh-privatekey").is_some_and(|key| !key.is_empty()));
        }
        "kubernetes.io/tls" => {
            need("tls.crt", has("tls.crt"));
            need("tls.key", has("tls.key"));
        }
        _ => {}
    }
}

fn docker(errors: &mut ErrorList, data: &Path, secret: &Secret, key: &str) {
    match secret.data.get(key) {
        None => errors.push(FieldError::required(&data.key(key), "")),
        Some(text) => {
            if let Some(fault) = no_object(text, "map[string]interface {}") {
                let shown = "<secret contents redacted>";
                errors.push(FieldError::invalid(&data.key(key), shown, fault));
            }
        }
    }
}

/// Why a text is no JSON object, in the words of Go's decoder of this type.
pub(crate) fn no_object(text: &[u8], type_: &str) -> Option<String> {
    let found = match api_codec::json::type_meta(text, api_codec::limits::Limits::REQUEST) {
        Err(api_codec::DecodeError::Type { found, place, .. }) if place == "value" => found,
        Err(error @ (api_codec::DecodeError::Syntax(_) | api_codec::DecodeError::TooDeep)) => {
            return Some(error.to_string());
        }
        _ => return None,
    };
    (found != "null").then(|| format!("json: cannot unmarshal {found} into Go value of type {type_}"))
}

fn warnings(_: &Ctx<'_>, secret: &Secret, _: Option<&Secret>) -> Vec<String> {
    if secret.type_ != "kubernetes.io/tls" {
        return Vec::new();
    }
    let plain = |key: &str| secret.data.get(key).is_none_or(|text| !contains(text, b"-----BEGIN"));
    // Of the faults of a pair this is the one that can be told without reading certificates.
    let faulty = [("tls.crt", "certificate"), ("tls.key", "key")].into_iter().find(|(key, _)| plain(key));
    let text = faulty.map(|(_, what)| format!("tls: failed to find any PEM data in {what} input"));
    text.into_iter().collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn text_is_merged_into_the_data() {
        let made = create(&KIND, "{data: {a: YQ==, b: YQ==}, stringData: {b: c}}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.body(), r#"{"metadata":{},"data":{"a":"YQ==","b":"Yw=="},"type":"Opaque"}"#);
        assert_eq!(made.cells(&KIND), "x|Opaque|2|<unknown>");
    }

    #[test]
    fn types_ask_for_their_keys() {
        for (text, errors) in [
            (
                "{type: kubernetes.io/tls}",
                &["data[tls.crt]: Required value", "data[tls.key]: Required value"][..],
            ),
            (
                "{type: kubernetes.io/ssh-auth, data: {ssh-privatekey: ''}}",
                &["data[ssh-privatekey]: Required value"],
            ),
            ("{type: kubernetes.io/basic-auth, stringData: {username: u}}", &[]),
            ("{type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: '{}'}}", &[]),
            (
                "{type: kubernetes.io/service-account-token}",
                &["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
            ),
            ("{type: my/own}", &[]),
        ] {
            assert_eq!(create(&KIND, text).errors, errors, "{text}");
        }
        let changed = update(&KIND, "", "{type: a/b}", "{type: c/d}");
        assert_eq!(changed.errors, [r#"type: Invalid value: "c/d": field is immutable"#]);
    }
}
