//! Containers that are added to a pod which runs, to look at it.

use api_types::core::v1::{ContainerStatus, EphemeralContainer, Pod};

use crate::api::Memory;
use crate::lab::{Lab, PODS, container, pod};

fn added(name: &str, target: &str, script: &str) -> EphemeralContainer {
    let plain = container(name, script);
    let mut added = EphemeralContainer { target_container_name: target.into(), ..Default::default() };
    let common = &mut added.ephemeral_container_common;
    (common.name, common.image, common.command) = (plain.name, plain.image, plain.command);
    common.image_pull_policy = plain.image_pull_policy;
    added
}

/// Adds a container, as the API does when it is asked to.
fn add(lab: &Lab, name: &str, container: EphemeralContainer) {
    let mut pod = lab.api.pod(name).unwrap();
    pod.spec.ephemeral_containers.push(container);
    lab.api.put(&PODS, pod);
}

fn status(pod: &Pod, name: &str) -> Option<ContainerStatus> {
    pod.status.ephemeral_container_statuses.iter().find(|one| one.name == name).cloned()
}

fn ended(api: &Memory, name: &str) -> Option<i32> {
    let status = status(&api.pod("web")?, name)?;
    status.state.terminated.map(|end| end.exit_code)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_to_a_running_pod_runs_beside_it_once() {
    let lab = Lab::new();
    let agent = lab.start().await;
    lab.run(pod("web", "Always", vec![container("main", "sleep 1003 & wait")]));
    let runs = |api: &Memory| api.pod("web").filter(|pod| pod.status.phase == "Running");
    lab.api.until("a running pod", runs).await;
    add(&lab, "web", added("plain", "", "ps | grep -c 'sleep 100[3]'; exit 3"));
    assert_eq!(lab.api.until("its end", |api| ended(api, "plain")).await, 3);
    let seen = lab.api.pod("web").unwrap();
    assert_eq!(lab.log(&seen, "plain", 0), ["0"], "processes are its own");
    let script = "until ps | grep -q 'sleep 100[3]'; do sleep 0.05; done; echo seen; exec sleep 1004";
    add(&lab, "web", added("among", "main", script));
    let told = |api: &Memory| {
        let pod = api.pod("web")?;
        let running = status(&pod, "among")?.state.running.is_some();
        (running && lab.log(&pod, "among", 0) == ["seen"]).then_some(pod)
    };
    let seen = lab.api.until("it sees its target", told).await;
    assert_eq!((seen.status.phase.as_str(), seen.status.container_statuses[0].restart_count), ("Running", 0));
    let wanted = "Normal Started Container started";
    assert_eq!(lab.api.events("web").iter().filter(|event| *event == wanted).count(), 3);
    // An agent that comes anew knows what ran, and starts none of it again.
    agent.stop().await;
    let agent = lab.start().await;
    add(&lab, "web", added("lost", "nobody", "true"));
    let waits = |api: &Memory| status(&api.pod("web")?, "lost")?.state.waiting;
    let why = |api: &Memory| waits(api).filter(|waiting| waiting.reason == "CreateContainerError");
    let why = lab.api.until("what is wrong", why).await;
    assert_eq!(why.message, "unable to find target container nobody");
    let seen = lab.api.pod("web").unwrap();
    let plain = status(&seen, "plain").unwrap();
    assert_eq!((plain.restart_count, plain.state.terminated.unwrap().exit_code), (0, 3));
    assert!(status(&seen, "among").unwrap().state.running.is_some());
    lab.delete("web").await;
    lab.api.until("its deletion", |api| api.gone("web")).await;
    let last = lab.api.gone("web").unwrap();
    assert!(status(&last, "among").unwrap().state.terminated.is_some(), "it ended with its pod");
    agent.stop().await;
    lab.assert_nothing_left();
}
