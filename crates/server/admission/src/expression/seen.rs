//! What expressions see of a request and of its namespace (`plugin/cel/{condition,compile}.go`).

use api_cel::Value;
use api_codec::json;
use api_types::core::v1::Namespace;
use client::{Resource, Status};
use serde_json::Value as Json;

use crate::lookup::typed;
use crate::matching::Subject;

const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");

/// The request, looked at in the version of `seen`. What is empty is absent.
pub(crate) fn request(subject: &Subject<'_>, seen: &Resource) -> Value {
    let mut text = Vec::new();
    json::encode(&crate::request::request(subject, seen), None, &mut text);
    let request: Json = serde_json::from_slice(&text).unwrap_or_default();
    Value::from(&request)
}

/// The namespace of the request's object, where it has one: those of its fields that expressions may look at.
pub(crate) async fn namespace(subject: &Subject<'_>) -> Result<Value, Status> {
    let attributes = subject.attributes;
    if attributes.namespace.is_empty() || attributes.resource == NAMESPACES {
        return Ok(Value::Null);
    }
    let found = subject.lookup.get(&NAMESPACES, "", attributes.namespace).await?;
    let own = typed::<Namespace>(&*found)?;
    let meta = &own.metadata;
    let moment = |time: Option<api_record::scalar::Time>| {
        time.map(|time| Value::Timestamp(i128::from(time.seconds) * 1_000_000_000))
    };
    let texts = |labels: &std::collections::BTreeMap<String, String>| {
        (!labels.is_empty())
            .then(|| Value::object(labels.iter().map(|(key, value)| (key, Value::text(value)))))
    };
    let text = |text: &str| (!text.is_empty()).then(|| Value::text(text));
    let list = |all: &[String]| (!all.is_empty()).then(|| Value::List(all.iter().map(Value::text).collect()));
    let metadata = [
        ("name", text(&meta.name)),
        ("generateName", text(&meta.generate_name)),
        ("labels", texts(&meta.labels)),
        ("annotations", texts(&meta.annotations)),
        ("UID", text(&meta.uid)),
        ("creationTimestamp", moment(meta.creation_timestamp)),
        ("deletionTimestamp", moment(meta.deletion_timestamp)),
        ("deletionGracePeriodSeconds", meta.deletion_grace_period_seconds.map(Value::Int)),
        ("generation", (meta.generation != 0).then_some(Value::Int(meta.generation))),
        ("resourceVersion", text(&meta.resource_version)),
        ("finalizers", list(&meta.finalizers)),
    ];
    let conditions: Vec<Value> = own
        .status
        .conditions
        .iter()
        .map(|condition| {
            Value::object(
                [
                    ("type", Value::text(&condition.type_)),
                    ("status", Value::text(&condition.status)),
                    ("reason", Value::text(&condition.reason)),
                    ("message", Value::text(&condition.message)),
                ]
                .into_iter()
                .chain(moment(condition.last_transition_time).map(|at| ("lastTransitionTime", at))),
            )
        })
        .collect();
    let part = |fields: Vec<(&'static str, Option<Value>)>| {
        Value::object(fields.into_iter().filter_map(|(name, value)| Some((name, value?))))
    };
    let conditions = (!conditions.is_empty()).then(|| Value::List(conditions.into()));
    Ok(Value::object([
        ("metadata", part(metadata.into())),
        ("spec", part(vec![("finalizers", list(&own.spec.finalizers))])),
        ("status", part(vec![("phase", text(&own.status.phase)), ("conditions", conditions)])),
    ]))
}
