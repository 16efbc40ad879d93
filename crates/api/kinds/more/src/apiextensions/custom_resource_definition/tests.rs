//! Tables of definitions and what is said of them.

use api_kind::trial::{create, update};

use super::*;

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

const AT: &str = "spec.validation.openAPIV3Schema.properties[spec]";

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
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            "kind: Thing}",
            "kind: Thing}\n  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v9], clientConfig: {url: 'http://h/'}}}",
            "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
        ),
        (
            "kind: Thing}",
            "kind: Thing}\n  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v9], clientConfig: {service: {namespace: ns, name: svc}}}}",
            "spec.conversion.conversionReviewVersions: Invalid value: [\"v9\"]: must include at least one of v1, v1beta1",
        ),
        (
            "kind: Thing}",
            "kind: Thing}\n  conversion: {strategy: None, webhook: {conversionReviewVersions: [v1]}}",
            "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook",
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
    let root = "spec.validation.openAPIV3Schema";
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

/// Upstream's suite `crd_validation_rules.go`, and what else there is to say of rules before there is an object.
#[test]
fn rules_are_judged_when_a_definition_is_written() {
    let rule = |rule: &str| {
        format!("{{type: object, x-kubernetes-validations: [{rule}], properties: {{x: {{type: integer}}}}}}")
    };
    let at = |field: &str| format!("{AT}.x-kubernetes-validations[0].{field}: ");
    for (spec, wanted) in [
        (
            rule("{rule: self.z == 100}"),
            format!(
                "{}Invalid value: {{\"Rule\":\"self.z == 100\",\"Message\":\"\",\"MessageExpression\":\"\",\"Reason\":null,\"FieldPath\":\"\",\"OptionalOldSelf\":null}}: compilation failed: ERROR: <input>:1:5: undefined field 'z'\n | self.z == 100\n | ....^",
                at("rule")
            ),
        ),
        (rule("{rule: ' '}"), at("rule") + "Required value: rule is not specified"),
        (rule("{rule: 'true', message: ' '}"), at("message") + "Invalid value: \" \": must be non-empty if specified"),
        (rule("{rule: \"true\\n\\n|| false\"}"), at("message") + "Required value: message must be specified if rule contains line breaks"),
        (rule("{rule: 'true', messageExpression: ' '}"), at("messageExpression") + "Required value: messageExpression must be non-empty if specified"),
        (rule("{rule: 'true', reason: Odd}"), at("reason") + "Unsupported value: \"Odd\": supported values: \"FieldValueDuplicate\", \"FieldValueForbidden\", \"FieldValueInvalid\", \"FieldValueRequired\""),
        (rule("{rule: 'true', fieldPath: .z}"), at("fieldPath") + "Invalid value: \".z\": must be a valid path"),
        (rule("{rule: 'true', optionalOldSelf: true}"), at("optionalOldSelf") + "Invalid value: true: may not be set if oldSelf is not used in rule"),
        (
            "{type: array, items: {type: integer, x-kubernetes-validations: [{rule: self == oldSelf}]}}".to_owned(),
            format!("{AT}.items.x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": oldSelf cannot be used on the uncorrelatable portion of the schema within {AT}"),
        ),
        (
            "{type: object, properties: {x: {type: array, items: {type: array, items: {type: string}, x-kubernetes-validations: [{rule: \"self.all(s, s == 'string constant')\"}]}}}}".to_owned(),
            format!("{AT}.properties[x].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"),
        ),
        (
            "{type: object, anyOf: [{x-kubernetes-validations: [{rule: 'true'}]}]}".to_owned(),
            format!("{AT}.anyOf[0].x-kubernetes-validations: Forbidden: must be empty to be structural"),
        ),
        (
            "{type: integer, default: 1, x-kubernetes-validations: [{rule: self > 5}]}".to_owned(),
            format!("{AT}.default: Invalid value: 1: failed rule: self > 5"),
        ),
    ] {
        let errors = said(&with(&spec));
        assert!(errors.contains(&wanted), "{wanted}: {errors:?}");
    }
    assert_eq!(said(&with(&rule("{rule: self.x > 0}, {rule: self.x > oldSelf.x}"))), [""; 0]);
}

#[test]
fn an_unchanged_schema_may_cost_what_it_does() {
    let dear = with(
        "{type: array, items: {type: array, items: {type: string}, x-kubernetes-validations: [{rule: \"self.all(s, s == 'a')\"}]}}",
    );
    let changed = dear.replace("== 'a'", "== 'b'");
    let wanted = "estimated rule cost exceeds budget";
    let said = |new: &str| update(&KIND, "", &dear, new).errors;
    assert!(
        !said(&dear).iter().any(|error| error.contains(&format!("Forbidden: {wanted}"))),
        "{:?}",
        said(&dear)
    );
    assert!(said(&changed).iter().any(|error| error.contains(wanted)));
}

/// A certificate in PEM, as a definition holds it.
const CERTIFICATE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJMakNCNGFBREFnRUNBaFFNVjMrc1FNdzFlVGlXTnp3Q2lQK08vL1Q0dnpBRkJnTXJaWEF3RERFS01BZ0cKQTFVRUF3d0JZVEFnRncweU5qRXhNekF3TVRVd016RmFHQTh5TVRJMk1URXdOakF4TlRBek1Wb3dEREVLTUFnRwpBMVVFQXd3QllUQXFNQVVHQXl0bGNBTWhBQTJ0RlExQlJCS0Z0WWxXamFYYkRLMEgyUlM3UFBidGxPTzRFa0NrCkk5MXdvMU13VVRBZEJnTlZIUTRFRmdRVVBuWEw2UEMzd0tqelY4d2Ztd1ZaVktpRnBlUXdId1lEVlIwakJCZ3cKRm9BVVBuWEw2UEMzd0tqelY4d2Ztd1ZaVktpRnBlUXdEd1lEVlIwVEFRSC9CQVV3QXdFQi96QUZCZ01yWlhBRApRUUFTMnRNcXIzN1oxbEJXYnVaS0hBRE1tTURralI0QzNMWjVlMmFoQXN4d3U0UVFrM1F6eVAyc25qTE5SUGkxCitVaWxZTlFIVk1vYzE4K1poTVhYOVdzUAotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==";

#[test]
fn an_established_definition_keeps_certificates_that_vouch_for_its_webhook() {
    let converted = |bundle: &str, established: bool| {
        let webhook = format!(
            "kind: Thing}}\n  conversion: {{strategy: Webhook, webhook: {{conversionReviewVersions: [v1], clientConfig: {{url: \
             'https://h/', caBundle: {bundle}}}}}}}"
        );
        let status = format!(
            "\nstatus: {{conditions: [{{type: Established, status: '{}'}}]}}",
            if established { "True" } else { "False" }
        );
        let text = with("{type: object}").replacen("kind: Thing}", &webhook, 1) + &status;
        let object = api_kind::trial::object(&KIND, &text);
        object.downcast_ref::<CustomResourceDefinition>().cloned().expect("it is one")
    };
    let judged = |new: &str, old: Option<(&str, bool)>| {
        let old = old.map(|(bundle, established)| converted(bundle, established));
        let mut errors = ErrorList::new();
        conversion::check(&Path::new("spec"), &converted(new, true).spec, old.as_ref(), &mut errors);
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let why = "spec.webhookClientConfig.caBundle: Invalid value: \"YQ==\": unable to load root certificates: unable to parse \
               bytes as PEM block";
    for (new, old, wanted) in [
        ("YQ==", None, None),
        ("YQ==", Some((CERTIFICATE, false)), None),
        ("YQ==", Some(("Yg==", true)), None),
        ("YQ==", Some((CERTIFICATE, true)), Some(why)),
        ("YQ==", Some(("''", true)), Some(why)),
        (CERTIFICATE, Some((CERTIFICATE, true)), None),
    ] {
        assert_eq!(judged(new, old), Vec::from_iter(wanted), "{new} {old:?}");
    }
    assert!(ca_bundle_fault(&converted("YQ==", false)).is_some());
    assert_eq!(ca_bundle_fault(&converted(CERTIFICATE, false)), None);
}
