//! Tables of schemas with rules, objects and what is said of them; those of upstream's `crd_validation_rules.go` and
//! `crd_validation_ratcheting.go` among them.

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_record::Tree;
use api_types::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::{Compiled, Declared, Rules, Run, Whole, compile_rules, field_path};
use crate::limits::RULES_BUDGET;
use crate::{Node, compile};

fn node(text: &str) -> Node {
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("the test's text is YAML");
    let mut props = JSONSchemaProps::default();
    json::decode(&text, &mut props, None, Limits::REQUEST).expect("the test's text is a schema");
    compile(&props).expect("it compiles")
}

fn value(text: &str) -> Value {
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("the test's text is YAML");
    let mut value: Value = serde_json::from_slice(&text).expect("JSON");
    value.sort_all_objects();
    value
}

/// What is said of an object, and what is let pass.
fn run(schema: &str, new: &str, old: Option<&str>) -> Run {
    run_within(RULES_BUDGET, schema, new, old)
}

fn run_within(budget: u64, schema: &str, new: &str, old: Option<&str>) -> Run {
    let node = node(schema);
    let rules = Rules::of(&node, true).expect("the schema has rules");
    let meta = value("{apiVersion: e.com/v1, kind: Thing, metadata: {name: x, labels: {a: b}}}");
    let meta = meta.as_object().expect("an object");
    let tree = |text: &str| -> Tree { value(text).as_object().cloned().expect("an object") };
    let (new, old) = (tree(new), old.map(tree));
    let mut run = Run::within(budget);
    let old = old.as_ref().map(|fields| Whole { fields, meta });
    let _ = run.whole(&rules, &node, Whole { fields: &new, meta }, old);
    run
}

fn said(schema: &str, new: &str, old: Option<&str>) -> Vec<String> {
    run(schema, new, old).errors.iter().map(ToString::to_string).collect()
}

/// The schema of an object of these properties.
fn of(properties: &str) -> String {
    format!("{{type: object, properties: {properties}}}")
}

/// A schema's only rule, compiled where it stands.
fn compiled(schema: &str) -> Compiled {
    let node = node(schema);
    let declared = Declared::of(&node, false).expect("rules may know of it");
    compile_rules(&node, &declared).into_iter().next().expect("it has a rule")
}

#[test]
fn values_are_what_the_schema_says() {
    for (schema, text) in [
        (
            "{type: object, properties: {namespace: {type: string}}, x-kubernetes-validations: [{rule: \"self.__namespace__ == 'a'\"}]}",
            "{namespace: a}",
        ),
        (
            "{type: object, properties: {a-b: {type: integer}}, x-kubernetes-validations: [{rule: 'self.a__dash__b == 1'}, {rule: 'has(self.a__dash__b)'}]}",
            "{a-b: 1}",
        ),
        (
            "{type: string, format: date-time, x-kubernetes-validations: [{rule: 'self.getFullYear() == 2021'}]}",
            "2021-01-01T00:00:00Z",
        ),
        (
            "{type: string, format: date, x-kubernetes-validations: [{rule: 'self.getDayOfMonth() == 1'}]}",
            "'2021-01-02'",
        ),
        (
            "{type: string, format: duration, x-kubernetes-validations: [{rule: \"self == duration('90m')\"}]}",
            "1h30m",
        ),
        ("{type: string, format: byte, x-kubernetes-validations: [{rule: \"self == b'ab'\"}]}", "YWI="),
        (
            "{x-kubernetes-int-or-string: true, x-kubernetes-validations: [{rule: \"type(self) == int ? self == 5 : self == '5'\"}]}",
            "5",
        ),
        ("{type: number, x-kubernetes-validations: [{rule: 'self == 1.0'}]}", "1"),
        (
            "{type: object, additionalProperties: {type: integer}, x-kubernetes-validations: [{rule: \"self['a.b'] == 1 && self.all(k, self[k] > 0)\"}]}",
            "{a.b: 1, c: 2}",
        ),
        (
            "{type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true, x-kubernetes-validations: [{rule: \"self.metadata.name == 'nn' && self.kind == 'K'\"}]}",
            "{apiVersion: v1, kind: K, metadata: {name: nn}}",
        ),
        (
            "{type: object, properties: {a: {type: string, nullable: true}}, x-kubernetes-validations: [{rule: '!has(self.a)'}]}",
            "{a: null}",
        ),
    ] {
        let schema = of(&format!("{{x: {schema}}}"));
        assert_eq!(said(&schema, &format!("{{x: {text}}}"), None), [""; 0], "{schema}");
    }
    let root = "{type: object, x-kubernetes-validations: [{rule: \"self.metadata.name == 'x' && self.kind == 'Thing' && self.apiVersion == 'e.com/v1'\"}]}";
    assert_eq!(said(root, "{}", None), [""; 0]);
}

#[test]
fn what_does_not_hold_is_said_as_upstream_says_it() {
    let rule = |rule: &str| of(&format!("{{x: {{type: integer, x-kubernetes-validations: [{rule}]}}}}"));
    for (schema, wanted) in [
        (rule("{rule: 'self > 5'}"), "x: Invalid value: 1: failed rule: self > 5"),
        (rule("{rule: 'self > 5', message: ' too small '}"), "x: Invalid value: 1: too small"),
        (rule("{rule: 'self > 5', messageExpression: \"'is %d'.format([self])\"}"), "x: Invalid value: 1: is 1"),
        (rule("{rule: 'self > 5', message: m, messageExpression: \"''\"}"), "x: Invalid value: 1: m"),
        (rule("{rule: 'self > 5', message: m, messageExpression: \"string(1/0)\"}"), "x: Invalid value: 1: m"),
        (rule("{rule: 'self > 5', message: m, reason: FieldValueForbidden}"), "x: Forbidden: m"),
        (rule("{rule: 'self > 5', message: m, reason: FieldValueRequired}"), "x: Required value: m"),
        (rule("{rule: 'self > 5', message: m, reason: FieldValueDuplicate}"), "x: Duplicate value: 1"),
        (rule("{rule: '1 / (self - 1) == 1'}"), "x: Invalid value: \"integer\": division by zero evaluating rule: 1 / (self - 1) == 1"),
        (
            of("{x: {type: integer}, m: {type: object, additionalProperties: {type: string}}, l: {type: array, items: {type: integer, x-kubernetes-validations: [{rule: 'self < 2'}]}}}"),
            "l[1]: Invalid value: 3: failed rule: self < 2",
        ),
        (
            "{type: object, properties: {x: {type: integer}, o: {type: object, additionalProperties: {type: integer}}}, x-kubernetes-validations: [{rule: 'self.x > 5', fieldPath: .x}]}".to_owned(),
            "x: Invalid value: failed rule: self.x > 5",
        ),
        (
            "{type: object, properties: {x: {type: integer}}, x-kubernetes-validations: [{rule: 'self.x > 5'}]}".to_owned(),
            "<nil>: Invalid value: failed rule: self.x > 5",
        ),
    ] {
        assert_eq!(said(&schema, "{x: 1, l: [1, 3]}", None), [wanted], "{schema}");
    }
    let dynamic =
        of("{x: {x-kubernetes-int-or-string: true, x-kubernetes-validations: [{rule: 'self + 5 == 6'}]}}");
    assert_eq!(
        said(&dynamic, "{x: a}", None),
        [
            "x: Invalid value: \"\": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self + 5 == 6"
        ]
    );
}

#[test]
fn lists_that_are_sets_or_maps_are_equal_in_any_order() {
    let schema = of(
        "{a: {type: array, x-kubernetes-list-type: set, items: {type: integer}, x-kubernetes-validations: [{rule: self == oldSelf}]}, b: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: string}}}, x-kubernetes-validations: [{rule: self == oldSelf}]}, c: {type: array, items: {type: integer}, x-kubernetes-validations: [{rule: self == oldSelf}]}}",
    );
    let (new, old) =
        ("{a: [1, 2], b: [{k: x}, {k: w}], c: [1, 2]}", "{a: [2, 1], b: [{k: w}, {k: x}], c: [2, 1]}");
    assert_eq!(said(&schema, new, Some(old)), ["c: Invalid value: failed rule: self == oldSelf"]);
    let unknown = of(
        "{a: {type: object, x-kubernetes-preserve-unknown-fields: true, x-kubernetes-validations: [{rule: self == oldSelf}]}}",
    );
    assert_eq!(said(&unknown, "{a: {z: 1}}", Some("{a: {z: 1}}")), [""; 0]);
    assert_eq!(said(&unknown, "{a: {z: 1}}", Some("{a: {z: 2}}")).len(), 1);
}

/// Properties that each hold a field with this schema, as in upstream's suite.
fn everywhere(field: &str) -> String {
    of(&format!(
        "{{field: {field}, struct: {{type: object, properties: {{field: {field}, other: {{type: string}}}}}}, list: {{type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [key], items: {{type: object, required: [key], properties: {{key: {{type: string}}, other: {{type: string}}, field: {field}}}}}}}, map: {{type: object, additionalProperties: {{type: object, properties: {{field: {field}, other: {{type: string}}}}}}}}}}"
    ))
}

const PLACES: [&str; 6] =
    ["field", "list[0].field", "list[1].field", "map[bar].field", "map[foo].field", "struct.field"];

fn with(field: &str, more: &str) -> String {
    format!(
        "{{field: {field}, struct: {{field: {field}{more}}}, list: [{{key: foo, field: {field}{more}}}, {{key: bar, field: {field}{more}}}], map: {{bar: {{field: {field}{more}}}, foo: {{field: {field}{more}}}}}}}"
    )
}

#[test]
fn what_was_so_before_is_let_pass_unless_the_rule_looks_at_it() {
    let schema = everywhere("{type: string, x-kubernetes-validations: [{rule: self == \"foo\"}]}");
    let (bad, changed) = (with("notfoo", ""), with("notfoo", ", other: x"));
    let places = |errors: &[String]| -> Vec<String> {
        errors.iter().map(|error| error.split(": ").next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(places(&said(&schema, &bad, None)), PLACES);
    assert_eq!(places(&said(&schema, &bad, Some(&with("foo", "")))), PLACES);
    let passed = run(&schema, &changed, Some(&bad));
    assert_eq!(passed.errors.len(), 0);
    assert_eq!(passed.passed.len(), PLACES.len());
    // Whoever looks at what was is always asked.
    let transition = everywhere("{type: string, x-kubernetes-validations: [{rule: self != oldSelf}]}");
    assert_eq!(places(&said(&transition, &changed, Some(&bad))), PLACES);
    assert_eq!(said(&transition, &bad, None), [""; 0]);
    let optional = everywhere(
        "{type: string, x-kubernetes-validations: [{rule: '!oldSelf.hasValue() || self != oldSelf.value()', optionalOldSelf: true}]}",
    );
    assert_eq!(said(&optional, &bad, None), [""; 0]);
    assert_eq!(places(&said(&optional, &bad, Some(&bad))), PLACES);
    // Elements of other lists cannot be found again.
    let lists = of(
        "{a: {type: array, items: {type: string, x-kubernetes-validations: [{rule: self != \"foo\"}]}}, s: {type: array, x-kubernetes-list-type: set, items: {type: string, x-kubernetes-validations: [{rule: self != \"foo\"}]}}}",
    );
    let (old, new) = ("{a: [foo, bar], s: [foo, bar]}", "{a: [foo, bar, baz], s: [foo, bar, baz]}");
    assert_eq!(places(&said(&lists, new, Some(old))), ["a[0]", "s[0]"]);
    assert_eq!(said(&lists, old, Some(old)), [""; 0]);
}

#[test]
fn costs_are_bounded_when_rules_are_run() {
    let schema = of(
        "{l: {type: array, maxItems: 725, items: {type: integer}, x-kubernetes-validations: [{rule: 'self.all(x, self.all(y, y == x))'}]}}",
    );
    let list = |count: usize| format!("{{l: [{}]}}", vec!["20"; count].join(", "));
    assert_eq!(said(&schema, &list(2), None), [""; 0]);
    assert_eq!(
        said(&schema, &list(725), None),
        [
            "l: Invalid value: \"array\": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: self.all(x, self.all(y, y == x))"
        ]
    );
    // Each is within its limit, all of them are not.
    let many = of(
        "{l: {type: array, items: {type: array, items: {type: integer}, x-kubernetes-validations: [{rule: 'self.all(x, self.all(y, y == x))'}]}}}",
    );
    let rows = ["[20, 20, 20]"; 10].join(", ");
    let errors = run_within(300, &many, &format!("{{l: [{rows}]}}"), None).errors;
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("\"array\": validation failed due to running out of cost budget, no further validation rules will be run"), "{errors:?}");
}

#[test]
fn what_cannot_be_compiled_is_said_with_its_place() {
    for (schema, wanted) in [
        (
            "{type: object, properties: {x: {type: integer}}, x-kubernetes-validations: [{rule: self.z == 100}]}",
            "compilation failed: ERROR: <input>:1:5: undefined field 'z'\n | self.z == 100\n | ....^",
        ),
        (
            "{type: object, x-kubernetes-validations: [{rule: self = 42}]}",
            "compilation failed: ERROR: <input>:1:",
        ),
        (
            "{type: integer, x-kubernetes-validations: [{rule: self + 1}]}",
            "cel expression must evaluate to a bool",
        ),
        (
            "{type: string, x-kubernetes-validations: [{rule: \"self.matches('(')\"}]}",
            "compilation failed: ERROR: <input>:1:14: invalid matches argument",
        ),
    ] {
        let error = compiled(schema).error.unwrap_or_default();
        assert!(error.starts_with(wanted), "{error}");
    }
    let message =
        compiled("{type: integer, x-kubernetes-validations: [{rule: 'true', messageExpression: self}]}");
    assert_eq!(message.message_error.as_deref(), Some("messageExpression must evaluate to a string"));
}

/// Upstream's figures (`compilation_test.go`, `TestCostEstimation`): without bounds, then with one.
#[test]
fn costs_are_estimated_as_upstream_does() {
    let array = |of: &str| format!("type: array, items: {{type: {of}}}");
    let map = |of: &str| format!("type: object, additionalProperties: {{type: {of}}}");
    let (items, properties, length) = ("maxItems", "maxProperties", "maxLength");
    let text = "type: string".to_owned();
    let nested = "type: object, additionalProperties: {type: string, maxLength: 10}".to_owned();
    for (schema, rule, cost, bound, most, bounded) in [
        (array("number"), "self.all(x, true)", 4_718_591, items, 10, 32),
        (array("string"), "self.all(x, true)", 3_145_727, items, 20, 62),
        (array("boolean"), "self.all(x, true)", 1_887_437, items, 5, 17),
        (array("array, items: {type: number}"), "self.all(x, true)", 3_145_727, items, 100, 302),
        (map("number"), "self.all(x, true)", 1_348_169, properties, 10, 32),
        (map("string"), "self.all(x, true)", 1_179_647, properties, 3, 11),
        (map("boolean"), "self.all(x, true)", 943_718, properties, 100, 302),
        (text.clone(), "self.contains('test')", 314_574, length, 10, 5),
        (text.clone(), "self.startsWith('test')", 2, length, 15, 2),
        (text.clone(), "size(self + 'hello') > size('hello')", 314_578, length, 4, 7),
        (array("number"), "self[1] == 0.0", 2, items, 5000, 2),
        (array("string"), "self[1] == self[1]", 314_577, items, 8, 314_577),
        (array("number"), "self.all(x, self.all(y, true))", u64::MAX, items, 10, 352),
        (array("number"), "self.all(x, self.all(y, self.all(z, true)))", u64::MAX, items, 10, 3552),
        (text.clone(), "self.matches('x')", 314_574, length, 50, 22),
        (text.clone(), "''.matches('(((((((((())))))))))[0-9]')", 7, length, 10, 7),
        (text.clone(), "self.matches('')", 1, length, 100, 1),
        (text.clone(), "self == 'x'", 2, length, 0, 1),
        ("type: string, format: byte".to_owned(), "self == b'x'", 2, length, 0, 1),
        (array("number"), "self.all(x, x == 0.0)", 6_291_454, items, 3 * 1024 * 2048, 25_165_826),
        (nested, "self.all(x, x.contains(self[x]))", 0, properties, 10, 72),
    ] {
        let rule = format!("x-kubernetes-validations: [{{rule: \"{rule}\"}}]");
        let free = compiled(&format!("{{{schema}, {rule}}}")).cost;
        assert!(
            free == cost || cost == 0 || cost == u64::MAX && free > 10_000_000,
            "{schema} {rule}: {free}"
        );
        assert_eq!(
            compiled(&format!("{{{schema}, {bound}: {most}, {rule}}}")).cost,
            bounded,
            "{schema} {rule}"
        );
    }
}

#[test]
fn paths_lead_to_fields_of_the_schema() {
    let node = node(
        "{type: object, properties: {a: {type: object, properties: {b.c: {type: string}}}, m: {type: object, additionalProperties: {type: string}}, l: {type: array, items: {type: string}}}}",
    );
    for (path, wanted) in [
        (".a", Ok("a")),
        (".a['b.c']", Ok("a.b.c")),
        (".m['x']", Ok("m[x]")),
        (".m.x", Ok("m[x]")),
        ("a", Err("expected [ or . but got: a")),
        (".z", Err("does not refer to a valid field")),
        (".l[0]", Err("expected single quoted string but got 0")),
        (".a.", Err("unexpected end of JSON path")),
        (".a['x'", Err("does not refer to a valid field")),
        (".m['x'", Err("unexpected end of JSON path")),
    ] {
        assert_eq!(field_path(path, &node), wanted.map(str::to_owned).map_err(str::to_owned), "{path}");
    }
}
