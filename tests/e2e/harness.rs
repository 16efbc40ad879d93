//! Starting a server, and asking kubectl.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use host::process::{LinuxProcesses, Processes as _};
use tempfile::TempDir;

use crate::network::{ADDRESS, Network};

/// How long anything may take before the test gives up; generous, as it is no measurement.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One cluster at a time: two in one network namespace would be refused for their address ranges.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for the turn of a test that has a cluster on this machine.
pub fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Address ranges that a cluster of this machine's owner is unlikely to have.
pub const RANGES: [&str; 8] = [
    "--cluster-cidr",
    "10.242.0.0/16",
    "--service-cidr",
    "10.243.0.0/16",
    "--cluster-dns",
    "10.243.0.10",
    "--service-node-port-range",
    "30000-32767",
];

/// Those of a second cluster beside it.
const NEIGHBOUR: [&str; 10] = [
    "--cluster-cidr",
    "10.244.0.0/16",
    "--service-cidr",
    "10.245.0.0/16",
    "--cluster-dns",
    "10.245.0.10",
    "--service-node-port-range",
    "28000-29999",
    "--kubelet-port",
    "10251",
];

/// A running server, which ends with this value.
pub struct Cluster {
    network: Option<Network>,
    server: Child,
    flags: Vec<String>,
    data: PathBuf,
    dir: TempDir,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Cluster {
    /// Starts a control plane without a node.
    pub fn control_plane() -> Cluster {
        Cluster::control_plane_with(&[])
    }

    /// The same with more flags.
    pub fn control_plane_with(flags: &[&str]) -> Cluster {
        // Nobody connects to the advertised address (TEST-NET-3): there are no pods to do so.
        let own = ["--disable-agent", "--advertise-address", "203.0.113.1"];
        Cluster::start(None, None, &RANGES, &[&own, flags].concat())
    }

    /// Starts a control plane without a node, whose data is kept there.
    pub fn control_plane_at(data: &Path) -> Cluster {
        Cluster::start(None, Some(data), &RANGES, &["--disable-agent", "--advertise-address", "203.0.113.1"])
    }

    /// Starts a control plane with a node, in a network namespace of their own.
    pub fn with_node(name: &str) -> Cluster {
        Cluster::in_network(Network::new(name))
    }

    /// Starts a control plane with a node in this network.
    pub fn in_network(network: Network) -> Cluster {
        let cluster = Cluster::start(Some(network), None, &RANGES, &["--node-name", "one"]);
        cluster.settle();
        cluster
    }

    /// Starts a server with more flags, which may leave parts out, in a network namespace of its own.
    pub fn of_parts(name: &str, flags: &[&str]) -> Cluster {
        Cluster::start(Some(Network::new(name)), None, &RANGES, &[&["--node-name", "one"], flags].concat())
    }

    /// Starts another cluster in this one's network, with ranges and ports of its own.
    pub fn neighbour(&self) -> Cluster {
        let network = self.network.clone().expect("the cluster has a network of its own");
        let other = Cluster::spawned(Some(network), None, &NEIGHBOUR, &["--node-name", "one"], None);
        other.settle();
        other
    }

    /// Waits until pods can be made, and run on the node.
    pub fn settle(&self) {
        let cluster = self;
        cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
        let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        cluster.eventually(&["get", "node", "one", "-o", ready], |ready| ready == "True");
    }

    fn start(network: Option<Network>, data: Option<&Path>, ranges: &[&str], flags: &[&str]) -> Cluster {
        Cluster::spawned(network, data, ranges, flags, Some(turn()))
    }

    fn spawned(
        network: Option<Network>,
        data: Option<&Path>,
        ranges: &[&str],
        flags: &[&str],
        turn: Option<MutexGuard<'static, ()>>,
    ) -> Cluster {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut flags: Vec<String> = ranges.iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
        flags.push("--https-listen-port".to_owned());
        flags.push(free_port().to_string());
        let data = data.map_or_else(|| dir.path().join("data"), Path::to_owned);
        let server = spawn(&dir, &data, network.as_ref(), &flags);
        let mut cluster = Cluster { network, server, flags, data, dir, _turn: turn };
        cluster.wait_ready();
        cluster
    }

    /// A program that runs where the cluster does.
    pub fn program(&self, program: &str) -> Command {
        program_in(self.network.as_ref(), program)
    }

    /// Does something where the cluster is; sockets that it opens belong there for good.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.network.as_ref().expect("the cluster has a network of its own").within(work)
    }

    /// Runs a command of the binary for this cluster, whatever comes of it.
    pub fn try_knarr(&self, arguments: &[&str]) -> Output {
        let mut command = self.program(env!("CARGO_BIN_EXE_knarr"));
        command.args(arguments).arg("--data-dir").arg(self.data());
        command.output().expect("the binary was built")
    }

    /// Runs a command of the binary for this cluster, which must succeed, and answers what it prints.
    pub fn knarr(&self, arguments: &[&str]) -> String {
        let output = self.try_knarr(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "knarr {arguments:?}: {errors}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Packages a directory as an image of the node.
    pub fn build_image(&self, from: &Path, tag: &str) {
        let from = from.to_str().expect("a path of letters");
        self.knarr(&["image", "build", "--tag", tag, "--from", from]);
    }

    /// Packages the example's image with the example's own script.
    pub fn example_image(&self, tag: &str) {
        // As cargo tells it at run time, if it runs this: the tree that is tested may be a copy of the one that was compiled.
        let package =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).join("../..");
        let own = Path::new(env!("CARGO_BIN_EXE_knarr")).parent().expect("a directory").to_owned();
        let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
        let mut script = self.program("bash");
        script.arg(root.join("examples/shop/image.sh")).arg("--data-dir").arg(self.data());
        let output =
            script.env("PATH", path).env("TAG", tag).env("PROFILE", "dev").output().expect("bash is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Packages Debian's busybox-static as an image of this name.
    pub fn busybox_image(&self, tag: &str) {
        let root = tempfile::tempdir().expect("a temporary directory");
        busybox(root.path());
        self.build_image(root.path(), tag);
    }

    /// A second machine on the link of the first.
    pub fn second_machine(&self, name: &str) -> Network {
        self.network.as_ref().expect("the cluster has a network of its own").beside(name)
    }

    /// Where the API is for other machines, and the token to join with.
    pub fn invitation(&self) -> (String, String) {
        let port = self.flags.last().expect("the port is the last flag");
        let token =
            std::fs::read_to_string(self.data.join("server/token")).expect("the server keeps a token");
        (format!("https://{ADDRESS}:{port}"), token.trim().to_owned())
    }

    /// Stops everything and deletes it, and answers what was said.
    pub fn down(&self) -> String {
        self.knarr(&["down", "--purge"])
    }

    /// Where the cluster keeps what outlives the machine's uptime.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// The cluster's short name, as its server noted it.
    pub fn id(&self) -> String {
        let note = std::fs::read(self.data().join("server/knarr.pid")).expect("the server left its record");
        let note: serde_json::Value = serde_json::from_slice(&note).expect("the record is JSON");
        note["clusterId"].as_str().expect("the record names the cluster").to_owned()
    }

    /// Where the cluster keeps what does not outlive the machine's uptime.
    pub fn state(&self) -> PathBuf {
        Path::new("/run/knarr").join(self.id())
    }

    /// Adds to the flags that the server is started with.
    pub fn add_flags(&mut self, flags: &[&str]) {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
    }

    /// Kills the server without warning.
    pub fn kill_server(&mut self) {
        self.server.kill().expect("the server can be killed");
        self.server.wait().expect("the server can be waited for");
    }

    /// Asks the server to end, and waits until it has.
    pub fn stop_server(&mut self) {
        let pid = i32::try_from(self.server.id()).expect("a process id");
        let process = LinuxProcesses.identify(pid).expect("the server runs");
        assert!(LinuxProcesses.signal(process, 15).expect("the server can be signalled"));
        let status = self.server.wait().expect("the server can be waited for");
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Starts the server again, and waits until it is ready.
    pub fn start_server(&mut self) {
        self.start_server_with(&[]);
    }

    /// Starts the server again with more flags for this once, and waits until it is ready.
    pub fn start_server_with(&mut self, flags: &[&str]) {
        let flags: Vec<String> =
            self.flags.iter().cloned().chain(flags.iter().map(|flag| (*flag).to_owned())).collect();
        self.server = spawn(&self.dir, &self.data, self.network.as_ref(), &flags);
        self.wait_ready();
    }

    /// Starts the server again, which must fail, and answers what it says.
    pub fn start_fails(&mut self) -> String {
        self.start_fails_with(&[])
    }

    /// The same with more flags for this once.
    pub fn start_fails_with(&mut self, flags: &[&str]) -> String {
        let before = self.log().len();
        let flags: Vec<String> =
            self.flags.iter().cloned().chain(flags.iter().map(|flag| (*flag).to_owned())).collect();
        self.server = spawn(&self.dir, &self.data, self.network.as_ref(), &flags);
        let status = self.server.wait().expect("the server can be waited for");
        assert!(!status.success());
        self.log().split_off(before)
    }

    /// What happens to a machine that boots again: nothing of the cluster runs, is mounted or held in memory any more, and the
    /// network is another one.
    pub fn reboot(&mut self, network: Network) {
        let (id, state) = (self.id(), self.state());
        self.kill_server();
        crate::reboot::forget(&id, &state, &self.data());
        self.network = Some(network);
        self.start_server();
    }

    /// Kills the server without warning and starts it again.
    pub fn crash_and_restart(&mut self) {
        self.kill_server();
        self.start_server();
    }

    fn wait_ready(&mut self) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait().expect("the server can be asked") {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            let ready =
                self.kubeconfig().exists() && self.try_kubectl(&["get", "--raw", "/readyz"]).status.success();
            if ready {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not become ready:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The server's keys and certificates.
    pub fn keys(&self) -> PathBuf {
        self.data.join("server/tls")
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// What the server has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("kubectl");
        command.args(arguments).env("KUBECONFIG", self.kubeconfig()).env("HOME", self.dir.path());
        command
    }

    /// Runs kubectl, whatever comes of it.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("kubectl is on the PATH: ./dev setup says how to get it")
    }

    /// Asks kubectl for one value.
    pub fn value(&self, object: &[&str], path: &str) -> String {
        let output = format!("jsonpath={path}");
        self.kubectl(&[&["get"], object, &["-o", &output]].concat())
    }

    /// Runs kubectl, which must succeed, and answers what it prints.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {errors}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs kubectl with these flags in the place of the administrator's identity, whatever comes of it.
    pub fn try_kubectl_as(&self, identity: &[&str], arguments: &[&str]) -> Output {
        let server = self.kubectl(&["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"]);
        let mut command = self.program("kubectl");
        command.env("KUBECONFIG", "/dev/null").env("HOME", self.dir.path());
        command.args(["--server", &server, "--certificate-authority"]);
        command.arg(self.keys().join("ca.crt")).args(identity).args(arguments);
        command.output().expect("kubectl is on the PATH")
    }

    /// The same; it must succeed.
    pub fn kubectl_as(&self, identity: &[&str], arguments: &[&str]) -> String {
        let output = self.try_kubectl_as(identity, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {errors}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs kubectl, which must fail, and answers its complaint.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments);
        assert!(!output.status.success(), "kubectl {arguments:?} was to fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> String {
        self.send(&["apply", "-f", "-"], manifest)
    }

    /// Sends an object as it is to a path.
    pub fn create_raw(&self, path: &str, object: &str) -> String {
        self.send(&["create", "--raw", path, "-f", "-"], object)
    }

    fn send(&self, arguments: &[&str], text: &str) -> String {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl is on the PATH");
        child.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("kubectl reads");
        let output = child.wait_with_output().expect("kubectl ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {errors}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks kubectl until the answer is as wanted.
    pub fn eventually(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        self.until(|| {
            let output = self.try_kubectl(arguments);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && wanted(&text) {
                return Ok(text);
            }
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("kubectl {arguments:?} says: {text}{errors}"))
        })
    }

    /// Asks until there is an answer.
    pub fn until<T>(&self, ask: impl Fn() -> Result<T, String>) -> T {
        let begun = Instant::now();
        loop {
            match ask() {
                Ok(answer) => return answer,
                Err(why) => assert!(begun.elapsed() < PATIENCE, "{why}\n{}", self.log()),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts kubectl and hands over its lines as they come; it ends with the value.
    pub fn stream(&self, arguments: &[&str]) -> Lines {
        let mut child =
            self.command(arguments).stdout(Stdio::piped()).spawn().expect("kubectl is on the PATH");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Lines { child, lines }
    }
}

pub fn program_in(network: Option<&Network>, program: &str) -> Command {
    match network {
        Some(network) => network.command(program),
        None => Command::new(program),
    }
}

/// A root file system of Debian's busybox-static alone.
pub fn busybox(root: &Path) {
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin).expect("a directory");
    std::fs::copy("/bin/busybox", bin.join("busybox")).expect("busybox-static is installed: ./dev setup");
    for name in ["sh", "httpd", "wget", "echo", "cat", "sleep", "tty", "mkdir", "touch", "tar", "test"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).expect("a link");
    }
}

fn spawn(dir: &TempDir, data: &Path, network: Option<&Network>, flags: &[String]) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.path().join("log"))
        .expect("the log can be written");
    program_in(network, env!("CARGO_BIN_EXE_knarr"))
        .arg("server")
        .arg("--data-dir")
        .arg(data)
        .arg("--write-kubeconfig")
        .arg(dir.path().join("kubeconfig"))
        // How full this machine's disk is is not the test's subject.
        .args(["--kubelet-arg", "eviction-hard=memory.available<1Mi"])
        .args(["--bind-address", if network.is_some() { "0.0.0.0" } else { "127.0.0.1" }])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the binary was built")
}

/// A port that nobody listens on just now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        if self.network.is_some() && self.data().exists() {
            let _ = self.try_knarr(&["down", "--purge"]);
        }
    }
}

/// What a program prints, line by line.
pub struct Lines {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Lines {
    /// Whether nothing more comes.
    pub fn has_ended(&mut self) -> bool {
        self.next().is_empty()
    }

    /// The next line.
    pub fn next(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("kubectl prints text");
        line.trim_end().to_owned()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks until the answer is as wanted.
pub fn until_answer(wanted: &str, ask: impl Fn() -> String) {
    let begun = Instant::now();
    loop {
        let answer = ask();
        if answer == wanted {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not {wanted:?} but {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
