//! What the agent says of its node.

use std::time::Duration;

use api_meta::conditions;
use api_record::scalar::MicroTime;
use api_types::coordination::v1::Lease;
use api_types::core::v1::{Node, NodeCondition, Taint};
use client::Resource;
use host::mount::{LinuxMounts, Mounts};
use nix::mount::MsFlags;

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

/// The node's Ready condition, once it is this.
fn ready(api: &Memory, status: &str) -> Option<NodeCondition> {
    let node: Node = api.get("nodes", "", "n1")?;
    conditions::find(&node.status.conditions, "Ready").filter(|one| one.status == status).cloned()
}

async fn event(lab: &Lab, wanted: &str) {
    let told = |api: &Memory| api.events("n1").iter().any(|event| event == wanted).then_some(());
    lab.api.until(wanted, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_runtime_cannot_be_used_is_not_ready() {
    let mut lab = Lab::new();
    let taint = Taint { key: "example.com/new".into(), effect: "NoSchedule".into(), ..Taint::default() };
    lab.taints = vec![taint.clone()];
    let agent = lab.start().await;
    let condition = lab.api.until("a ready node", |api| ready(api, "True")).await;
    assert_eq!(condition.reason, "KubeletReady");
    event(&lab, "Normal NodeReady Node n1 status is now: NodeReady").await;
    let node: Node = lab.api.get("nodes", "", "n1").unwrap();
    assert_eq!(node.spec.taints, [taint], "it was registered with them");
    for type_ in ["MemoryPressure", "DiskPressure", "PIDPressure"] {
        assert!(conditions::find(&node.status.conditions, type_).is_some(), "{type_}");
    }

    // The disk has turned read-only, as file systems do after errors.
    let containers = lab.path("data/containers");
    LinuxMounts.tmpfs(&containers, 1 << 20, 0o755).unwrap();
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    nix::mount::mount(None::<&str>, &containers, None::<&str>, flags, None::<&str>).unwrap();
    lab.clock.by(Duration::from_secs(10));
    let condition = lab.api.until("a node that is not ready", |api| ready(api, "False")).await;
    assert_eq!(condition.reason, "KubeletNotReady");
    assert_eq!(
        condition.message,
        format!(
            "container runtime not ready: RuntimeReady=false reason:RuntimeNotReady message:cannot use a file: cannot write to {}: \
             Read-only file system (os error 30)",
            containers.display()
        )
    );
    event(&lab, "Normal NodeNotReady Node n1 status is now: NodeNotReady").await;

    LinuxMounts.unmount(&containers).unwrap();
    lab.clock.by(Duration::from_secs(10));
    let back = lab.api.until("a ready node", |api| ready(api, "True")).await;
    agent.stop().await;
    // An agent that comes anew says nothing else before it knows: that would take its pods out of service.
    let agent = lab.start().await;
    let first: Node = lab.api.get("nodes", "", "n1").unwrap();
    let first = conditions::find(&first.status.conditions, "Ready").unwrap();
    assert_eq!((&first.status, first.last_transition_time), (&back.status, back.last_transition_time));
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_becomes_ready_though_others_write_to_it() {
    let lab = Lab::new();
    lab.api.lose_races(4);
    let agent = lab.start().await;
    lab.api.lose_races(4);
    lab.api.until("a ready node", |api| ready(api, "True")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_range_says_so_and_lives() {
    let mut lab = Lab::new();
    lab.pod_cidrs.clear();
    let agent = lab.start().await;
    let why = |api: &Memory| ready(api, "False").filter(|one| one.message.contains("network"));
    let condition = lab.api.until("a node that says what it lacks", why).await;
    assert_eq!(condition.reason, "KubeletNotReady");
    assert_eq!(
        condition.message,
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:the node has been given no \
         range of addresses for pods (spec.podCIDR)"
    );
    let renewed = |api: &Memory| -> Option<MicroTime> {
        api.get::<Lease>("leases", "kube-node-lease", "n1")?.spec.renew_time
    };
    let first = lab.api.until("a lease", renewed).await;
    lab.clock.by(Duration::from_secs(10));
    lab.api.until("a renewed lease", |api| renewed(api).filter(|at| *at != first)).await;
    lab.run(pod("early", "Never", vec![container("main", "true")]));
    let mut node: Node = lab.api.get("nodes", "", "n1").unwrap();
    node.spec.pod_cidrs = vec!["10.71.1.0/24".into()];
    lab.api.put(&Resource::of("", "v1", "nodes"), node);
    lab.api.until("a ready node", |api| ready(api, "True")).await;
    let done = |api: &Memory| api.pod("early").filter(|pod| pod.status.phase == "Succeeded");
    let done = lab.api.until("a pod that was there before", done).await;
    assert!(done.status.pod_ip.starts_with("10.71.1."));
    lab.delete("early").await;
    lab.api.until("its deletion", |api| api.gone("early")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}
