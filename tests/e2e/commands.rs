//! The commands of the first hour: `up` and all that is asked of a cluster that it started, until `down --purge` leaves nothing.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::MutexGuard;

use host::process::{LinuxProcesses, Processes as _};
use tempfile::TempDir;

use crate::harness::{RANGES, free_port, turn, until};
use crate::network::Network;

const KNARR: &str = env!("CARGO_BIN_EXE_knarr");
/// Debian's `nobody`.
const NOBODY: u32 = 65_534;

/// A machine on which nobody has started anything yet, and its user, who calls by sudo.
struct Machine {
    network: Network,
    dir: TempDir,
    port: String,
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    fn new(name: &str) -> Machine {
        let turn = turn();
        let dir = tempfile::tempdir().expect("a temporary directory");
        Machine { network: Network::new(name), dir, port: free_port().to_string(), _turn: turn }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.data().join("knarr.yaml")
    }

    /// Where the pod writes what it has to say when it is asked to end.
    fn last_words(&self) -> PathBuf {
        self.dir.path().join("last-words")
    }

    fn users(&self) -> PathBuf {
        self.dir.path().join("users-kubeconfig")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.network.command(KNARR);
        command.args(words).arg("--data-dir").arg(self.data());
        command.env("HOME", self.dir.path()).env("KUBECONFIG", self.users());
        command
            .env("SUDO_USER", "nobody")
            .env("SUDO_UID", NOBODY.to_string())
            .env("SUDO_GID", NOBODY.to_string());
        command
    }

    fn up(&self) -> Command {
        let mut command = self.command(&["up", "--node-name", "one", "--https-listen-port", &self.port]);
        command.args(RANGES);
        command
    }

    fn try_knarr(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the binary was built")
    }

    fn knarr(&self, words: &[&str]) -> String {
        said(&self.try_knarr(words))
    }

    fn kubectl(&self, words: &[&str]) -> String {
        // What comes after these words is kubectl's, so the place is told by the environment.
        let mut command = self.network.command(KNARR);
        command.arg("kubectl").args(words).env("KNARR_DATA_DIR", self.data()).env("HOME", self.dir.path());
        said(&command.output().expect("the binary was built"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.data().exists() {
            let _ = self.command(&["down", "--purge"]).output();
        }
    }
}

/// What a command that must succeed printed.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The number after a word.
fn number_after(text: &str, word: &str) -> i32 {
    let rest = text.split_once(word).map(|(_, rest)| rest).unwrap_or_default();
    rest.split(|letter: char| !letter.is_ascii_digit())
        .next()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

fn runs(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

const FOREIGN: &str = "apiVersion: v1
kind: Config
current-context: other
clusters: [{name: other, cluster: {server: 'https://192.0.2.1'}}]
contexts: [{name: other, context: {cluster: other, user: other}}]
users: [{name: other, user: {token: secret}}]
";

/// A pod that writes something when it is asked to end, and ends.
const SHELL: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  containers:
  - name: shell
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, "trap 'echo goodbye >> /words/said; exit' TERM; while :; do sleep 0.1; done"]
    volumeMounts: [{name: words, mountPath: /words}]
  volumes: [{name: words, hostPath: {path: $(WORDS)}}]
"#;

#[test]
fn up_status_and_down_and_what_lies_between() {
    let machine = Machine::new("up");
    std::fs::write(machine.users(), FOREIGN).expect("a file");
    std::os::unix::fs::chown(machine.users(), Some(NOBODY), Some(NOBODY)).expect("root may");
    let up = said(&machine.up().output().expect("the binary was built"));
    for part in [
        "Starting the server, process ",
        "✓ The API is ready",
        "✓ The node is Ready",
        "export KUBECONFIG=",
        "knarr down",
    ] {
        assert!(up.contains(part), "{part}: {up}");
    }
    let server = number_after(&up, "Starting the server, process ");
    assert!(runs(server));
    let kubeconfig = std::fs::metadata(machine.kubeconfig()).expect("it was written");
    assert_eq!(
        (kubeconfig.permissions().mode() & 0o777, kubeconfig.uid(), kubeconfig.gid()),
        (0o600, NOBODY, NOBODY)
    );
    let again = said(&machine.up().output().expect("the binary was built"));
    assert!(again.contains(&format!("Already running, process {server}")), "{again}");
    assert!(!again.contains("other flags"), "{again}");
    let other = said(&machine.up().args(["--node-label", "a=b"]).output().expect("the binary was built"));
    assert!(other.contains("  --node-label is nothing, not a=b\n"), "{other}");

    let status = machine.knarr(&["status"]);
    for part in
        [&format!("server runs, process {server}"), "api:        ready", "node:       Ready", "pods here:  0"]
    {
        assert!(status.contains(part), "{part}: {status}");
    }
    let logs = machine.knarr(&["logs"]);
    assert!(logs.contains("kubeconfig.written") && !logs.contains('\u{1b}'), "no colours in a file: {logs}");
    let check = machine.knarr(&["check", "--https-listen-port", &machine.port]);
    assert!(check.contains("This machine can run a cluster"), "{check}");
    for port in [&machine.port, "10250"] {
        let held = format!("{port} is held by this cluster's own server, process {server}\n");
        assert!(check.contains(&held), "{held}: {check}");
    }
    let printed = machine.knarr(&["kubeconfig"]);
    assert_eq!(printed, std::fs::read_to_string(machine.kubeconfig()).expect("text"));
    let nodes = machine.kubectl(&["get", "nodes"]);
    let words: Vec<&str> = nodes.split_whitespace().skip(5).collect();
    assert_eq!(words[..3], ["one", "Ready", "control-plane"], "kubectl has its kubeconfig: {nodes}");

    let merged = machine.knarr(&["kubeconfig", "--merge"]);
    assert!(merged.contains("it is the current context"), "{merged}");
    let contexts = |words: &[&str]| {
        let mut kubectl = Command::new("kubectl");
        said(&kubectl.arg("config").args(words).env("KUBECONFIG", machine.users()).output().expect("kubectl"))
    };
    let names = contexts(&["get-contexts", "-o", "name"]);
    assert!(names.contains("other\n") && names.lines().count() == 2, "{names}");
    assert!(contexts(&["current-context"]).starts_with("knarr-"));

    a_dead_server_is_seen_and_started_again(&machine, server);

    let down = machine.knarr(&["down"]);
    for part in [
        "Stopped the server",
        "Stopping 1 pod",
        "  default/shell",
        "the DNS server",
        "Left: the cluster's data",
        "Left: the kubeconfig",
        "knarr up",
    ] {
        assert!(down.contains(part), "{part}: {down}");
    }
    let said = std::fs::read_to_string(machine.last_words().join("said"));
    assert_eq!(said.expect("its programs were asked to end"), "goodbye\n");
    assert!(machine.knarr(&["down"]).contains("Nothing was running"));
    a_cluster_returns_as_it_was_made(&machine);
    let purged = machine.knarr(&["down", "--purge"]);
    assert!(purged.contains("Removed knarr-"), "{purged}");
    assert!(!machine.data().exists() && !machine.kubeconfig().exists());
    assert_eq!(contexts(&["get-contexts", "-o", "name"]), "other\n");
    let other = std::fs::metadata(machine.users()).expect("the user's kubeconfig is the user's");
    assert_eq!(other.uid(), NOBODY);
}

fn a_dead_server_is_seen_and_started_again(machine: &Machine, server: i32) {
    let root = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(root.path().join("bin")).expect("a directory");
    std::fs::copy("/bin/busybox", root.path().join("bin/sh"))
        .expect("busybox-static is installed: ./dev setup");
    let from = root.path().to_str().expect("letters");
    machine.knarr(&["image", "build", "--tag", "example.com/shell:1", "--from", from]);
    std::fs::create_dir(machine.last_words()).expect("a directory");
    let manifest = machine.dir.path().join("shell.yaml");
    let words = machine.last_words();
    std::fs::write(&manifest, SHELL.replace("$(WORDS)", words.to_str().expect("letters"))).expect("a file");
    machine.kubectl(&["apply", "-f", manifest.to_str().expect("letters")]);
    machine.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);

    let process = LinuxProcesses.identify(server).expect("it runs");
    assert!(LinuxProcesses.signal(process, 9).expect("root may"));
    until("the server has ended", || !runs(server));
    let status = machine.try_knarr(&["status"]);
    assert_eq!(status.status.code(), Some(3));
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        text.contains("stopped")
            && text.contains("1 (they go on without knarr)")
            && text.contains("knarr up"),
        "{text}"
    );
    let listed = machine.knarr(&["ps"]);
    let words: Vec<&str> = listed.split_whitespace().collect();
    assert_eq!(words[5..9], ["default", "shell", "shell", "Running"], "the API is down: {listed}");
    let up = said(&machine.up().output().expect("the binary was built"));
    assert!(up.contains("1 running pod from before will be adopted"), "{up}");
    assert_eq!(
        machine.kubectl(&[
            "get",
            "pod",
            "shell",
            "-o",
            "jsonpath={.status.containerStatuses[0].restartCount}"
        ]),
        "0"
    );
}

/// Neither its ranges nor its node's name need be given again, and its pods return at once.
fn a_cluster_returns_as_it_was_made(machine: &Machine) {
    let renamed = machine.try_knarr(&["up", "--node-name", "two"]);
    let complaint = String::from_utf8_lossy(&renamed.stderr).into_owned();
    assert!(complaint.contains("is called one and cannot become two"), "{complaint}");
    let before =
        String::from_utf8(Command::new("date").arg("+%s").output().expect("date").stdout).expect("text");
    machine.knarr(&["up", "--https-listen-port", &machine.port]);
    // Ready is the word of the agent that was just started, and not of the one before.
    let lease = ["get", "lease", "one", "--namespace=kube-node-lease", "-o", "jsonpath={.spec.renewTime}"];
    let renewed = machine.kubectl(&lease);
    let renewed = Command::new("date").args(["+%s", "-d", &renewed]).output().expect("date").stdout;
    assert!(String::from_utf8(renewed).expect("text") >= before);
    machine.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);
    let events = machine.kubectl(&["get", "events", "--field-selector=reason=BackOff"]);
    assert!(!events.contains("shell"), "{events}");
    assert!(machine.knarr(&["down"]).contains("  default/shell"));
}

#[test]
fn ranges_over_the_machines_own_network_and_a_broken_file_of_registries_are_refused() {
    let machine = Machine::new("covering");
    let refused = |words: &[&str]| {
        let mut up = machine.up();
        let output = up.args(words).output().expect("the binary was built");
        assert!(!output.status.success(), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let file = machine.dir.path().join("registries.yaml");
    std::fs::write(&file, "mirrors: [").expect("a file");
    let complaint = refused(&["--private-registry", file.to_str().expect("letters")]);
    assert!(complaint.contains("registries.yaml"), "{complaint}");
    assert!(!machine.data().join("server/db").exists(), "nothing was begun");
    let mut up =
        machine.command(&["up", "--https-listen-port", &machine.port, "--cluster-cidr", "198.51.0.0/16"]);
    let output = up.output().expect("the binary was built");
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = "--cluster-cidr 198.51.0.0/16 covers this machine's address 198.51.100.1/24 of e0";
    assert!(!output.status.success() && complaint.contains(expected), "{complaint}");
    // What was only tried is not what the cluster was made with.
    let kubeconfig = machine.dir.path().join("users/own/kubeconfig");
    said(&machine.up().arg("--write-kubeconfig").arg(&kubeconfig).output().expect("the binary was built"));
    assert!(kubeconfig.exists());
    machine.knarr(&["down", "--purge"]);
    assert!(!machine.dir.path().join("users").exists(), "it was made for the kubeconfig");
}

#[test]
fn two_that_start_one_cluster_at_once_start_it_once() {
    let machine = Machine::new("twice");
    let starting: Vec<_> =
        (0..2).map(|_| machine.up().stdout(Stdio::piped()).spawn().expect("the binary was built")).collect();
    let texts: Vec<String> =
        starting.into_iter().map(|up| said(&up.wait_with_output().expect("it ends"))).collect();
    let status = machine.knarr(&["status"]);
    let server = number_after(&status, "server runs, process ");
    let mine = |text: &&String| number_after(text, "Starting the server, process ") == server;
    assert_eq!(texts.iter().filter(mine).count(), 1, "{texts:?}");
    let other = texts.iter().find(|text| !mine(text)).expect("the other");
    let told = [
        format!("started it meanwhile, process {server}"),
        format!("Already running, process {server}"),
        "Another knarr is starting it".to_owned(),
    ];
    assert!(told.iter().any(|words| other.contains(words)), "{other}");
    let second = machine.try_knarr(&["server", "--https-listen-port", &machine.port]);
    let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(complaint.contains(&format!("is in use by another knarr, process {server}")), "{complaint}");
    machine.knarr(&["down", "--purge"]);
}

#[test]
fn an_interrupted_up_undoes_what_it_made() {
    let machine = Machine::new("interrupt");
    let mut up = machine.up().stdout(Stdio::piped()).spawn().expect("the binary was built");
    let mut lines = BufReader::new(up.stdout.take().expect("it is piped"));
    let mut text = String::new();
    lines.read_line(&mut text).expect("text");
    let server = number_after(&text, "Starting the server, process ");
    assert!(runs(server), "{text}");
    let process = LinuxProcesses.identify(i32::try_from(up.id()).expect("a process id")).expect("it runs");
    assert!(LinuxProcesses.signal(process, 2).expect("root may"));
    std::io::Read::read_to_string(&mut lines, &mut text).expect("text");
    assert_eq!(up.wait().expect("it ends").code(), Some(130), "{text}");
    assert!(text.contains("Interrupted: stopped the server that this run started"), "{text}");
    assert!(!runs(server));
    assert!(!machine.data().exists(), "{text}");
    let status = machine.try_knarr(&["status"]);
    assert_eq!(status.status.code(), Some(3));
    for (program, words) in
        [("nft", &["list", "tables"][..]), ("ip", &["-4", "-o", "addr", "show", "dev", "lo"])]
    {
        let left = machine.network.command(program).args(words).output().expect("./dev setup");
        assert!(
            String::from_utf8_lossy(&left.stdout).lines().all(|line| line.contains("127.0.0.1")),
            "{program}: {left:?}"
        );
    }
}

#[test]
fn what_starts_a_server_hears_that_it_is_ready() {
    let machine = Machine::new("notify");
    let path = machine.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let words = [
        "server",
        "--disable-agent",
        "--advertise-address",
        "203.0.113.1",
        "--https-listen-port",
        &machine.port,
    ];
    let mut command = machine.command(&words);
    let mut server =
        command.args(RANGES).env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().expect("it was built");
    let heard = || {
        let mut buffer = [0u8; 64];
        let length = socket.recv(&mut buffer).expect("the server speaks");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(heard(), "READY=1\n");
    assert_eq!(machine.kubectl(&["get", "--raw", "/readyz"]), "ok");
    let process =
        LinuxProcesses.identify(i32::try_from(server.id()).expect("a process id")).expect("it runs");
    assert!(LinuxProcesses.signal(process, 15).expect("root may"));
    assert_eq!(heard(), "STOPPING=1\n");
    assert!(server.wait().expect("it ends").success());
}

#[test]
fn what_needs_no_cluster_works_without_one() {
    let run = |words: &[&str]| Command::new(KNARR).args(words).output().expect("the binary was built");
    let version = said(&run(&["--version"]));
    assert!(version.contains(env!("CARGO_PKG_VERSION")) && version.contains("1.37"), "{version}");
    assert!(version.contains(&format!("commit {}", cli::version::COMMIT)), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(said(&run(&["completion", shell])).contains("knarr"));
    }
    let refused = run(&["up", "--data-dri", "/nowhere"]);
    let complaint = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(complaint.contains("--data-dri") && complaint.contains("--data-dir"), "{complaint}");
    let unknown = Command::new(KNARR).arg("check").env("KNARR_DATA_DRI", "x").output().expect("it was built");
    let complaint = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(complaint.contains("did you mean KNARR_DATA_DIR?"), "{complaint}");
    let by_hand = run(&["dns"]);
    assert!(String::from_utf8_lossy(&by_hand.stderr).contains("started by knarr itself"), "{by_hand:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let closed = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        writer
    };
    for words in [&["completion", "bash"][..], &["check"], &["status"], &["ps"], &["image", "list"]] {
        let mut command = Command::new(KNARR);
        command.args(words).stdout(closed());
        if words[0] != "completion" {
            command.arg("--data-dir").arg(dir.path());
        }
        let output = command.output().expect("the binary was built");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), complaint.as_ref()), (Some(141), ""), "{words:?}");
    }
    let status = Command::new(KNARR).args(["up", "--data-dri"]).stderr(closed()).status();
    assert_eq!(status.expect("the binary was built").code(), Some(2));
}
