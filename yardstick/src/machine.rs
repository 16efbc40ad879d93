//! Machines on one link, made of this machine's namespaces: each has a network, processes, mounts and a host name of its own, and
//! what it writes below `/etc`, `/var` and `/run` stays in its directory. Whoever ends its first process ends all of it.

use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use host::process::{Identity, LinuxProcesses, Processes as _};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How long a step of building something may take.
pub const PATIENCE: Duration = Duration::from_secs(120);

const PAUSE: Duration = Duration::from_millis(100);

/// The last number of the hub's address. It is every machine's way out, and where a registry and the tests run.
pub const HUB: u8 = 254;

/// The address of a link's machine (TEST-NET-2).
pub fn address(number: u8) -> String {
    format!("198.51.100.{number}")
}

/// The machine's view of its files, and its first process: it takes in orphans until it is killed. `$1`: its directory.
const INIT: &str = r#"
set -e
mount --make-rshared /
for tree in etc var; do
    mkdir -p "$1/$tree" "$1/work/$tree"
    mount -t overlay overlay -o "lowerdir=/$tree,upperdir=$1/$tree,workdir=$1/work/$tree" "/$tree"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock
# What holds overlays of its own cannot lie on one.
for tree in lib/containerd lib/kubelet lib/knarr log/pods; do
    mkdir -p "$1/data/$tree" "/var/$tree"
    mount --bind "$1/data/$tree" "/var/$tree"
done
touch /run/ready
while :; do sleep 86400 & wait $! || true; done
"#;

/// Several machines on one bridge.
pub struct Link {
    name: String,
    directory: PathBuf,
}

/// One of them.
#[derive(Clone)]
pub struct Machine {
    /// Its host name.
    pub name: String,
    /// Its address on the link.
    pub address: String,
    /// A control group of its own, in every hierarchy.
    pub group: String,
    /// Where it keeps its files, as this machine sees them.
    pub directory: PathBuf,
    init: Identity,
}

/// What is left in a machine's directory to find it again.
#[derive(Serialize, Deserialize)]
struct Record {
    pid: i32,
    started_ticks: u64,
    namespace: String,
}

impl Link {
    /// A link of this name whose machines keep their files there. Another checkout's link of the same name is another link: a mark of the
    /// directory is in the name.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn new(name: &str, directory: &Path) -> Result<Link> {
        std::fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
        let directory = directory.canonicalize()?;
        let digest = Sha256::digest(directory.as_os_str().as_encoded_bytes());
        let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Ok(Link { name: format!("{name}-{mark}"), directory })
    }

    /// Its name, with the mark.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The machine that the bridge is in.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn hub(&self) -> Result<Machine> {
        let hub = self.machine_at(HUB)?;
        hub.ip(&["link", "add", "br0", "type", "bridge"])?;
        hub.ip(&["addr", "add", &format!("{}/24", hub.address), "dev", "br0"])?;
        hub.ip(&["link", "set", "br0", "up"])?;
        Ok(hub)
    }

    /// Another machine, at a port of the hub's bridge.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn machine(&self, hub: &Machine, number: u8) -> Result<Machine> {
        let machine = self.machine_at(number)?;
        let (port, namespace) = (format!("port{number}"), self.namespace(number));
        // The machines do not know each other's namespaces by name.
        let mut cable = Command::new("ip");
        cable.args(["-n", &self.namespace(HUB), "link", "add", &port, "type", "veth"]);
        run(cable.args(["peer", "name", "eth0", "netns", &namespace]))?;
        hub.ip(&["link", "set", &port, "master", "br0"])?;
        hub.ip(&["link", "set", &port, "up"])?;
        machine.ip(&["addr", "add", &format!("{}/24", machine.address), "dev", "eth0"])?;
        machine.ip(&["link", "set", "eth0", "up"])?;
        machine.ip(&["route", "add", "default", "via", &hub.address])?;
        Ok(machine)
    }

    /// Ends its machines with all that runs on them, also those that were being made when whoever made them was killed, and deletes their files.
    ///
    /// # Errors
    /// When something stays.
    pub fn remove(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.directory)?.flatten() {
            let Ok(bytes) = std::fs::read(entry.path().join("machine.json")) else { continue };
            let Ok(record) = serde_json::from_slice::<Record>(&bytes) else { continue };
            let init = Identity { pid: record.pid, started_ticks: record.started_ticks };
            LinuxProcesses.signal(init, 9).context("ending a machine")?;
            wait_until("a machine ends", || Ok(LinuxProcesses.identify(init.pid) != Some(init)))?;
        }
        let names = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        for namespace in names.filter(|name| name.starts_with(&format!("knarr-{}-", self.name))) {
            for pid in run(Command::new("ip").args(["netns", "pids", &namespace]))?.split_whitespace() {
                if let Some(process) = pid.parse().ok().and_then(|pid| LinuxProcesses.identify(pid)) {
                    LinuxProcesses.signal(process, 9).context("ending what is left of a machine")?;
                }
            }
            remove_groups(&namespace)?;
            run(Command::new("ip").args(["netns", "del", &namespace]))?;
        }
        std::fs::remove_dir_all(&self.directory)
            .with_context(|| format!("deleting {}", self.directory.display()))
    }

    fn namespace(&self, number: u8) -> String {
        format!("knarr-{}-{number}", self.name)
    }

    fn machine_at(&self, number: u8) -> Result<Machine> {
        let name = if number == HUB { "hub".to_owned() } else { format!("node{number}") };
        let (namespace, directory) = (self.namespace(number), self.directory.join(&name));
        std::fs::create_dir_all(&directory)?;
        run(Command::new("ip").args(["netns", "add", &namespace]))?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{namespace}"))
            .args(["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--uts", "--ipc"])
            .args(["sh", "-c", &format!("hostname {name}\n{INIT}"), "init"])
            .arg(&directory);
        let log = std::fs::File::create(directory.join("init.log"))?;
        let child = detached(&mut command, log)?;
        let init = first_process(child, &directory)?;
        let group = namespace.clone();
        for tree in hierarchies() {
            std::fs::create_dir_all(tree.join(&group)).context("making a control group")?;
        }
        let record = Record { pid: init.pid, started_ticks: init.started_ticks, namespace };
        std::fs::write(directory.join("machine.json"), serde_json::to_vec(&record)?)?;
        let machine = Machine { name, address: address(number), group, directory, init };
        machine.ip(&["link", "set", "lo", "up"])?;
        Ok(machine)
    }
}

/// Waits for a machine's first process to have made its view of the files.
fn first_process(mut outer: Child, directory: &Path) -> Result<Identity> {
    let begun = Instant::now();
    loop {
        if let Some(status) = outer.try_wait()? {
            let log = std::fs::read_to_string(directory.join("init.log")).unwrap_or_default();
            bail!("a machine cannot be made ({status}): {}", log.trim());
        }
        let id = outer.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let pid = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        if let Some(pid) = pid
            && Path::new(&format!("/proc/{pid}/root/run/ready")).exists()
        {
            return LinuxProcesses.identify(pid).context("the machine's first process ended");
        }
        if begun.elapsed() > PATIENCE {
            bail!("a machine does not come up: see {}", directory.join("init.log").display());
        }
        std::thread::sleep(PAUSE);
    }
}

impl Machine {
    /// Finds a machine that an earlier run made.
    pub fn find(directory: &Path, number: u8) -> Option<Machine> {
        let record: Record =
            serde_json::from_slice(&std::fs::read(directory.join("machine.json")).ok()?).ok()?;
        let init = Identity { pid: record.pid, started_ticks: record.started_ticks };
        (LinuxProcesses.identify(init.pid) == Some(init)).then(|| Machine {
            name: directory.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            address: address(number),
            group: record.namespace,
            directory: directory.to_owned(),
            init,
        })
    }

    /// A program that runs in there.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.init.pid));
        command.args(["--net", "--pid", "--mount", "--uts", "--ipc", "--"]).arg(program);
        command
    }

    /// Runs a program in there, which must succeed, and answers what it prints.
    ///
    /// # Errors
    /// With what it complains of.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        run(self.command(program).args(arguments))
    }

    /// Starts a program in there that runs on after this process, and keeps what it prints in `NAME.log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, name: &str, command: &mut Command) -> Result<Daemon> {
        let log = self.directory.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let child = detached(command, file).with_context(|| format!("starting {name} on {}", self.name))?;
        Ok(Daemon { name: name.to_owned(), log, child })
    }

    /// Moves the thread that asks onto its network: what it connects to from now on is reached from there.
    ///
    /// # Errors
    /// When its first process has ended.
    pub fn enter(&self) -> Result<()> {
        let path = Path::new("/run/netns").join(&self.group);
        let namespace = std::fs::File::open(&path).with_context(|| format!("{} has ended", self.name))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("entering {}", path.display()))
    }

    /// The processes that run in there, by their ids outside.
    ///
    /// # Errors
    /// When its first process has ended.
    pub fn processes(&self) -> Result<Vec<i32>> {
        let space = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/pid"));
        let own = space(self.init.pid).with_context(|| format!("{} has ended", self.name))?;
        let entries = std::fs::read_dir("/proc")?.flatten();
        let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // Pods have spaces of their own, and are not the cluster's.
        Ok(all.filter(|pid| space(*pid).is_ok_and(|space| space == own)).collect())
    }

    fn ip(&self, arguments: &[&str]) -> Result<String> {
        self.run("ip", arguments)
    }
}

/// A program that was started on a machine.
pub struct Daemon {
    name: String,
    /// What it prints.
    pub log: PathBuf,
    child: Child,
}

impl Daemon {
    /// Fails when it has ended, with the last of what it said.
    ///
    /// # Errors
    /// Then.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(12)..].join("\n");
        bail!("{} ended ({status}); {} says at the end:\n{last}", self.name, self.log.display());
    }
}

/// The hierarchies of control groups: one for each controller, or one for all.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.procs").exists() {
        return vec![root.to_owned()];
    }
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.join("cgroup.procs").exists()).collect()
}

/// Removes control groups of this name in all hierarchies.
///
/// # Errors
/// When something runs in one.
pub fn remove_groups(name: &str) -> Result<()> {
    let mut groups = hierarchies().into_iter().map(|tree| tree.join(name)).filter(|group| group.exists());
    groups.try_for_each(|group| remove_group(&group))
}

/// Removes a control group with those below it; nothing runs in them any more.
fn remove_group(path: &Path) -> Result<()> {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir())
    {
        remove_group(&entry.path())?;
    }
    // What was killed a moment ago may still be on its way out. And who started it may have removed the group in the meantime.
    let gone = || std::fs::remove_dir(path).is_ok() || !path.exists();
    wait_until(&format!("{} is empty", path.display()), || Ok(gone()))
        .with_context(|| format!("what is left in it: {}", members(path)))
}

/// The processes of a control group, for people.
fn members(group: &Path) -> String {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let named = text.lines().map(|pid| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let words: Vec<&str> = status.lines().take(3).flat_map(str::split_whitespace).collect();
        format!("{pid} ({})", words.join(" "))
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Asks until it is so.
///
/// # Errors
/// When it takes too long, or asking fails for good.
pub fn wait_until(what: &str, mut so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !so().with_context(|| format!("waiting until {what}"))? {
        if begun.elapsed() > PATIENCE {
            bail!("in vain for {} s: {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Runs a program, which must succeed, and answers what it prints.
///
/// # Errors
/// With what it complains of.
pub fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program, whatever comes of it.
///
/// # Errors
/// When it cannot be started, or does not end.
pub fn output(command: &mut Command) -> Result<Output> {
    output_within(command, PATIENCE)
}

fn output_within(command: &mut Command, patience: Duration) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("running {}", command.get_program().display()))?;
    let process = LinuxProcesses.identify(i32::try_from(child.id())?);
    let (done, ended) = mpsc::channel::<()>();
    let limit = std::thread::spawn(move || {
        if ended.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
            process.into_iter().for_each(end_tree);
        }
    });
    let output = child.wait_with_output();
    drop(done);
    let _ = limit.join();
    let output = output?;
    if output.status.signal() == Some(9) {
        bail!("{command:?} does not end within {} s", patience.as_secs());
    }
    Ok(output)
}

/// Runs a program to its end for as long as something else is well, and ends it as soon as that is not.
///
/// # Errors
/// When it cannot be started, or with what is not well.
pub fn status_while(command: &mut Command, mut well: impl FnMut() -> Result<()>) -> Result<ExitStatus> {
    let mut child =
        command.spawn().with_context(|| format!("running {}", command.get_program().display()))?;
    let process = LinuxProcesses.identify(i32::try_from(child.id())?);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(error) = well() {
            process.into_iter().for_each(end_tree);
            child.wait()?;
            return Err(error);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Ends a process with those that it started: who enters a machine waits there for a child, which would go on and keep what it prints open.
fn end_tree(process: Identity) {
    let pid = process.pid;
    // Stopped, it starts nobody while its children are looked for.
    let _ = LinuxProcesses.signal(process, 19);
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|pid| LinuxProcesses.identify(pid.parse().ok()?));
    let children: Vec<Identity> = children.collect();
    let _ = LinuxProcesses.signal(process, 9);
    children.into_iter().for_each(end_tree);
}

/// A program of its own process group, which no Ctrl-C reaches.
fn detached(command: &mut Command, log: std::fs::File) -> Result<Child> {
    use std::os::unix::process::CommandExt as _;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    Ok(command.spawn()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_ended_with_what_it_started() {
        // The sleeper would keep open what the shells print.
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'sleep 86400; true'; true"]);
        let error = output_within(&mut command, Duration::from_secs(1)).expect_err("it never ends");
        assert!(error.to_string().ends_with("does not end within 1 s"), "{error}");
    }

    #[test]
    fn what_runs_ends_with_what_it_stands_on() {
        let mut command = Command::new("sleep");
        let mut well = [Ok(()), Err(anyhow::anyhow!("etcd ended"))].into_iter();
        let ran = status_while(command.arg("86400"), || well.next().expect("asked no more after an error"));
        assert_eq!(ran.expect_err("a part ended").to_string(), "etcd ended");
        let ran = status_while(&mut Command::new("true"), || Ok(()));
        assert!(ran.expect("it ran").success());
    }
}
