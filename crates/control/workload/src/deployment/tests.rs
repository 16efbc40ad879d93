//! Rollouts step by step: each plan is carried out on a small world, with the ReplicaSets' pods made ready at once or not.

use api_record::scalar::IntOrString;
use api_types::apps::v1::RollingUpdateDeployment;
use api_types::meta::v1::LabelSelector;
use client::Revision;
use client::reconcile::Op;

use super::*;
use crate::replicas::Replicated;
use crate::template_hash;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn deployment(replicas: i32, image: &str) -> Deployment {
    let mut deployment = Deployment::default();
    deployment.metadata.name = "web".into();
    deployment.metadata.namespace = "shop".into();
    deployment.metadata.uid = "web-uid".into();
    deployment.metadata.generation = 1;
    let labels: BTreeMap<String, String> = [("app".to_owned(), "web".to_owned())].into();
    let spec = &mut deployment.spec;
    spec.replicas = Some(replicas);
    spec.selector = Some(Box::new(LabelSelector { match_labels: labels.clone(), ..Default::default() }));
    spec.template.metadata.labels = labels;
    spec.strategy.type_ = "RollingUpdate".into();
    spec.strategy.rolling_update = Some(Box::new(RollingUpdateDeployment {
        max_surge: Some(IntOrString::Int(1)),
        max_unavailable: Some(IntOrString::Int(0)),
    }));
    spec.progress_deadline_seconds = Some(600);
    spec.revision_history_limit = Some(10);
    use_image(&mut deployment, image);
    deployment
}

fn use_image(deployment: &mut Deployment, image: &str) {
    let container =
        api_types::core::v1::Container { name: "c".into(), image: image.into(), ..Default::default() };
    deployment.spec.template.spec.containers = vec![container].into();
}

/// A world that carries plans out.
struct Cluster {
    deployment: Deployment,
    sets: Vec<ReplicaSet>,
    pods: Vec<Pod>,
    now: i64,
}

impl Cluster {
    fn new(deployment: Deployment) -> Cluster {
        Cluster { deployment, sets: Vec::new(), pods: Vec::new(), now: 1000 }
    }

    fn world(&self) -> World {
        World::default()
            .with([self.deployment.clone()], Revision(1))
            .with(self.sets.clone(), Revision(1))
            .with(self.pods.clone(), Revision(1))
    }

    fn plan(&self) -> Plan {
        Deployments.plan(&name("shop", "web"), &self.world(), at(self.now))
    }

    /// Plans once and carries it out; the words of what was written.
    fn step(&mut self) -> Vec<String> {
        let plan = self.plan();
        self.now += 1;
        let mut said = Vec::new();
        for write in plan.writes() {
            if let Some(deployment) = write.object::<Deployment>() {
                self.deployment = deployment.clone();
                continue;
            }
            let note = write.telling.as_ref().and_then(|telling| telling.done.as_ref());
            said.extend(note.map(|note| note.message.clone()));
            match &write.op {
                Op::Delete { .. } => {
                    said.push(format!("deleted {}", write.target.name));
                    self.sets.retain(|set| set.metadata.name != write.target.name);
                }
                _ => self.put(write.object::<ReplicaSet>().expect("a set")),
            }
        }
        said
    }

    fn put(&mut self, set: &ReplicaSet) {
        let mut set = set.clone();
        if set.metadata.uid.is_empty() {
            set.metadata.uid = set.metadata.name.clone();
            set.metadata.generation = 1;
            set.metadata.creation_timestamp = Some(at(self.now).into());
        }
        self.sets.retain(|other| other.metadata.name != set.metadata.name);
        self.sets.push(set);
    }

    /// What the ReplicaSets' controller and the nodes would do.
    fn settle(&mut self, is_healthy: impl Fn(&ReplicaSet) -> bool) {
        for set in &mut self.sets {
            set.status.replicas = size(set);
            let healthy = if is_healthy(set) { size(set) } else { 0 };
            set.status.ready_replicas = healthy;
            set.status.available_replicas = healthy;
            set.status.terminating_replicas = Some(0);
            set.status.observed_generation = set.metadata.generation;
        }
    }

    /// Lets everything happen until nothing does any more; all sizes of old and new seen on the way.
    fn run(&mut self) -> Vec<(i32, i32)> {
        let mut seen = Vec::new();
        for _ in 0..40 {
            let before = self.deployment.clone();
            let said = self.step();
            let (new, old) = self.sizes();
            if seen.last() != Some(&(old, new)) {
                seen.push((old, new));
            }
            if said.is_empty() && before == self.deployment {
                return seen;
            }
            self.settle(|_| true);
        }
        panic!("the rollout does not end: {seen:?}");
    }

    fn sizes(&self) -> (i32, i32) {
        let all: Vec<&ReplicaSet> = self.sets.iter().collect();
        let (new, old) = sets::split(&self.deployment, &all);
        (new.as_ref().map_or(0, size), old.iter().map(size).sum())
    }

    fn condition(&self, type_: &str) -> String {
        let found = conditions::find(&self.deployment.status.conditions, type_);
        found.map(|it| format!("{} {}: {}", it.status, it.reason, it.message)).unwrap_or_default()
    }

    fn revisions(&self) -> Vec<&str> {
        let mut sets: Vec<&ReplicaSet> = self.sets.iter().collect();
        sets.sort_by(|a, b| sets::by_age(a, b));
        sets.iter()
            .map(|set| set.metadata.annotations["deployment.kubernetes.io/revision"].as_str())
            .collect()
    }
}

#[test]
fn a_first_rollout_makes_one_set() {
    let mut cluster = Cluster::new(deployment(3, "a"));
    let said = cluster.step();
    let name = cluster.sets[0].metadata.name.clone();
    assert_eq!(said, [format!("Scaled up replica set {name} from 0 to 3")]);
    let set = &cluster.sets[0];
    let hash = name.strip_prefix("web-").expect("the deployment's name comes first");
    assert_eq!(
        set.spec.selector.as_ref().map(|it| it.match_labels["pod-template-hash"].as_str()),
        Some(hash)
    );
    assert_eq!(set.spec.template.metadata.labels["pod-template-hash"], hash);
    assert_eq!(set.metadata.annotations["deployment.kubernetes.io/desired-replicas"], "3");
    assert_eq!(set.metadata.annotations["deployment.kubernetes.io/max-replicas"], "4");
    assert_eq!(cluster.deployment.metadata.annotations["deployment.kubernetes.io/revision"], "1");
    assert_eq!(
        cluster.condition("Progressing"),
        format!("True NewReplicaSetCreated: Created new replica set \"{name}\"")
    );
    assert_eq!(
        cluster.condition("Available"),
        "False MinimumReplicasUnavailable: Deployment does not have minimum availability."
    );
    cluster.settle(|_| true);
    cluster.run();
    assert_eq!(
        cluster.condition("Progressing"),
        format!("True NewReplicaSetAvailable: ReplicaSet \"{name}\" has successfully progressed.")
    );
    assert_eq!(
        cluster.condition("Available"),
        "True MinimumReplicasAvailable: Deployment has minimum availability."
    );
    assert_eq!(cluster.deployment.status.observed_generation, 1);
}

#[test]
fn a_rollout_keeps_its_bounds_and_a_rollback_its_history() {
    let mut cluster = Cluster::new(deployment(3, "a"));
    cluster.run();
    use_image(&mut cluster.deployment, "b");
    let seen = cluster.run();
    assert_eq!(seen, [(3, 1), (2, 1), (2, 2), (1, 2), (1, 3), (0, 3)]);
    assert_eq!(cluster.revisions(), ["1", "2"]);
    use_image(&mut cluster.deployment, "a");
    cluster.run();
    assert_eq!(cluster.revisions(), ["3", "2"]);
    assert_eq!(cluster.deployment.metadata.annotations["deployment.kubernetes.io/revision"], "3");
    let back = cluster.sets.iter().find(|set| size(set) == 3).expect("the set that is back");
    assert_eq!(back.metadata.annotations["deployment.kubernetes.io/revision-history"], "1");
}

#[test]
fn old_sets_beyond_the_history_are_deleted() {
    let mut cluster = Cluster::new(deployment(1, "a"));
    cluster.deployment.spec.revision_history_limit = Some(1);
    for image in ["a", "b", "c", "d"] {
        use_image(&mut cluster.deployment, image);
        cluster.run();
    }
    assert_eq!(cluster.revisions(), ["3", "4"]);
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let mut cluster = Cluster::new(deployment(2, "a"));
    cluster.deployment.spec.strategy.type_ = "Recreate".into();
    cluster.run();
    let mut pod = Pod::default();
    pod.metadata.namespace = "shop".into();
    pod.metadata.owner_references =
        vec![owners::controller_reference(&cluster.sets[0].metadata, <ReplicaSet as Replicated>::KIND)];
    pod.status.phase = "Running".into();
    cluster.pods.push(pod);
    use_image(&mut cluster.deployment, "b");
    assert_eq!(cluster.run(), [(0, 0)]);
    cluster.pods.clear();
    assert_eq!(cluster.run(), [(0, 2)]);
}

#[test]
fn recreate_ends_with_one_set_also_when_the_size_changed_between() {
    let mut cluster = Cluster::new(deployment(2, "a"));
    cluster.run();
    use_image(&mut cluster.deployment, "b");
    cluster.run();
    // As when a deployment leaves its sets in the middle of a rollout and another adopts them.
    for (set, size) in cluster.sets.iter_mut().zip([2, 1]) {
        set.spec.replicas = Some(size);
    }
    cluster.settle(|_| true);
    cluster.deployment.spec.strategy.type_ = "Recreate".into();
    cluster.deployment.spec.replicas = Some(1);
    cluster.run();
    assert_eq!(cluster.sizes(), (1, 0));
}

#[test]
fn scaling_in_the_middle_of_a_rollout_keeps_proportions() {
    let mut cluster = Cluster::new(deployment(10, "a"));
    let limits = RollingUpdateDeployment {
        max_surge: Some(IntOrString::Int(3)),
        max_unavailable: Some(IntOrString::Int(2)),
    };
    cluster.deployment.spec.strategy.rolling_update = Some(Box::new(limits));
    cluster.run();
    use_image(&mut cluster.deployment, "b");
    // The new pods never become available.
    let old = cluster.sets[0].metadata.name.clone();
    for _ in 0..6 {
        cluster.step();
        cluster.settle(|set| set.metadata.name == old);
    }
    assert_eq!(cluster.sizes(), (5, 8), "all that may be has been done");
    cluster.deployment.spec.replicas = Some(15);
    cluster.deployment.metadata.generation = 2;
    cluster.step();
    assert_eq!(cluster.sizes(), (7, 11), "upstream's example: 18 in the proportion of 8 to 5");
}

#[test]
fn a_set_that_was_anothers_does_not_grow_where_there_are_too_many_pods() {
    let mut cluster = Cluster::new(deployment(3, "a"));
    cluster.run();
    let mut adopted = cluster.sets[0].clone();
    adopted.metadata.name = "web-adopted".into();
    adopted.metadata.uid = "adopted".into();
    adopted.spec.replicas = Some(2);
    adopted.spec.template.spec.containers[0].image = "z".into();
    for key in ["deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas"] {
        adopted.metadata.annotations.insert(key.into(), "1".into());
    }
    cluster.sets.push(adopted);
    let before: Vec<_> = cluster.sets.iter().map(|set| (set.metadata.name.clone(), size(set))).collect();
    cluster.deployment.status.available_replicas = 0;
    cluster.sets.iter_mut().for_each(|set| set.status.available_replicas = 0);
    cluster.step();
    for (name, size_before) in before {
        let set = cluster.sets.iter().find(|set| set.metadata.name == name).expect("it stays");
        assert!(size(set) <= size_before, "{name} grew from {size_before} to {}", size(set));
    }
    assert_eq!(cluster.sets.iter().map(size).sum::<i32>(), 4, "as many as may be");
}

#[test]
fn a_set_that_has_the_new_size_by_chance_does_not_hold_up_the_rollout() {
    let mut cluster = Cluster::new(deployment(3, "a"));
    let limits = RollingUpdateDeployment { max_unavailable: Some(IntOrString::Int(1)), max_surge: None };
    cluster.deployment.spec.strategy.rolling_update = Some(Box::new(limits));
    cluster.run();
    use_image(&mut cluster.deployment, "b");
    cluster.step();
    // The old set has been made smaller, the new one not yet larger.
    let (new, old) = (cluster.sets.len() - 1, 0);
    (cluster.sets[old].spec.replicas, cluster.sets[new].spec.replicas) = (Some(2), Some(0));
    cluster.deployment.spec.replicas = Some(2);
    cluster.deployment.metadata.generation += 1;
    assert_eq!(cluster.run().last(), Some(&(0, 2)));
}

#[test]
fn a_rollout_without_progress_times_out() {
    let mut cluster = Cluster::new(deployment(1, "a"));
    cluster.step();
    cluster.settle(|_| false);
    cluster.step();
    let wait = cluster.plan().again.expect("it looks again");
    assert_eq!(wait.as_secs(), 600);
    cluster.now += 602;
    cluster.step();
    let name = &cluster.sets[0].metadata.name;
    assert_eq!(
        cluster.condition("Progressing"),
        format!("False ProgressDeadlineExceeded: ReplicaSet \"{name}\" has timed out progressing.")
    );
}

#[test]
fn a_pause_stops_rollouts_but_not_scaling() {
    let mut cluster = Cluster::new(deployment(2, "a"));
    cluster.run();
    cluster.deployment.spec.paused = true;
    use_image(&mut cluster.deployment, "b");
    assert_eq!(cluster.run(), [(2, 0)]);
    assert_eq!(cluster.condition("Progressing"), "Unknown DeploymentPaused: Deployment is paused");
    cluster.deployment.spec.replicas = Some(4);
    assert_eq!(cluster.run().last(), Some(&(4, 0)));
    cluster.deployment.spec.paused = false;
    assert_eq!(cluster.run().last(), Some(&(0, 4)));
}

#[test]
fn a_name_that_is_taken_is_avoided() {
    let mut cluster = Cluster::new(deployment(1, "a"));
    let hash = template_hash::hash(&cluster.deployment.spec.template, None);
    let mut other = ReplicaSet::default();
    other.metadata.name = template_hash::name("web", &hash);
    other.metadata.namespace = "shop".into();
    other.metadata.uid = "other".into();
    cluster.sets.push(other);
    assert_eq!(cluster.step(), Vec::<String>::new());
    assert_eq!(cluster.deployment.status.collision_count, Some(1));
    assert_eq!(cluster.step().len(), 1);
}

#[test]
fn a_selector_of_everything_is_refused() {
    let mut deployment = deployment(1, "a");
    deployment.spec.selector = Some(Box::default());
    let plan = Cluster::new(deployment).plan();
    assert_eq!(plan.events[0].reason, "SelectingAll");
    assert_eq!(plan.writes().count(), 1);
}

/// Found by the simulator: an undo met a set that still counted, as available, a pod that was being deleted.
#[test]
fn old_sets_do_not_shrink_on_what_a_set_said_before_it_saw_its_size() {
    let mut cluster = Cluster::new(deployment(3, "a"));
    cluster.run();
    use_image(&mut cluster.deployment, "b");
    cluster.run();
    use_image(&mut cluster.deployment, "a");
    cluster.step();
    assert_eq!(cluster.sizes(), (1, 3));
    let image = |set: &ReplicaSet| set.spec.template.spec.containers[0].image.clone();
    let new = cluster.sets.iter_mut().find(|set| image(set) == "a").expect("the set of the template");
    new.metadata.generation += 1;
    new.status.available_replicas = 1;
    cluster.step();
    assert_eq!(cluster.sizes(), (1, 3));
    cluster.settle(|_| true);
    cluster.step();
    assert_eq!(cluster.sizes(), (1, 2));
}
