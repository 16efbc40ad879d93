//! A container's life: logs, endings, stopping, failed starts, and nothing left.

use std::time::Duration;

use crate::harness::{Node, text, within};
use node_runtime::spec::{Log, Mount, MountSource, Propagation, User};
use node_runtime::state::{ContainerState, Event, ExitReason};

#[tokio::test(flavor = "multi_thread")]
async fn a_container_runs_logs_and_ends() {
    let node = Node::new().await;
    let pod = node.pod("life").await;
    let mut events = pod.events();
    let (code, log) = node.run(&pod, node.shell("one", "echo out; echo err >&2; hostname; exit 3")).await;
    assert_eq!(code, 3);
    assert!(log.contains(&text("stdout F out")) && log.contains(&text("stderr F err")), "{log:?}");
    assert!(log.contains(&text("stdout F host-life")), "{log:?}");
    let status = pod.status("one").unwrap();
    assert_eq!((status.state, status.exit.unwrap().reason), (ContainerState::Exited, ExitReason::Error));
    assert!(matches!(within(events.recv()).await, Ok(Event::Started { container }) if container == "one"));
    assert!(matches!(within(events.recv()).await, Ok(Event::Exited { container, .. }) if container == "one"));
    pod.delete_container("one").await.unwrap();
    pod.delete_container("one").await.unwrap();
    pod.delete().await.unwrap();
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_asks_first_and_kills_then() {
    let node = Node::new().await;
    let pod = node.pod("stop").await;
    let polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    for (id, script, grace, want) in [
        ("polite", polite, Duration::from_secs(50), (0, ExitReason::Completed)),
        (
            "deaf",
            "trap '' TERM; sleep 1000 & sleep 1000",
            Duration::from_millis(50),
            (137, ExitReason::Error),
        ),
        ("now", "sleep 1000", Duration::ZERO, (137, ExitReason::Error)),
    ] {
        pod.create_container(node.shell(id, script)).await.unwrap();
        let mut output = pod.attach(id, false).await.unwrap();
        pod.start(id).await.unwrap();
        if id == "polite" {
            crate::harness::read_until(&mut output.stdout, "up").await;
        }
        let exit = within(pod.stop(id, 15, grace)).await.unwrap();
        assert_eq!((exit.exit_code, exit.reason), want, "{id}");
        assert_eq!(pod.stop(id, 15, grace).await.unwrap(), exit, "stopping twice");
    }
    assert!(node.log("polite").contains(&text("stdout F bye")));
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_starts_say_what_runc_says() {
    let node = Node::new().await;
    std::fs::write(node.path("image/bin/text"), "no program").unwrap();
    let pod = node.pod("fail").await;
    let user = |name: &str| User { image: text(name), ..User::default() };
    let mut cases = vec![
        (node.container("missing", &["foo"]), r#"exec: "foo": executable file not found in $PATH"#, 127),
        (
            node.container("absolute", &["/nope"]),
            r#"exec: "/nope": stat /nope: no such file or directory"#,
            127,
        ),
        (node.container("denied", &["/etc/passwd"]), r#"exec: "/etc/passwd": permission denied"#, 126),
        (node.container("directory", &["/etc"]), r#"exec: "/etc": is a directory"#, 126),
    ];
    let mut cwd = node.container("cwd", &["true"]);
    cwd.process.cwd = text("/etc/passwd");
    cases.push((cwd, r#"chdir to cwd ("/etc/passwd") set in config.json failed: not a directory"#, 128));
    let mut unknown = node.container("unknown", &["true"]);
    unknown.process.user = user("nobody");
    cases.push((unknown, "unable to find user nobody: no matching entries in passwd file", 128));
    for (spec, message, code) in cases {
        let id = spec.id.clone();
        pod.create_container(spec).await.unwrap();
        let error = pod.start(&id).await.expect_err(&id);
        let failure = error.start_failure().unwrap_or_else(|| panic!("{id}: {error:?}"));
        assert_eq!((failure.message.as_str(), failure.exit_code), (message, Some(code)), "{id}");
        let exit = within(pod.wait(&id)).await.unwrap();
        assert_eq!(
            (exit.exit_code, exit.reason, exit.message.as_str()),
            (128, ExitReason::StartError, message)
        );
        pod.delete_container(&id).await.unwrap();
    }
    std::fs::set_permissions(
        node.path("image/bin/text"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let (code, log) = node.run(&pod, node.container("format", &["/bin/text"])).await;
    assert_eq!((code, log), (255, vec![text("stderr F exec /bin/text: exec format error")]));
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_of_a_process_is_what_it_has() {
    let node = Node::new().await;
    let pod = node.pod("process").await;
    std::fs::create_dir_all(node.path("volume/sub")).unwrap();
    let mut spec = node.shell(
        "asked",
        "pwd; id -u; id -g; id -G; echo $HOME $A; umask; cat /volume/file; echo x > /volume/new || echo refused; \
         touch /nope 2>/dev/null || echo readonly; df /dev/shm | tail -1 | cut -d' ' -f1; echo again > /dev/stdout; cat /proc/self/oom_score_adj",
    );
    std::fs::write(node.path("volume/file"), "content\n").unwrap();
    spec.process.cwd = text("/made/here");
    spec.process.user = User { image: text("web"), supplemental_groups: vec![77], ..User::default() };
    spec.process.env.push((text("A"), text("b c")));
    spec.process.oom_score_adj = 500;
    spec.read_only_rootfs = true;
    spec.mounts.push(Mount {
        source: MountSource::Host(node.path("volume")),
        destination: "/volume".into(),
        read_only: true,
        recursive_read_only: false,
        propagation: Propagation::Private,
    });
    let (code, log) = node.run(&pod, spec).await;
    let lines: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("stdout F ")).collect();
    assert_eq!(
        lines,
        [
            "/made/here",
            "33",
            "34",
            "34 4 77",
            "/var/www b c",
            "0022",
            "content",
            "refused",
            "readonly",
            "shm",
            "again",
            "500"
        ],
        "{code} {log:?}"
    );
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_rotate_and_long_lines_come_in_parts() {
    let node = Node::new().await;
    let pod = node.pod("logs").await;
    let mut spec = node
        .shell("long", "head -c 20000 /dev/zero | tr '\\0' x; echo; yes line | head -n 100000; printf end");
    spec.log = Some(Log { path: node.path("logs/long.log"), file_bytes_max: 1 << 20, files_max: 3 });
    let (code, _) = node.run(&pod, spec).await;
    assert_eq!(code, 0);
    let mut files: Vec<_> =
        std::fs::read_dir(node.path("logs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    let all: String =
        files[1..].iter().chain([&files[0]]).map(|file| std::fs::read_to_string(file).unwrap()).collect();
    assert!(all.lines().all(|line| line.split(' ').count() >= 4), "every line is whole");
    assert!(all.ends_with(" stdout P end\n"));
    pod.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_containers_start_at_once() {
    let node = Node::new().await;
    let pod = node.pod("many").await;
    let mut starts = Vec::new();
    for n in 0..10 {
        let (pod, spec) = (pod.clone(), node.shell(&format!("c{n}"), &format!("exit {n}")));
        starts.push(tokio::spawn(async move {
            pod.create_container(spec).await.unwrap();
            pod.start(&format!("c{n}")).await.unwrap();
            within(pod.wait(&format!("c{n}"))).await.unwrap().exit_code
        }));
    }
    for (n, start) in starts.into_iter().enumerate() {
        assert_eq!(usize::try_from(start.await.unwrap()).unwrap(), n);
    }
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}
