//! Strategic merge patch over the schemas of pods, deployments and their kin.

use api_record::{Schema, Typed};
use api_types::apps::v1::Deployment;
use api_types::core::v1::{ConfigMap, Namespace, Pod, Service, ServiceAccount};
use serde_json::{Value, json};

use crate::{PatchError, strategic_merge_patch};

fn apply(schema: &Schema, current: Value, patch: Value) -> Result<Value, PatchError> {
    strategic_merge_patch(current, patch.to_string().as_bytes(), schema).map(|patched| patched.tree)
}

/// In the spec of a pod.
fn pod(current: Value, patch: Value) -> Result<Value, PatchError> {
    let patched = apply(Pod::SCHEMA, json!({"spec": current}), json!({"spec": patch}))?;
    Ok(patched["spec"].clone())
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let items = list.as_array().expect("a list");
    items.iter().map(|item| item[key].to_string().trim_matches('"').to_owned()).collect()
}

fn named(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

#[test]
fn lists_with_a_merge_key_are_merged_by_it() {
    let current = json!({"containers": [
        {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        {"name": "b", "image": "b:1"},
    ]});
    let patch = json!({"containers": [{"name": "a", "image": "a:2", "env": [{"name": "Y", "value": "3"}]}]});
    assert_eq!(
        pod(current, patch),
        Ok(json!({"containers": [
            {"name": "a", "image": "a:2", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}]},
            {"name": "b", "image": "b:1"},
        ]}))
    );
}

#[test]
fn other_merge_keys() {
    let ports = json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "http"}]}]});
    let patch = json!({"containers": [{"name": "a", "ports": [{"containerPort": 80, "protocol": "UDP"}, {"containerPort": 443}]}]});
    let patched = pod(ports, patch).expect("ports");
    assert_eq!(
        patched["containers"][0]["ports"],
        json!([{"containerPort": 80, "name": "http", "protocol": "UDP"}, {"containerPort": 443}])
    );
    let service = apply(
        Service::SCHEMA,
        json!({"spec": {"ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]}}),
        json!({"spec": {"ports": [{"port": 80, "targetPort": "web"}]}}),
    );
    assert_eq!(
        service,
        Ok(json!({"spec": {"ports": [{"port": 80, "nodePort": 30080, "targetPort": "web"}, {"port": 81}]}}))
    );
    let aliases = json!({"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]});
    let patched = pod(aliases, json!({"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["b"]}]}));
    assert_eq!(patched, Ok(json!({"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["b"]}]})));
}

#[test]
fn lists_without_a_strategy_are_replaced() {
    let current = json!({"tolerations": [{"key": "a"}, {"key": "b"}], "containers": [{"name": "a", "args": ["x", "y"]}]});
    let patch = json!({"tolerations": [{"key": "c"}], "containers": [{"name": "a", "args": ["z"]}]});
    let replaced = json!({"tolerations": [{"key": "c"}], "containers": [{"name": "a", "args": ["z"]}]});
    assert_eq!(pod(current, patch), Ok(replaced));
}

#[test]
fn nulls_delete() {
    let current = json!({"nodeName": "n", "containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "1", "memory": "2"}}}]});
    let patch = json!({"nodeName": null, "absent": null, "containers": [{"name": "a", "image": null, "resources": {"limits": {"cpu": null}}}]});
    let patched = json!({"containers": [{"name": "a", "resources": {"limits": {"memory": "2"}}}]});
    assert_eq!(pod(current, patch), Ok(patched));
    let fresh = json!({"securityContext": {"runAsUser": 0, "fsGroup": null, "sysctls": [{"name": "a", "value": null}]}});
    assert_eq!(
        pod(json!({}), fresh),
        Ok(json!({"securityContext": {"runAsUser": 0, "sysctls": [{"name": "a"}]}}))
    );
}

#[test]
fn explicit_zeros_and_empty_values_stay() {
    let current = apply(
        Deployment::SCHEMA,
        json!({"spec": {"replicas": 3, "paused": true}}),
        json!({"spec": {"replicas": 0, "paused": false}}),
    );
    assert_eq!(current, Ok(json!({"spec": {"replicas": 0, "paused": false}})));
    let data = apply(ConfigMap::SCHEMA, json!({"data": {"a": "1"}}), json!({"data": {"a": "", "b": "2"}}));
    assert_eq!(data, Ok(json!({"data": {"a": "", "b": "2"}})));
}

#[test]
fn elements_are_deleted_and_lists_replaced_by_directive() {
    let current = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}]});
    let patch = json!({"containers": [{"name": "b", "$patch": "delete"}, {"name": "d"}]});
    let patched = pod(current.clone(), patch).expect("a deletion");
    assert_eq!(names(&patched["containers"], "name"), ["d", "a", "c"]);
    let patch = json!({"containers": [{"$patch": "replace"}, {"name": "z"}]});
    assert_eq!(pod(current.clone(), patch), Ok(json!({"containers": [{"name": "z"}]})));
    let patch = json!({"containers": [{"name": "gone", "$patch": "delete"}]});
    assert_eq!(pod(current.clone(), patch), Ok(current));
    let patch = json!({"containers": [{"name": "a", "$patch": "delete"}]});
    assert_eq!(pod(json!({}), patch), Ok(json!({"containers": []})));
}

#[test]
fn maps_are_replaced_and_emptied_by_directive() {
    let current = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
    let replace = json!({"metadata": {"labels": {"$patch": "replace", "c": "3"}}});
    assert_eq!(apply(Pod::SCHEMA, current.clone(), replace), Ok(json!({"metadata": {"labels": {"c": "3"}}})));
    let delete = json!({"metadata": {"labels": {"$patch": "delete"}}});
    assert_eq!(apply(Pod::SCHEMA, current.clone(), delete), Ok(json!({"metadata": {"labels": {}}})));
    let whole = json!({"$patch": "replace", "metadata": {"name": "x"}});
    assert_eq!(apply(Pod::SCHEMA, current.clone(), whole), Ok(json!({"metadata": {"name": "x"}})));
    let odd = json!({"metadata": {"labels": {"$patch": "merge", "a": "1"}}});
    let error = apply(Pod::SCHEMA, current, odd).expect_err("maps cannot be told to merge");
    assert_eq!(error.to_string(), "unknown patch type: merge in map: map[$patch:merge a:1]");
}

#[test]
fn lists_of_scalars_are_sets() {
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    let merged = apply(Pod::SCHEMA, finalizers(json!(["a", "b"])), finalizers(json!(["c", "a"])));
    assert_eq!(merged, Ok(finalizers(json!(["c", "a", "b"]))));
    let deleted = apply(
        Pod::SCHEMA,
        finalizers(json!(["a", "b", "c"])),
        json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b", "x"]}}),
    );
    assert_eq!(deleted, Ok(finalizers(json!(["a", "c"]))));
    let absent =
        apply(Pod::SCHEMA, json!({}), json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}}));
    assert_eq!(absent, Ok(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}})));
    let both = apply(
        Pod::SCHEMA,
        finalizers(json!(["a", "b", "c"])),
        json!({"metadata": {
            "$setElementOrder/finalizers": ["d", "c", "a"],
            "$deleteFromPrimitiveList/finalizers": ["b"],
            "finalizers": ["d"],
        }}),
    );
    assert_eq!(both, Ok(finalizers(json!(["d", "c", "a"]))));
}

#[test]
fn the_order_is_the_patchs_with_the_servers_own_in_their_places() {
    for (server, patch, order) in [
        (["a", "b", "c"].as_slice(), ["c", "a"].as_slice(), ["b", "c", "a"].as_slice()),
        (&["a", "b"], &["b", "new"], &["a", "b", "new"]),
        (&["a", "b"], &["new"], &["new", "a", "b"]),
        (&["s", "a"], &["new", "a"], &["new", "s", "a"]),
    ] {
        let patched =
            pod(json!({"containers": named(server)}), json!({"containers": named(patch)})).expect("merged");
        assert_eq!(names(&patched["containers"], "name"), order, "{patch:?}");
    }
}

#[test]
fn element_order_can_be_set() {
    let current = json!({"containers": named(&["a", "b", "server", "c"])});
    let order = |list: &[&str]| named(list);
    let patch = json!({"$setElementOrder/containers": order(&["c", "b", "a"])});
    let patched = pod(current.clone(), patch).expect("order alone");
    assert_eq!(names(&patched["containers"], "name"), ["server", "c", "b", "a"]);
    let patch = json!({"$setElementOrder/containers": order(&["new", "b", "a"]), "containers": [{"name": "new"}, {"name": "c", "$patch": "delete"}]});
    let patched = pod(current.clone(), patch).expect("order with changes");
    assert_eq!(names(&patched["containers"], "name"), ["server", "new", "b", "a"]);
    let patch = json!({"$setElementOrder/containers": order(&["a"])});
    assert_eq!(pod(json!({}), patch), Ok(json!({})));
    let patch = json!({"$setElementOrder/containers": order(&["b", "a"]), "containers": named(&["a", "b"])});
    let error = pod(current.clone(), patch).expect_err("orders differ");
    assert!(
        error.to_string().starts_with("The order in patch list:\n[map[name:a] map[name:b]]\n doesn't match"),
        "{error}"
    );
    let patch = json!({"$setElementOrder": []});
    assert_eq!(pod(current.clone(), patch), Err(PatchError::ElementOrder));
    let patch = json!({"$setElementOrder/containers": "a"});
    assert_eq!(
        pod(current, patch).map_err(|error| error.to_string()),
        Err("expected a []interface {}, but received a string".into())
    );
}

#[test]
fn a_renamed_element_comes_after_what_stood_before_the_old_one() {
    let current = json!({"containers": named(&["sidecar", "old"])});
    let patch = json!({
        "$setElementOrder/containers": named(&["new"]),
        "containers": [{"name": "new"}, {"name": "old", "$patch": "delete"}],
    });
    let patched = pod(current, patch).expect("renamed");
    assert_eq!(names(&patched["containers"], "name"), ["sidecar", "new"]);
}

#[test]
fn retained_keys_are_the_only_ones_left() {
    let volumes = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let patch =
        json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]});
    assert_eq!(pod(volumes, patch), Ok(json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]})));
    let strategy = |value: Value| json!({"spec": {"strategy": value}});
    let current = strategy(json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}));
    let patch = strategy(json!({"$retainKeys": ["type"], "type": "Recreate"}));
    assert_eq!(apply(Deployment::SCHEMA, current.clone(), patch), Ok(strategy(json!({"type": "Recreate"}))));
    let stray = strategy(json!({"$retainKeys": ["rollingUpdate"], "type": "Recreate"}));
    assert_eq!(apply(Deployment::SCHEMA, current.clone(), stray), Err(PatchError::RetainKeys));
    let odd = strategy(json!({"$retainKeys": "type"}));
    assert_eq!(apply(Deployment::SCHEMA, current, odd), Err(PatchError::RetainKeys));
}

#[test]
fn what_does_not_fit_gets_upstreams_errors() {
    let current = || json!({"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "a"}], "x": {"y": {}}, "l": [1]}});
    for (patch, code, message) in [
        (
            json!({"spec": {"containers": [{"image": "x"}]}}),
            500,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        (
            json!({"spec": {"containers": ["x"]}}),
            500,
            "list element types are not identical: [[map[name:a]] [x]]",
        ),
        (
            json!({"spec": {"x": {"y": {}}}}),
            500,
            "unable to find api field in struct PodSpec for the json field \"x\"",
        ),
        (
            json!({"spec": {"l": [2]}}),
            500,
            "unable to find api field in struct PodSpec for the json field \"l\"",
        ),
        (
            json!({"spec": {"containers": [{"$patch": "merge"}]}}),
            500,
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"spec": {"containers": [{"$patch": "delete"}]}}),
            500,
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        (json!({"spec": {"$retainKeys": 1}}), 400, "invalid patch format of retainKeys"),
        (json!({"spec": {"$deleteFromPrimitiveListX": []}}), 400, "invalid patch format of primitive list"),
        (json!([]), 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    ] {
        let error = apply(Pod::SCHEMA, current(), patch.clone()).expect_err(message);
        assert_eq!((error.status().code, error.to_string()), (code, message.to_owned()), "{patch}");
    }
    let lists = apply(
        Pod::SCHEMA,
        json!({"metadata": {"finalizers": [["a"]]}}),
        json!({"metadata": {"finalizers": [["b"]]}}),
    );
    assert_eq!(lists.as_ref().map_err(|error| error.status().code), Err(422));
    assert_eq!(lists, Err(PatchError::ListOfLists));
}

#[test]
fn type_meta_and_unknown_fields_pass_through() {
    let current = json!({"apiVersion": "v1", "kind": "Namespace", "spec": {"finalizers": ["kubernetes"]}});
    let patch = json!({"apiVersion": "v1", "kind": "Namespace", "odd": 1, "metadata": {"name": "x"}});
    let patched = apply(Namespace::SCHEMA, current, patch).expect("it applies");
    assert_eq!((&patched["kind"], &patched["odd"]), (&json!("Namespace"), &json!(1)));
}

#[test]
fn owners_and_secrets_merge_by_uid_and_name() {
    let owners = |list: Value| json!({"metadata": {"ownerReferences": list}});
    let patched = apply(
        Pod::SCHEMA,
        owners(json!([{"uid": "1", "name": "a"}, {"uid": "2", "name": "b"}])),
        owners(json!([{"uid": "2", "$patch": "delete"}, {"uid": "1", "controller": true}])),
    );
    assert_eq!(patched, Ok(owners(json!([{"uid": "1", "name": "a", "controller": true}]))));
    let patched = apply(
        ServiceAccount::SCHEMA,
        json!({"secrets": named(&["a"]), "imagePullSecrets": named(&["a"])}),
        json!({"secrets": named(&["b"]), "imagePullSecrets": named(&["b"])}),
    );
    let patched = patched.expect("it applies");
    assert_eq!(names(&patched["secrets"], "name"), ["b", "a"]);
    assert_eq!(names(&patched["imagePullSecrets"], "name"), ["b"]);
}

#[test]
fn values_of_another_type_take_the_place_of_the_old() {
    let patched = pod(
        json!({"containers": "odd", "nodeName": {"a": 1}}),
        json!({"containers": named(&["a"]), "nodeName": "n"}),
    );
    assert_eq!(patched, Ok(json!({"containers": named(&["a"]), "nodeName": "n"})));
    let dropped = pod(json!({"securityContext": "odd"}), json!({"securityContext": {"$patch": "delete"}}));
    assert_eq!(dropped, Ok(json!({})));
}
