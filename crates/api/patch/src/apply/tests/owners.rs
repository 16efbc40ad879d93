//! Who owns what after creates, updates and applies: entries as upstream's server writes them.

use api_types::meta::v1::ManagedFieldsEntry;
use api_types::{object_meta, object_meta_mut};

use super::World;
use crate::apply::{differs_in_times, empties};

fn maps() -> World {
    World::new("", "v1", "ConfigMap")
}

fn deployments() -> World {
    World::new("apps", "v1", "Deployment")
}

#[test]
fn whoever_makes_an_object_owns_what_it_says() {
    let mut world = maps();
    world.update("kubectl-create", "metadata: {name: a, labels: {app: web}}\ndata: {k: v}");
    assert_eq!(
        world.shown(),
        [
            r#"kubectl-create Update 1 {"f:data":{".":{},"f:k":{}},"f:metadata":{"f:labels":{".":{},"f:app":{}}}}"#
        ]
    );
}

#[test]
fn structs_that_are_always_there_are_owned_by_nobody_and_pointers_by_whoever_sets_them() {
    let mut world = deployments();
    world.reset = &["status"];
    world.update(
        "kubectl-create",
        "metadata: {name: a}
spec:
  replicas: 1
  selector: {matchLabels: {app: a}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - {name: web, image: nginx, ports: [{containerPort: 80, protocol: TCP}]}
      securityContext: {}
status: {replicas: 1}",
    );
    assert_eq!(
        world.shown(),
        [concat!(
            r#"kubectl-create Update 1 {"f:spec":{"f:replicas":{},"f:selector":{},"#,
            r#""f:strategy":{"f:rollingUpdate":{".":{},"f:maxSurge":{}},"f:type":{}},"#,
            r#""f:template":{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"#,
            r#""f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{},"#,
            r#""f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}},"#,
            r#""f:resources":{}}},"f:securityContext":{}}}}}"#
        )]
    );
}

#[test]
fn whoever_applies_owns_leaves_and_elements_but_no_parents() {
    let mut world = World::new("", "v1", "Pod");
    world.apply(
        "me",
        "metadata: {name: a, labels: {app: web}, finalizers: [example.com/a, example.com/b]}
spec:
  containers:
  - {name: web, image: nginx, ports: [{containerPort: 80}], env: [], resources: {}, securityContext: null}
  nodeSelector: {}
  tolerations: [{key: a}]",
    );
    assert_eq!(
        world.shown(),
        [concat!(
            r#"me Apply 1 {"f:metadata":{"f:finalizers":{"v:\"example.com/a\"":{},"v:\"example.com/b\"":{}},"f:labels":{"f:app":{}}},"#,
            r#""f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{},"#,
            r#""f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}},"#,
            r#""f:resources":{},"f:securityContext":{}}},"f:nodeSelector":{},"f:tolerations":{}}}"#
        )]
    );
}

#[test]
fn what_a_manager_applies_no_more_goes_unless_another_owns_it() {
    let mut world = maps();
    world.apply("me", "metadata: {name: a}\ndata: {a: '1', b: '2', c: '3'}");
    world.apply("you", "data: {b: '2'}");
    world.update("editor", "metadata: {name: a}\ndata: {a: '1', b: '2', c: changed, d: '4'}");
    world.apply("me", "metadata: {name: a}\ndata: {a: '1'}");
    assert_eq!(world.body(), r#"{"metadata":{"name":"a"},"data":{"a":"1","b":"2","c":"changed","d":"4"}}"#);
    world.apply("you", "metadata: {name: a, labels: {x: z}}");
    assert_eq!(
        world.body(),
        r#"{"metadata":{"name":"a","labels":{"x":"z"}},"data":{"a":"1","c":"changed","d":"4"}}"#
    );
    assert_eq!(
        world.shown(),
        [
            // What it gave up is there still: it has changed nothing then.
            r#"me Apply 1 {"f:data":{"f:a":{}}}"#,
            r#"you Apply 5 {"f:metadata":{"f:labels":{"f:x":{}}}}"#,
            r#"editor Update 3 {"f:data":{"f:c":{},"f:d":{}}}"#,
        ]
    );
}

#[test]
fn an_element_of_a_list_goes_with_its_last_owner() {
    let mut world = World::new("", "v1", "Pod");
    let ports = |ports: &str| {
        format!(
            "metadata: {{name: a}}\nspec: {{containers: [{{name: web, image: nginx, ports: [{ports}]}}]}}"
        )
    };
    world.apply("me", &ports("{containerPort: 80}, {containerPort: 80, protocol: UDP}"));
    world.apply("me", &ports("{containerPort: 80}"));
    assert!(world.body().contains(r#""ports":[{"containerPort":80}]"#), "{}", world.body());
    world.apply("me", "metadata: {name: a}\nspec: {containers: [{name: web, image: nginx}]}");
    assert!(!world.body().contains("ports"), "{}", world.body());
}

#[test]
fn applying_the_same_again_changes_nothing_not_even_a_time() {
    let mut world = deployments();
    let config = "metadata: {name: a}\nspec: {replicas: 2, selector: {matchLabels: {a: b}}}";
    world.apply("me", config);
    let before = (world.body(), world.shown());
    world.apply("me", config);
    assert_eq!((world.body(), world.shown()), before);
}

#[test]
fn whoever_comes_to_share_fields_without_changing_them_has_no_time() {
    let mut world = maps();
    world.apply("me", "metadata: {name: a}\ndata: {k: v}");
    world.apply("you", "metadata: {name: a}\ndata: {k: v}");
    assert_eq!(
        world.shown(),
        [r#"you Apply - {"f:data":{"f:k":{}}}"#, r#"me Apply 1 {"f:data":{"f:k":{}}}"#]
    );
}

#[test]
fn an_update_takes_what_it_changes_and_gives_up_what_it_removes() {
    let mut world = maps();
    world.update("one", "metadata: {name: a}\ndata: {a: '1', b: '2', c: '3'}");
    world.update("two", "metadata: {name: a}\ndata: {a: '1', b: changed}");
    assert_eq!(
        world.shown(),
        [r#"one Update 1 {"f:data":{".":{},"f:a":{}}}"#, r#"two Update 2 {"f:data":{"f:b":{}}}"#]
    );
    world.update("one", "metadata: {name: a}\ndata: {a: '5', b: changed}");
    assert_eq!(
        world.shown(),
        [r#"two Update 2 {"f:data":{"f:b":{}}}"#, r#"one Update 3 {"f:data":{".":{},"f:a":{}}}"#]
    );
    let before = world.shown();
    world.update("three", "metadata: {name: a}\ndata: {a: '5', b: changed}");
    assert_eq!(world.shown(), before, "who changes nothing owns nothing");
}

#[test]
fn a_part_is_a_manager_of_its_own_and_owns_what_it_is_for() {
    let mut world = deployments();
    world.reset = &["status"];
    world.update("ctl", "metadata: {name: a}\nspec: {replicas: 1}\nstatus: {replicas: 9}");
    (world.subresource, world.reset) = ("status", &["spec", "metadata.labels"]);
    world.update(
        "ctl",
        "metadata: {name: a, labels: {x: z}}\nspec: {replicas: 7}\nstatus: {replicas: 1, conditions: [{type: Available, status: 'True'}]}",
    );
    assert_eq!(
        world.shown(),
        [
            r#"ctl Update 1 {"f:spec":{"f:replicas":{}}}"#,
            concat!(
                r#"ctl/status Update 2 {"f:status":{"f:conditions":{".":{},"k:{\"type\":\"Available\"}":"#,
                r#"{".":{},"f:lastTransitionTime":{},"f:lastUpdateTime":{},"f:status":{},"f:type":{}}},"f:replicas":{}}}"#
            ),
        ]
    );
}

#[test]
fn quantities_are_owned_as_they_are_written() {
    let mut world = World::new("", "v1", "Pod");
    let pod = |cpu: &str| {
        format!(
            "metadata: {{name: a}}\nspec: {{containers: [{{name: c, resources: {{limits: {{cpu: {cpu}}}}}}}]}}"
        )
    };
    world.update("one", &pod("1"));
    world.update("two", &pod("1000m"));
    assert_eq!(world.owners().len(), 1, "the canonical form is the same");
    world.update("two", &pod("2"));
    let cpu = r#""f:limits":{"f:cpu":{}}"#;
    assert!(world.shown()[1].contains(cpu), "{:?}", world.shown());
}

#[test]
fn objects_that_nobody_owned_belong_to_those_before_the_first_apply() {
    let mut world = maps();
    world.update("x", "metadata: {name: a}\ndata: {a: '1', b: '2'}");
    object_meta_mut(&mut **world.object.as_mut().expect("made")).expect("metadata").managed_fields.clear();
    world.update("y", "metadata: {name: a}\ndata: {a: '1', b: '3'}");
    assert!(world.owners().is_empty(), "an update does not begin to track what nobody tracks");
    let conflict = world.refused("me", "metadata: {name: a}\ndata: {b: mine}");
    assert_eq!(
        conflict,
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.b"
    );
    world.apply("me", "metadata: {name: a}\ndata: {c: mine}");
    assert_eq!(
        world.shown(),
        [
            r#"me Apply 4 {"f:data":{"f:c":{}}}"#,
            r#"before-first-apply Update 4 {"f:data":{".":{},"f:a":{},"f:b":{}}}"#,
        ]
    );
}

#[test]
fn the_oldest_of_too_many_updates_become_one() {
    let mut world = maps();
    for number in 0..13 {
        let data: String = (0..=number).map(|number| format!("k{number}: v, ")).collect();
        world.update(&format!("m{number:02}"), &format!("metadata: {{name: a}}\ndata: {{{data}}}"));
    }
    let shown = world.shown();
    assert_eq!(shown.len(), 10);
    assert_eq!(
        shown[0],
        r#"ancient-changes Update 4 {"f:data":{".":{},"f:k0":{},"f:k1":{},"f:k2":{},"f:k3":{}}}"#
    );
    assert!(shown[1].starts_with("m04 Update 5 ") && shown[9].starts_with("m12 Update 13 "), "{shown:?}");
}

#[test]
fn managers_of_a_version_that_is_gone_go() {
    let mut world = maps();
    world.update("x", "metadata: {name: a}\ndata: {a: '1'}");
    let meta = object_meta_mut(&mut **world.object.as_mut().expect("made")).expect("metadata");
    let old = ManagedFieldsEntry {
        manager: "old".into(),
        api_version: "v0".into(),
        ..meta.managed_fields[0].clone()
    };
    meta.managed_fields.push(old);
    world.update("y", "metadata: {name: a}\ndata: {a: '1', b: '2'}");
    let names: Vec<&str> = world.owners().iter().map(|entry| entry.manager.as_str()).collect();
    assert_eq!(names, ["x", "y"]);
}

#[test]
fn fields_are_kept_in_the_version_that_their_manager_speaks() {
    let mut world = maps();
    world.served.versions.push("v2".into());
    world.apply("me", "metadata: {name: a}\ndata: {a: '1', b: '2'}");
    world.version = "v2".into();
    world.apply("you", "metadata: {name: a}\ndata: {c: '3'}");
    assert!(world.refused("you", "metadata: {name: a}\ndata: {a: other}").contains("\"me\""));
    let versions: Vec<&str> = world.owners().iter().map(|entry| entry.api_version.as_str()).collect();
    assert_eq!(versions, ["v1", "v2"]);
    // What it applied in another version it owns still, and gives up.
    world.apply("me", "metadata: {name: a}\ndata: {a: '1'}");
    assert_eq!(world.body(), r#"{"metadata":{"name":"a"},"data":{"a":"1","c":"3"}}"#);
    assert!(world.owners().iter().all(|entry| entry.api_version == "v2"));
}

#[test]
fn owners_are_forgotten_when_a_request_asks_for_it_and_else_not() {
    let mut world = maps();
    world.apply("me", "metadata: {name: a}\ndata: {a: '1'}");
    let sent = |world: &mut World, entries: Vec<ManagedFieldsEntry>, part| {
        world.subresource = part;
        let live = world.object.clone().expect("made");
        let mut new = live.clone();
        object_meta_mut(&mut *new).expect("metadata").managed_fields = entries;
        crate::apply::track(&world.request("editor"), &*live, &mut *new);
        object_meta(&*new).expect("metadata").managed_fields.len()
    };
    assert_eq!(sent(&mut world, vec![ManagedFieldsEntry::default()], ""), 0);
    assert_eq!(sent(&mut world, Vec::new(), ""), 1);
    // Neither what cannot be understood counts, nor what comes through a part.
    let odd = ManagedFieldsEntry { operation: "Odd".into(), ..ManagedFieldsEntry::default() };
    assert_eq!(sent(&mut world, vec![odd], ""), 1);
    assert_eq!(sent(&mut world, vec![ManagedFieldsEntry::default()], "status"), 1);
    assert!(empties(br#"{"metadata":{"managedFields":[]}}"#));
    assert!(!empties(br#"{"metadata":{},"data":{"managedFields":[]}}"#));
    assert!(!empties(br#"{"metadata":{"managedFields":[{}]}}"#));
}

#[test]
fn times_alone_are_no_difference() {
    let entry = |seconds, fields: &str| ManagedFieldsEntry {
        manager: fields.into(),
        time: Some(api_record::scalar::Time { seconds }),
        ..ManagedFieldsEntry::default()
    };
    assert!(differs_in_times(&[entry(1, "a")], &[entry(2, "a")]));
    assert!(!differs_in_times(&[entry(1, "a")], &[entry(1, "a")]));
    assert!(!differs_in_times(&[entry(1, "a")], &[entry(2, "b")]));
    assert!(!differs_in_times(&[], &[entry(2, "b")]));
}

#[test]
fn a_field_that_has_become_one_value_is_owned_as_such() {
    let mut world = deployments();
    world.apply("me", "metadata: {name: a}\nspec: {selector: {matchLabels: {a: b}}}");
    let meta = object_meta_mut(&mut **world.object.as_mut().expect("made")).expect("metadata");
    let granular = br#"{"f:spec":{"f:selector":{"f:matchLabels":{"f:a":{}}}}}"#;
    meta.managed_fields[0].fields_v1 = Some(api_record::scalar::RawJson(Some(granular.to_vec().into())));
    // Who does not touch it leaves it as it was written.
    world.update("you", "metadata: {name: a, labels: {x: z}}\nspec: {selector: {matchLabels: {a: b}}}");
    assert!(world.shown()[0].contains("f:matchLabels"), "{:?}", world.shown());
    assert!(
        world
            .refused("her", "metadata: {name: a}\nspec: {selector: {matchLabels: {c: d}}}")
            .ends_with("conflict with \"me\": .spec.selector")
    );
    world.apply("her", "metadata: {name: a, labels: {u: v}}");
    let mine = world.shown().into_iter().find(|line| line.starts_with("me ")).expect("it is there");
    assert!(mine.ends_with(r#"{"f:spec":{"f:selector":{}}}"#), "{mine}");
    world.update("you", "metadata: {name: a, labels: {u: v, x: z}}\nspec: {selector: {matchLabels: {c: d}}}");
    assert!(!world.shown().iter().any(|line| line.starts_with("me ")), "{:?}", world.shown());
}

#[test]
fn an_owner_reference_is_one_value() {
    let mut world = maps();
    let owner = "ownerReferences: [{uid: u1, name: o, kind: K, apiVersion: v1, controller: true}]";
    world.update("ctl", &format!("metadata: {{name: a, {owner}}}"));
    assert_eq!(
        world.shown(),
        [r#"ctl Update 1 {"f:metadata":{"f:ownerReferences":{".":{},"k:{\"uid\":\"u1\"}":{}}}}"#]
    );
    world.apply("me", &format!("metadata: {{name: a, {owner}}}"));
    assert_eq!(
        world.shown()[0],
        r#"me Apply - {"f:metadata":{"f:ownerReferences":{"k:{\"uid\":\"u1\"}":{}}}}"#
    );
}
