//! Revisions as upstream's code writes them: the texts and hashes come from Go.

use api_types::apps::v1::StatefulSet;
use api_types::object_meta;
use client::Revision;
use client::reconcile::Op;

use super::*;

const KIND: GroupVersionKind<'static> =
    GroupVersionKind { group: "apps", version: "v1", kind: "StatefulSet" };

const SPEC: &str = r#"{"spec":{"template":{"metadata":{"labels":{"app":"web"},"annotations":{"z":"a<b>&c"}},"spec":{"containers":[{"name":"c","image":"i","command":["sh","-c","echo \u2028 \"x\""],"resources":{"limits":{"cpu":"100m"}},"securityContext":{"runAsUser":9007199254740993}}],"terminationGracePeriodSeconds":30,"securityContext":{}}}}}"#;

const PATCH: &str = r#"{"spec":{"template":{"$patch":"replace","metadata":{"annotations":{"z":"a\u003cb\u003e\u0026c"},"labels":{"app":"web"}},"spec":{"containers":[{"command":["sh","-c","echo \u2028 \"x\""],"image":"i","name":"c","resources":{"limits":{"cpu":"100m"}},"securityContext":{"runAsUser":9007199254740992}}],"securityContext":{},"terminationGracePeriodSeconds":30}}}}"#;

fn owner() -> StatefulSet {
    let mut owner = StatefulSet::default();
    json::decode(SPEC.as_bytes(), &mut owner, None, Limits::RESPONSE).expect("a set");
    owner.metadata.name = "web".into();
    owner.metadata.namespace = "shop".into();
    owner.metadata.uid = "set".into();
    owner
}

fn made(number: i64) -> ControllerRevision {
    let owner = owner();
    revision(&owner.metadata, KIND, &owner.spec.template.metadata.labels, patch(&owner), number, 0)
}

#[test]
fn a_revision_has_upstreams_bytes_and_name() {
    let made = made(3);
    assert_eq!(String::from_utf8_lossy(made.data.text()), PATCH);
    assert_eq!(made.metadata.name, "web-bc7f8c4b");
    assert_eq!(made.metadata.labels[HASH_LABEL], "bc7f8c4b");
    assert_eq!(made.metadata.labels["app"], "web");
    assert_eq!(made.revision, 3);
    assert_eq!(name(&"a".repeat(300), "bc7f8c4b").len(), PREFIX_BYTES + 9);
}

#[test]
fn a_revision_puts_the_template_back_and_nothing_else() {
    let mut changed = owner();
    changed.spec.replicas = Some(7);
    changed.spec.template.spec.containers[0].image = "other".into();
    changed.spec.template.spec.node_name = "n1".into();
    let back = restored(&changed, &made(1)).expect("it applies");
    assert_eq!(back.spec.replicas, Some(7));
    let containers = &back.spec.template.spec.containers;
    assert_eq!((containers.len(), containers[0].image.as_str()), (1, "i"));
    assert_eq!(back.spec.template.spec.node_name, "");
    let mut broken = made(1);
    broken.data = RawJson(Some("[1]".into()));
    assert!(restored(&changed, &broken).is_err_and(|why| why.message.contains("web-bc7f8c4b")));
}

#[test]
fn names_that_are_taken_are_avoided() {
    let owner = owner();
    let mut taken = made(1);
    taken.data = RawJson(Some("{}".into()));
    let world = World::default().with([taken], Revision(1));
    let mut collisions = 0;
    let (new, write) = named::<StatefulSet>(made(2), &owner.metadata, &mut collisions, &world);
    assert_eq!((new.metadata.name.as_str(), collisions), ("web-bc7f8c4c", 1));
    assert_eq!(new.metadata.labels[HASH_LABEL], "bc7f8c4b", "as upstream's");
    assert!(write.is_some_and(|write| matches!(write.op, Op::Create(_))));

    let world = World::default().with([made(1)], Revision(1));
    let (same, write) = named::<StatefulSet>(made(2), &owner.metadata, &mut 0, &world);
    assert_eq!((same.revision, write.is_none()), (1, true));
}

#[test]
fn the_oldest_that_nobody_needs_go() {
    let numbered = |number: i64| {
        let mut revision = made(number);
        revision.metadata.name = format!("web-{number}");
        revision
    };
    let all: Vec<ControllerRevision> = [4, 2, 3, 1].into_iter().map(numbered).collect();
    let mut sorted: Vec<&ControllerRevision> = all.iter().collect();
    sorted.sort_by(|a, b| by_revision(a, b));
    assert_eq!(next(&sorted), 5);
    assert_eq!(next(&[]), 1);
    let gone = |limit| {
        let writes = truncated(&sorted, limit, |revision| revision.revision == 1);
        writes.map(|write| write.target.name).collect::<Vec<_>>()
    };
    assert_eq!(gone(1), ["web-2", "web-3"]);
    assert_eq!(gone(3), [""; 0]);
    assert_eq!(gone(-1), [""; 0]);
    let (_, write) = renumbered(&all[3], 5);
    let object: &ControllerRevision = write.object().expect("a revision");
    assert_eq!((object.revision, object_meta(object).map(|meta| meta.name.as_str())), (5, Some("web-1")));
}
