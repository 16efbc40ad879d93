//! Statuses by table.

use api_meta::resources::ResourceList;
use api_types::core::v1::{EphemeralContainer, PodCondition};

use super::*;
use crate::allocation::Share;
use crate::backoff::Backoff;
use crate::resize::Progress;
use crate::resources::pod_limits;

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

fn list(text: &str) -> ResourceList {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

fn text(list: &ResourceList) -> String {
    list.iter().map(|(name, quantity)| format!("{name}={quantity}")).collect::<Vec<_>>().join(",")
}

fn share(requests: &str, limits: &str) -> Share {
    Share { requests: list(requests), limits: list(limits) }
}

#[test]
fn a_running_container_has_what_is_in_force_and_any_other_what_it_was_given() {
    // Given, in force, and what is shown: requests and limits.
    for (given, in_force, requests, limits) in [
        (share("cpu=1,memory=1Gi", ""), share("cpu=500m,memory=512Mi", ""), "cpu=500m,memory=512Mi", ""),
        (share("cpu=1", "cpu=2,memory=1Gi"), share("cpu=1", "cpu=1,memory=1Ki"), "cpu=1", "cpu=1,memory=1Ki"),
        // Shares and quotas tell no less apart.
        (share("cpu=1m", "cpu=5m"), share("cpu=2m", "cpu=10m"), "cpu=1m", "cpu=5m"),
        (share("cpu=100m", "cpu=50m"), share("cpu=1m", "cpu=5m"), "cpu=2m", "cpu=10m"),
        (share("memory=1Gi", ""), share("memory=1Gi", ""), "memory=1Gi", ""),
        // What is added is shown before it is in force, as kubelet shows it.
        (share("cpu=1", "cpu=2"), share("cpu=1", ""), "cpu=1", "cpu=2"),
        (share("", ""), share("", ""), "", ""),
    ] {
        let mut web = pod("Always", &[], &["a"]);
        web.spec.containers[0].resources = given.shown();
        let known = ContainerRecord { actuated: Some(in_force.clone()), ..running() };
        let shown = |known: ContainerRecord| {
            let status = compute(&web, &record(Stage::Syncing, &[("a", known)]), &Node::default(), NOW);
            status.container_statuses[0].clone()
        };
        let one = shown(known);
        let resources = one.resources.expect("resources");
        assert_eq!(
            (text(&resources.requests).as_str(), text(&resources.limits).as_str()),
            (requests, limits)
        );
        assert_eq!(one.allocated_resources, given.requests);
        let ended = shown(ContainerRecord { actuated: Some(in_force), ..exited(1) });
        assert_eq!(ended.resources.map(|resources| resources.requests), Some(given.requests.clone()));
        assert!(shown(ContainerRecord::default()).resources.is_none(), "nothing was made yet");
    }
}

#[test]
fn a_pod_has_what_its_control_group_was_told() {
    let mut web = pod("Always", &[], &["a", "b"]);
    web.status.qos_class = "Burstable".into();
    web.spec.containers[0].resources = share("cpu=1,memory=1Gi", "cpu=2,memory=1Gi").shown();
    web.spec.containers[1].resources = share("cpu=500m", "cpu=500m").shown();
    let shown = |web: &Pod, containers: &[(&str, ContainerRecord)]| {
        let known = PodRecord { group: pod_limits(web), ..record(Stage::Syncing, containers) };
        let status = compute(web, &known, &Node::default(), NOW);
        let resources = status.resources.expect("resources");
        [text(&resources.requests), text(&resources.limits), text(&status.allocated_resources)].join(" ")
    };
    assert_eq!(shown(&web, &[]), "cpu=1500m,memory=1Gi cpu=2500m,memory=1Gi cpu=1500m,memory=1Gi");
    let both = [("a", running()), ("b", running())];
    assert_eq!(shown(&web, &both), "cpu=1500m,memory=1Gi cpu=2500m cpu=1500m,memory=1Gi");
    web.spec.resources = Some(Box::new(share("cpu=3,memory=2Gi", "memory=4Gi").shown()));
    assert_eq!(shown(&web, &both), "cpu=3,memory=2Gi cpu=2500m,memory=4Gi cpu=3,memory=2Gi");
}

#[test]
fn a_resize_is_told_as_long_as_it_lasts() {
    let mut web = pod("Always", &[], &["a"]);
    let stale =
        PodCondition { type_: "PodResizePending".into(), status: "True".into(), ..Default::default() };
    web.status.conditions = vec![stale];
    let mut known = record(Stage::Syncing, &[("a", running())]);
    let types = |status: &PodStatus| -> Vec<String> {
        let all = status.conditions.iter().map(|condition| condition.type_.clone());
        all.filter(|type_| type_.contains("Resize")).collect()
    };
    assert_eq!(types(&compute(&web, &known, &Node::default(), NOW)), [""; 0]);
    known.pending = Some(Progress::next(None, "Deferred", "no room", 3, NOW));
    known.in_progress = Some(Progress::next(None, "", "", 2, NOW));
    let status = compute(&web, &known, &Node::default(), NOW);
    assert_eq!(types(&status), ["PodResizePending", "PodResizeInProgress"]);
    assert_eq!(condition(&status, "PodResizePending"), "True Deferred no room");
    let observed = status.conditions.iter().find(|one| one.type_ == "PodResizeInProgress").unwrap();
    assert_eq!(observed.observed_generation, 2);
}

#[test]
fn a_pod_goes_on_while_a_container_makes_room_for_its_next_attempt() {
    let web = pod("OnFailure", &[], &["a"]);
    let mut known = exited(0);
    known.replaced = Some(0);
    for next in [false, true] {
        if next {
            known.begin(|attempt| attempt.to_string());
        }
        let status = compute(&web, &record(Stage::Syncing, &[("a", known.clone())]), &Node::default(), NOW);
        assert_eq!(status.phase, "Running");
        let shown = &status.container_statuses[0];
        assert!(shown.state.waiting.is_some() && shown.last_termination_state.terminated.is_some());
    }
}

#[test]
fn mounts_and_users_are_shown() {
    let mut web = pod("Always", &[], &["a"]);
    let mount = |name: &str, read_only: bool, recursive: Option<&str>| VolumeMount {
        name: name.into(),
        mount_path: format!("/{name}"),
        read_only,
        recursive_read_only: recursive.map(str::to_owned),
        ..VolumeMount::default()
    };
    web.spec.containers[0].volume_mounts = vec![
        mount("w", false, None),
        mount("r", true, None),
        mount("d", true, Some("Disabled")),
        mount("p", true, Some("IfPossible")),
    ];
    let user = node_runtime::state::ContainerUser { uid: 1000, gid: 3000, groups: vec![3000, 4000] };
    let known = ContainerRecord { user: Some(user), ..running() };
    let status = compute(&web, &record(Stage::Syncing, &[("a", known)]), &Node::default(), NOW);
    let shown = &status.container_statuses[0];
    let mounts: Vec<_> = shown
        .volume_mounts
        .iter()
        .map(|one| (one.mount_path.as_str(), one.read_only, one.recursive_read_only.as_deref()))
        .collect();
    let (off, on) = (Some("Disabled"), Some("Enabled"));
    assert_eq!(mounts, [("/w", false, None), ("/r", true, off), ("/d", true, off), ("/p", true, on)]);
    let linux = shown.user.as_ref().and_then(|user| user.linux.as_deref()).unwrap();
    assert_eq!((linux.uid, linux.gid, &linux.supplemental_groups[..]), (1000, 3000, &[3000, 4000][..]));
    let none = compute(&web, &record(Stage::Syncing, &[]), &Node::default(), NOW);
    assert_eq!(none.container_statuses[0].volume_mounts.len(), 4);
    assert!(none.container_statuses[0].user.is_none());
}
