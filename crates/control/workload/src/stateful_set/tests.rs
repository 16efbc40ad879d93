//! Sets step by step: each plan is carried out on a small world, whose pods become ready when a test says so.

use api_record::scalar::IntOrString;
use api_types::apps::v1::{
    RollingUpdateStatefulSetStrategy, StatefulSetOrdinals, StatefulSetPersistentVolumeClaimRetentionPolicy,
};
use api_types::core::v1::{Container, PodCondition};
use api_types::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use api_types::{object_meta, object_meta_mut};
use client::Revision;
use client::reconcile::{Op, Write};

use super::*;

mod retention;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn set(replicas: i32) -> StatefulSet {
    let mut set = StatefulSet::default();
    set.metadata.name = "web".into();
    set.metadata.namespace = "shop".into();
    set.metadata.uid = "set".into();
    set.metadata.generation = 1;
    let labels: std::collections::BTreeMap<String, String> = [("app".to_owned(), "web".to_owned())].into();
    let spec = &mut set.spec;
    spec.replicas = Some(replicas);
    spec.selector = Some(Box::new(LabelSelector { match_labels: labels.clone(), ..Default::default() }));
    spec.template.metadata.labels = labels;
    spec.service_name = "names".into();
    spec.pod_management_policy = "OrderedReady".into();
    spec.revision_history_limit = Some(10);
    spec.update_strategy.type_ = "RollingUpdate".into();
    spec.update_strategy.rolling_update = Some(Box::new(RollingUpdateStatefulSetStrategy {
        partition: Some(0),
        max_unavailable: Some(IntOrString::Int(1)),
    }));
    use_image(&mut set, "a");
    // As the API server keeps it.
    let gates = api_kind::Gates::default();
    let ctx =
        api_kind::Ctx { gates: &gates, verb: api_kind::Verb::Create, subresource: "", group: KIND.group };
    api_kind::default(&api_kinds_apps::stateful_set::KIND, &ctx, &mut set);
    set
}

fn parallel(replicas: i32) -> StatefulSet {
    let mut set = set(replicas);
    set.spec.pod_management_policy = "Parallel".into();
    set
}

fn use_image(set: &mut StatefulSet, image: &str) {
    if set.spec.template.spec.containers.is_empty() {
        let container = Container { name: "c".into(), image: "a".into(), ..Default::default() };
        set.spec.template.spec.containers = vec![container].into();
    }
    set.spec.template.spec.containers[0].image = image.into();
}

fn rolling(set: &mut StatefulSet) -> &mut RollingUpdateStatefulSetStrategy {
    set.spec.update_strategy.rolling_update.as_mut().expect("it rolls")
}

fn with_claims(set: &mut StatefulSet, when_deleted: &str, when_scaled: &str) {
    let template = PersistentVolumeClaim {
        metadata: ObjectMeta { name: "data".into(), ..ObjectMeta::default() },
        ..PersistentVolumeClaim::default()
    };
    set.spec.volume_claim_templates = vec![template];
    let policy = StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: when_deleted.into(),
        when_scaled: when_scaled.into(),
    };
    set.spec.persistent_volume_claim_retention_policy = Some(Box::new(policy));
}

/// A world that carries plans out.
struct Cluster {
    set: StatefulSet,
    pods: Vec<Pod>,
    claims: Vec<PersistentVolumeClaim>,
    revisions: Vec<ControllerRevision>,
    now: i64,
    /// Events of plans, which are about no write.
    events: Vec<String>,
}

impl Cluster {
    fn new(set: StatefulSet) -> Cluster {
        let (pods, claims, revisions) = (Vec::new(), Vec::new(), Vec::new());
        Cluster { set, pods, claims, revisions, now: 1000, events: Vec::new() }
    }

    fn plan(&self) -> Plan {
        let world = World::default()
            .with([self.set.clone()], Revision(1))
            .with(self.pods.clone(), Revision(1))
            .with(self.claims.clone(), Revision(1))
            .with(self.revisions.clone(), Revision(1));
        StatefulSets.plan(&name("shop", "web"), &world, at(self.now))
    }

    /// Plans once and carries it out; what was written of all but the status.
    fn step(&mut self) -> Vec<String> {
        let plan = self.plan();
        assert_eq!(plan.failure, None);
        self.events = plan.events.iter().map(|note| format!("{} {}", note.reason, note.message)).collect();
        self.now += 1;
        let mut said = Vec::new();
        for write in plan.writes() {
            if write.target.subresource == "status" {
                self.set.status = write.object::<StatefulSet>().expect("a set").status.clone();
                continue;
            }
            said.push(write.describe().replace("shop/", ""));
            self.carry_out(write);
        }
        said
    }

    fn carry_out(&mut self, write: &Write) {
        let name = &write.target.name;
        if let Op::Delete { .. } = write.op {
            self.revisions.retain(|revision| revision.metadata.name != *name);
            let pod = self.pods.iter_mut().find(|pod| pod.metadata.name == *name);
            pod.into_iter().for_each(|pod| pod.metadata.deletion_timestamp = Some(at(self.now).into()));
        } else if let Some(pod) = write.object::<Pod>() {
            let mut pod = pod.clone();
            if pod.status.phase.is_empty() {
                pod.status.phase = "Pending".into();
                pod.metadata.uid = format!("{name}@{}", self.now);
            }
            put(&mut self.pods, &pod);
        } else if let Some(claim) = write.object::<PersistentVolumeClaim>() {
            put(&mut self.claims, claim);
        } else if let Some(revision) = write.object::<ControllerRevision>() {
            put(&mut self.revisions, revision);
        }
    }

    fn pod(&mut self, ordinal: i64) -> &mut Pod {
        let name = format!("web-{ordinal}");
        self.pods.iter_mut().find(|pod| pod.metadata.name == name).expect("a pod of this ordinal")
    }

    fn ready(&mut self, ordinal: i64) {
        let now = self.now;
        let pod = self.pod(ordinal);
        pod.status.phase = "Running".into();
        pod.status.conditions = vec![PodCondition {
            type_: "Ready".into(),
            status: "True".into(),
            last_transition_time: Some(at(now).into()),
            ..Default::default()
        }];
    }

    fn unready(&mut self, ordinal: i64) {
        self.pod(ordinal).status.conditions.clear();
    }

    /// What nodes would do: pods that are going are gone, and the others are ready.
    fn settle(&mut self) {
        self.pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        let ordinals: Vec<i64> = self.pods.iter().filter_map(identity::ordinal).collect();
        ordinals.into_iter().for_each(|ordinal| self.ready(ordinal));
    }

    /// Lets everything happen until nothing does any more; what was done to pods.
    fn run(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..60 {
            let before = self.set.clone();
            let said = self.step();
            let is_done = said.is_empty() && before == self.set;
            seen.extend(said.into_iter().filter_map(|line| {
                let (verb, pod) = line.split_once(" pods ")?;
                Some(format!("{verb} {pod}"))
            }));
            if is_done {
                return seen;
            }
            self.settle();
        }
        panic!("it does not end: {seen:?}");
    }

    fn images(&self) -> Vec<&str> {
        let mut pods: Vec<&Pod> = self.pods.iter().collect();
        pods.sort_by_key(|pod| identity::ordinal(pod));
        pods.iter().map(|pod| pod.spec.containers[0].image.as_str()).collect()
    }

    /// Replicas, ready, available, current and updated ones.
    fn counts(&self) -> [i32; 5] {
        let it = &self.set.status;
        [it.replicas, it.ready_replicas, it.available_replicas, it.current_replicas, it.updated_replicas]
    }
}

fn put<T: api_record::Typed>(all: &mut Vec<T>, object: &T) {
    let name = |it: &T| object_meta(it).map(|meta| meta.name.clone());
    all.retain(|other| name(other) != name(object));
    let mut object = object.clone();
    if let Some(meta) = object_meta_mut(&mut object)
        && meta.uid.is_empty()
    {
        meta.uid.clone_from(&meta.name);
    }
    all.push(object);
}

#[test]
fn pods_are_made_one_after_the_other_each_with_its_identity() {
    let mut cluster = Cluster::new(set(2));
    let said = cluster.step();
    let revision = cluster.revisions[0].metadata.name.clone();
    assert_eq!(said, [format!("create controllerrevisions.apps {revision}"), "create pods web-0".into()]);
    let pod = cluster.pod(0);
    assert_eq!((pod.spec.hostname.as_str(), pod.spec.subdomain.as_str()), ("web-0", "names"));
    assert_eq!(pod.metadata.generate_name, "web-");
    for (label, value) in [
        ("app", "web"),
        ("statefulset.kubernetes.io/pod-name", "web-0"),
        ("apps.kubernetes.io/pod-index", "0"),
        ("controller-revision-hash", &revision),
    ] {
        assert_eq!(pod.metadata.labels[label], value);
    }
    assert_eq!(owners::controller_of(&pod.metadata).map(|owner| owner.uid.as_str()), Some("set"));
    assert_eq!(cluster.step(), [""; 0], "the first is waited for");
    cluster.ready(0);
    assert_eq!(cluster.step(), ["create pods web-1"]);
    cluster.settle();
    assert_eq!(cluster.run(), [""; 0]);
    assert_eq!(cluster.counts(), [2; 5]);
    assert_eq!(cluster.set.status.current_revision, revision);
    assert_eq!(cluster.set.status.collision_count, Some(0));
    assert_eq!(cluster.set.status.observed_generation, 1);
}

#[test]
fn people_hear_of_pods_in_upstreams_words() {
    let plan = Cluster::new(set(1)).plan();
    let telling = plan.writes().find_map(|write| write.object::<Pod>().and(write.telling.clone()));
    let telling = telling.expect("it tells");
    let words = |note: Option<Note>| note.map(|note| format!("{} {}", note.reason, note.message));
    assert_eq!(
        words(telling.done).as_deref(),
        Some("SuccessfulCreate Create Pod web-0 in StatefulSet web successful")
    );
    assert_eq!(
        words(telling.failed).as_deref(),
        Some("FailedCreate Create Pod web-0 in StatefulSet web failed error: {error}")
    );
}

#[test]
fn in_parallel_all_are_made_at_once_and_end_at_once() {
    let mut cluster = Cluster::new(parallel(3));
    assert_eq!(cluster.step()[1..], ["create pods web-0", "create pods web-1", "create pods web-2"]);
    cluster.set.spec.replicas = Some(1);
    assert_eq!(cluster.step(), ["delete pods web-2", "delete pods web-1"]);
    let many = Cluster::new(parallel(i32::MAX)).plan();
    assert_eq!(many.writes().filter(|write| write.object::<Pod>().is_some()).count(), 500);
}

#[test]
fn pods_that_are_too_many_go_from_the_highest_and_wait_for_each_other() {
    let mut cluster = Cluster::new(set(3));
    cluster.run();
    cluster.set.spec.replicas = Some(0);
    assert_eq!(cluster.step(), ["delete pods web-2"]);
    assert_eq!(cluster.step(), [""; 0], "it is still going");
    cluster.pods.retain(|pod| pod.metadata.name != "web-2");
    cluster.unready(0);
    assert_eq!(cluster.step(), ["delete pods web-1"], "it is well");
    cluster.settle();
    cluster.unready(0);
    assert_eq!(cluster.step(), ["delete pods web-0"], "it is the first that is not");
    cluster.settle();
    cluster.run();
    assert_eq!(cluster.counts(), [0; 5]);
}

#[test]
fn one_that_is_not_well_stops_the_scaling_of_others() {
    let mut cluster = Cluster::new(set(3));
    cluster.run();
    cluster.unready(1);
    cluster.set.spec.replicas = Some(1);
    assert_eq!(cluster.step(), ["delete pods web-2"]);
    cluster.settle();
    cluster.unready(0);
    assert_eq!(cluster.step(), [""; 0], "what is to stay is to be well first");
    cluster.set.spec.replicas = Some(5);
    assert_eq!(cluster.step(), [""; 0]);
}

#[test]
fn a_rollout_replaces_from_the_highest_and_an_undo_counts_on() {
    let mut cluster = Cluster::new(set(3));
    cluster.run();
    let first = cluster.set.status.current_revision.clone();
    use_image(&mut cluster.set, "b");
    cluster.set.metadata.generation = 2;
    let said = cluster.step();
    assert_eq!(said[1..], ["delete pods web-2"]);
    assert_ne!(cluster.set.status.update_revision, first);
    assert_eq!((cluster.set.status.current_revision.as_str(), cluster.counts()), (&*first, [3, 3, 3, 2, 0]));
    cluster.settle();
    assert_eq!(
        cluster.run(),
        ["create web-2", "delete web-1", "create web-1", "delete web-0", "create web-0"]
    );
    assert_eq!(cluster.images(), ["b"; 3]);
    assert_eq!(cluster.set.status.current_revision, cluster.set.status.update_revision);
    use_image(&mut cluster.set, "a");
    cluster.run();
    assert_eq!(cluster.images(), ["a"; 3]);
    assert_eq!(cluster.set.status.update_revision, first);
    let mut numbers: Vec<i64> = cluster.revisions.iter().map(|revision| revision.revision).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
}

#[test]
fn below_the_partition_pods_keep_their_revision_even_when_they_are_made_anew() {
    let mut cluster = Cluster::new(set(3));
    rolling(&mut cluster.set).partition = Some(2);
    cluster.run();
    use_image(&mut cluster.set, "b");
    cluster.run();
    assert_eq!(cluster.images(), ["a", "a", "b"]);
    assert_eq!(cluster.counts(), [3, 3, 3, 2, 1]);
    cluster.pods.retain(|pod| pod.metadata.name != "web-0");
    cluster.run();
    assert_eq!(cluster.images(), ["a", "a", "b"]);
    rolling(&mut cluster.set).partition = Some(0);
    cluster.run();
    assert_eq!(cluster.images(), ["b", "b", "b"]);
}

#[test]
fn a_rollout_may_have_several_unavailable() {
    let mut cluster = Cluster::new(set(4));
    rolling(&mut cluster.set).max_unavailable = Some(IntOrString::String("50%".into()));
    cluster.run();
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.step()[1..], ["delete pods web-3", "delete pods web-2"]);
    assert_eq!(cluster.set.status.current_replicas, 2);
    cluster.settle();
    cluster.run();
    assert_eq!(cluster.images(), ["b"; 4]);
}

#[test]
fn in_parallel_what_serves_nobody_is_replaced_first() {
    let mut cluster = Cluster::new(parallel(3));
    cluster.run();
    cluster.unready(0);
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.step()[1..], ["delete pods web-0"], "it uses up what may be unavailable");
    cluster.settle();
    cluster.run();
    assert_eq!(cluster.images(), ["b"; 3]);
}

#[test]
fn a_rollout_that_breaks_pods_stops_and_waits_for_people() {
    let mut cluster = Cluster::new(set(2));
    cluster.run();
    use_image(&mut cluster.set, "broken");
    cluster.step();
    cluster.settle();
    assert_eq!(cluster.step(), ["create pods web-1"]);
    use_image(&mut cluster.set, "a");
    cluster.step();
    assert_eq!(cluster.step(), [""; 0], "the broken pod is waited for");
    cluster.pods.retain(|pod| pod.metadata.name != "web-1");
    cluster.run();
    assert_eq!(cluster.images(), ["a", "a"]);
}

#[test]
fn on_delete_nothing_is_replaced_before_it_is_deleted() {
    let mut cluster = Cluster::new(set(2));
    cluster.set.spec.update_strategy.type_ = "OnDelete".into();
    cluster.set.spec.update_strategy.rolling_update = None;
    cluster.run();
    use_image(&mut cluster.set, "b");
    assert_eq!(cluster.run(), [""; 0]);
    cluster.pods.retain(|pod| pod.metadata.name != "web-0");
    assert_eq!(cluster.run(), ["create web-0"]);
    assert_eq!(cluster.images(), ["b", "a"]);
}

#[test]
fn pods_that_have_ended_are_made_anew() {
    for phase in ["Failed", "Succeeded"] {
        let mut cluster = Cluster::new(set(2));
        cluster.run();
        cluster.pod(0).status.phase = phase.into();
        assert_eq!(cluster.step(), ["delete pods web-0"]);
        assert_eq!(cluster.step(), [""; 0], "it is waited for");
        cluster.settle();
        assert_eq!(cluster.step(), ["create pods web-0"]);
    }
}

#[test]
fn ordinals_begin_where_the_set_says() {
    let mut cluster = Cluster::new(set(2));
    cluster.set.spec.ordinals = Some(Box::new(StatefulSetOrdinals { start: 5 }));
    assert_eq!(cluster.run(), ["create web-5", "create web-6"]);
    cluster.set.spec.ordinals = Some(Box::new(StatefulSetOrdinals { start: 6 }));
    assert_eq!(cluster.run(), ["create web-7", "delete web-5"]);
}

#[test]
fn a_pod_is_available_after_some_seconds() {
    let mut cluster = Cluster::new(set(2));
    cluster.set.spec.min_ready_seconds = 30;
    cluster.step();
    cluster.ready(0);
    assert_eq!(cluster.step(), [""; 0]);
    assert_eq!(cluster.counts(), [1, 1, 0, 1, 1]);
    assert_eq!(cluster.plan().again.map(|wait| wait.as_secs()), Some(29));
    cluster.now += 29;
    assert_eq!(cluster.step(), ["create pods web-1"]);
}

#[test]
fn a_pod_of_somebody_else_is_in_the_way_until_it_is_gone() {
    let mut cluster = Cluster::new(set(1));
    let mut pod = Pod::default();
    pod.metadata.name = "web-0".into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.uid = "other".into();
    pod.status.phase = "Running".into();
    cluster.pods.push(pod.clone());
    assert_eq!(cluster.step().len(), 1, "but for the revision, nothing can be done");
    assert_eq!(cluster.step(), [""; 0]);
    let world = World::default().with([cluster.set.clone()], Revision(1));
    assert_eq!(concerned(&pod, &world), [name("shop", "web")]);
    cluster.pods.clear();
    assert_eq!(cluster.step(), ["create pods web-0"]);
}

#[test]
fn a_revision_is_made_only_for_a_set_that_is_still_there() {
    let plan = Cluster::new(set(1)).plan();
    let write =
        plan.writes().find(|write| write.object::<ControllerRevision>().is_some()).expect("a revision");
    assert!(
        matches!(&write.guards[..], [client::reconcile::Guard::Alive(target, uid)] if target.name == "web" && uid == "set")
    );
}

#[test]
fn a_pod_of_no_revision_is_replaced_and_counts_for_none() {
    let mut cluster = Cluster::new(set(1));
    cluster.run();
    cluster.pod(0).metadata.labels.insert("controller-revision-hash".into(), "web-unknown".into());
    assert_eq!(cluster.step(), ["delete pods web-0"]);
    assert_eq!(cluster.counts(), [1, 1, 1, 0, 0]);
    cluster.settle();
    cluster.run();
    assert_eq!(cluster.counts(), [1; 5]);
}

#[test]
fn orphans_of_its_names_are_adopted_and_others_released() {
    let mut cluster = Cluster::new(set(2));
    cluster.run();
    cluster.pod(0).metadata.owner_references.clear();
    cluster.pod(1).metadata.labels.insert("app".into(), "else".into());
    let mut stray = cluster.pod(0).clone();
    stray.metadata.name = "stray".into();
    cluster.pods.push(stray);
    assert_eq!(cluster.step(), ["patch pods web-1", "patch pods web-0"]);
}

#[test]
fn a_pod_without_its_label_gets_it() {
    let mut cluster = Cluster::new(set(1));
    cluster.run();
    cluster.pod(0).metadata.labels.remove("statefulset.kubernetes.io/pod-name");
    assert_eq!(cluster.step(), ["update pods web-0"]);
    assert_eq!(cluster.run(), [""; 0]);
}

#[test]
fn a_set_that_is_being_deleted_only_counts() {
    let mut cluster = Cluster::new(set(3));
    cluster.step();
    cluster.ready(0);
    cluster.set.metadata.deletion_timestamp = Some(at(1).into());
    assert_eq!(cluster.step(), [""; 0]);
    assert_eq!(cluster.counts(), [1; 5]);
}

#[test]
fn revisions_that_nobody_has_go_beyond_the_limit() {
    let mut cluster = Cluster::new(set(1));
    cluster.set.spec.revision_history_limit = Some(1);
    for image in ["b", "c", "d", "e"] {
        cluster.run();
        use_image(&mut cluster.set, image);
    }
    cluster.run();
    let mut numbers: Vec<i64> = cluster.revisions.iter().map(|revision| revision.revision).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [4, 5]);
}

#[test]
fn what_an_older_release_wrote_is_no_other_revision() {
    let mut cluster = Cluster::new(set(1));
    cluster.run();
    let revision = &mut cluster.revisions[0];
    let text = String::from_utf8_lossy(revision.data.text()).into_owned();
    let older = text.replace(r#""metadata":{"#, r#""metadata":{"creationTimestamp":null,"#);
    assert_ne!(older, text);
    revision.data = api_record::scalar::RawJson(Some(older.into()));
    assert_eq!(cluster.run(), [""; 0]);
    assert_eq!(cluster.revisions.len(), 1);
}

#[test]
fn revisions_without_an_owner_are_adopted() {
    let mut cluster = Cluster::new(set(1));
    cluster.run();
    let name = cluster.revisions[0].metadata.name.clone();
    cluster.revisions[0].metadata.owner_references.clear();
    assert_eq!(cluster.step(), [format!("patch controllerrevisions.apps {name}")]);
}

#[test]
fn a_strategy_behind_a_gate_is_refused() {
    let mut cluster = Cluster::new(set(1));
    cluster.set.spec.update_strategy.type_ = "Recreate".into();
    let plan = cluster.plan();
    assert_eq!(plan.events[0].reason, "UnknownStrategy");
    assert!(plan.failure.is_some() && plan.writes().all(|write| write.object::<Pod>().is_none()));
}
