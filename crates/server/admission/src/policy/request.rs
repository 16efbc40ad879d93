//! What expressions see of a request and of its namespace (`plugin/cel/{condition,compile}.go`).

use api_cel::Value;
use api_types::core::v1::Namespace;
use api_types::object_meta;
use client::{Resource, Status};
use serde_json::{Map, Value as Json, json};

use crate::lookup::typed;
use crate::matching::{Subject, operation};
use crate::versions::Kind;

const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");

fn kind(kind: &Kind) -> Json {
    json!({ "group": kind.group, "version": kind.version, "kind": kind.kind })
}

fn resource(resource: &Resource) -> Json {
    json!({ "group": resource.group, "version": resource.version, "resource": resource.plural })
}

/// The request, looked at in the version of `seen`. What is empty is absent.
pub(super) fn request(subject: &Subject<'_>, seen: &Resource) -> Value {
    let attributes = subject.attributes;
    let kinds = |of: &Resource| kind(&subject.versions.kind(of).unwrap_or_default());
    let object = subject.object.or(subject.old).and_then(object_meta);
    let name =
        if attributes.name.is_empty() { object.map_or("", |meta| &meta.name) } else { attributes.name };
    let namespace = if attributes.resource == NAMESPACES { name } else { attributes.namespace };
    let caller = attributes.caller;
    let mut user = Map::new();
    user.insert("username".to_owned(), json!(caller.name));
    for (name, value) in
        [("uid", json!(caller.uid)), ("groups", json!(caller.groups)), ("extra", json!(caller.extra))]
    {
        if !matches!(&value, Json::String(text) if text.is_empty())
            && !matches!(&value, Json::Array(list) if list.is_empty())
            && !matches!(&value, Json::Object(map) if map.is_empty())
        {
            user.insert(name.to_owned(), value);
        }
    }
    let mut request = json!({
        "kind": kinds(seen),
        "resource": resource(seen),
        "requestKind": kinds(&attributes.resource),
        "requestResource": resource(&attributes.resource),
        "name": name,
        "operation": operation(attributes.operation),
        "userInfo": user,
        "dryRun": attributes.dry_run,
        "options": Json::Null,
    });
    for (field, text) in [
        ("subResource", attributes.subresource),
        ("requestSubResource", attributes.subresource),
        ("namespace", namespace),
    ] {
        if !text.is_empty() {
            request[field] = json!(text);
        }
    }
    Value::from(&request)
}

/// The namespace of the request's object, where it has one: those of its fields that expressions may look at.
pub(super) async fn namespace(subject: &Subject<'_>) -> Result<Value, Status> {
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
