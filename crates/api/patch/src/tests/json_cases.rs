//! JSON patch: the examples of RFC 6902's appendix, and where upstream's library departs from them.

use serde_json::{Value, json};

use crate::{PatchError, json_patch};

fn apply(current: Value, patch: Value) -> Result<Value, PatchError> {
    json_patch(current, patch.to_string().as_bytes()).map(|patched| patched.tree)
}

#[test]
fn the_rfcs_examples() {
    for (name, current, patch, patched) in [
        (
            "A.1",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux"}]),
            json!({"baz": "qux", "foo": "bar"}),
        ),
        (
            "A.2",
            json!({"foo": ["bar", "baz"]}),
            json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
            json!({"foo": ["bar", "qux", "baz"]}),
        ),
        (
            "A.3",
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "remove", "path": "/baz"}]),
            json!({"foo": "bar"}),
        ),
        (
            "A.4",
            json!({"foo": ["bar", "qux", "baz"]}),
            json!([{"op": "remove", "path": "/foo/1"}]),
            json!({"foo": ["bar", "baz"]}),
        ),
        (
            "A.5",
            json!({"baz": "qux", "foo": "bar"}),
            json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
            json!({"baz": "boo", "foo": "bar"}),
        ),
        (
            "A.6",
            json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
            json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
            json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
        ),
        (
            "A.7",
            json!({"foo": ["all", "grass", "cows", "eat"]}),
            json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
            json!({"foo": ["all", "cows", "eat", "grass"]}),
        ),
        (
            "A.8",
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
            json!([{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}]),
            json!({"baz": "qux", "foo": ["a", 2, "c"]}),
        ),
        (
            "A.10",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/child", "value": {"grandchild": {}}}]),
            json!({"foo": "bar", "child": {"grandchild": {}}}),
        ),
        (
            "A.11",
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]),
            json!({"foo": "bar", "baz": "qux"}),
        ),
        (
            "A.14",
            json!({"/": 9, "~1": 10}),
            json!([{"op": "test", "path": "/~01", "value": 10}]),
            json!({"/": 9, "~1": 10}),
        ),
        (
            "A.16",
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]),
            json!({"foo": ["bar", ["abc", "def"]]}),
        ),
    ] {
        assert_eq!(apply(current, patch), Ok(patched), "{name}");
    }
}

#[test]
fn upstreams_departures() {
    for (name, current, patch, patched) in [
        (
            "negative index",
            json!({"a": [1, 2]}),
            json!([{"op": "replace", "path": "/a/-1", "value": 3}]),
            json!({"a": [1, 3]}),
        ),
        (
            "negative add",
            json!({"a": [1, 2]}),
            json!([{"op": "add", "path": "/a/-1", "value": 3}]),
            json!({"a": [1, 2, 3]}),
        ),
        ("replace adds", json!({}), json!([{"op": "replace", "path": "/a", "value": 1}]), json!({"a": 1})),
        ("no value is null", json!({}), json!([{"op": "add", "path": "/a"}]), json!({"a": null})),
        (
            "copy of nothing",
            json!({}),
            json!([{"op": "copy", "from": "/a", "path": "/b"}]),
            json!({"b": null}),
        ),
        ("test of nothing", json!({}), json!([{"op": "test", "path": "/a", "value": null}]), json!({})),
        (
            "replace all",
            json!({"a": 1}),
            json!([{"op": "replace", "path": "", "value": {"b": 2}}]),
            json!({"b": 2}),
        ),
        (
            "test all",
            json!({"a": 1}),
            json!([{"op": "test", "path": "", "value": {"a": 1}}]),
            json!({"a": 1}),
        ),
        ("no patch", json!({"a": 1}), json!(null), json!({"a": 1})),
    ] {
        assert_eq!(apply(current, patch), Ok(patched), "{name}");
    }
}

#[test]
fn what_does_not_apply_is_unprocessable() {
    let current = json!({"a": {"b": 1}, "l": [1]});
    for (patch, reason) in [
        (json!([{"op": "test", "path": "/a/b", "value": 2}]), "testing value /a/b failed: test failed"),
        (
            json!([{"op": "remove", "path": "/x"}]),
            "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
        ),
        (
            json!([{"op": "add", "path": "/x/y", "value": 1}]),
            "add operation does not apply: doc is missing path: \"/x/y\": missing value",
        ),
        (
            json!([{"op": "add", "path": "/l/2", "value": 1}]),
            "error in add for path: '/l/2': Unable to access invalid index: 2: invalid index referenced",
        ),
        (
            json!([{"op": "replace", "path": "/l/1", "value": 1}]),
            "replace operation does not apply: doc is missing key: /l/1: missing value",
        ),
        (
            json!([{"op": "add", "path": "", "value": 1}]),
            "add operation does not apply: doc is missing path: \"\": missing value",
        ),
        (json!([{"op": "spin", "path": "/a"}]), "Unexpected kind: spin"),
        (json!([{"path": "/a"}]), "Unexpected kind: unknown"),
        (json!([{"op": "remove"}]), "remove operation failed to decode path: missing value"),
        (
            json!([{"op": "remove", "path": "/a/b/c"}]),
            "remove operation does not apply: doc is missing path: \"/a/b/c\": missing value",
        ),
    ] {
        let error = apply(current.clone(), patch).expect_err(reason);
        assert_eq!(error, PatchError::Operation(reason.to_owned()));
        let status = error.status();
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
        assert_eq!(status.message, "the server rejected our request due to an error in our request");
    }
}

#[test]
fn malformed_patches_are_bad_requests() {
    for (text, message) in [
        ("{", "invalid JSON patch"),
        ("[] []", "invalid JSON patch"),
        (
            "{}",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "[1]",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
        (
            r#"[{"op":1}]"#,
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
        ),
    ] {
        let error = json_patch(json!({}), text.as_bytes()).expect_err(text);
        assert_eq!((error.status().code, error.to_string()), (400, message.to_owned()));
    }
}

#[test]
fn bounds() {
    let operation = json!({"op": "test", "path": "/a", "value": 1});
    let error = apply(json!({"a": 1}), Value::Array(vec![operation.clone(); 10_001])).expect_err("too many");
    assert_eq!(error.status().code, 413);
    assert_eq!(
        error.status().message,
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    );
    assert!(apply(json!({"a": 1}), Value::Array(vec![operation; 10_000])).is_ok());

    let grow = json!({"op": "copy", "from": "/a", "path": "/a/x"});
    let error = apply(json!({"a": {}}), Value::Array(vec![grow; 200])).expect_err("too deep");
    assert_eq!(error, PatchError::Operation("the patched object is nested deeper than 128".into()));

    let double = json!([{"op": "copy", "from": "/a", "path": "/b/-"}]);
    let double = Value::Array(vec![double[0].clone(); 4]);
    let error = apply(json!({"a": "x".repeat(1 << 20), "b": []}), double).expect_err("too large");
    assert!(matches!(error, PatchError::Operation(text) if text.contains("accumulated size")));
    assert_eq!(json_patch(json!({}), &vec![b' '; (3 << 20) + 1]), Err(PatchError::TooLarge));
}

#[test]
fn strict_validation_hears_of_unknown_and_duplicate_fields() {
    let patch = br#"[{"op":"add","path":"/a","path":"/b","value":1,"foo":2}]"#;
    let patched = json_patch(json!({}), patch).expect("it applies");
    assert_eq!(patched.tree, json!({"b": 1}));
    assert_eq!(
        patched.strict,
        [r#"json patch duplicate field "[0].path""#, r#"json patch unknown field "[0].foo""#]
    );
}
