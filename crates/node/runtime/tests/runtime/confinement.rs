//! What a container cannot do, and what ends it.

use std::collections::BTreeMap;

use crate::harness::{Node, text};
use host::cgroup::Limits;
use node_runtime::spec::Seccomp;
use node_runtime::state::ExitReason;

#[tokio::test(flavor = "multi_thread")]
async fn seccomp_and_capabilities_are_as_asked() {
    let node = Node::new().await;
    let pod = node.pod("confined").await;
    let script = "grep -E '^(Seccomp|NoNewPrivs|CapEff|CapBnd|CapInh|CapAmb):' /proc/self/status | tr -d '\\t '; \
                  unshare -n true 2>/dev/null && echo unshared; chown 1 /tmp 2>/dev/null && echo chowned; true";
    let facts = |log: Vec<String>| -> Vec<String> {
        log.iter().filter_map(|line| line.strip_prefix("stdout F ")).map(text).collect()
    };
    let (_, log) = node.run(&pod, node.shell("default", script)).await;
    let seen = facts(log);
    for fact in [
        "CapInh:0000000000000000",
        "CapEff:00000000a80425fb",
        "CapBnd:00000000a80425fb",
        "NoNewPrivs:0",
        "Seccomp:2",
        "chowned",
    ] {
        assert!(seen.contains(&text(fact)), "{fact} in {seen:?}");
    }
    assert!(!seen.contains(&text("unshared")));
    let mut spec = node.shell("tight", script);
    spec.process.capabilities.clear();
    spec.process.no_new_privileges = true;
    let (_, log) = node.run(&pod, spec).await;
    let seen = facts(log);
    for fact in ["CapEff:0000000000000000", "NoNewPrivs:1", "Seccomp:2"] {
        assert!(seen.contains(&text(fact)), "{fact} in {seen:?}");
    }
    assert!(!seen.contains(&text("chowned")));
    let mut spec = node.shell("user", script);
    spec.process.user.uid = Some(1000);
    let (_, log) = node.run(&pod, spec).await;
    let seen = facts(log);
    for fact in ["CapEff:0000000000000000", "CapBnd:00000000a80425fb", "Seccomp:2"] {
        assert!(seen.contains(&text(fact)), "{fact} in {seen:?}");
    }
    let mut spec = node.shell("open", script);
    spec.privileged = true;
    let (_, log) = node.run(&pod, spec).await;
    let seen = facts(log);
    assert!(seen.contains(&text("Seccomp:0")) && seen.contains(&text("unshared")), "{seen:?}");
    let mut spec = node.shell("own", "mkdir /tmp/x || echo refused");
    spec.process.seccomp = Seccomp::Profile(text(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}"#,
    ));
    let (_, log) = node.run(&pod, spec).await;
    assert!(facts(log).contains(&text("refused")));
    pod.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_and_hidden_paths_are_out_of_reach() {
    let node = Node::new().await;
    let pod = node.pod("devices").await;
    let script = "mknod /tmp/kmsg c 1 11 && ! head -c1 /tmp/kmsg 2>/dev/null && echo device-denied; echo x > /dev/null && echo null; \
                  head -c1 /proc/kcore | wc -c; echo 1 > /proc/sys/kernel/panic 2>/dev/null || echo readonly; ls /sys/firmware | wc -l; \
                  cat /proc/1/comm; readlink /proc/self/fd/3 || echo no-extra-descriptors";
    let (_, log) = node.run(&pod, node.shell("main", script)).await;
    let lines: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("stdout F ")).collect();
    assert_eq!(
        lines,
        ["device-denied", "null", "0", "readonly", "0", "sh", "no-extra-descriptors"],
        "{log:?}"
    );
    pod.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_memory_is_oom_killed() {
    let node = Node::new().await;
    let pod = node.pod("oom").await;
    let mut spec = node.shell("main", "x=a; while :; do x=$x$x; done");
    spec.limits = Limits { memory_bytes: Some(24 << 20), swap_bytes: Some(0), ..Limits::default() };
    let (code, _) = node.run(&pod, spec).await;
    assert_eq!(code, 137);
    assert_eq!(pod.status("main").unwrap().exit.unwrap().reason, ExitReason::OomKilled);
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_a_pod_share_what_they_should() {
    let node = Node::new().await;
    let mut sandbox = node.sandbox("shared");
    sandbox.share_process_namespace = true;
    sandbox.sysctls = BTreeMap::from([(text("kernel.shm_rmid_forced"), text("1"))]);
    let pod = node.runtime.create_pod(sandbox).await.unwrap();
    pod.create_container(node.shell("first", "echo data > /dev/shm/file; (sleep 1000 &) ; sleep 1000"))
        .await
        .unwrap();
    pod.start("first").await.unwrap();
    let script = "while [ ! -s /dev/shm/file ]; do sleep 0.05; done; cat /dev/shm/file; cat /proc/sys/kernel/shm_rmid_forced; \
                  test $$ -ne 1 && echo not-first; ps | grep -q 'sleep 1000' && echo sees; ls /proc/1/root 2>/dev/null | wc -l; exit 2";
    let (code, log) = node.run(&pod, node.shell("second", script)).await;
    let lines: Vec<_> = log.iter().filter_map(|line| line.strip_prefix("stdout F ")).collect();
    assert_eq!((code, lines), (2, vec!["data", "1", "not-first", "sees", "0"]), "{log:?}");
    pod.kill("first").await.unwrap();
    crate::harness::within(pod.wait("first")).await.unwrap();
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_joins_the_processes_of_another() {
    let node = Node::new().await;
    let pod = node.pod("joined").await;
    pod.create_container(node.shell("target", "sleep 1001 & wait")).await.unwrap();
    pod.start("target").await.unwrap();
    let among = |id: &str, target: &str, script: &str| {
        let mut spec = node.shell(id, script);
        spec.processes_of = Some(text(target));
        spec
    };
    let script = "until ps | grep -q 'sleep 100[1]'; do sleep 0.05; done; test $$ -ne 1 && echo not-first; sleep 1002 & exit 2";
    let (code, log) = node.run(&pod, among("debugger", "target", script)).await;
    assert_eq!((code, log), (2, vec![text("stdout F not-first")]));
    // What it left behind among the other's processes is gone with it, and the other is not.
    let (code, log) = node.run(&pod, among("second", "target", "ps | grep -c 'sleep 100[2]'")).await;
    assert_eq!((code, log), (1, vec![text("stdout F 0")]));
    assert!(pod.status("target").unwrap().exit.is_none());
    pod.kill("target").await.unwrap();
    crate::harness::within(pod.wait("target")).await.unwrap();
    pod.create_container(among("late", "target", "true")).await.unwrap();
    let error = pod.start("late").await.expect_err("there is nothing to join");
    assert!(
        error.to_string().contains("container target, whose processes are to be shared, is not running"),
        "{error}"
    );
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_the_node_is_refused() {
    let node = Node::new().await;
    let mut sandbox = node.sandbox("sysctl");
    sandbox.sysctls = BTreeMap::from([(text("vm.swappiness"), text("1"))]);
    let error = node.runtime.create_pod(sandbox).await.err().expect("refused");
    assert!(error.to_string().contains("vm.swappiness"), "{error}");
    let mut spec = node.shell("caps", "true");
    spec.process.capabilities.push(text("CAP_NONSENSE"));
    let pod = node.pod("refusing").await;
    pod.create_container(spec).await.unwrap();
    assert!(pod.start("caps").await.is_err());
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_of_the_hosts_namespaces_is_in_them() {
    let node = Node::new().await;
    let mut sandbox = node.sandbox("host");
    (sandbox.host_network, sandbox.host_pid, sandbox.host_ipc) = (true, true, true);
    let pod = node.runtime.create_pod(sandbox).await.unwrap();
    assert_eq!(pod.netns(), None);
    let namespaces = ["net", "uts", "ipc", "pid"];
    let script = namespaces.map(|kind| format!("readlink /proc/self/ns/{kind}")).join("; ");
    let (_, log) = node.run(&pod, node.shell("main", &script)).await;
    for (line, kind) in log.iter().zip(namespaces) {
        let host = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_eq!(line, &format!("stdout F {}", host.display()));
    }
    assert_eq!(log.len(), 4);
    // CVE-2019-5736: not even a privileged container that sees the shim can change its program.
    let shim = node.shim_pid("host");
    let mut spec = node.shell("writer", &format!("echo changed > /proc/{shim}/exe"));
    spec.privileged = true;
    let (code, log) = node.run(&pod, spec).await;
    assert!(code != 0 && log[0].contains("Read-only file system"), "{code} {log:?}");
    // Without a namespace of its own, what it leaves behind is ended with it.
    let (code, _) = node.run(&pod, node.shell("parent", "sleep 1000 & exit 1")).await;
    assert_eq!(code, 1);
    let group = node.sandbox("host").cgroup.join("parent").unwrap();
    assert!(node.cgroups.processes(&group).unwrap().is_empty());
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_joins_the_network_namespace_that_it_is_given() {
    let node = Node::new().await;
    let donor = node.pod("donor").await;
    let mut sandbox = node.sandbox("guest");
    sandbox.netns = donor.netns();
    sandbox.sysctls = BTreeMap::from([(text("net.ipv4.ip_unprivileged_port_start"), text("7"))]);
    let guest = node.runtime.create_pod(sandbox).await.unwrap();
    let script = "readlink /proc/self/ns/net; cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    let (_, first) = node.run(&donor, node.shell("first", script)).await;
    let (_, second) = node.run(&guest, node.shell("second", script)).await;
    assert_eq!(first, second);
    assert_eq!(second[1], "stdout F 7");
    guest.delete().await.unwrap();
    donor.delete().await.unwrap();
    node.assert_nothing_left();
}

/// A 32-bit x86 program of nothing but instructions: it writes a line, makes a call, and exits with what that failed with.
fn program_of_32_bits(line: &str, call: u32) -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    // `mov register, value` (0 eax, 1 ecx, 2 edx, 3 ebx) and `int 0x80`.
    let set = |register: u8, value: u32| [&[0xb8 + register][..], &value.to_le_bytes()].concat();
    let enter: &[u8] = &[0xcd, 0x80];
    let code = |line_at: u32| {
        let length = u32::try_from(line.len()).unwrap();
        [
            [set(0, 4), set(3, 1), set(1, line_at), set(2, length), enter.to_vec()].concat(),
            [set(0, call), set(3, 0xffff), enter.to_vec()].concat(),
            // `neg eax; mov ebx, eax`
            [vec![0xf7, 0xd8, 0x89, 0xc3], set(0, 1), enter.to_vec()].concat(),
        ]
        .concat()
    };
    let start = BASE + HEADERS;
    let text = [code(start + u32::try_from(code(0).len()).unwrap()).as_slice(), line.as_bytes()].concat();
    let size = HEADERS + u32::try_from(text.len()).unwrap();
    let mut file = [b"\x7fELF\x01\x01\x01".as_slice(), &[0; 9]].concat();
    for half in [2u16, 3] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, start, 52, 0, 0] {
        file.extend(word.to_le_bytes());
    }
    for half in [52u16, 32, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1, 0, BASE, BASE, size, size, 5, 0x1000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(text);
    file
}

#[cfg(target_arch = "x86_64")]
#[tokio::test(flavor = "multi_thread")]
async fn programs_of_32_bits_run_under_the_same_rules() {
    const KEYCTL: u32 = 288;
    let node = Node::new().await;
    let path = node.path("image/bin/small");
    std::fs::write(&path, program_of_32_bits("from 32 bits\n", KEYCTL)).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    // Debian's kernels run them; one that does not has nothing to prove here.
    let unconfined = std::process::Command::new(&path).output().map(|output| output.status.code());
    let pod = node.pod("small").await;
    let (code, log) = node.run(&pod, node.container("default", &["/bin/small"])).await;
    match unconfined {
        Ok(Some(code)) => assert_eq!(code, 95, "the kernel itself says that there is no such operation"),
        _ => assert_ne!(code, 0),
    }
    if unconfined.is_ok() {
        assert_eq!((code, log), (1, vec![text("stdout F from 32 bits")]), "the profile says EPERM");
        let mut own = node.container("own", &["/bin/small"]);
        own.process.seccomp = Seccomp::Profile(text(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["keyctl"],"action":"SCMP_ACT_ERRNO"}]}"#,
        ));
        let (code, _) = node.run(&pod, own).await;
        assert_eq!(code, 159, "a profile that is not for 32 bits: SIGSYS");
    }
    pod.delete().await.unwrap();
    node.assert_nothing_left();
}
