//! Conversion by webhooks: what is asked, and what may come back (`apiserver/conversion/webhook_converter.go`). Sending it is
//! somebody else's.
//!
//! A webhook turns objects into those of another version. Of their metadata it may change labels and annotations; all else
//! stays as it was, whatever it says.

use api_codec::json;
use api_meta::field::Path;
use api_meta::{labels, object_meta, quote};
use api_record::Tree;
use api_types::GroupVersionKind;
use serde_json::Value;

use crate::CustomObject;

/// The versions of reviews that are spoken.
pub const REVIEWS: [&str; 2] = ["v1", "v1beta1"];

/// A question to a webhook: objects of a version that are to be of another.
#[derive(Clone, Copy, Debug)]
pub struct Review<'a> {
    /// Which version of reviews is spoken.
    pub version: &'a str,
    /// What the answer has to repeat.
    pub uid: &'a str,
    /// What the objects are: all of one kind, the version being that of the first.
    pub from: GroupVersionKind<'a>,
    /// The version that is wanted, with its group: `group/version`.
    pub to: &'a str,
}

impl Review<'_> {
    /// The version of reviews to speak with a webhook that knows these.
    ///
    /// # Errors
    /// If it knows none of ours.
    pub fn version(known: &[String]) -> Result<&str, &'static str> {
        let spoken = known.iter().find(|version| REVIEWS.contains(&version.as_str()));
        spoken.map(String::as_str).ok_or("no supported conversion review versions")
    }

    /// The question, for objects as JSON.
    pub fn question(&self, objects: &[&[u8]]) -> Vec<u8> {
        let mut text = format!(
            r#"{{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/{}","request":{{"uid":{},"desiredAPIVersion":{},"objects":["#,
            self.version,
            quote::json(self.uid),
            quote::json(self.to)
        )
        .into_bytes();
        for (index, object) in objects.iter().enumerate() {
            if index > 0 {
                text.push(b',');
            }
            text.extend_from_slice(object);
        }
        text.extend_from_slice(b"]}}");
        text
    }

    /// The objects of an answer, in the order of those that were asked for.
    ///
    /// # Errors
    /// In upstream's words, if the webhook could not convert them, or has changed what it may not.
    pub fn answer(&self, body: &[u8], originals: &[&CustomObject]) -> Result<Vec<CustomObject>, String> {
        let whole = shown(&self.from);
        let failed = |why: String| format!("conversion webhook for {whole} failed: {why}");
        let converted = self.converted(body).map_err(failed)?;
        if converted.len() != originals.len() {
            return Err(format!(
                "conversion webhook for {whole} returned {} objects, expected {}",
                converted.len(),
                originals.len()
            ));
        }
        let alone = originals.len() == 1;
        let each = converted.into_iter().zip(originals).enumerate();
        each.map(|(index, (converted, original))| {
            self.one(converted, original).map_err(|wrong| {
                let (what, why) = match wrong {
                    Wrong::Kind(why) if alone => (format!("invalid object at index {index}"), why),
                    Wrong::Object(why) if alone => ("invalid object".to_owned(), why),
                    Wrong::Metadata(why) if alone => ("invalid metadata".to_owned(), why),
                    Wrong::Kind(why) | Wrong::Object(why) => {
                        (format!("invalid converted object at index {index}"), why)
                    }
                    Wrong::Metadata(why) => (format!("invalid metadata in object at index {index}"), why),
                };
                format!("conversion webhook for {whole} returned {what}: {why}")
            })
        })
        .collect()
    }

    /// The objects that an answer has, if it is one.
    fn converted(&self, body: &[u8]) -> Result<Vec<Value>, String> {
        let mut review: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        // Those who spoke the older version were never asked to say what they answer.
        let strict = self.version == "v1";
        let (version, kind) = (text(&review, "/apiVersion"), text(&review, "/kind"));
        if strict && (version != "apiextensions.k8s.io/v1" || kind != "ConversionReview") {
            let (group, version) = version.split_once('/').unwrap_or(("", &version));
            let found = shown(&GroupVersionKind { group, version, kind: &kind });
            return Err(format!(
                "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got {found}"
            ));
        }
        let Some(response) = review.get_mut("response").filter(|response| response.is_object()) else {
            return Err("no response provided".to_owned());
        };
        let uid = text(response, "/uid");
        if strict && uid != self.uid {
            return Err(format!("expected response.uid={}, got {}", quote::go(self.uid), quote::go(&uid)));
        }
        let status = text(response, "/result/status");
        if status != "Success" {
            let message = text(response, "/result/message");
            return Err(if message.is_empty() {
                format!("response.result.status was '{status}', not 'Success'")
            } else {
                message
            });
        }
        match response.get_mut("convertedObjects").map(Value::take) {
            Some(Value::Array(objects)) => Ok(objects),
            _ => Ok(Vec::new()),
        }
    }

    fn one(&self, converted: Value, original: &CustomObject) -> Result<CustomObject, Wrong> {
        let Value::Object(mut fields) = converted else {
            return Err(Wrong::Kind("it is not an object".to_owned()));
        };
        let mut text = |name: &str| match fields.shift_remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (version, kind) = (text("apiVersion"), text("kind"));
        if version != self.to {
            return Err(Wrong::Kind(format!(
                "invalid groupVersion (expected {}, received {version})",
                self.to
            )));
        }
        if kind != self.from.kind {
            return Err(Wrong::Kind(format!("invalid kind (expected {}, received {kind})", self.from.kind)));
        }
        let meta = fields.shift_remove("metadata");
        let own = &original.metadata;
        let of = |name: &str| {
            meta.as_ref().and_then(|meta| meta.get(name)).and_then(Value::as_str).unwrap_or_default()
        };
        for (what, name, wanted) in [
            ("name", "name", &own.name),
            ("namespace", "namespace", &own.namespace),
            ("UID", "uid", &own.uid),
        ] {
            let found = of(name);
            if found != wanted {
                return Err(Wrong::Object(format!("must have the same {what}: {wanted} != {found}")));
            }
        }
        let meta = match meta {
            Some(Value::Object(meta)) => meta,
            Some(other) => {
                let why = format!("invalid metadata of type {} in converted object", go_type(&other));
                return Err(Wrong::Metadata(why));
            }
            None => return Err(Wrong::Metadata("missing metadata in converted object".to_owned())),
        };
        let mut converted = CustomObject { metadata: own.clone(), fields };
        restore(&meta, &mut converted).map_err(Wrong::Metadata)?;
        converted.fields.sort_keys();
        converted.fields.values_mut().for_each(Value::sort_all_objects);
        Ok(converted)
    }
}

/// Which part of a converted object is wrong, and why.
enum Wrong {
    Kind(String),
    Object(String),
    Metadata(String),
}

/// Takes the labels and annotations that a webhook has set.
fn restore(meta: &Tree, converted: &mut CustomObject) -> Result<(), String> {
    let own = &mut converted.metadata;
    for (name, target) in [("labels", &mut own.labels), ("annotations", &mut own.annotations)] {
        let given = match meta.get(name) {
            None | Some(Value::Null) => Tree::new(),
            Some(Value::Object(given)) => given.clone(),
            Some(other) => {
                return Err(format!(
                    "invalid metadata.{name} of type {} in converted object",
                    go_type(other)
                ));
            }
        };
        let mut texts = std::collections::BTreeMap::new();
        for (key, value) in given {
            let Value::String(text) = value else {
                let of = go_type(&value);
                return Err(format!(
                    "metadata.{name}[{key}] must be a string, but is {of} in converted object"
                ));
            };
            texts.insert(key, text);
        }
        if *target != texts {
            let at = Path::new("metadata");
            let errors = if name == "labels" {
                labels::validate_labels(&texts, &at.child("labels"))
            } else {
                object_meta::validate_annotations(&texts, &at.child("annotation"))
            };
            if !errors.is_empty() {
                return Err(errors.to_string());
            }
            *target = texts;
        }
    }
    Ok(())
}

/// What Go calls the type of a decoded value.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A kind as messages show it.
fn shown(kind: &GroupVersionKind<'_>) -> String {
    let slash = if kind.group.is_empty() { "" } else { "/" };
    format!("{}{slash}{}, Kind={}", kind.group, kind.version, kind.kind)
}

/// An object as JSON, of a kind in a version.
pub fn written(object: &CustomObject, kind: &GroupVersionKind<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    json::encode(object, Some(kind), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: GroupVersionKind<'_> = GroupVersionKind { group: "e.com", version: "v1", kind: "Thing" };

    fn original() -> CustomObject {
        let mut object = CustomObject::default();
        object.metadata.name = "a".into();
        object.metadata.uid = "u".into();
        object.metadata.labels.insert("x".into(), "y".into());
        object.metadata.finalizers.push("f".into());
        object
    }

    fn review(version: &str) -> Review<'_> {
        Review { version, uid: "1", from: FROM, to: "e.com/v2" }
    }

    fn body(response: &str) -> Vec<u8> {
        format!(
            r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","response":{response}}}"#
        )
        .into()
    }

    fn with(object: &str) -> Vec<u8> {
        body(&format!(r#"{{"uid":"1","result":{{"status":"Success"}},"convertedObjects":[{object}]}}"#))
    }

    #[test]
    fn labels_and_annotations_may_change_and_nothing_else() {
        let answer = with(
            r#"{"apiVersion":"e.com/v2","kind":"Thing","metadata":{"name":"a","uid":"u","labels":{"l":"m"},"annotations":{"n":"o"},"finalizers":[],"generation":7},"host":"h"}"#,
        );
        let made = review("v1").answer(&answer, &[&original()]).expect("it converts").remove(0);
        assert_eq!(Value::Object(made.fields).to_string(), r#"{"host":"h"}"#);
        assert_eq!(made.metadata.labels.get("l").map(String::as_str), Some("m"));
        assert_eq!(made.metadata.labels.len(), 1);
        assert_eq!(made.metadata.annotations.get("n").map(String::as_str), Some("o"));
        assert_eq!((&*made.metadata.finalizers, made.metadata.generation), (&["f".to_owned()][..], 0));
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_said_as_upstream_says_it() {
        let prefix = "conversion webhook for e.com/v1, Kind=Thing";
        let object = |text: &str| with(&format!(r#"{{"apiVersion":"e.com/v2","kind":"Thing",{text}}}"#));
        for (answer, wanted) in [
            (
                b"{}".to_vec(),
                "failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got , Kind=",
            ),
            (body("null"), "failed: no response provided"),
            (body(r#"{"uid":"2"}"#), r#"failed: expected response.uid="1", got "2""#),
            (body(r#"{"uid":"1","result":{"status":"Failure","message":"no"}}"#), "failed: no"),
            (
                body(r#"{"uid":"1","result":{"status":"Failure"}}"#),
                "failed: response.result.status was 'Failure', not 'Success'",
            ),
            (body(r#"{"uid":"1","result":{"status":"Success"}}"#), "returned 0 objects, expected 1"),
            (
                with(r#"{"apiVersion":"e.com/v1","kind":"Thing"}"#),
                "returned invalid object at index 0: invalid groupVersion (expected e.com/v2, received e.com/v1)",
            ),
            (
                with(r#"{"apiVersion":"e.com/v2","kind":"Other"}"#),
                "returned invalid object at index 0: invalid kind (expected Thing, received Other)",
            ),
            (
                object(r#""metadata":{"name":"b"}"#),
                "returned invalid object: must have the same name: a != b",
            ),
            (object(r#""metadata":{"name":"a"}"#), "returned invalid object: must have the same UID: u != "),
            (
                object(r#""metadata":{"name":"a","uid":"u","labels":{"x":1}}"#),
                "returned invalid metadata: metadata.labels[x] must be a string, but is int64 in converted object",
            ),
            (
                object(r#""metadata":{"name":"a","uid":"u","labels":[]}"#),
                "returned invalid metadata: invalid metadata.labels of type []interface {} in converted object",
            ),
        ] {
            let why = review("v1").answer(&answer, &[&original()]).err().unwrap_or_default();
            assert_eq!(why, format!("{prefix} {wanted}"));
        }
        // The older version is read without looking at what it says that it is.
        let old = br#"{"response":{"uid":"7","result":{"status":"Success"},"convertedObjects":[]}}"#;
        assert_eq!(review("v1beta1").answer(old, &[]).map(|all| all.len()), Ok(0));
    }

    #[test]
    fn the_question_holds_the_objects_as_they_are() {
        let text = review("v1").question(&[b"{\"a\":1}", b"{}"]);
        assert_eq!(
            String::from_utf8_lossy(&text),
            r#"{"kind":"ConversionReview","apiVersion":"apiextensions.k8s.io/v1","request":{"uid":"1","desiredAPIVersion":"e.com/v2","objects":[{"a":1},{}]}}"#
        );
        assert_eq!(Review::version(&["v9".into(), "v1beta1".into(), "v1".into()]), Ok("v1beta1"));
        assert!(Review::version(&["v9".into()]).is_err());
    }
}
