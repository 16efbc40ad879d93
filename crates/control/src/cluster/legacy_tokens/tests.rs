//! Tokens through the years.

use api_types::core::v1::{LocalObjectReference, ObjectReference};
use client::Revision;

use super::*;

/// 2026-07-01.
const NOW: Time = Time::from_unix_seconds(1_782_864_000);

fn secret(labels: &[(&str, &str)], made: &str) -> Secret {
    let mut secret = Secret { type_: TYPE.into(), ..Secret::default() };
    (secret.metadata.namespace, secret.metadata.name) = ("shop".into(), "app-token".into());
    secret.metadata.uid = "s1".into();
    secret.metadata.resource_version = "5".into();
    secret.metadata.creation_timestamp = begin(made).map(Into::into);
    secret.metadata.annotations.insert(ACCOUNT.into(), "app".into());
    secret.metadata.labels = labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    secret
}

fn world(since: &str, secret: Secret, named: bool, pods: Vec<Pod>) -> World {
    let mut map = ConfigMap::default();
    (map.metadata.namespace, map.metadata.name) = ("kube-system".into(), TRACKING.into());
    map.data.insert(SINCE.into(), since.into());
    let mut account = ServiceAccount::default();
    (account.metadata.namespace, account.metadata.name) = ("shop".into(), "app".into());
    let reference = ObjectReference { name: "app-token".into(), ..ObjectReference::default() };
    account.secrets = named.then_some(reference).into_iter().collect();
    World::default()
        .with([map], Revision(1))
        .with([secret], Revision(1))
        .with([account], Revision(1))
        .with(pods, Revision(1))
}

#[test]
fn a_token_that_nobody_uses_is_marked_and_then_deleted() {
    let (marked, deleted) = (vec!["patch secrets shop/app-token"], vec!["delete secrets shop/app-token"]);
    let pulling = || {
        let mut pod = Pod::default();
        (pod.metadata.namespace, pod.metadata.name) = ("shop".into(), "web".into());
        pod.spec.image_pull_secrets = vec![LocalObjectReference { name: "app-token".into() }];
        vec![pod]
    };
    let old = "2024-01-01";
    let invalid = |since| vec![(INVALID_SINCE, since)];
    for (name, since, labels, made, named, pods, expected) in [
        ("never used", old, vec![], old, true, vec![], marked.clone()),
        ("used long ago", old, vec![(LAST_USED, "2025-06-30")], old, true, vec![], marked.clone()),
        ("used within a year", old, vec![(LAST_USED, "2025-07-01")], old, true, vec![], vec![]),
        ("used at no date", old, vec![(LAST_USED, "lately")], old, true, vec![], vec![]),
        ("new", old, vec![], "2026-01-01", true, vec![], vec![]),
        ("asked for", old, vec![], old, false, vec![], vec![]),
        ("named by a pod", old, vec![], old, true, pulling(), vec![]),
        (
            "somebody has watched for a year and a day",
            "2025-06-30",
            vec![],
            old,
            true,
            vec![],
            marked.clone(),
        ),
        ("nobody has watched for longer than a year", "2025-07-01", vec![], old, true, vec![], vec![]),
        ("nobody says since when", "some day", vec![], old, true, vec![], vec![]),
        ("marked at no date", old, invalid("once"), old, true, vec![], marked),
        ("marked within a year", old, invalid("2025-07-01"), old, true, vec![], vec![]),
        ("marked long ago", old, invalid("2025-06-30"), old, true, vec![], deleted),
    ] {
        let plan = LegacyTokens.plan(&(), &world(since, secret(&labels, made), named, pods), NOW);
        assert_eq!(plan.describe(), expected, "{name}");
        assert_eq!(plan.again, Some(DAY), "{name}");
        for write in plan.writes() {
            match &write.op {
                Op::Patch(_, patch) => {
                    assert_eq!(patch["metadata"]["labels"][INVALID_SINCE], "2026-07-01", "{name}");
                }
                Op::Delete { version, .. } => assert_eq!(version.as_deref(), Some("5"), "{name}"),
                _ => panic!("{name}: another write"),
            }
        }
    }
}
