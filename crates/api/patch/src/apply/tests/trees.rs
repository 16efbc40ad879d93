//! Merging lists and maps: order, duplicates, nulls.

use super::World;

fn pod_with(containers: &str) -> String {
    format!("metadata: {{name: a}}\nspec: {{containers: [{containers}]}}")
}

/// The names of the containers of an object that was made and then applied to.
fn merged(before: &str, config: &str) -> String {
    let list = |names: &str| {
        let items: Vec<String> = names.chars().map(|name| format!("{{name: {name}}}")).collect();
        pod_with(&items.join(", "))
    };
    let mut world = World::new("", "v1", "Pod");
    world.update("maker", &list(before));
    world.apply("me", &list(config));
    world
        .body()
        .match_indices("\"name\":\"")
        .skip(1)
        .filter_map(|(at, _)| world.body().chars().nth(at + 8))
        .collect()
}

#[test]
fn elements_are_in_the_objects_order_unless_the_configuration_has_another() {
    for (before, config, wanted) in [
        ("abc", "", "abc"),
        ("abc", "b", "abc"),
        ("abc", "d", "abcd"),
        ("abc", "cba", "cba"),
        ("abc", "ca", "bca"),
        ("abcd", "db", "acdb"),
        ("ab", "xa", "xab"),
        ("ab", "axb", "axb"),
        ("", "ba", "ba"),
    ] {
        assert_eq!(merged(before, config), wanted, "{before} {config}");
    }
}

#[test]
fn the_protocol_of_a_port_is_the_default_where_it_is_left_out() {
    let mut world = World::new("", "v1", "Service");
    world.update(
        "maker",
        "metadata: {name: a}\nspec: {ports: [{port: 80, protocol: TCP, targetPort: 80}, {port: 80, protocol: UDP}]}",
    );
    world.apply("me", "metadata: {name: a}\nspec: {ports: [{port: 80, name: web}]}");
    assert!(
        world.body().contains(
            r#"[{"name":"web","protocol":"TCP","port":80,"targetPort":80},{"protocol":"UDP","port":80,"targetPort":0}]"#
        ),
        "{}",
        world.body()
    );
}

#[test]
fn duplicates_that_are_there_can_be_lived_with_and_mended() {
    let mut world = World::new("", "v1", "Pod");
    let env = |items: &str| pod_with(&format!("{{name: c, env: [{items}]}}"));
    world.update("maker", &env("{name: A, value: '1'}, {name: A, value: '2'}, {name: B, value: '3'}"));
    let owned = world.shown()[0].clone();
    assert!(
        owned.contains(r#""k:{\"name\":\"A\"}":{},"k:{\"name\":\"B\"}":{".":{},"f:name":{},"f:value":{}}"#),
        "{owned}"
    );
    world.apply("me", &env("{name: B, value: '3'}"));
    assert!(world.body().contains(r#"{"name":"A","value":"1"},{"name":"A","value":"2"}"#));
    world.try_apply("me", &env("{name: A, value: '9'}"), true).expect("forced");
    assert_eq!(world.body().matches(r#""name":"A""#).count(), 1);
    assert!(world.body().contains(r#""name":"A","value":"9""#), "{}", world.body());
}

#[test]
fn an_explicit_null_empties_a_leaf_and_leaves_what_is_in_a_map() {
    let mut world = World::new("apps", "v1", "Deployment");
    world.update("maker", "metadata: {name: a, labels: {x: z}}\nspec: {paused: true, replicas: 3}");
    world.try_apply("me", "metadata: {name: a, labels: null}\nspec: {replicas: null}", true).expect("forced");
    assert!(world.body().contains(r#""labels":{"x":"z"}"#) && !world.body().contains("replicas\":3"));
}

#[test]
fn what_is_kept_as_it_comes_is_one_value() {
    let mut world = World::new("apps", "v1", "ControllerRevision");
    world.apply("me", "metadata: {name: a}\nrevision: 1\ndata: {spec: {x: 1}}");
    assert!(world.shown()[0].ends_with(r#"{"f:data":{},"f:revision":{}}"#), "{:?}", world.shown());
}
