//! Tables of pods, what is known of them, and what is done next.

use api_record::scalar;
use api_types::core::v1::{Container, ContainerResizePolicy, EphemeralContainer, Pod};
use base::time::Time;

use super::*;
use crate::allocation::Share;
use crate::backoff::Backoff;
use crate::record::{Exit, Waiting};
use crate::resources::pod_limits;

const NOW: Time = Time::from_unix_seconds(1000);

fn container(name: &str) -> Container {
    Container { name: name.into(), ..Container::default() }
}

fn sidecar(name: &str) -> Container {
    Container { restart_policy: Some("Always".into()), ..container(name) }
}

fn pod(policy: &str, inits: Vec<Container>, containers: Vec<Container>) -> Pod {
    let mut pod = Pod::default();
    pod.spec.restart_policy = policy.into();
    pod.spec.init_containers = inits;
    pod.spec.containers = containers.into();
    pod
}

fn running() -> ContainerRecord {
    ContainerRecord {
        state: State::Running(1),
        started: true,
        post_started: true,
        ..ContainerRecord::default()
    }
}

fn exited(code: i32) -> ContainerRecord {
    let exit = Exit { code, finished_nanos: NOW.unix_nanos(), ..Exit::default() };
    ContainerRecord { state: State::Exited(exit), ..ContainerRecord::default() }
}

fn record(containers: &[(&str, ContainerRecord)]) -> PodRecord {
    PodRecord {
        sandbox: true,
        group: pod_limits(&Pod::default()),
        seen_nanos: NOW.unix_nanos(),
        containers: containers.iter().map(|(name, known)| ((*name).to_owned(), known.clone())).collect(),
        ..PodRecord::default()
    }
}

fn start(name: &str) -> Step {
    Step::Start { container: name.into() }
}

const END: Step = Step::Terminate { verdict: None };

#[test]
fn containers_start_restart_and_end_by_policy() {
    let two = |policy: &str| pod(policy, vec![], vec![container("a"), container("b")]);
    let starting = ContainerRecord { state: State::Starting, ..ContainerRecord::default() };
    let cases: Vec<(&str, Pod, PodRecord, Vec<Step>)> = vec![
        ("no sandbox", two("Always"), PodRecord::default(), vec![Step::Sandbox]),
        ("all start", two("Always"), record(&[]), vec![start("a"), start("b")]),
        ("one is starting", two("Always"), record(&[("a", starting)]), vec![start("b")]),
        ("both run", two("Always"), record(&[("a", running()), ("b", running())]), vec![]),
        ("restart", two("Always"), record(&[("a", exited(0)), ("b", running())]), vec![start("a")]),
        ("a success stays", two("OnFailure"), record(&[("a", exited(0)), ("b", running())]), vec![]),
        (
            "a failure does not",
            two("OnFailure"),
            record(&[("a", exited(1)), ("b", running())]),
            vec![start("a")],
        ),
        ("never", two("Never"), record(&[("a", exited(1)), ("b", running())]), vec![]),
        ("over", two("Never"), record(&[("a", exited(1)), ("b", exited(0))]), vec![END]),
    ];
    for (what, pod, record, steps) in cases {
        assert_eq!(plan(Some(&pod), &record, NOW).steps, steps, "{what}");
    }
}

#[test]
fn init_containers_run_one_by_one_and_sidecars_go_on() {
    let make =
        |policy: &str| pod(policy, vec![container("i"), sidecar("s"), container("j")], vec![container("a")]);
    let fresh = ContainerRecord { started: false, ..running() };
    let cases: Vec<(&str, &str, PodRecord, Vec<Step>)> = vec![
        ("the first", "Always", record(&[]), vec![start("i")]),
        ("it runs", "Always", record(&[("i", running())]), vec![]),
        ("it fails", "Always", record(&[("i", exited(1))]), vec![start("i")]),
        ("it fails for good", "Never", record(&[("i", exited(1))]), vec![END]),
        ("the sidecar", "Never", record(&[("i", exited(0))]), vec![start("s")]),
        ("it has not started", "Always", record(&[("i", exited(0)), ("s", fresh)]), vec![]),
        ("the second", "Always", record(&[("i", exited(0)), ("s", running())]), vec![start("j")]),
        (
            "a sidecar fails meanwhile",
            "Never",
            record(&[("i", exited(0)), ("s", exited(1))]),
            vec![start("s")],
        ),
        (
            "the pod itself",
            "Always",
            record(&[("i", exited(0)), ("s", running()), ("j", exited(0))]),
            vec![start("a")],
        ),
        (
            "later a sidecar fails, and inits are not run again",
            "Always",
            record(&[("s", exited(0)), ("a", running())]),
            vec![start("s")],
        ),
        (
            "sidecars end with the pod",
            "Never",
            record(&[("i", exited(0)), ("s", running()), ("j", exited(0)), ("a", exited(0))]),
            vec![END],
        ),
    ];
    for (what, policy, record, steps) in cases {
        assert_eq!(plan(Some(&make(policy)), &record, NOW).steps, steps, "{what}");
    }
}

#[test]
fn waits_are_waited_for() {
    let pod = pod("Always", vec![], vec![container("a")]);
    let mut known = exited(1);
    known.backoff = Backoff { seconds: 20, updated_nanos: NOW.unix_nanos() };
    let planned = plan(Some(&pod), &record(&[("a", known.clone())]), NOW);
    assert_eq!(planned, Plan { steps: vec![], wake: Some(Time::from_unix_seconds(1020)) });
    assert_eq!(plan(Some(&pod), &record(&[("a", known)]), Time::from_unix_seconds(1020)).steps, [start("a")]);
    let failed = ContainerRecord {
        waiting: Some(Waiting { reason: "ErrImagePull".into(), message: String::new() }),
        retry_nanos: Time::from_unix_seconds(1010).unix_nanos(),
        ..ContainerRecord::default()
    };
    let planned = plan(Some(&pod), &record(&[("a", failed)]), NOW);
    assert_eq!(planned, Plan { steps: vec![], wake: Some(Time::from_unix_seconds(1010)) });
}

#[test]
fn deadlines_verdicts_and_deletion_end_a_pod() {
    let mut one = pod("Always", vec![], vec![container("a")]);
    one.spec.active_deadline_seconds = Some(30);
    let known = record(&[("a", running())]);
    let planned = plan(Some(&one), &known, NOW);
    assert_eq!(planned, Plan { steps: vec![], wake: Some(Time::from_unix_seconds(1030)) });
    let late = plan(Some(&one), &known, Time::from_unix_seconds(1030)).steps;
    assert!(
        matches!(&late[..], [Step::Terminate { verdict: Some(verdict) }] if verdict.reason == "DeadlineExceeded")
    );
    one.metadata.deletion_timestamp = Some(scalar::Time { seconds: 1 });
    assert_eq!(plan(Some(&one), &known, NOW).steps, [END]);
    assert_eq!(plan(None, &known, NOW).steps, [END]);
}

#[test]
fn a_terminating_pod_never_comes_back() {
    let one = pod("Always", vec![], vec![container("a")]);
    let at = |stage, known: ContainerRecord| PodRecord { stage, ..record(&[("a", known)]) };
    let cases = [
        (Stage::Terminating, running(), vec![Step::StopAll]),
        (Stage::Terminating, exited(1), vec![Step::Finish]),
        (Stage::Terminated, exited(1), vec![]),
        (Stage::Terminated, ContainerRecord::default(), vec![]),
    ];
    for (stage, known, steps) in cases {
        assert_eq!(plan(Some(&one), &at(stage, known), NOW).steps, steps);
    }
}

#[test]
fn an_unhealthy_container_is_stopped() {
    let one = pod("Always", vec![], vec![container("a")]);
    let known = ContainerRecord { unhealthy: Some("because".into()), ..running() };
    let want = Step::Stop { container: "a".into(), message: "because".into() };
    assert_eq!(plan(Some(&one), &record(&[("a", known)]), NOW).steps, [want]);
}

#[test]
fn what_is_added_to_look_at_a_pod_starts_once_and_is_of_no_account() {
    let mut web = pod("Always", vec![container("init")], vec![container("a")]);
    let mut added = EphemeralContainer::default();
    added.ephemeral_container_common.name = "debugger".into();
    web.spec.ephemeral_containers = vec![added];
    let steps = |known: &[(&str, ContainerRecord)]| plan(Some(&web), &record(known), NOW).steps;
    assert_eq!(steps(&[]), [start("debugger"), start("init")], "also while the pod is being prepared");
    assert_eq!(steps(&[("init", exited(0)), ("a", running())]), [start("debugger")]);
    for known in [running(), exited(0), exited(1)] {
        assert_eq!(steps(&[("init", exited(0)), ("a", running()), ("debugger", known)]), []);
    }
    let mut task = web.clone();
    task.spec.restart_policy = "Never".into();
    let known = [("init", exited(0)), ("a", exited(0)), ("debugger", running())];
    assert_eq!(plan(Some(&task), &record(&known), NOW).steps, [END], "it keeps no pod alive");
}

fn asking(name: &str, cpu: &str, restarts: bool) -> Container {
    let mut container = container(name);
    container.resources.requests.insert("cpu".into(), cpu.parse().unwrap());
    if restarts {
        container.resize_policy = vec![ContainerResizePolicy {
            resource_name: "cpu".into(),
            restart_policy: "RestartContainer".into(),
        }];
    }
    container
}

/// A record of a pod whose containers run with what they ask for.
fn settled(pod: &Pod) -> PodRecord {
    let known = |container: &Container| ContainerRecord {
        actuated: Some(Share::of(&container.resources)),
        ..running()
    };
    let all: Vec<(&str, ContainerRecord)> =
        pod.spec.containers.iter().map(|one| (one.name.as_str(), known(one))).collect();
    PodRecord { group: pod_limits(pod), ..record(&all) }
}

#[test]
fn what_was_given_is_put_in_force() {
    let of = |cpu: &str| pod("Always", vec![], vec![asking("a", cpu, false), asking("b", "1", false)]);
    let known = settled(&of("1"));
    assert_eq!(plan(Some(&of("1")), &known, NOW).steps, []);
    let steps = plan(Some(&of("2")), &known, NOW).steps;
    let [Step::Resize(change)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((change.cpu.len(), change.cpu[0].container.as_str(), change.group), (1, "a", true));
}

#[test]
fn who_must_start_anew_is_stopped_first_and_starts_at_once_whatever_its_policy() {
    let of = |cpu: &str| pod("OnFailure", vec![], vec![asking("a", cpu, true), asking("b", cpu, false)]);
    let mut known = settled(&of("1"));
    let replace =
        Step::Replace { container: "a".into(), message: "Container a resize requires restart".into() };
    let replace = std::slice::from_ref(&replace);
    assert_eq!(plan(Some(&of("2")), &known, NOW).steps, replace);
    known.container("a").replaced = Some(0);
    assert_eq!(plan(Some(&of("2")), &known, NOW).steps, replace, "an agent may have come in between");
    assert_eq!(plan(Some(&of("1")), &known, NOW).steps, replace, "also if it is taken back by then");
    let exit = Exit { code: 0, finished_nanos: NOW.unix_nanos(), ..Exit::default() };
    known.container("a").exited(exit);
    known.container("a").backoff = Backoff { seconds: 80, updated_nanos: NOW.unix_nanos() };
    let steps = plan(Some(&of("2")), &known, NOW).steps;
    let [Step::Resize(change), next] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((change.cpu.len(), change.cpu[0].container.as_str(), next), (1, "b", &start("a")));
    known.container("a").begin(|attempt| attempt.to_string());
    known.container("a").exited(Exit { code: 0, ..Exit::default() });
    let steps = plan(Some(&of("2")), &known, NOW).steps;
    assert!(!steps.contains(&start("a")), "the next attempt's end is one by its policy");
}
