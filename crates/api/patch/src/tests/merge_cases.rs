//! JSON merge patch: the table of RFC 7386's appendix, as far as it speaks of objects.

use serde_json::{Value, json};

use crate::{PatchError, merge_patch};

fn apply(current: Value, patch: Value) -> Result<Value, PatchError> {
    merge_patch(current, patch.to_string().as_bytes()).map(|patched| patched.tree)
}

#[test]
fn the_rfcs_table() {
    for (current, patch, patched) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        (json!({"a": {"b": 1}}), json!({"a": [null, {"c": null}]}), json!({"a": [null, {"c": null}]})),
        (json!({}), json!({"a": [null, {"c": null}]}), json!({"a": [null, {}]})),
        (json!({"a": null}), json!({"a": {"b": null, "c": 1}}), json!({"a": {"c": 1}})),
    ] {
        assert_eq!(apply(current, patch.clone()), Ok(patched), "{patch}");
    }
}

#[test]
fn malformed_patches_are_bad_requests() {
    for (text, message) in [
        ("", "invalid JSON patch"),
        ("null", "Invalid JSON Patch"),
        (
            "[]",
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "3",
            "error decoding patch: json: cannot unmarshal number into Go value of type map[string]interface {}",
        ),
    ] {
        let error = merge_patch(json!({}), text.as_bytes()).expect_err(text);
        assert_eq!((error.status().code, error.to_string()), (400, message.to_owned()));
    }
    let deep = format!("{}{}", "{\"a\":".repeat(200_000), "1");
    assert_eq!(merge_patch(json!({}), deep.as_bytes()), Err(PatchError::Syntax));
}

#[test]
fn duplicates_are_told_with_their_paths() {
    let patched =
        merge_patch(json!({}), br#"{"a":[{"b":1,"b":2}],"c":{"d":1,"d":1,"d":1}}"#).expect("it applies");
    assert_eq!(patched.tree, json!({"a": [{"b": 2}], "c": {"d": 1}}));
    assert_eq!(patched.strict, [r#"duplicate field "a[0].b""#, r#"duplicate field "c.d""#]);
}
