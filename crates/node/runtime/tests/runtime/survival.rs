//! What survives whose death.

use std::time::Duration;

use crate::harness::{Node, PATIENCE, read_until, text, within};
use host::process::{LinuxProcesses, NodeCapabilities, Processes};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use node_runtime::PodHandle;
use node_runtime::spec::{ExecSpec, Mount, MountSource, Propagation};
use node_runtime::state::{ContainerState, ExitReason};

/// A container that goes on once the file `go` appears in the test's directory `gate`.
async fn gated(node: &Node, pod: &PodHandle, id: &str, script: &str) {
    std::fs::create_dir_all(node.path("gate")).unwrap();
    let waiting = "while [ ! -e /gate/go ]; do echo tick; sleep 0.05; done";
    let mut spec = node.shell(id, &format!("echo before; {waiting}; {script}"));
    spec.mounts.push(Mount {
        source: MountSource::Host(node.path("gate")),
        destination: "/gate".into(),
        read_only: true,
        recursive_read_only: false,
        propagation: Propagation::Private,
    });
    pod.create_container(spec).await.unwrap();
    let mut attached = pod.attach(id, false).await.unwrap();
    pod.start(id).await.unwrap();
    read_until(&mut attached.stdout, "tick").await;
}

async fn started(node: &Node, pod: &PodHandle, id: &str, script: &str) {
    pod.create_container(node.shell(id, script)).await.unwrap();
    pod.start(id).await.unwrap();
}

/// Waits until the file exists, by asking inside a container: the events of a file system are more than a test needs.
async fn appears(path: &std::path::Path) {
    within(async {
        while !path.exists() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_agent_adopts_what_the_old_one_left() {
    let node = Node::new().await;
    let pod = node.pod("adopt").await;
    started(&node, &pod, "runs", "sleep 1000").await;
    gated(&node, &pod, "ends", "exit 9").await;
    started(&node, &pod, "ended", "exit 8").await;
    within(pod.wait("ended")).await.unwrap();
    let before = pod.status("runs").unwrap();
    // Dropping the last handle is what the agent's death looks like to a shim: the connection ends.
    drop(pod);
    std::fs::write(node.path("gate/go"), "").unwrap();
    let exits = node.path("state/pods/adopt/c/ends/exit.json");
    appears(&exits).await;
    let runtime = node.restarted().await;
    let mut adopted = runtime.adopt().await.unwrap();
    assert_eq!(adopted.len(), 1);
    let pod = adopted.remove(0).pod.unwrap();
    assert_eq!(pod.status("runs").unwrap().process, before.process, "it was not disturbed");
    assert_eq!(pod.status("ended").unwrap().exit.unwrap().exit_code, 8);
    assert_eq!(pod.status("ends").unwrap().exit.unwrap().exit_code, 9);
    assert!(runtime.create_pod(node.sandbox("adopt")).await.is_err(), "it exists");
    let mut exec = pod
        .exec(ExecSpec { container: text("runs"), args: vec![text("true")], ..ExecSpec::default() })
        .await
        .unwrap();
    assert_eq!(within(exec.wait()).await.unwrap(), 0);
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_looks_gives_no_successor() {
    let node = Node::new().await;
    drop(node.pod("looked").await);
    let looking = node.looked_at().await;
    let seen = looking.adopt().await.unwrap().remove(0).pod.unwrap();
    assert_eq!(seen.sandbox().name, "looked");
    kill(Pid::from_raw(node.shim_pid("looked")), Signal::SIGKILL).unwrap();
    // Their connection ends, and so do their calls.
    within(async { while seen.update_limits("none", Default::default()).await.is_ok() {} }).await;
    assert!(looking.adopt().await.unwrap().remove(0).pod.is_err(), "it is lost to them");
    assert!(node.shim_pids("looked").is_empty(), "nobody who keeps it is there");
    assert_eq!(looking.sandboxes().unwrap().len(), 1, "but it is known");
    let pod = node.restarted().await.adopt().await.unwrap().remove(0).pod.unwrap();
    assert_eq!(node.shim_pids("looked").len(), 1);
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_shim_stops_nothing_and_has_a_successor() {
    let node = Node::new().await;
    let pod = node.pod("shim").await;
    gated(&node, &pod, "main", "echo after; exit 42").await;
    let process = pod.status("main").unwrap().process.unwrap();
    let shim = node.shim_pid("shim");
    kill(Pid::from_raw(shim), Signal::SIGKILL).unwrap();
    // Any call waits for the successor.
    within(async { while pod.update_limits("main", Default::default()).await.is_err() {} }).await;
    assert_ne!(node.shim_pid("shim"), shim);
    assert_eq!(pod.status("main").unwrap().process, Some(process), "the container goes on");
    std::fs::write(node.path("gate/go"), "").unwrap();
    let exit = within(pod.wait("main")).await.unwrap();
    if NodeCapabilities::detect().exit_info {
        assert_eq!((exit.exit_code, exit.reason), (42, ExitReason::Error));
    } else {
        assert_eq!((exit.exit_code, exit.reason), (137, ExitReason::ContainerStatusUnknown));
    }
    let log = node.log("main");
    assert_eq!(log.first().map(String::as_str), Some("stdout F before"));
    assert_eq!(log.last().map(String::as_str), Some("stdout F after"));
    let (code, _) = node.run(&pod, node.shell("next", "exit 6")).await;
    assert_eq!(code, 6, "the successor starts containers");
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_without_shim_and_agent_is_told_as_far_as_it_is_known() {
    let node = Node::new().await;
    let pod = node.pod("both").await;
    started(&node, &pod, "lost", "sleep 1000").await;
    started(&node, &pod, "stays", "sleep 1000").await;
    let process = pod.status("lost").unwrap().process.unwrap();
    // The agent goes first, so that nobody starts a successor.
    drop(pod);
    kill(Pid::from_raw(node.shim_pid("both")), Signal::SIGKILL).unwrap();
    kill(Pid::from_raw(process.pid), Signal::SIGKILL).unwrap();
    let group = node.sandbox("both").cgroup.join("lost").unwrap();
    node.cgroups.wait_empty(&group, PATIENCE).unwrap();
    // While its new parent has not reaped it the kernel still knows how it ended.
    within(async {
        while LinuxProcesses.identify(process.pid) == Some(process) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let runtime = node.restarted().await;
    let pod = runtime.adopt().await.unwrap().remove(0).pod.unwrap();
    let exit = within(pod.wait("lost")).await.unwrap();
    assert_eq!((exit.exit_code, exit.reason), (137, ExitReason::ContainerStatusUnknown));
    assert_eq!(pod.status("stays").unwrap().state, ContainerState::Running);
    let exit = within(pod.stop("stays", 9, Duration::ZERO)).await.unwrap();
    assert_eq!(exit.exit_code, 137);
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_taken_away_without_its_shim() {
    let node = Node::new().await;
    let pod = node.pod("remains").await;
    started(&node, &pod, "main", "sleep 1000").await;
    drop(pod);
    kill(Pid::from_raw(node.shim_pid("remains")), Signal::SIGKILL).unwrap();
    node.runtime.remove_remains("remains").await.unwrap();
    node.runtime.remove_remains("remains").await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_of_another_version_is_named_and_can_be_taken_away() {
    let node = Node::new().await;
    let pod = node.pod("other").await;
    started(&node, &pod, "main", "sleep 1000").await;
    drop(pod);
    let socket = node.path("state/pods/other/shim.sock");
    std::fs::remove_file(&socket).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let theirs = br#"{"m":{"knarr_shim_protocol":99,"release":"9.9.9"}}"#;
    let stranger = std::thread::spawn(move || {
        use std::io::{Read, Write};
        // One connection to see whether it is there, one to talk.
        let mut kept = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let length = u32::try_from(theirs.len()).unwrap().to_le_bytes();
            // Whoever only looked is gone by now.
            let _ = stream.write_all(&[&length[..], theirs].concat());
            kept.push(stream);
        }
        let _ = kept[1].read_to_end(&mut Vec::new());
    });
    let error = node.runtime.adopt().await.unwrap().remove(0).pod.err().expect("refused");
    assert_eq!(
        error.to_string(),
        "the shim of pod other speaks protocol 99 (release 9.9.9), this agent speaks 1"
    );
    stranger.join().unwrap();
    node.runtime.remove_remains("other").await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_outlives_its_shim() {
    let node = Node::new().await;
    let pod = node.pod("terminal").await;
    let mut spec = node.container("main", &["sh"]);
    (spec.stdin, spec.process.terminal) = (true, true);
    pod.create_container(spec).await.unwrap();
    pod.start("main").await.unwrap();
    kill(Pid::from_raw(node.shim_pid("terminal")), Signal::SIGKILL).unwrap();
    within(async { while pod.resize("main", 91, 19).await.is_err() {} }).await;
    let mut attached = pod.attach("main", true).await.unwrap();
    let mut stdin = attached.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"stty size\n").await.unwrap();
    read_until(&mut attached.stdout, "19 91").await;
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_pod_needs_is_taken_away_at_the_next_start() {
    let node = Node::new().await;
    let pod = node.pod("keeps").await;
    started(&node, &pod, "runs", "sleep 1000").await;
    let names = |place: &str| -> Vec<String> {
        let entries = std::fs::read_dir(node.path("data").join(place)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let (program, filter) = (names("bin").remove(0), names("seccomp").remove(0));
    // Another release: the pod's shim still runs the old program.
    let mut newer = std::fs::read(env!("CARGO_BIN_EXE_node-runtime-shim")).unwrap();
    newer.push(0);
    std::fs::write(node.path("newer"), newer).unwrap();
    std::fs::set_permissions(node.path("newer"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    for left in ["data/bin/of-an-older-release", "data/seccomp/of-an-older-container"] {
        std::fs::write(node.path(left), "old").unwrap();
    }
    std::fs::create_dir_all(node.path("data/containers/of-before-the-reboot/upper")).unwrap();
    drop(pod);
    let runtime = node.open_with(node.path("newer")).await;
    let pod = runtime.adopt().await.unwrap().remove(0).pod.unwrap();
    let garbage = runtime.remove_garbage().await.unwrap();
    assert_eq!(
        (garbage.programs, garbage.filters, garbage.changes),
        (
            vec![text("of-an-older-release")],
            vec![text("of-an-older-container")],
            vec![text("of-before-the-reboot")]
        )
    );
    assert!(names("bin").contains(&program) && names("bin").len() == 2, "both programs are needed");
    assert_eq!((names("seccomp"), names("containers")), (vec![filter], vec![text("runs")]));
    assert!(runtime.remove_garbage().await.unwrap().is_empty());
    let mut exec = pod
        .exec(ExecSpec { container: text("runs"), args: vec![text("true")], ..ExecSpec::default() })
        .await
        .unwrap();
    assert_eq!(within(exec.wait()).await.unwrap(), 0, "the pod goes on as before");
    pod.delete().await.unwrap();
    assert_eq!(runtime.remove_garbage().await.unwrap().programs, [program], "its shim is gone");
    node.assert_nothing_left();
}
