//! Starting a server, and asking kubectl.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::network::Network;

/// How long anything may take before the test gives up; generous, as it is no measurement.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One cluster at a time: two in one network namespace would be refused for their address ranges.
static TURN: Mutex<()> = Mutex::new(());

/// Address ranges that a cluster of this machine's owner is unlikely to have.
const RANGES: [&str; 8] = [
    "--cluster-cidr",
    "10.242.0.0/16",
    "--service-cidr",
    "10.243.0.0/16",
    "--cluster-dns",
    "10.243.0.10",
    "--service-node-port-range",
    "30000-32767",
];

/// A running server, which ends with this value.
pub struct Cluster {
    network: Option<Network>,
    server: Child,
    flags: Vec<String>,
    dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Starts a control plane without a node.
    pub fn control_plane() -> Cluster {
        // Nobody connects to the advertised address (TEST-NET-3): there are no pods to do so.
        Cluster::start(None, &["--disable-agent", "--advertise-address", "203.0.113.1"])
    }

    /// Starts a control plane with a node, in a network namespace of their own.
    pub fn with_node(name: &str) -> Cluster {
        Cluster::start(Some(Network::new(name)), &["--node-name", "one"])
    }

    fn start(network: Option<Network>, flags: &[&str]) -> Cluster {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push("--https-listen-port".to_owned());
        flags.push(free_port().to_string());
        let server = spawn(&dir, network.as_ref(), &flags);
        let mut cluster = Cluster { network, server, flags, dir, _turn: turn };
        cluster.wait_ready();
        cluster
    }

    /// A program that runs where the cluster does.
    pub fn program(&self, program: &str) -> Command {
        program_in(self.network.as_ref(), program)
    }

    /// Packages a directory as an image of the node.
    pub fn build_image(&self, from: &Path, tag: &str) {
        let mut command = self.program(env!("CARGO_BIN_EXE_knarr"));
        command.args(["image", "build", "--tag", tag, "--from"]).arg(from);
        command.arg("--data-dir").arg(self.dir.path().join("data"));
        let output = command.output().expect("the binary was built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Stops everything and deletes it, and answers what was said.
    pub fn down(&self) -> String {
        let mut command = self.program(env!("CARGO_BIN_EXE_knarr"));
        command.args(["down", "--purge", "--data-dir"]).arg(self.dir.path().join("data"));
        let output = command.output().expect("the binary was built");
        let (said, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}{errors}");
        said.into_owned()
    }

    /// Kills the server without warning and starts it again.
    pub fn crash_and_restart(&mut self) {
        self.server.kill().expect("the server can be killed");
        self.server.wait().expect("the server can be waited for");
        self.server = spawn(&self.dir, self.network.as_ref(), &self.flags);
        self.wait_ready();
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
        self.dir.path().join("data/server/tls")
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    fn log(&self) -> String {
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

fn program_in(network: Option<&Network>, program: &str) -> Command {
    match network {
        Some(network) => network.command(program),
        None => Command::new(program),
    }
}

fn spawn(dir: &TempDir, network: Option<&Network>, flags: &[String]) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.path().join("log"))
        .expect("the log can be written");
    program_in(network, env!("CARGO_BIN_EXE_knarr"))
        .arg("server")
        .arg("--data-dir")
        .arg(dir.path().join("data"))
        .arg("--write-kubeconfig")
        .arg(dir.path().join("kubeconfig"))
        .args(["--bind-address", if network.is_some() { "0.0.0.0" } else { "127.0.0.1" }])
        .args(RANGES)
        .args(flags)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("the binary was built")
}

/// A port that nobody listens on just now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        if self.network.is_some() && self.dir.path().join("data").exists() {
            let mut command = self.program(env!("CARGO_BIN_EXE_knarr"));
            command.args(["down", "--purge", "--data-dir"]).arg(self.dir.path().join("data"));
            let _ = command.output();
        }
    }
}

/// What a program prints, line by line.
pub struct Lines {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Lines {
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
