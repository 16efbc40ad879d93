//! Pods from their binding to their deletion.

use api_meta::conditions;
use api_types::core::v1::{Node, Pod, PodSecurityContext};

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

fn phase(api: &Memory, name: &str, phase: &str) -> Option<Pod> {
    api.pod(name).filter(|pod| pod.status.phase == phase)
}

fn ready(api: &Memory, name: &str) -> Option<Pod> {
    api.pod(name).filter(|pod| conditions::is_true(&pod.status.conditions, "Ready"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_runs_is_ready_and_is_deleted() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let node = |api: &Memory| {
        let node: Option<Node> = api.get("nodes", "", "n1");
        node.filter(|node| conditions::is_true(&node.status.conditions, "Ready"))
    };
    let node = lab.api.until("a ready node", node).await;
    assert_eq!(node.metadata.labels["kubernetes.io/hostname"], "n1");
    let script = "trap 'echo bye; exit 0' TERM; echo hello $HOSTNAME; cat /etc/resolv.conf; while :; do sleep 0.05; done";
    lab.run(pod("web", "Always", vec![container("main", script)]));
    let seen = lab.api.until("a ready pod", |api| ready(api, "web")).await;
    assert_eq!(seen.status.phase, "Running");
    assert_eq!(seen.status.pod_ip, "10.71.1.1");
    assert_eq!(seen.status.host_ip, "192.0.2.1");
    let status = &seen.status.container_statuses[0];
    assert!(status.ready && status.started == Some(true) && status.container_id.starts_with("knarr://"));
    assert_eq!(status.image, "docker.io/library/busybox:1");
    lab.delete("web").await;
    let last = lab.api.until("its deletion", |api| api.gone("web")).await;
    let end = last.status.container_statuses[0].state.terminated.as_ref().expect("its end was told").clone();
    assert_eq!((end.exit_code, end.reason.as_str()), (0, "Completed"));
    let events = lab.api.events("web");
    for wanted in [
        "Normal Pulled Container image \"busybox:1\" already present on machine and can be accessed by the pod",
        "Normal Created Container created",
        "Normal Started Container started",
        "Normal Killing Stopping container main",
    ] {
        assert!(events.iter().any(|event| event == wanted), "{wanted:?} is not among {events:?}");
    }
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_succeeds_and_its_log_stays_until_it_is_deleted() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let script = "echo one; echo said > /dev/termination-log";
    let mut one = pod("job", "Never", vec![container("main", script)]);
    // Whoever it runs as may leave a message.
    one.spec.security_context =
        Some(Box::new(PodSecurityContext { run_as_user: Some(33), ..PodSecurityContext::default() }));
    lab.run(one);
    let seen = lab.api.until("success", |api| phase(api, "job", "Succeeded")).await;
    let end = seen.status.container_statuses[0].state.terminated.as_ref().unwrap();
    assert_eq!((end.exit_code, end.message.as_str()), (0, "said\n"));
    assert_eq!(lab.log(&seen, "main", 0), ["one"]);
    lab.delete("job").await;
    lab.api.until("its deletion", |api| api.gone("job")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_container_is_started_again_and_then_waits() {
    let lab = Lab::new();
    let agent = lab.start().await;
    lab.run(pod("bad", "Always", vec![container("main", "exit 3")]));
    let waits = |api: &Memory| {
        api.pod("bad").filter(|pod| {
            let status = pod.status.container_statuses.first();
            let waiting = status.and_then(|status| status.state.waiting.as_ref());
            waiting.is_some_and(|waiting| waiting.reason == "CrashLoopBackOff")
        })
    };
    let seen = lab.api.until("a back-off", waits).await;
    let status = &seen.status.container_statuses[0];
    assert_eq!(status.restart_count, 1);
    assert_eq!(status.last_termination_state.terminated.as_ref().unwrap().exit_code, 3);
    let message = &status.state.waiting.as_ref().unwrap().message;
    assert_eq!(message, "back-off 10s restarting failed container=main pod=bad_default(bad-uid)");
    let wanted = "Warning BackOff Back-off restarting failed container main in pod bad_default(bad-uid)";
    lab.api
        .until("the event", |api| api.events("bad").iter().any(|event| event == wanted).then_some(()))
        .await;
    lab.delete("bad").await;
    lab.api.until("its deletion", |api| api.gone("bad")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_agent_adopts_what_runs() {
    let lab = Lab::new();
    let agent = lab.start().await;
    lab.run(pod("web", "Always", vec![container("main", "while :; do sleep 0.05; done")]));
    let before = lab.api.until("a ready pod", |api| ready(api, "web")).await;
    agent.stop().await;
    let agent = lab.start().await;
    lab.run(pod("other", "Never", vec![container("main", "true")]));
    lab.api.until("another pod", |api| phase(api, "other", "Succeeded")).await;
    let after = lab.api.pod("web").unwrap();
    assert_eq!(after.status, before.status, "nothing flips");
    lab.delete("web").await;
    lab.delete("other").await;
    lab.api.until("its deletion", |api| api.gone("web").and(api.gone("other"))).await;
    agent.stop().await;
    lab.assert_nothing_left();
}
