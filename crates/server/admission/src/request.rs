//! A request as it is told: to webhooks, and to the expressions of policies.

use api_codec::json;
use api_record::scalar::RawJson;
use api_types::GroupVersionKind;
use api_types::admission::v1::AdmissionRequest;
use api_types::authentication::v1::UserInfo;
use api_types::meta::v1::{self, CreateOptions, DeleteOptions, GroupVersionResource, UpdateOptions};
use api_types::object_meta;
use client::{FieldValidation, Propagation, Resource};
use server_registry::admit::{Operation, Options};

use crate::matching::{Subject, operation};
use crate::versions::Kind;

const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");

fn kind(kind: Kind) -> v1::GroupVersionKind {
    v1::GroupVersionKind { group: kind.group, version: kind.version, kind: kind.kind }
}

fn resource(resource: &Resource) -> GroupVersionResource {
    let [group, version, plural] =
        [&resource.group, &resource.version, &resource.plural].map(|text| text.to_string());
    GroupVersionResource { group, version, resource: plural }
}

/// The request, looked at in the version of `seen`, without the objects and without an id.
pub(crate) fn request(subject: &Subject<'_>, seen: &Resource) -> AdmissionRequest {
    let attributes = subject.attributes;
    let part = attributes.subresource;
    let kinds = |of: &Resource| kind(subject.versions.kind(of, part).unwrap_or_default());
    let object = subject.object.or(subject.old).and_then(object_meta);
    let name =
        if attributes.name.is_empty() { object.map_or("", |meta| &meta.name) } else { attributes.name };
    let about_namespace = attributes.resource == NAMESPACES;
    let namespace = if about_namespace { name } else { attributes.namespace };
    let caller = attributes.caller;
    let user_info = UserInfo {
        username: caller.name.clone(),
        uid: caller.uid.clone(),
        groups: caller.groups.clone(),
        extra: caller.extra.clone(),
    };
    AdmissionRequest {
        kind: kinds(seen),
        resource: resource(seen),
        sub_resource: part.to_owned(),
        request_kind: Some(Box::new(kinds(&attributes.resource))),
        request_resource: Some(Box::new(resource(&attributes.resource))),
        request_sub_resource: part.to_owned(),
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        operation: operation(attributes.operation).to_owned(),
        user_info,
        dry_run: Some(attributes.dry_run),
        options: options(attributes.operation, attributes.options, attributes.dry_run),
        ..AdmissionRequest::default()
    }
}

/// The options as their kind in the API.
fn options(operation: Operation, options: Options<'_>, dry_run: bool) -> RawJson {
    let all = if dry_run { vec!["All".to_owned()] } else { Vec::new() };
    let mut text = Vec::new();
    let mut write = |object: &dyn api_record::Record, kind: &str| {
        let gvk = GroupVersionKind { group: "meta.k8s.io", version: "v1", kind };
        json::encode(object, Some(&gvk), &mut text);
    };
    match (options, operation) {
        (Options::None, _) => return RawJson::default(),
        (Options::Write(own), Operation::Create) => {
            let created = CreateOptions {
                dry_run: all,
                field_manager: own.field_manager.clone(),
                field_validation: validation(own.field_validation).to_owned(),
            };
            write(&created, "CreateOptions");
        }
        (Options::Write(own), _) => {
            let updated = UpdateOptions {
                dry_run: all,
                field_manager: own.field_manager.clone(),
                field_validation: validation(own.field_validation).to_owned(),
            };
            write(&updated, "UpdateOptions");
        }
        (Options::Delete(own), _) => {
            let conditions = &own.precondition;
            let said = conditions.uid.is_some() || conditions.version.is_some();
            let deleted = DeleteOptions {
                grace_period_seconds: own.grace_seconds,
                propagation_policy: own.propagation.map(|policy| propagation(policy).to_owned()),
                preconditions: said.then(|| {
                    Box::new(v1::Preconditions {
                        uid: conditions.uid.clone(),
                        resource_version: conditions.version.clone(),
                    })
                }),
                dry_run: all,
                ..DeleteOptions::default()
            };
            write(&deleted, "DeleteOptions");
        }
    }
    RawJson(Some(text.into()))
}

fn validation(validation: FieldValidation) -> &'static str {
    match validation {
        FieldValidation::Ignore => "Ignore",
        FieldValidation::Warn => "Warn",
        FieldValidation::Strict => "Strict",
    }
}

fn propagation(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::Orphan => "Orphan",
        Propagation::Background => "Background",
        Propagation::Foreground => "Foreground",
    }
}
