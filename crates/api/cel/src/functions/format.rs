//! Named formats of text (`library/format.go`).

use std::sync::Arc;

use api_meta::names;

use super::{Answer, call as call_function};
use crate::value::Value;

/// A named format of text.
pub struct Format {
    /// Its name.
    pub name: &'static str,
    /// What is wrong with a text.
    check: fn(&str) -> Vec<String>,
}

static FORMATS: [Format; 13] = [
    Format { name: "dns1123Label", check: |text| names::name_is_dns_label(text, false) },
    Format { name: "dns1123Subdomain", check: |text| names::name_is_dns_subdomain(text, false) },
    Format { name: "dns1035Label", check: |text| names::name_is_dns1035_label(text, false) },
    Format { name: "qualifiedName", check: names::is_label_key },
    Format { name: "dns1123LabelPrefix", check: |text| names::name_is_dns_label(text, true) },
    Format { name: "dns1123SubdomainPrefix", check: |text| names::name_is_dns_subdomain(text, true) },
    Format { name: "dns1035LabelPrefix", check: |text| names::name_is_dns1035_label(text, true) },
    Format { name: "labelValue", check: names::is_label_value },
    Format { name: "uri", check: |text| judged(works("url", text), "invalid URI for request") },
    Format { name: "uuid", check: |text| judged(is_uuid(text), "does not match the UUID format") },
    Format { name: "byte", check: |text| judged(is_base64(text), "invalid base64") },
    Format { name: "date", check: |text| judged(is_date(text), "invalid date") },
    Format { name: "datetime", check: |text| judged(works("timestamp", text), "invalid datetime") },
];

fn judged(right: bool, wrong: &str) -> Vec<String> {
    if right { Vec::new() } else { vec![wrong.to_owned()] }
}

/// Whether a conversion takes a text.
fn works(function: &str, text: &str) -> bool {
    call_function(function, &[Value::text(text)]).is_ok()
}

fn is_uuid(text: &str) -> bool {
    let plain: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let dashes_are_in_place = text.len() == 32
        || (text.len() == 36 && [8, 13, 18, 23].into_iter().all(|place| text.as_bytes()[place] == b'-'));
    plain.len() == 32 && dashes_are_in_place && plain.iter().all(u8::is_ascii_hexdigit)
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(legal)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && works("timestamp", &format!("{text}T00:00:00Z"))
}

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    let find = |name: &str| FORMATS.iter().find(|format| format.name == name);
    if let ("validate", [Value::Format(format), Value::String(text)]) = (name, values) {
        let wrong: Vec<Value> = (format.check)(text).iter().map(Value::text).collect();
        let wrong = (!wrong.is_empty()).then(|| Arc::new(Value::List(wrong.into())));
        return Some(Ok(Value::Optional(wrong)));
    }
    match (name.strip_prefix("format.")?, values) {
        ("named", [Value::String(name)]) => {
            Some(Ok(Value::Optional(find(name).map(|format| Arc::new(Value::Format(format))))))
        }
        (name, []) => find(name).map(|format| Ok(Value::Format(format))),
        _ => None,
    }
}
