//! What holds for any object and any patch.

use api_record::Typed;
use api_types::core::v1::Pod;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{json_patch, merge_patch, strategic_merge_patch};

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    let keys = "(spec|metadata|containers|name|env|finalizers|labels|volumes|ports|containerPort|\\$patch|\\$retainKeys|\\$setElementOrder/containers|\\$deleteFromPrimitiveList/finalizers|[ab/~]{0,2})";
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((keys, inner), 0..5)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

pub(crate) fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec(("(spec|metadata|[ab])", tree()), 0..4)
        .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>()))
}

fn pod() -> impl Strategy<Value = Value> {
    let name = "[a-d]";
    let container = (name, "[xy]").prop_map(|(name, image)| json!({"name": name, "image": image}));
    (prop::collection::vec(container, 0..4), prop::collection::btree_set("[a-d]", 0..4)).prop_map(
        |(mut containers, finalizers)| {
            let mut seen = std::collections::BTreeSet::new();
            containers.retain(|container| seen.insert(container["name"].to_string()));
            json!({"metadata": {"finalizers": finalizers}, "spec": {"containers": containers}})
        },
    )
}

/// Without the nulls of objects inside lists, which upstream prunes or not depending on what was there before.
fn without_listed_nulls(value: Value, listed: bool) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !(listed && value.is_null()));
            Value::Object(kept.map(|(key, value)| (key, without_listed_nulls(value, listed))).collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| without_listed_nulls(item, true)).collect())
        }
        scalar => scalar,
    }
}

proptest! {
    #[test]
    fn a_merge_patch_twice_is_a_merge_patch_once(current in object(), patch in object()) {
        let patch = without_listed_nulls(patch, false).to_string();
        let once = merge_patch(current, patch.as_bytes()).expect("an object").tree;
        let twice = merge_patch(once.clone(), patch.as_bytes()).expect("an object").tree;
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn empty_patches_change_nothing(current in object()) {
        prop_assert_eq!(&merge_patch(current.clone(), b"{}").expect("empty").tree, &current);
        prop_assert_eq!(&json_patch(current.clone(), b"[]").expect("empty").tree, &current);
        let strategic = strategic_merge_patch(current.clone(), b"{}", Pod::SCHEMA);
        prop_assert_eq!(&strategic.expect("empty").tree, &current);
    }

    #[test]
    fn a_strategic_patch_twice_is_one(current in pod(), patch in pod()) {
        let patch = patch.to_string();
        let once = strategic_merge_patch(current, patch.as_bytes(), Pod::SCHEMA).expect("a pod").tree;
        let twice = strategic_merge_patch(once.clone(), patch.as_bytes(), Pod::SCHEMA).expect("a pod").tree;
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_strategic_patch_of_itself_changes_nothing(current in pod()) {
        let patched = strategic_merge_patch(current.clone(), current.to_string().as_bytes(), Pod::SCHEMA);
        prop_assert_eq!(patched.expect("a pod").tree, current);
    }

    #[test]
    fn any_trees_are_merged_or_refused(current in object(), patch in tree()) {
        let patch = patch.to_string();
        let _ = merge_patch(current.clone(), patch.as_bytes());
        let _ = strategic_merge_patch(current, patch.as_bytes(), Pod::SCHEMA);
    }

    #[test]
    fn any_operations_are_applied_or_refused(
        current in object(),
        operations in prop::collection::vec(("(add|remove|replace|move|copy|test)", "(/[ab0-2-]{0,2}){0,3}", "(/[ab0-2-]{0,2}){0,3}", tree()), 0..6),
    ) {
        let operations: Vec<Value> = operations
            .into_iter()
            .map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}))
            .collect();
        let _ = json_patch(current, Value::Array(operations).to_string().as_bytes());
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = json_patch(json!({}), &bytes);
        let _ = merge_patch(json!({}), &bytes);
        let _ = strategic_merge_patch(json!({}), &bytes, Pod::SCHEMA);
    }
}
