//! Messages that are written down, where patches are.

use serde_json::json;

use crate::*;

/// What an expression is of, and what it is worth as JSON.
fn worth(source: &str) -> (String, String) {
    let environment = Environment::new([("object", Type::Dyn)]).with_patches();
    let object = Value::from(&json!({"spec": {"replicas": 3}, "labels": ["a/b", "c~d"]}));
    let program = match Program::compile(source, &environment) {
        Ok(program) => program,
        Err(error) => return (String::new(), error.to_string()),
    };
    let found = match program.evaluate(&[object], &mut Budget::new(limits::PER_CALL)) {
        Ok(value) => value.to_json().map_or_else(|| "no JSON".to_owned(), |json| json.to_string()),
        Err(error) => format!("error: {error}"),
    };
    (program.result().to_string(), found)
}

fn table(rows: &[(&str, &str, &str)]) {
    for (source, of, expected) in rows {
        assert_eq!(worth(source), ((*of).to_owned(), (*expected).to_owned()), "{source}");
    }
}

#[test]
fn objects_hold_what_is_written_into_them() {
    table(&[
        ("Object{}", "Object", "{}"),
        (
            "Object{spec: Object.spec{replicas: object.spec.replicas + 1}}",
            "Object",
            r#"{"spec":{"replicas":4}}"#,
        ),
        (
            "Object{l: [Object.l{name: 'a', args: ['-g']}], m: {'k': Object.m{b: true}}}",
            "Object",
            r#"{"l":[{"args":["-g"],"name":"a"}],"m":{"k":{"b":true}}}"#,
        ),
        ("Object{?a: object.?nothing, ?b: optional.of(1)}", "Object", r#"{"b":1}"#),
        ("Object{?spec: optional.ofNonZeroValue(Object.spec{?x: Object{}.?x})}", "Object", "{}"),
        ("Object{ints: [1, 2, 3]}.ints.sum() == 6 && !has(Object{}.x) && Object{}.x == null", "bool", "true"),
        ("Object{a: Object.a{b: 3}} == Object{a: Object.a{b: 1 + 2}}", "bool", "true"),
        ("Object{a: Object.a{}} == Object{a: Object.b{}}", "bool", "false"),
        ("Object.a{} == Object.a{} && type(Object{}) == Object", "bool", "true"),
    ]);
}

#[test]
fn operations_of_json_patches_have_their_fields() {
    table(&[
        (
            "[JSONPatch{op: 'add', path: '/a/' + jsonpatch.escapeKey(object.labels[0]), value: {'x': Object.x{y: 1}}}]",
            "list(JSONPatch)",
            r#"[{"op":"add","path":"/a/a~1b","value":{"x":{"y":1}}}]"#,
        ),
        (
            "[JSONPatch{op: 'move', from: '/a', path: '/b'}] + []",
            "list(JSONPatch)",
            r#"[{"from":"/a","op":"move","path":"/b"}]"#,
        ),
        ("true ? [] : [JSONPatch{op: 'x'}]", "list(JSONPatch)", "[]"),
        ("true ? [] : [1].map(n, JSONPatch{op: 'x'})", "list(JSONPatch)", "[]"),
        ("[]", "list(dyn)", "[]"),
        ("true ? [] : object.labels.map(n, n)", "list(dyn)", "[]"),
        ("{}", "map(dyn, dyn)", "{}"),
        ("true ? {} : {'a': 1}", "map(string, int)", "{}"),
        ("JSONPatch{op: dyn(1)}", "JSONPatch", "error: unexpected type int64 for JSONPatchType 'op' field"),
    ]);
}

#[test]
fn what_is_no_message_is_refused_where_it_stands() {
    table(&[
        (
            "JSONPatch{op: 1, path: '/a'}",
            "",
            "ERROR: <input>:1:13: expected type of field 'op' is 'string' but provided type is 'int'\n | JSONPatch{op: 1, path: '/a'}\n | ............^",
        ),
        (
            "JSONPatch{path: Invalid{}}",
            "",
            "ERROR: <input>:1:24: undeclared reference to 'Invalid' (in container '')\n | JSONPatch{path: Invalid{}}\n | .......................^",
        ),
        (
            "Objects{a: 1}",
            "",
            "ERROR: <input>:1:8: undeclared reference to 'Objects' (in container '')\n | Objects{a: 1}\n | .......^",
        ),
    ]);
    let without = Program::compile("jsonpatch.escapeKey('a')", &Environment::default());
    assert!(without.is_err_and(|error| error.to_string().contains("undeclared reference")));
}

#[test]
fn names_of_types_say_where_objects_are() {
    let environment = Environment::default().with_patches();
    let misnamed = |source: &str| {
        let program = Program::compile(source, &environment).expect("it is well-formed");
        match program.evaluate(&[], &mut Budget::new(limits::PER_CALL)) {
            Ok(Value::Message(message)) => message.misnamed(),
            other => panic!("no message: {other:?}"),
        }
    };
    assert_eq!(misnamed("Object{spec: Object.spec{l: [Object.spec.l{}], m: {'k': Object.spec.m{}}}}"), None);
    let why = r#"unexpected type name "Object.spec", expected "Object.invalid", which matches field name path from root Object type"#;
    assert_eq!(misnamed("Object{invalid: Object.spec{}}").as_deref(), Some(why));
}
