//! Keeping a node's DNS process: found again or started, replaced when it serves something else, started again when it dies.

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base::drain;
use base::time::{Clock as _, SystemClock, timeout};
use cli::config::Place;
use cli::instance::Lifetime;
use host::cgroup::{self, CgroupPath, Cgroups};
use host::process::sealed::executable_path;
use host::process::{Identity, LinuxProcesses, PidFd, Processes as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::{Job, Record, return_address, serve, take_address};
use crate::commands::machine::state_dir;

/// How long a process has to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one must have lived for its successor to be started without a pause.
const STABLE: Duration = Duration::from_secs(10);
/// The first and the longest pause before one is started again that died young.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// The longest complaint of one that does not start, in bytes.
const COMPLAINT_BYTES: u64 = 4096;
/// The size at which the log begins anew, in bytes.
const LOG_BYTES: u64 = 1 << 20;

/// Has the cluster's DNS answered on this node: `address` is its own, `domain` the cluster's, and `resolv_conf` names who knows the
/// rest. Returns once it answers. The process is watched over until the drain, and outlives it.
///
/// # Errors
/// When it cannot be started, in words for a user.
pub async fn keep(
    place: &Place,
    address: IpAddr,
    domain: &str,
    resolv_conf: &Path,
    drain: drain::Watch,
) -> anyhow::Result<()> {
    let node = place.data_dir.join("agent");
    let job = Job {
        program: String::new(),
        address,
        domain: domain.to_owned(),
        snapshot: node.join("dns.json"),
        resolv_conf: resolv_conf.to_owned(),
        record: record(place),
    };
    let cgroup = CgroupPath::parse(&format!("/knarr-{}/dns", place.cluster_id))?;
    let keeper = tokio::task::spawn_blocking(move || Keeper::open(job, cgroup, &node)).await??;
    let process = keeper.ensure().await?;
    tokio::spawn(keeper.run(process, drain));
    Ok(())
}

/// Ends the DNS process of a place and takes its address away. Answers whether there was anything of either.
///
/// # Errors
/// When it does not end, or the address stays.
pub fn stop(place: &Place) -> anyhow::Result<bool> {
    let path = record(place);
    let Some(record) = Record::read(&path) else { return Ok(false) };
    end(&record)?;
    Ok(true)
}

fn record(place: &Place) -> PathBuf {
    state_dir(place).join("dns.pid")
}

/// Ends what a record speaks of, and takes away what it leaves.
fn end(record: &Record) -> anyhow::Result<()> {
    if record.lifetime.goes_on() {
        cli::stop::stop(record.lifetime.process, PATIENCE).context("ending the DNS server")?;
    }
    // One that was killed could not do so itself.
    return_address(record.job.address)?;
    match std::fs::remove_file(&record.job.record) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

struct Keeper {
    job: Job,
    program: OwnedFd,
    cgroups: Arc<dyn Cgroups>,
    cgroup: CgroupPath,
}

impl Keeper {
    /// Pins the program in the node's data, as the runtime does for shims.
    fn open(job: Job, cgroup: CgroupPath, node: &Path) -> anyhow::Result<Keeper> {
        let executable = std::env::current_exe().context("finding this program's file")?;
        let pinned = node_runtime::pin(&executable, node)?;
        if let Some(directory) = job.record.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("{} cannot be made", directory.display()))?;
        }
        let job = Job { program: pinned.name, ..job };
        Ok(Keeper { job, program: pinned.program, cgroups: cgroup::detect()?, cgroup })
    }

    /// The process that does the job: the one that runs, or a new one.
    async fn ensure(&self) -> anyhow::Result<Identity> {
        if let Some(record) = Record::read(&self.job.record) {
            let Lifetime { process, .. } = record.lifetime;
            if record.lifetime.goes_on() && record.job == self.job {
                // Nobody else should have taken it away, and without it nobody is answered.
                if take_address(self.job.address)? {
                    tracing::warn!(address = %self.job.address, "dns.address: it had gone and is given again");
                }
                tracing::info!(pid = process.pid, "dns.adopted");
                return Ok(process);
            }
            tokio::task::spawn_blocking(move || end(&record)).await??;
        }
        self.launch().await
    }

    async fn launch(&self) -> anyhow::Result<Identity> {
        let log = self.job.record.with_extension("log");
        let long = std::fs::metadata(&log).is_ok_and(|log| log.len() > LOG_BYTES);
        let log = OpenOptions::new()
            .create(true)
            .write(true)
            .append(!long)
            .truncate(long)
            .mode(0o600)
            .open(&log)
            .with_context(|| format!("{} cannot be opened", log.display()))?;
        let mut child = tokio::process::Command::new(executable_path(&self.program))
            .arg0("knarr")
            .arg("dns")
            .arg(serde_json::to_string(&self.job)?)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("starting the DNS server")?;
        let pid = child.id().map(u32::cast_signed).context("the DNS server died")?;
        let process = LinuxProcesses.identify(pid).context("the DNS server died")?;
        let said = child.stdout.take();
        // Reaps it whenever it ends; until then it belongs to nobody.
        tokio::spawn(async move { child.wait().await });
        self.cgroups.create(&self.cgroup)?;
        self.cgroups.attach(&self.cgroup, pid)?;
        let mut line = String::new();
        if let Some(said) = said {
            let mut said = BufReader::new(said.take(COMPLAINT_BYTES));
            let heard = timeout(&SystemClock, PATIENCE, said.read_line(&mut line)).await;
            if heard.is_err() {
                cli::stop::stop(process, Duration::ZERO)?;
                anyhow::bail!("the DNS server was not ready within {} s", PATIENCE.as_secs());
            }
        }
        match line.trim_end() {
            serve::READY => Ok(process),
            "" => anyhow::bail!(
                "the DNS server died; its log is {}",
                self.job.record.with_extension("log").display()
            ),
            complaint => anyhow::bail!("{complaint}"),
        }
    }

    /// Watches over the process.
    async fn run(self, mut process: Identity, mut drain: drain::Watch) {
        let mut pause = Duration::ZERO;
        loop {
            let begun = SystemClock.now();
            tokio::select! {
                biased;
                () = drain.signaled() => return,
                () = ended(process) => {}
            }
            tracing::warn!(pid = process.pid, "dns.ended: starting it again");
            if SystemClock.now().since(begun) >= STABLE {
                pause = Duration::ZERO;
            }
            process = loop {
                tokio::select! {
                    biased;
                    () = drain.signaled() => return,
                    () = SystemClock.sleep(pause) => {}
                }
                pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
                match self.ensure().await {
                    Ok(process) => break process,
                    Err(error) => tracing::error!(error = format!("{error:#}"), "dns.start"),
                }
            };
        }
    }
}

/// Completes when a process has ended: its descriptor becomes readable then, whoever's child it is. To the async runtime any
/// descriptor that can be read is as good as a pipe's.
async fn ended(process: Identity) {
    let descriptor = match PidFd::open(process) {
        Ok(Some(descriptor)) => Receiver::from_owned_fd_unchecked(descriptor.into()),
        Ok(None) => return,
        Err(error) => Err(error.into()),
    };
    let seen = async { descriptor?.readable().await };
    if let Err(error) = seen.await {
        tracing::error!(pid = process.pid, %error, "dns.watch: its end will go unseen");
        std::future::pending().await
    }
}
