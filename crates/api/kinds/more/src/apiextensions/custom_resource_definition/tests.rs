//! Tables of definitions and what is said of them.

use api_kind::trial::{create, update};

use super::KIND;

/// A definition whose schema of `spec` is this text.
fn with(spec: &str) -> String {
    format!(
        "metadata: {{name: things.example.com}}
spec:
  group: example.com
  scope: Namespaced
  names: {{plural: things, kind: Thing}}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, properties: {{spec: {spec}}}}}}}
"
    )
}

fn said(text: &str) -> Vec<String> {
    create(&KIND, text).errors
}

const AT: &str = "spec.versions[0].schema.openAPIV3Schema.properties[spec]";

#[test]
fn what_is_left_out_is_filled_in() {
    let made = create(&KIND, &with("{type: object}"));
    assert_eq!(made.errors, [""; 0]);
    let body = made.body();
    for part in [
        r#""singular":"thing""#,
        r#""listKind":"ThingList""#,
        r#""conversion":{"strategy":"None"}"#,
        r#""storedVersions":["v1"]"#,
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[test]
fn names_and_versions_are_judged() {
    let text = with("{type: object}");
    for (from, to, wanted) in [
        (
            "things.example.com",
            "other.example.com",
            r#"metadata.name: Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group"#,
        ),
        ("storage: true", "storage: false", "must have exactly one version marked as storage version"),
        (
            "scope: Namespaced",
            "scope: Everywhere",
            r#"spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced""#,
        ),
        (
            "kind: Thing",
            "kind: thing!",
            "spec.names.kind: Invalid value: \"thing!\": may have mixed case, but should otherwise match: ",
        ),
        ("group: example.com", "group: example", "should be a domain with at least one dot"),
        (
            "kind: Thing}",
            "kind: Thing}\n  conversion: {strategy: Webhook}",
            "spec.conversion.strategy: Forbidden: conversion by webhooks is not supported by this server",
        ),
    ] {
        let errors = said(&text.replacen(from, to, 1));
        assert!(errors.iter().any(|error| error.contains(wanted)), "{wanted}: {errors:?}");
    }
}

#[test]
fn schemas_must_be_structural() {
    for (spec, wanted) in [
        ("{}", format!("{AT}.type: Required value: must not be empty for specified object fields")),
        ("{type: array}", format!("{AT}.items: Required value: must be specified")),
        (
            "{type: object, anyOf: [{type: object}]}",
            format!("{AT}.anyOf[0].type: Forbidden: must be empty to be structural"),
        ),
        (
            "{type: object, x-kubernetes-embedded-resource: true}",
            format!(
                "{AT}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            ),
        ),
        (
            "{type: object, x-kubernetes-validations: [{rule: 'true'}]}",
            format!(
                "{AT}.x-kubernetes-validations: Forbidden: rules in CEL are not supported by this server"
            ),
        ),
        (
            "{type: string, pattern: '('}",
            format!("{AT}.pattern: Invalid value: \"(\": must be a valid regular expression, but isn't"),
        ),
        (
            "{type: array, x-kubernetes-list-type: map, items: {type: object, properties: {a: {type: string}}}}",
            format!(
                "{AT}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"
            ),
        ),
        ("{type: thing}", format!("{AT}.type: Unsupported value: \"thing\"")),
        ("{type: string, default: 5}", format!("{AT}.default: Invalid value: \"integer\"")),
        (
            "{type: object, default: {b: 1}, properties: {a: {type: string}}}",
            format!("{AT}.default: Invalid value: {{\"b\":1}}: must not have unknown fields"),
        ),
    ] {
        let errors = said(&with(spec));
        assert!(errors.iter().any(|error| error.starts_with(&wanted)), "{wanted}: {errors:?}");
    }
    let root = "spec.versions[0].schema.openAPIV3Schema";
    let judged = with("{type: object}")
        .replace("properties: {spec", "not: {properties: {a: {minimum: 1}}}, properties: {spec");
    assert_eq!(
        said(&judged),
        [format!("{root}.properties[a]: Required value: because it is defined in {root}.not.properties[a]")]
    );
    let number = "{x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}";
    assert_eq!(said(&with(number)), [""; 0]);
}

#[test]
fn groups_of_the_community_say_where_they_were_approved() {
    let text = with("{type: object}").replace("example.com", "thing.k8s.io");
    assert_eq!(
        said(&text),
        [
            "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111"
        ]
    );
    let annotated = "k8s.io, annotations: {api-approved.kubernetes.io: 'unapproved, a test'}}";
    assert_eq!(said(&text.replacen("k8s.io}", annotated, 1)), [""; 0]);
}

#[test]
fn a_version_that_is_stored_stays_until_nothing_is_stored_in_it() {
    let old = with("{type: object}");
    let new = old.replace("name: v1\n", "name: v2\n");
    let errors = update(&KIND, "", &old, &new).errors;
    assert!(
        errors[0].starts_with("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions")
    );
}

#[test]
fn formats_that_nobody_checks_are_warned_of() {
    let made = create(&KIND, &with("{type: string, format: colour}"));
    assert_eq!(made.warnings, ["unrecognized format \"colour\""]);
}
