//! Starting a server, and asking kubectl.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take before the test gives up; generous, as it is no measurement.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running server, which ends with this value.
pub struct Cluster {
    dir: TempDir,
    server: Child,
    flags: Vec<String>,
}

impl Cluster {
    /// Starts a control plane without a node.
    pub fn control_plane() -> Cluster {
        // Nobody connects to the advertised address (TEST-NET-3): there are no pods to do so.
        Cluster::start(&["--disable-agent", "--advertise-address", "203.0.113.1"])
    }

    fn start(flags: &[&str]) -> Cluster {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let server = spawn(&dir, &flags);
        let mut cluster = Cluster { dir, server, flags };
        cluster.wait_ready();
        cluster
    }

    /// Kills the server without warning and starts it again.
    pub fn crash_and_restart(&mut self) {
        self.server.kill().expect("the server can be killed");
        self.server.wait().expect("the server can be waited for");
        self.server = spawn(&self.dir, &self.flags);
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

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
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

    /// Runs kubectl, which must fail, and answers its complaint.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.try_kubectl(arguments);
        assert!(!output.status.success(), "kubectl {arguments:?} was to fail");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Applies a manifest.
    pub fn apply(&self, manifest: &str) -> String {
        let mut child = self
            .command(&["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl is on the PATH");
        child.stdin.take().expect("it is piped").write_all(manifest.as_bytes()).expect("kubectl reads");
        let output = child.wait_with_output().expect("kubectl ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl apply: {errors}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Asks kubectl until the answer is as wanted.
    pub fn eventually(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let output = self.try_kubectl(arguments);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && wanted(&text) {
                return text;
            }
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(begun.elapsed() < PATIENCE, "kubectl {arguments:?} says: {text}{errors}\n{}", self.log());
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

fn spawn(dir: &TempDir, flags: &[String]) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.path().join("log"))
        .expect("the log can be written");
    Command::new(env!("CARGO_BIN_EXE_knarr"))
        .arg("server")
        .arg("--data-dir")
        .arg(dir.path().join("data"))
        .arg("--write-kubeconfig")
        .arg(dir.path().join("kubeconfig"))
        .args(["--bind-address", "127.0.0.1", "--https-listen-port"])
        .arg(free_port().to_string())
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
