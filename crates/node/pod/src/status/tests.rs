//! Statuses by table.

use api_types::core::v1::EphemeralContainer;

use super::*;
use crate::backoff::Backoff;

const NOW: Time = Time::from_unix_seconds(1000);

fn container(name: &str) -> Container {
    Container { name: name.into(), image: "img".into(), ..Container::default() }
}

fn pod(policy: &str, inits: &[&str], containers: &[&str]) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "web".into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.uid = "u1".into();
    pod.spec.restart_policy = policy.into();
    pod.spec.init_containers = inits.iter().map(|name| container(name)).collect();
    pod.spec.containers = containers.iter().map(|name| container(name)).collect::<Vec<_>>().into();
    pod
}

fn running() -> ContainerRecord {
    ContainerRecord { state: State::Running(1), started: true, ready: true, ..ContainerRecord::default() }
}

fn exited(code: i32) -> ContainerRecord {
    let exit = Exit { code, finished_nanos: NOW.unix_nanos(), ..Exit::default() };
    ContainerRecord { state: State::Exited(exit), ..ContainerRecord::default() }
}

fn record(stage: Stage, containers: &[(&str, ContainerRecord)]) -> PodRecord {
    PodRecord {
        sandbox: true,
        stage,
        containers: containers.iter().map(|(name, known)| ((*name).to_owned(), known.clone())).collect(),
        ..PodRecord::default()
    }
}

fn condition(status: &PodStatus, type_: &str) -> String {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
    format!("{} {} {}", found.status, found.reason, found.message).trim_end().to_owned()
}

#[test]
fn phases_follow_from_containers() {
    use Stage::{Syncing, Terminating};
    let ab = ["a", "b"];
    type Case<'a> = (&'a str, &'a [&'a str], Stage, Vec<(&'a str, ContainerRecord)>, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("Always", &[], Syncing, vec![], "Pending"),
        ("Always", &[], Syncing, vec![("a", running())], "Pending"),
        ("Always", &[], Syncing, vec![("a", running()), ("b", running())], "Running"),
        ("Always", &[], Syncing, vec![("a", exited(0)), ("b", exited(1))], "Running"),
        ("OnFailure", &[], Syncing, vec![("a", exited(0)), ("b", exited(0))], "Succeeded"),
        ("OnFailure", &[], Syncing, vec![("a", exited(0)), ("b", exited(1))], "Running"),
        ("Never", &[], Syncing, vec![("a", exited(0)), ("b", exited(1))], "Failed"),
        ("Never", &[], Syncing, vec![("a", exited(0)), ("b", running())], "Running"),
        ("Always", &[], Terminating, vec![("a", exited(0)), ("b", exited(0))], "Succeeded"),
        ("Always", &[], Terminating, vec![("a", exited(0)), ("b", exited(137))], "Failed"),
        ("Always", &["i"], Syncing, vec![("i", running())], "Pending"),
        ("Always", &["i"], Syncing, vec![("i", exited(1))], "Pending"),
        ("Never", &["i"], Syncing, vec![("i", exited(1))], "Failed"),
        ("Always", &["i"], Syncing, vec![("i", exited(0)), ("a", running()), ("b", running())], "Running"),
        ("Always", &[], Terminating, vec![("a", exited(0))], "Failed"),
    ];
    for (policy, inits, stage, containers, want) in cases {
        let status = compute(&pod(policy, inits, &ab), &record(stage, &containers), &Node::default(), NOW);
        assert_eq!(status.phase, want, "{policy} {inits:?} {stage:?} {containers:?}");
    }
}

#[test]
fn conditions_follow_from_containers() {
    let one = pod("Always", &["i"], &["a"]);
    let status = compute(&one, &record(Stage::Syncing, &[]), &Node::default(), NOW);
    assert_eq!(
        condition(&status, "Initialized"),
        "False ContainersNotInitialized containers with incomplete status: [i]"
    );
    assert_eq!(condition(&status, "Ready"), "False ContainersNotReady containers with unready status: [a]");
    assert_eq!(status.container_statuses[0].state.waiting.as_ref().unwrap().reason, "PodInitializing");
    let known = record(Stage::Syncing, &[("i", exited(0)), ("a", running())]);
    let status = compute(&one, &known, &Node::default(), NOW);
    for type_ in ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"] {
        assert_eq!(condition(&status, type_), "True", "{type_}");
    }
    let mut gated = one.clone();
    gated.spec.readiness_gates.push(api_types::core::v1::PodReadinessGate { condition_type: "x/y".into() });
    let status = compute(&gated, &known, &Node::default(), NOW);
    assert_eq!(
        condition(&status, "Ready"),
        "False ReadinessGatesNotReady corresponding condition of pod readiness gate \"x/y\" does not exist."
    );
    let done = record(Stage::Terminating, &[("i", exited(0)), ("a", exited(0))]);
    let status = compute(&pod("Never", &["i"], &["a"]), &done, &Node::default(), NOW);
    assert_eq!(condition(&status, "Ready"), "False PodCompleted");
    assert_eq!(condition(&status, "Initialized"), "True PodCompleted");
}

#[test]
fn a_crash_loop_says_so() {
    let mut known = exited(1);
    known.backoff = Backoff { seconds: 20, updated_nanos: NOW.unix_nanos() };
    known.attempt = 2;
    let one = pod("Always", &[], &["a"]);
    let status = compute(&one, &record(Stage::Syncing, &[("a", known)]), &Node::default(), NOW);
    let shown = &status.container_statuses[0];
    let waiting = shown.state.waiting.as_ref().unwrap();
    assert_eq!(waiting.reason, "CrashLoopBackOff");
    assert_eq!(waiting.message, "back-off 20s restarting failed container=a pod=web_shop(u1)");
    assert_eq!(shown.restart_count, 2);
    assert_eq!(shown.last_termination_state.terminated.as_ref().unwrap().exit_code, 1);
    assert_eq!(status.phase, "Running");
}

#[test]
fn ephemeral_containers_have_statuses_and_no_say() {
    let mut web = pod("Always", &[], &["a"]);
    let mut added = EphemeralContainer::default();
    added.ephemeral_container_common.name = "debugger".into();
    added.ephemeral_container_common.image = "tools".into();
    web.spec.ephemeral_containers = vec![added];
    for (known, code) in [(running(), None), (exited(3), Some(3))] {
        let known = record(Stage::Syncing, &[("a", running()), ("debugger", known)]);
        let status = compute(&web, &known, &Node::default(), NOW);
        assert_eq!((status.phase.as_str(), status.container_statuses.len()), ("Running", 1));
        let [shown] = status.ephemeral_container_statuses.as_slice() else { panic!("one status") };
        assert_eq!((shown.name.as_str(), shown.image.as_str()), ("debugger", "tools"));
        assert_eq!((shown.ready, shown.started, shown.restart_count), (false, None, 0));
        assert_eq!(shown.state.running.is_some(), code.is_none());
        assert_eq!(shown.state.terminated.as_ref().map(|end| end.exit_code), code);
        assert!(condition(&status, "Ready").starts_with("True"));
    }
}
