//! A cluster to be measured: the release binary with a directory of its own, in this process's network namespace.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, StatusCode};

use crate::access::Access;
use crate::client::Client;
use crate::held::Held;
use crate::network::{self, Beside, Namespace};

/// How long anything may take before the measurement is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before asking again for what is not there yet.
const PAUSE: Duration = Duration::from_millis(1);

/// The name of a server's own node.
pub const OWN_NODE: &str = "one";

/// The name of an agent's node.
pub const AGENTS_NODE: &str = "two";

/// Address ranges that the machine's owner is unlikely to have.
const FLAGS: [&str; 10] = [
    "--cluster-cidr",
    "10.242.0.0/16",
    "--service-cidr",
    "10.243.0.0/16",
    "--cluster-dns",
    "10.243.0.10",
    "--node-name",
    OWN_NODE,
    "--bind-address",
    "0.0.0.0",
];

/// The binary that is measured, which lies beside this one.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("knarr");
    if !path.exists() {
        bail!("{} is not there: `cargo xtask bench` builds it", path.display());
    }
    Ok(path)
}

/// A directory that a cluster can be started in.
pub struct Place {
    held: Held,
    port: u16,
}

impl Place {
    /// An empty one.
    pub fn new() -> Result<Place> {
        network::enter()?;
        let held = Held::place(Namespace::current()?)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Place { held, port })
    }

    fn data(&self) -> PathBuf {
        self.held.path().join("data")
    }

    /// Packages a directory as an image of the node.
    pub fn build_image(&self, from: &Path, tag: &str) -> Result<()> {
        let mut command = Command::new(binary()?);
        command.args(["image", "build", "--tag", tag, "--from"]).arg(from).arg("--data-dir").arg(self.data());
        let output = command.output()?;
        if !output.status.success() {
            bail!("the image cannot be built: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Starts a server here, with its node or without.
    pub fn start(self, node: bool) -> Result<Cluster> {
        let mut command = logged(&self.held)?;
        command
            .args(["server", "--data-dir"])
            .arg(self.data())
            .arg("--write-kubeconfig")
            .arg(self.held.path().join("kubeconfig"))
            .args(["--https-listen-port", &self.port.to_string()])
            .args(FLAGS);
        if !node {
            command.arg("--disable-agent");
        }
        let begun = Instant::now();
        let pid = self.held.start(&mut command).context("starting knarr server")?;
        Ok(Cluster { pid, place: self, begun })
    }
}

/// A running server, which ends with this value, and everything that it made with it.
pub struct Cluster {
    pid: u32,
    place: Place,
    /// When its process was started.
    pub begun: Instant,
}

impl Cluster {
    /// Starts a cluster in a place of its own.
    pub fn start(node: bool) -> Result<Cluster> {
        Place::new()?.start(node)
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The database's directory.
    pub fn database(&self) -> PathBuf {
        self.place.data().join("server/db")
    }

    /// Waits until the API says that it is ready.
    pub async fn ready(&mut self) -> Result<Access> {
        loop {
            match self.try_ready().await {
                Ok(access) => return Ok(access),
                Err(error) => self.check(&error)?,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_ready(&self) -> Result<Access> {
        let access = Access::read(&self.place.held.path().join("kubeconfig"), self.place.port)?;
        let client = Client::connect(&access).await?;
        loop {
            let (status, _) = client.ask(Method::GET, "/readyz", "text/plain", Bytes::new()).await?;
            if status == StatusCode::OK {
                return Ok(access);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fails if the server has ended, or has been waited for too long.
    fn check(&mut self, error: &anyhow::Error) -> Result<()> {
        let log = || log(&self.place.held);
        if let Some(status) = self.place.held.ended()? {
            bail!("the server ended with {status}:\n{}", log());
        }
        if self.begun.elapsed() > PATIENCE {
            bail!("the server does not become ready: {error:#}\n{}", log());
        }
        Ok(())
    }
}

/// An agent on a machine of its own that joins a cluster. It ends with this value, and everything that it made with it.
pub struct Agent {
    pid: u32,
    held: Held,
    // After what runs on it.
    _machine: Beside,
}

impl Agent {
    /// Starts one for this cluster.
    pub fn start(cluster: &Cluster) -> Result<Agent> {
        let machine = Beside::new()?;
        let held = Held::place(machine.namespace())?;
        let server = format!("https://{}:{}", network::ADDRESS, cluster.place.port);
        let mut command = logged(&held)?;
        command
            .args(["agent", "--server", &server, "--node-name", AGENTS_NODE, "--token-file"])
            .arg(cluster.place.data().join("server/token"))
            .arg("--data-dir")
            .arg(held.path().join("data"));
        let pid = held.start(&mut command).context("starting knarr agent")?;
        Ok(Agent { pid, held, _machine: machine })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has said.
    pub fn log(&self) -> String {
        log(&self.held)
    }
}

/// The binary, whose output goes into a file of this directory.
fn logged(held: &Held) -> Result<Command> {
    let log = std::fs::File::create(held.path().join("log"))?;
    let mut command = Command::new(binary()?);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command)
}

fn log(held: &Held) -> String {
    std::fs::read_to_string(held.path().join("log")).unwrap_or_default()
}
