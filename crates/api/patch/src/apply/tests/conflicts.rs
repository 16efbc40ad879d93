//! Conflicts, what is refused, and `kubectl`'s way from its own applying to the server's.

use super::World;

const LAST: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn maps() -> World {
    World::new("", "v1", "ConfigMap")
}

#[test]
fn a_conflict_names_the_owner_and_the_field() {
    let mut world = World::new("apps", "v1", "Deployment");
    world.apply("me", "metadata: {name: a}\nspec: {replicas: 1, paused: true}");
    let config = "metadata: {name: a}\nspec: {replicas: 2}";
    let status = world.try_apply("you", config, false).expect_err("a conflict");
    assert_eq!(
        (status.code, status.reason.as_str(), status.message.as_str()),
        (409, "Conflict", "Apply failed with 1 conflict: conflict with \"me\": .spec.replicas")
    );
    let cause = &status.details.as_ref().expect("details").causes[0];
    assert_eq!(
        (cause.type_.as_str(), cause.message.as_str(), cause.field.as_str()),
        ("FieldManagerConflict", "conflict with \"me\"", ".spec.replicas")
    );
    world.try_apply("you", config, true).expect("forced");
    assert_eq!(
        world.shown(),
        [r#"me Apply 1 {"f:spec":{"f:paused":{}}}"#, r#"you Apply 3 {"f:spec":{"f:replicas":{}}}"#,]
    );
}

#[test]
fn conflicts_are_grouped_by_owner() {
    let mut world = World::new("", "v1", "Pod");
    world.apply("b", "metadata: {name: a, labels: {x: '1'}}\nspec: {containers: [{name: c, image: one}]}");
    world.subresource = "status";
    world.update(
        "kubelet",
        "metadata: {name: a, labels: {x: '1'}}\nspec: {containers: [{name: c, image: one}]}\nstatus: {phase: Running}",
    );
    world.subresource = "";
    let message = world.refused(
        "me",
        "metadata: {name: a, labels: {x: '2'}}\nspec: {containers: [{name: c, image: two}]}\nstatus: {phase: Failed}",
    );
    assert_eq!(
        message,
        "Apply failed with 3 conflicts: conflicts with \"b\":\n- .metadata.labels.x\n- .spec.containers[name=\"c\"].image\nconflicts with \"kubelet\" with subresource \"status\" using v1:\n- .status.phase"
    );
}

#[test]
fn the_same_value_is_no_conflict_and_a_whole_list_is_one() {
    let mut world = World::new("", "v1", "Pod");
    let pod = |key: &str| format!("metadata: {{name: a}}\nspec: {{tolerations: [{{key: {key}}}]}}");
    world.apply("me", &pod("x"));
    world.apply("you", &pod("x"));
    assert!(world.refused("you", &pod("z")).ends_with("conflict with \"me\": .spec.tolerations"));
}

#[test]
fn what_does_not_fit_is_refused_in_upstreams_words() {
    for (config, wanted) in [
        (
            "metadata: {name: a, namespace: d}\nspec: {odd: 1}",
            "failed to create typed patch object (d/a; apps/v1, Kind=Deployment): .spec.odd: field not declared in schema",
        ),
        (
            "metadata: {name: a}\nspec: {replicas: two, paused: 'yes'}",
            "failed to create typed patch object (/a; apps/v1, Kind=Deployment): errors:\n  .spec.replicas: expected numeric (int or float), got string\n  .spec.paused: expected boolean, got &{yes}",
        ),
        (
            "metadata: {name: a, labels: {x: 1}}",
            "failed to create typed patch object (/a; apps/v1, Kind=Deployment): .metadata.labels.x: expected string, got &value.valueUnstructured{Value:1}",
        ),
        (
            "metadata: {name: a}\nspec: {template: {spec: {containers: [{name: c}, {name: c}]}}}",
            "failed to create typed patch object (/a; apps/v1, Kind=Deployment): .spec.template.spec.containers: duplicate entries for key [name=\"c\"]",
        ),
        (
            "metadata: {name: a, finalizers: [x, x]}",
            "failed to create typed patch object (/a; apps/v1, Kind=Deployment): .metadata.finalizers: duplicate entries for key [=\"x\"]",
        ),
        (
            "metadata: {name: a}\nspec: [1]",
            "failed to create typed patch object (/a; apps/v1, Kind=Deployment): .spec: expected map, got &{[1]}",
        ),
        ("metadata: {name: a, managedFields: []}", "metadata.managedFields must be nil"),
    ] {
        let mut world = World::new("apps", "v1", "Deployment");
        assert_eq!(world.refused("me", config), wanted, "{config}");
    }
    let mut world = maps();
    let other = crate::apply::Config::parse(b"{apiVersion: apps/v1, kind: Deployment}").expect("YAML");
    let status = super::apply(&world.request("me"), &*world.empty(), &other, false).expect_err("refused");
    assert_eq!(
        (status.code, status.message.as_str()),
        (400, "invalid object type: apps/v1, Kind=Deployment")
    );
    world.apply("me", "metadata: {name: a, managedFields: null}\ndata: {a: b}");
    for bad in ["[1]", "{", "x"] {
        assert_eq!(crate::apply::Config::parse(bad.as_bytes()).expect_err(bad).code, 400);
    }
}

#[test]
fn kubectl_goes_on_with_what_it_applied_itself() {
    let mut world = maps();
    let last = r#"{"apiVersion":"v1","data":{"a":"1","b":"2"},"kind":"ConfigMap","metadata":{"name":"x"}}"#;
    let object =
        format!("metadata: {{name: x, annotations: {{{LAST}: '{last}'}}}}\ndata: {{a: '1', b: edited}}");
    world.update("kubectl-client-side-apply", &object);
    // What is as it was applied is kubectl's own; what somebody edited since is not.
    let message = world.refused("kubectl", "metadata: {name: x}\ndata: {a: '9', b: '9'}");
    assert_eq!(
        message,
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .data.b"
    );
    assert_eq!(
        world.refused("other", "metadata: {name: x}\ndata: {a: '9'}"),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: .data.a"
    );
    world.apply("kubectl", "metadata: {name: x}\ndata: {a: '9'}");
    let remembered = r#"{\"apiVersion\":\"v1\",\"data\":{\"a\":\"9\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}\n"#;
    assert!(world.body().contains(remembered), "{}", world.body());
}

#[test]
fn an_apply_without_kubectls_name_leaves_its_memory_alone() {
    let mut world = maps();
    world.update("x", &format!("metadata: {{name: x, annotations: {{{LAST}: '{{}}'}}}}\ndata: {{a: '1'}}"));
    world.apply("me", "metadata: {name: x}\ndata: {b: '2'}");
    assert!(world.body().contains(&format!("\"{LAST}\":\"{{}}\"")), "{}", world.body());
}
