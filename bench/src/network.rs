//! A network namespace of this process's own: what a cluster does to its machine's network stays in there, and goes with it.

use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use nix::sched::{CloneFlags, unshare};

/// The address of the machine in there (TEST-NET-2).
pub const ADDRESS: &str = "198.51.100.1";

/// Moves this thread into a new namespace with one interface, once. The processes and threads that it starts from then on are in
/// there with it.
pub fn enter() -> Result<()> {
    static ENTERED: OnceLock<()> = OnceLock::new();
    if ENTERED.get().is_some() {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWNET).context("making a network namespace, which needs root")?;
    let address = format!("{ADDRESS}/24");
    for words in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", "e0", "type", "veth", "peer", "name", "e1"],
        &["addr", "add", &address, "dev", "e0"],
        &["link", "set", "e0", "up"],
        &["link", "set", "e1", "up"],
    ] {
        let output =
            Command::new("ip").args(words).output().context("running ip: ./dev setup installs it")?;
        if !output.status.success() {
            bail!("ip {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
    }
    let _ = ENTERED.set(());
    Ok(())
}
