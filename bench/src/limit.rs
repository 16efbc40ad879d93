//! Physical limits: what the machine does when nothing of Knarr stands in the way.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::pivot_root;

use crate::held::Held;
use crate::image::BUSYBOX;
use crate::machine::Memory;
use crate::report::Times;

/// How many records of 1 KiB a second a preallocated log takes with an fdatasync after each `batch` of them.
pub fn log(directory: &Path, batch: usize) -> Result<f64> {
    const SIZE: usize = 64 << 20;
    let path = directory.join("bare-log");
    let file = File::options().create(true).truncate(true).write(true).open(&path)?;
    file.write_all_at(&vec![1; SIZE], 0)?;
    file.sync_all()?;
    let record = vec![7; batch * 1_024];
    let (begun, mut written) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&record, (written % (SIZE - record.len())) as u64)?;
        file.sync_data()?;
        written += record.len();
    }
    let rate = (written / 1_024) as f64 / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// What a process that does nothing holds of memory, in KiB.
pub fn empty_process() -> Result<Memory> {
    let mut child = Command::new(BUSYBOX).args(["sleep", "60"]).spawn()?;
    // It has to be executed before it can be measured.
    std::thread::sleep(Duration::from_millis(100));
    let memory = Memory::of(child.id());
    child.kill()?;
    child.wait()?;
    memory
}

/// How long it takes a program to start and to end that does nothing.
pub fn process(program: &Path, arguments: &[&str]) -> Result<Times> {
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
        times.push(begun.elapsed());
        anyhow::ensure!(status.success(), "{}: {status}", program.display());
    }
    Ok(Times::of(times))
}

/// How long the kernel alone takes for what a container is made of: new mount, network, IPC, UTS and PID namespaces, an overlay as root, and
/// a program executed in there to its end. Cgroups and the network's devices are not counted.
pub fn containers(how_many: usize) -> Result<Times> {
    let directory = Held::directory()?;
    let lower = directory.path().join("lower");
    for name in ["bin", "proc", "old"] {
        std::fs::create_dir_all(lower.join(name))?;
    }
    std::fs::copy(BUSYBOX, lower.join("bin/busybox"))?;
    let mut times = Vec::new();
    for number in 0..how_many {
        let own = directory.path().join(number.to_string());
        for name in ["upper", "work", "root"] {
            std::fs::create_dir_all(own.join(name))?;
        }
        let begun = Instant::now();
        // A thread's namespaces and root are its own, and its children inherit them.
        let ended = std::thread::scope(|scope| scope.spawn(|| contained(&lower, &own)).join());
        ended.map_err(|_| anyhow!("a thread panicked"))??;
        times.push(begun.elapsed());
    }
    Ok(Times::of(times))
}

fn contained(lower: &Path, own: &Path) -> Result<()> {
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWPID;
    unshare(namespaces).context("making namespaces, which needs root")?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let root = own.join("root");
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        own.join("upper").display(),
        own.join("work").display()
    );
    mount(Some("overlay"), &root, Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    std::env::set_current_dir(&root)?;
    pivot_root(".", "old")?;
    umount2("/old", MntFlags::MNT_DETACH)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none)?;
    let status = Command::new(BUSYBOX).arg("true").status()?;
    anyhow::ensure!(status.success(), "busybox: {status}");
    Ok(())
}
