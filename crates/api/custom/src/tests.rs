//! Tables of schemas, objects and what is said of them.

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_meta::field::{ErrorList, Path};
use api_record::Tree;
use api_types::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::jsonpath::JsonPath;
use crate::{Node, check, check_lists, coerce, compile, drop_nulls, fill, prune};

fn props(text: &str) -> JSONSchemaProps {
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("the test's text is YAML");
    let mut props = JSONSchemaProps::default();
    json::decode(&text, &mut props, None, Limits::REQUEST).expect("the test's text is a schema");
    props
}

/// The schema of an object of these properties.
fn node(properties: &str) -> Node {
    compile(&props(&format!("{{type: object, properties: {properties}}}"))).expect("it compiles")
}

fn tree(text: &str) -> Tree {
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("the test's text is YAML");
    let mut value: Value = serde_json::from_slice(&text).expect("JSON");
    value.sort_all_objects();
    value.as_object().cloned().expect("an object")
}

fn written(fields: Tree) -> String {
    Value::Object(fields).to_string()
}

fn said(properties: &str, object: &str) -> Vec<String> {
    let mut errors = ErrorList::new();
    check(&Path::NONE, &tree(object), None, &node(properties), &mut errors);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn what_no_schema_names_is_dropped() {
    for (properties, object, left, dropped) in [
        ("{a: {type: string}}", "{a: x, b: z}", r#"{"a":"x"}"#, &["b"][..]),
        (
            "{a: {type: array, items: {type: object, properties: {b: {type: string}}}}}",
            "{a: [{b: x, c: w}, {d: z}]}",
            r#"{"a":[{"b":"x"},{}]}"#,
            &["a[0].c", "a[1].d"],
        ),
        (
            "{a: {type: object, additionalProperties: {type: object, properties: {b: {type: string}}}}}",
            "{a: {x: {b: w, c: z}}}",
            r#"{"a":{"x":{"b":"w"}}}"#,
            &["a.x.c"],
        ),
        (
            "{a: {type: object, x-kubernetes-preserve-unknown-fields: true, properties: {b: {type: object}}}}",
            "{a: {b: {c: 1}, d: {e: 2}}}",
            r#"{"a":{"b":{},"d":{"e":2}}}"#,
            &["a.b.c"],
        ),
        (
            "{a: {type: object, x-kubernetes-embedded-resource: true, properties: {spec: {type: object}}}}",
            "{a: {apiVersion: v1, kind: X, metadata: {name: w}, spec: {z: 1}, status: {}}}",
            r#"{"a":{"apiVersion":"v1","kind":"X","metadata":{"name":"w"},"spec":{}}}"#,
            &["a.spec.z", "a.status"],
        ),
    ] {
        let (mut fields, node) = (tree(object), node(properties));
        assert!(!crate::prune::is_pruned(&fields, &node), "{object}");
        assert_eq!(prune(&mut fields, &node), dropped, "{object}");
        assert!(crate::prune::is_pruned(&fields, &node), "{object}");
        assert_eq!(written(fields), left, "{object}");
    }
}

#[test]
fn defaults_stand_in_for_what_is_absent_or_null() {
    let properties = "{a: {type: string, default: x}, b: {type: string, nullable: true, default: w}, c: {type: object, default: {}, properties: {d: {type: integer, default: 5}}}, e: {type: array, items: {type: object, properties: {f: {type: boolean, default: true}}}}}";
    for (object, filled) in [
        ("{}", r#"{"a":"x","b":"w","c":{"d":5}}"#),
        ("{a: null, b: null, c: {d: 6}}", r#"{"a":"x","b":null,"c":{"d":6}}"#),
        ("{e: [{}, {f: false}]}", r#"{"a":"x","b":"w","c":{"d":5},"e":[{"f":true},{"f":false}]}"#),
    ] {
        let (mut fields, node) = (tree(object), node(properties));
        drop_nulls(&mut fields, &node);
        assert!(!crate::fill::is_filled(&fields, &node), "{object}");
        fill(&mut fields, &node);
        assert!(crate::fill::is_filled(&fields, &node), "{object}");
        assert_eq!(written(fields), filled, "{object}");
    }
    let (mut fields, node) =
        (tree("{a: null, b: null}"), node("{a: {type: string}, b: {type: string, nullable: true}}"));
    drop_nulls(&mut fields, &node);
    assert_eq!(written(fields), r#"{"b":null}"#);
}

#[test]
fn values_are_judged_in_upstreams_words() {
    for (properties, object, wanted) in [
        (
            "{a: {type: string}}",
            "{a: 5}",
            r#"a: Invalid value: "integer": a in body must be of type string: "integer""#,
        ),
        (
            "{a: {type: object, properties: {b: {type: integer}}}}",
            "{a: {b: x}}",
            r#"a.b: Invalid value: "string": a.b in body must be of type integer: "string""#,
        ),
        (
            "{a: {type: string}}",
            "{a: null}",
            r#"a: Invalid value: "null": a in body must be of type string: "null""#,
        ),
        ("{a: {type: object, required: [b]}}", "{a: {}}", "a.b: Required value"),
        (
            "{a: {type: string, enum: [x, w]}}",
            "{a: z}",
            r#"a: Unsupported value: "z": supported values: "x", "w""#,
        ),
        ("{a: {type: string, maxLength: 2}}", "{a: xyz}", "a: Too long: may not be more than 2 bytes"),
        (
            "{a: {type: string, minLength: 2}}",
            "{a: x}",
            r#"a: Invalid value: "x": a in body should be at least 2 chars long"#,
        ),
        (
            "{a: {type: string, pattern: '^b'}}",
            "{a: x}",
            r#"a: Invalid value: "x": a in body should match '^b'"#,
        ),
        (
            "{a: {type: string, format: date-time}}",
            "{a: x}",
            r#"a: Invalid value: "x": a in body must be of type date-time: "x""#,
        ),
        (
            "{a: {type: integer, maximum: 5}}",
            "{a: 6}",
            "a: Invalid value: 6: a in body should be less than or equal to 5",
        ),
        (
            "{a: {type: number, minimum: 0.5, exclusiveMinimum: true}}",
            "{a: 0.5}",
            "a: Invalid value: 0.5: a in body should be greater than 0.5",
        ),
        (
            "{a: {type: integer, multipleOf: 3}}",
            "{a: 4}",
            "a: Invalid value: 4: a in body should be a multiple of 3",
        ),
        (
            "{a: {type: integer, format: int32}}",
            "{a: 3000000000}",
            r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in a"#,
        ),
        (
            "{a: {type: array, maxItems: 1, items: {type: string}}}",
            "{a: [x, w]}",
            "a: Too many: 2: must have at most 1 item",
        ),
        (
            "{a: {type: array, minItems: 1, items: {type: string}}}",
            "{a: []}",
            "a: Invalid value: 0: a in body should have at least 1 items",
        ),
        (
            "{a: {type: array, items: {type: string}}}",
            "{a: [x, 1]}",
            r#"a[1]: Invalid value: "integer": a[1] in body must be of type string: "integer""#,
        ),
        (
            "{a: {x-kubernetes-int-or-string: true}}",
            "{a: true}",
            r#"a: Invalid value: "boolean": a in body must be of type integer,string: "boolean""#,
        ),
    ] {
        assert_eq!(said(properties, object), [wanted], "{object}");
    }
    assert_eq!(
        said("{a: {type: integer}}", "{a: 1.5}"),
        [
            r#"a: Invalid value: "number": a in body must be of type integer: "number""#,
            r#"<nil>: Invalid value: "": Checked value must be of type integer (default format) in a"#
        ]
    );
    assert_eq!(
        said(
            "{a: {x-kubernetes-int-or-string: true}, b: {type: number}, c: {type: integer}}",
            "{a: 5, b: 1, c: 2.0}"
        ),
        [""; 0]
    );
}

#[test]
fn of_several_schemas_the_nearest_is_reported() {
    let any =
        "{a: {type: object, properties: {b: {type: integer}}, anyOf: [{required: [b]}, {required: [c]}]}}";
    assert_eq!(
        said(any, "{a: {}}"),
        [r#"<nil>: Invalid value: "": "a" must validate at least one schema (anyOf)"#, "a.b: Required value"]
    );
    let one = "{a: {type: object, oneOf: [{required: [b]}, {required: [c]}]}}";
    assert_eq!(
        said(one, "{a: {b: 1, c: 1}}"),
        [
            r#"<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives"#
        ]
    );
    let not = "{a: {type: object, not: {required: [b]}}}";
    assert_eq!(
        said(not, "{a: {b: 1}}"),
        [r#"<nil>: Invalid value: "": "a" must not validate the schema (not)"#]
    );
}

#[test]
fn what_an_update_leaves_alone_is_not_judged_again() {
    let node = node("{a: {type: string, maxLength: 1}, b: {type: integer}}");
    let mut errors = ErrorList::new();
    check(&Path::NONE, &tree("{a: long, b: 2}"), Some(&tree("{a: long, b: 1}")), &node, &mut errors);
    assert!(errors.is_empty(), "{errors}");
    check(&Path::NONE, &tree("{a: longer, b: 2}"), Some(&tree("{a: long, b: 1}")), &node, &mut errors);
    assert_eq!(errors.len(), 1);
}

#[test]
fn elements_that_are_told_apart_occur_once() {
    let node = node(
        "{s: {type: array, x-kubernetes-list-type: set, items: {type: string}}, m: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: string}, v: {type: string}}}}}",
    );
    let mut errors = ErrorList::new();
    let object = tree("{s: [a, b, a, a], m: [{k: x, v: '1'}, {k: y}, {k: x, v: '2'}]}");
    check_lists(&Path::NONE, &object, &node, &mut errors);
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said, [r#"m[2]: Duplicate value: {"k":"x"}"#, r#"s[2]: Duplicate value: "a""#]);
}

#[test]
fn embedded_metadata_is_that_of_any_object() {
    let node = node(
        "{t: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}}",
    );
    let mut fields =
        tree("{t: {apiVersion: v1, kind: Pod, metadata: {name: x, labels: {a: b}, strange: 1}}}");
    assert_eq!(coerce(&mut fields, &node).expect("metadata"), ["t.metadata.strange"]);
    assert!(written(fields).contains(r#""metadata":{"labels":{"a":"b"},"name":"x"}"#));
    let mut errors = ErrorList::new();
    crate::embedded::check(&Path::NONE, &tree("{t: {kind: '', metadata: {name: A/b}}}"), &node, &mut errors);
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(said[..2], ["t.apiVersion: Required value", "t.kind: Invalid value: \"\": must not be empty"]);
    assert!(said[2].starts_with("t.metadata.name: Invalid value: \"A/b\""), "{said:?}");
}

#[test]
fn paths_lead_to_values() {
    let value = Value::Object(tree(
        "{spec: {ports: [{name: a, port: 1}, {name: b, port: 2}], 'x.y': deep}, status: {conditions: [{type: Ready, status: 'True'}, {type: Other, status: 'False'}]}}",
    ));
    for (path, wanted) in [
        (".spec.ports[0].name", r#""a""#),
        (".spec.ports[-1].port", "2"),
        (".spec.ports[*].port", "1"),
        (r".spec.x\.y", r#""deep""#),
        (".spec['x.y']", r#""deep""#),
        (r#".status.conditions[?(@.type=="Ready")].status"#, r#""True""#),
        (r#".status.conditions[?(@.type != 'Ready')].status"#, r#""False""#),
        (".spec.ports[?(@.port > 1)].name", r#""b""#),
        (".spec.ports[1:].name", r#""b""#),
        ("..port", "1"),
        (".spec.missing", "nothing"),
    ] {
        let parsed = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(parsed.find(&value).map_or("nothing".to_owned(), Value::to_string), wanted, "{path}");
    }
    for path in [".spec[", ".spec[x]", ".a b"] {
        assert!(JsonPath::parse(path).is_err(), "{path}");
    }
}

#[test]
fn formats_are_told_from_what_only_looks_like_them() {
    for (format, good, bad) in [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-01-01T00:00:00.5Z", "2024-01-01 00:00:00Z"),
        ("duration", "1h30m", "soon"),
        ("email", "a@example.com", "example.com"),
        ("hostname", "a-b.example.com", "-a.example.com"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "fd00::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "00:11:22:33:44:55", "00:11:22"),
        ("uri", "https://example.com/a?b=c", "example"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123e4567"),
        ("byte", "YWI=", "YWI"),
        ("isbn", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("ssn", "123-45-6789", "123-45-678"),
        ("hexcolor", "#FFFFFF", "#FFFFF"),
        ("rgbcolor", "rgb(255,0, 1)", "rgb(256,0,1)"),
        ("k8s-short-name", "a-b", "A"),
    ] {
        let schema = format!("{{a: {{type: string, format: {format}}}}}");
        let object = |text: &str| format!("{{a: '{text}'}}");
        assert_eq!(said(&schema, &object(good)), [""; 0], "{format} {good}");
        assert_eq!(said(&schema, &object(bad)).len(), 1, "{format} {bad}");
    }
}
