//! A network namespace of this process's own: what a cluster does to its machine's network stays in there, and goes with it. And another
//! one for a second machine on the same link.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow, bail};
use nix::sched::{CloneFlags, setns, unshare};

/// The address of the machine in there (TEST-NET-2).
pub const ADDRESS: &str = "198.51.100.1";

/// The address of a second machine.
const SECOND_ADDRESS: &str = "198.51.100.2";

/// Moves this thread into a new namespace with one interface, once. The processes and threads that it starts from then on are in
/// there with it.
pub fn enter() -> Result<()> {
    static ENTERED: OnceLock<()> = OnceLock::new();
    if ENTERED.get().is_some() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace, which needs root")?;
    let address = format!("{ADDRESS}/24");
    ip(&["link", "set", "lo", "up"])?;
    ip(&["link", "add", "e0", "type", "veth", "peer", "name", "e1"])?;
    ip(&["addr", "add", &address, "dev", "e0"])?;
    ip(&["link", "set", "e0", "up"])?;
    ip(&["link", "set", "e1", "up"])?;
    let _ = ENTERED.set(());
    Ok(())
}

/// A network namespace, which is there as long as this value or a process in it.
#[derive(Clone)]
pub struct Namespace(Arc<File>);

impl Namespace {
    /// The calling thread's.
    pub fn current() -> Result<Namespace> {
        Ok(Namespace(Arc::new(File::open("/proc/thread-self/ns/net")?)))
    }

    /// Does something in there, on a thread of its own.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        apart(|| {
            setns(&*self.0, CloneFlags::CLONE_NEWNET).context("entering a network namespace")?;
            work()
        })
    }

    /// Where other programs find it while this process lives.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }
}

/// A second machine at the other end of this one's link, until the value ends.
pub struct Beside {
    first: Namespace,
    second: Namespace,
}

impl Beside {
    /// Makes it. The thread must be in the namespace of [`enter`].
    pub fn new() -> Result<Beside> {
        let first = Namespace::current()?;
        let second = apart(|| {
            unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace, which needs root")?;
            Namespace::current()
        })?;
        let beside = Beside { first, second };
        ip(&["link", "set", "e1", "netns", &beside.second.path()])?;
        let address = format!("{SECOND_ADDRESS}/24");
        beside.second.run(|| {
            ip(&["link", "set", "lo", "up"])?;
            ip(&["addr", "add", &address, "dev", "e1"])?;
            ip(&["link", "set", "e1", "up"])
        })?;
        Ok(beside)
    }

    /// Its network.
    pub fn namespace(&self) -> Namespace {
        self.second.clone()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // With its namespace the end of the link would go, and the other end with it, which the next cluster needs.
        let back = self.second.run(|| ip(&["link", "set", "e1", "netns", &self.first.path()]));
        if let Err(error) = back.and_then(|()| self.first.run(|| ip(&["link", "set", "e1", "up"]))) {
            eprintln!("the link of the machines: {error:#}");
        }
    }
}

/// A thread's namespaces are its own.
fn apart<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let ended = std::thread::scope(|scope| scope.spawn(work).join());
    ended.map_err(|_| anyhow!("a thread panicked"))?
}

fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(words).output().context("running ip: ./dev setup installs it")?;
    if !output.status.success() {
        bail!("ip {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
