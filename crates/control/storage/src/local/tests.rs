//! Volumes from the first word to the last, on nodes that answer at once.

use client::Revision;
use client::reconcile::{Failure, Op};
use futures_util::FutureExt as _;

use super::*;

struct Answering(Result<(), Status>);

impl NodeVolumes for Answering {
    fn make<'a>(&'a self, node: &'a str, name: &'a str) -> BoxFuture<'a, Result<String, Status>> {
        let answer = self.0.clone().map(|()| format!("/{node}/{name}"));
        Box::pin(async move { answer })
    }

    fn remove<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<(), Status>> {
        let answer = self.0.clone();
        Box::pin(async move { answer })
    }
}

fn class() -> StorageClass {
    let mut class = StorageClass::default();
    class.metadata.name = "local".into();
    class.provisioner = PROVISIONER.into();
    class
}

fn claim() -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "data".into());
    claim.metadata.uid = "u1".into();
    let annotations = [(STORAGE_PROVISIONER, PROVISIONER), (SELECTED_NODE, "n1")];
    claim.metadata.annotations = annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    claim.spec.storage_class_name = Some("local".into());
    claim.spec.access_modes = vec!["ReadWriteOnce".into()];
    claim.spec.resources.requests.insert(STORAGE.into(), "1Gi".parse().expect("a quantity"));
    claim
}

fn node() -> Node {
    let mut node = Node::default();
    node.metadata.name = "n1".into();
    node.metadata.labels.insert(HOST.into(), "host1".into());
    node
}

fn world(claims: Vec<PersistentVolumeClaim>, volumes: Vec<PersistentVolume>) -> World {
    World::default()
        .with(claims, Revision(1))
        .with(volumes, Revision(1))
        .with([class()], Revision(1))
        .with([node()], Revision(1))
}

fn of_claim() -> Key {
    Key::Claim("shop".into(), "data".into())
}

/// Does what a plan asks for; `None` if it asks for nothing.
fn asked(plan: &Plan) -> Option<Result<(), Status>> {
    let ask = plan.asks.first()?;
    Some((ask.work)().now_or_never().expect("nodes answer at once"))
}

fn said(plan: &Plan) -> Vec<String> {
    let mut all = plan.events.clone();
    for telling in plan.writes().filter_map(|write| write.telling.as_ref()) {
        all.extend(telling.done.clone());
    }
    all.iter().map(|note| format!("{}: {}", note.reason, note.message)).collect()
}

#[test]
fn a_directory_is_made_and_then_written_down() {
    let local = LocalVolumes::new(Arc::new(Answering(Ok(()))));
    let world = world(vec![claim()], vec![]);
    let first = local.plan(&of_claim(), &world, Time::EPOCH);
    assert_eq!((first.writes().count(), first.again), (0, Some(Duration::ZERO)));
    assert_eq!(
        said(&first),
        ["Provisioning: External provisioner is provisioning volume for claim \"shop/data\""]
    );
    assert_eq!(asked(&first), Some(Ok(())));
    let second = local.plan(&of_claim(), &world, Time::EPOCH);
    assert_eq!(said(&second), ["ProvisioningSucceeded: Successfully provisioned volume pvc-u1"]);
    let made = second.writes().next().and_then(Write::object::<PersistentVolume>).expect("a volume").clone();
    assert_eq!(
        made.spec.persistent_volume_source.local.as_ref().map(|local| &*local.path),
        Some("/n1/pvc-u1")
    );
    assert_eq!(made.spec.persistent_volume_reclaim_policy, "Delete");
    assert!(
        api_volume::is_bound_to(&made, &claim())
            && matching::capacity(&made) == matching::requested(&claim())
    );
    assert!(matching::is_reachable(&made, &[(HOST.to_owned(), "host1".to_owned())].into()));
    assert!(!matching::is_reachable(&made, &[(HOST.to_owned(), "host2".to_owned())].into()));
    let third = local.plan(&of_claim(), &self::world(vec![claim()], vec![made]), Time::EPOCH);
    assert!(third.writes().next().is_none() && third.asks.is_empty());
}

#[test]
fn what_cannot_be_made_is_said() {
    type Change = fn(&mut PersistentVolumeClaim);
    let cases: [(Change, &str); 5] = [
        (
            |claim| claim.spec.access_modes = vec!["ReadWriteMany".into()],
            "only access modes ReadWriteOnce and ReadWriteOncePod are supported",
        ),
        (|claim| claim.spec.volume_mode = Some("Block".into()), "only volumeMode Filesystem is supported"),
        (|claim| claim.spec.data_source = Some(Box::default()), "data sources are not supported"),
        (
            |claim| drop(claim.metadata.annotations.remove(SELECTED_NODE)),
            "it needs volumeBindingMode WaitForFirstConsumer, by which a node is selected",
        ),
        (
            |claim| drop(claim.metadata.annotations.insert(SELECTED_NODE.into(), "n2".into())),
            "node \"n2\" not found",
        ),
    ];
    for (change, why) in cases {
        let local = LocalVolumes::new(Arc::new(Answering(Ok(()))));
        let mut claim = claim();
        change(&mut claim);
        let plan = local.plan(&of_claim(), &world(vec![claim], vec![]), Time::EPOCH);
        let expected =
            format!("ProvisioningFailed: failed to provision volume with StorageClass \"local\": {why}");
        assert_eq!((said(&plan), plan.asks.len()), (vec![expected], 0));
        // A node that has gone is not waited for.
        assert_eq!(plan.writes().count(), usize::from(why.contains("n2")));
    }
    let local = LocalVolumes::new(Arc::new(Answering(Err(Status::internal_error("the disk is full")))));
    let status = asked(&local.plan(&of_claim(), &world(vec![claim()], vec![]), Time::EPOCH));
    let failure = status.and_then(Result::err).map(|status| Failure { status, write: None });
    let after = local.plan(&of_claim(), &world(vec![claim()], vec![]).after(failure), Time::EPOCH);
    assert_eq!(
        said(&after),
        [
            "ProvisioningFailed: failed to provision volume with StorageClass \"local\": Internal error occurred: the disk is full"
        ]
    );
    assert_eq!(after.asks.len(), 1, "it is asked for again");
}

#[test]
fn a_claim_that_grows_hears_that_its_directory_cannot() {
    for (had, expected) in [
        ("1Gi", vec![]),
        (
            "1Mi",
            vec![
                "VolumeResizeFailed: a directory of a node has no size of its own: there is nothing to expand",
            ],
        ),
    ] {
        let mut grown = claim();
        grown.spec.volume_name = "pvc-u1".into();
        grown.status.phase = "Bound".into();
        grown.status.capacity.insert(STORAGE.into(), had.parse().expect("a quantity"));
        let volume = volume(&claim(), &class(), &node(), "pvc-u1", "/x".into());
        let local = LocalVolumes::new(Arc::new(Answering(Ok(()))));
        let plan = local.plan(&of_claim(), &world(vec![grown], vec![volume]), Time::EPOCH);
        assert_eq!(said(&plan), expected, "{had}");
    }
}

fn released(policy: &str, going: bool) -> PersistentVolume {
    let mut volume = volume(&claim(), &class(), &node(), "pvc-u1", "/x".into());
    volume.metadata.uid = "v1".into();
    volume.metadata.deletion_timestamp = going.then_some(api_record::scalar::Time { seconds: 1 });
    volume.spec.persistent_volume_reclaim_policy = policy.into();
    volume.status.phase = "Released".into();
    volume
}

fn deeds(plan: &Plan) -> Vec<&'static str> {
    let deed = |write: &Write| match write.op {
        Op::Delete { .. } => "delete",
        Op::Patch(..) => "let go",
        _ => "other",
    };
    plan.writes().map(deed).collect()
}

#[test]
fn a_directory_goes_before_its_volume() {
    for (going, after) in [(false, vec!["let go", "delete"]), (true, vec!["let go"])] {
        let local = LocalVolumes::new(Arc::new(Answering(Ok(()))));
        let (key, world) = (Key::Volume("pvc-u1".into()), world(vec![], vec![released("Delete", going)]));
        let first = local.plan(&key, &world, Time::EPOCH);
        assert!(first.writes().next().is_none());
        assert_eq!(asked(&first), Some(Ok(())));
        assert_eq!(deeds(&local.plan(&key, &world, Time::EPOCH)), after);
    }
}

#[test]
fn a_volume_is_kept_as_its_policy_says_and_while_it_is_used() {
    let planned = |volume: PersistentVolume| {
        let local = LocalVolumes::new(Arc::new(Answering(Ok(()))));
        let plan = local.plan(&Key::Volume("pvc-u1".into()), &world(vec![], vec![volume]), Time::EPOCH);
        (deeds(&plan), plan.asks.len())
    };
    assert_eq!(planned(released("Retain", false)), (vec![], 0));
    assert_eq!(planned(released("Retain", true)), (vec!["let go"], 0));
    let mut used = released("Delete", true);
    used.status.phase = "Bound".into();
    assert_eq!(planned(used), (vec![], 0));
    let mut elsewhere = released("Delete", false);
    elsewhere.metadata.annotations.insert(NODE.into(), "gone".into());
    assert_eq!(planned(elsewhere), (vec!["let go", "delete"], 0));
}
