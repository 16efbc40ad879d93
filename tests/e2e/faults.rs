//! What goes wrong says what is wrong and what to do, and nothing that was acknowledged is lost.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Cluster, free_port};

const KNARR: &str = env!("CARGO_BIN_EXE_knarr");

/// What a command that must fail complains of.
fn complaint(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn an_occupied_port_is_named_with_the_flag_that_chooses_another() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("an address").port().to_string();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let words = ["--disable-agent", "--advertise-address", "203.0.113.1", "--bind-address", "127.0.0.1"];
    for command in ["server", "up"] {
        let mut knarr = Command::new(KNARR);
        knarr.arg(command).args(words).args(["--https-listen-port", &port]);
        let said = complaint(knarr.arg("--data-dir").arg(dir.path().join("data")));
        let taken = format!(
            "port {port} is taken: see who has it (ss -ltnp 'sport = :{port}'), or choose another by --https-listen-port"
        );
        assert!(said.contains(&taken), "{command}: {said}");
    }
    assert!(!dir.path().join("data/server/db").exists(), "nothing was begun");
}

#[test]
fn a_user_without_privileges_is_told_to_try_sudo() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Where the binary was built may be out of others' reach.
    let binary = dir.path().join("knarr");
    std::fs::copy(KNARR, &binary).expect("there is room");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(dir.path(), open).expect("it is ours");
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary).args(words);
        command.env("HOME", "/nonexistent").current_dir("/");
        command
    };
    for words in [&["up"][..], &["server"], &["down"], &["service", "remove"]] {
        let said = complaint(&mut as_nobody(words));
        let words = words.join(" ");
        assert_eq!(said, format!("error: knarr {words} needs root: try sudo knarr {words}\n"));
    }
    let port = free_port().to_string();
    let said = complaint(&mut as_nobody(&["check", "--https-listen-port", &port]));
    assert!(said.contains("failed   privileges") && said.contains("--disable-agent"), "{said}");
}

#[test]
fn a_kernel_without_what_a_node_needs_is_named_before_anything_starts() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let without_cgroups = |words: &str| {
        let mut command = Command::new("unshare");
        let line = format!("umount -R /sys/fs/cgroup && exec {KNARR} {words} --data-dir {}", data.display());
        command.args(["--mount", "--propagation", "private", "sh", "-c", &line]);
        command
    };
    let port = free_port();
    let check = complaint(&mut without_cgroups(&format!("check --https-listen-port {port}")));
    assert!(check.contains("failed   cgroups            no cgroup file system"), "{check}");
    assert!(check.contains("→ mount -t cgroup2 none /sys/fs/cgroup"), "{check}");
    assert!(check.contains("This machine cannot run a cluster yet."), "{check}");
    let up = complaint(&mut without_cgroups(&format!("up --https-listen-port {port}")));
    assert!(up.contains("this machine cannot run the cluster:\n  cgroups no cgroup file system"), "{up}");
    assert!(!data.exists(), "nothing was begun");
}

/// A file system in memory, unmounted with the value.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path, size: &str) -> Small {
        std::fs::create_dir_all(path).expect("a directory");
        let options = format!("size={size},mode=0755");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "knarr-test"]).arg(path).status();
        assert!(status.expect("mount is there").success(), "these tests need root");
        Small(path.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_writes_loses_none_and_recovers() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let disk = Small::mount(&dir.path().join("disk"), "24m");
    let mut cluster = Cluster::control_plane_at(&disk.0.join("data"));
    let payload = dir.path().join("payload");
    std::fs::write(&payload, "x".repeat(900_000)).expect("a file");
    let from = format!("--from-file={}", payload.display());
    let mut kept = 0;
    let refusal = loop {
        let output = cluster.try_kubectl(&["create", "configmap", &format!("kept-{kept}"), &from]);
        if !output.status.success() {
            break String::from_utf8_lossy(&output.stderr).into_owned();
        }
        kept += 1;
        assert!(kept < 60, "the disk is full by then");
    };
    assert!(refusal.contains("no space is left to write") && refusal.contains("state.db"), "{refusal}");
    let names =
        |cluster: &Cluster| cluster.kubectl(&["get", "configmaps", "-o", "name"]).matches("/kept-").count();
    assert_eq!(names(&cluster), kept, "reading goes on");

    let mounted = Command::new("mount").args(["-o", "remount,size=200m"]).arg(&disk.0).status();
    assert!(mounted.expect("mount is there").success());
    cluster.eventually(&["create", "configmap", "late", "--from-literal=a=b"], |_| true);
    assert_eq!(names(&cluster), kept);
    cluster.crash_and_restart();
    assert_eq!(names(&cluster), kept, "what was acknowledged is there");
    assert_eq!(cluster.value(&["configmap", "late"], "{.data.a}"), "b");
    drop(cluster);
}

#[test]
fn a_corrupt_store_is_named_and_left_as_it_is() {
    let mut cluster = Cluster::control_plane();
    cluster.kubectl(&["create", "configmap", "kept", "--from-literal=a=b"]);
    cluster.stop_server();
    let file = cluster.data().join("server/db/state.db");
    let whole = std::fs::read(&file).expect("the store is there");
    let advice = ["is not a database of Knarr; move it away", "is damaged; restore it from a backup"];
    for (from, advice) in [0, 100].into_iter().zip(advice) {
        let mut damaged = whole.clone();
        damaged[from..].fill(0x5a);
        std::fs::write(&file, &damaged).expect("it can be written");
        let said = cluster.start_fails();
        assert!(said.contains(&format!("state.db {advice}")), "{said}");
        assert_eq!(std::fs::read(&file).expect("it is still there"), damaged);
    }
    std::fs::write(&file, &whole).expect("it can be written");
    cluster.start_server();
    assert_eq!(cluster.value(&["configmap", "kept"], "{.data.a}"), "b");
}

fn pod(name: &str, image: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 0\n  containers:\n  - {{name: main, image: \"{image}\", {more}}}\n---\n"
    )
}

#[test]
fn a_pod_that_cannot_run_says_why_in_status_and_events() {
    let cluster = Cluster::with_node("broken");
    cluster.busybox_image("example.com/whole:1");
    a_damaged_image_is_refused(&cluster);
    let never = "imagePullPolicy: Never, command: [/bin/sleep, '86400']";
    let registry = format!("127.0.0.1:{}/none:1", free_port());
    cluster.apply(
        &[
            pod("absent", "example.com/absent:1", never),
            pod("unreachable", &registry, "imagePullPolicy: Always"),
            pod("misnamed", "example.com/whole:1", "imagePullPolicy: Never, command: [/bin/nonesuch]"),
            pod(
                "crashing",
                "example.com/whole:1",
                "imagePullPolicy: Never, command: [/bin/sh, -c, 'echo gone wrong; exit 3']",
            ),
            pod(
                "unkeyed",
                "example.com/whole:1",
                &format!(
                    "{never}, env: [{{name: A, valueFrom: {{configMapKeyRef: {{name: none, key: a}}}}}}]"
                ),
            ),
            pod("unwritable", "not a name:1", never),
        ]
        .concat(),
    );
    let status = "{.status.containerStatuses[0]}";
    let shows = |name: &str, parts: &[&str]| {
        let path = format!("jsonpath={status}");
        cluster.eventually(&["get", "pod", name, "-o", &path], |text| {
            parts.iter().all(|part| text.contains(part))
        });
    };
    let tells = |name: &str, parts: &[&str]| {
        let field = format!("involvedObject.name={name}");
        let words = [
            "get",
            "events",
            "--field-selector",
            &field,
            "-o",
            "jsonpath={range .items[*]}{.type} {.reason}: {.message}{'\\n'}{end}",
        ];
        cluster.eventually(&words, |text| parts.iter().all(|part| text.contains(part)));
    };
    shows("absent", &["ErrImageNeverPull", "is not present with pull policy of Never"]);
    tells("absent", &["Warning ErrImageNeverPull"]);
    shows("unreachable", &["ImagePullBackOff", "Back-off pulling image"]);
    tells(
        "unreachable",
        &[
            "Normal Pulling",
            "Warning Failed: Failed to pull image",
            "Warning Failed: Error: RegistryUnavailable",
        ],
    );
    shows("misnamed", &["/bin/nonesuch", "StartError"]);
    tells("misnamed", &["Warning Failed", "/bin/nonesuch"]);
    shows("crashing", &["CrashLoopBackOff", "\"exitCode\":3", "\"reason\":\"Error\""]);
    tells(
        "crashing",
        &["Normal Started", "Warning BackOff: Back-off restarting failed container main in pod crashing"],
    );
    shows("unkeyed", &["CreateContainerConfigError", "configmap \\\"none\\\" not found"]);
    shows("unwritable", &["InvalidImageName"]);
    assert_eq!(cluster.kubectl(&["logs", "crashing", "--previous"]), "gone wrong\n");

    // What was wrong is put right, and the pods run.
    cluster.kubectl(&["create", "configmap", "none", "--from-literal=a=b"]);
    cluster.busybox_image("example.com/absent:1");
    for name in ["absent", "unkeyed"] {
        cluster
            .eventually(&["get", "pod", name, "-o", "jsonpath={.status.phase}"], |phase| phase == "Running");
    }
}

/// An archive with changed bytes in a layer is not imported, and says which digest is wrong; nor is one that ends early.
fn a_damaged_image_is_refused(cluster: &Cluster) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let archive = dir.path().join("image.tar");
    let name = archive.to_str().expect("letters");
    cluster.knarr(&["image", "export", "example.com/whole:1", "--output", name]);
    let mut bytes = std::fs::read(&archive).expect("it was written");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 512].reverse();
    // Elsewhere, for this node has the layer and does not read it again.
    let elsewhere = dir.path().join("data");
    for (bytes, advice) in [(&bytes[..], "unexpected digest sha256:"), (&bytes[..middle], "image.tar")] {
        std::fs::write(&archive, bytes).expect("it can be written");
        let mut import = Command::new(KNARR);
        let said = complaint(import.args(["image", "import", name, "--data-dir"]).arg(&elsewhere));
        assert!(said.starts_with("error: ") && said.contains(advice), "{said}");
    }
}
