//! Starting a process: in a worker forked for it, because the container library changes whoever calls it (working directory, priority
//! to be killed, dumpable) and must never share a process with other threads.
//!
//! The worker asks the library to make the new process its own sibling, so that it is the shim's child. It tells the shim the process id,
//! then whether the program is running, over a socket; and exits.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::sync::Arc;

use host::cgroup::{CgroupPath, Cgroups, DeviceRule};
use host::mount::{LinuxMounts, Mounts, Overlay};
use host::process::{Identity as ProcessIdentity, LinuxProcesses, NodeCapabilities, PidFd, Processes};
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, Pid, fork, pipe2};
use serde::{Deserialize, Serialize};

use super::bundle::{self, HostDevice, Parts};
use super::capability;
use super::executor::{Payload, Program};
use super::identity::{Accounts, Identity, make_directories};
use crate::disk;
use crate::layout::{ContainerLayout, PodLayout};
use crate::protocol::{Failure, FailureKind, frame, wire};
use crate::seccomp::Filter;
use crate::spec::{ContainerSpec, ExecSpec, PodSandbox, Process, Rootfs, Seccomp};
use crate::state::ContainerUser;

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The process exists.
    Made {
        /// Its process id.
        pid: i32,
        /// Which process that is, and its descriptor comes along. An exec's may be gone already: nothing holds it back.
        identity: Option<ProcessIdentity>,
        /// Whether its terminal comes along.
        terminal: bool,
        /// Who runs it.
        user: ContainerUser,
    },
    /// Its program runs. The last word.
    Running,
    /// It does not. The last word.
    Failed(Failure),
}

/// The worker's end of the socket.
pub(super) struct Reporter(OwnedFd);

impl Reporter {
    fn made(&self, pid: i32, terminal: Option<OwnedFd>, user: &Identity) {
        let identity = LinuxProcesses.identify(pid);
        let process = identity.and_then(|identity| PidFd::open(identity).ok()?);
        let report = Report::Made {
            pid,
            identity: identity.filter(|_| process.is_some()),
            terminal: terminal.is_some(),
            user: ContainerUser { uid: user.uid, gid: user.gid, groups: user.groups.clone() },
        };
        self.say(&report, &process.map(OwnedFd::from).into_iter().chain(terminal).collect::<Vec<_>>());
    }

    fn say(&self, report: &Report, descriptors: &[OwnedFd]) {
        let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        let Ok(bytes) = frame::encode(report, descriptors.len()) else { return };
        let (mut rest, mut beside) = (bytes.as_slice(), descriptors.as_slice());
        while !rest.is_empty() {
            let Ok(sent) = wire::send(self.0.as_fd(), rest, beside) else { return };
            (rest, beside) = (&rest[sent..], &[]);
        }
    }
}

/// Forks a worker for `job`. Returns its process id and the shim's end of the socket.
pub(super) fn spawn(
    job: impl FnOnce(&Reporter) -> Result<(), Failure>,
) -> Result<(Pid, OwnedFd), nix::Error> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: a shim has one thread, so the child may do whatever its parent could.
    match unsafe { fork()? } {
        ForkResult::Parent { child } => {
            nix::fcntl::fcntl(&ours, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            Ok((child, ours))
        }
        ForkResult::Child => {
            drop(ours);
            let reporter = Reporter(theirs);
            // Nothing may unwind out of here: above lies a copy of the shim's own loop.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&reporter)));
            match outcome.unwrap_or_else(|_| Err(invalid("the start worker panicked"))) {
                Ok(()) => reporter.say(&Report::Running, &[]),
                Err(failure) => reporter.say(&Report::Failed(failure), &[]),
            }
            // SAFETY: ends the forked copy without running what the shim registered for its own end.
            unsafe { libc::_exit(0) }
        }
    }
}

/// What every worker needs to know.
pub(super) struct Context {
    pub(super) pod: PodSandbox,
    pub(super) places: PodLayout,
    pub(super) container: ContainerLayout,
    pub(super) id: String,
    pub(super) cgroup: CgroupPath,
    pub(super) cgroups: Arc<dyn Cgroups>,
    pub(super) capabilities: NodeCapabilities,
    pub(super) own_oom_score_adj: i32,
    /// The process whose process namespace a container that is started joins.
    pub(super) processes: Option<i32>,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Start, message: message.into(), exit_code: Some(128) }
}

fn broken(what: &str, error: &dyn std::error::Error) -> Failure {
    invalid(format!("{what}: {}", base::error::Chain(error)))
}

impl Context {
    fn spec(&self) -> Result<ContainerSpec, Failure> {
        let spec = disk::read_json(&self.container.spec()).map_err(|error| Failure::internal(&error))?;
        spec.ok_or_else(|| {
            Failure::new(FailureKind::NotFound, format!("container {} has no description", self.id))
        })
    }

    /// What can be set of the asked score: without CAP_SYS_RESOURCE nothing below the shim's own.
    fn oom_score_adj(&self, asked: i32) -> Option<i32> {
        (self.capabilities.lower_oom_score || asked >= self.own_oom_score_adj).then_some(asked)
    }

    fn builder(&self, payload: Payload) -> Result<ContainerBuilder, Failure> {
        ContainerBuilder::new(self.id.clone(), SyscallType::default())
            .with_executor(payload)
            .with_root_path(self.places.library())
            .and_then(ContainerBuilder::validate_id)
            .map_err(|error| broken("cannot prepare the container", &error))
    }

    fn mount_root(&self, spec: &ContainerSpec) -> Result<(), Failure> {
        let Rootfs::Layers(lower) = &spec.rootfs else { return Ok(()) };
        let overlay =
            Overlay { lower: lower.clone(), upper: self.container.upper(), work: self.container.work() };
        let target = self.container.rootfs();
        LinuxMounts
            .unmount(&target)
            .and_then(|()| LinuxMounts.overlay(&overlay, &target))
            .map_err(|error| broken("cannot mount the container's root", &error))
    }

    fn prepare_cgroup(&self, spec: &ContainerSpec, devices: &[HostDevice]) -> Result<(), Failure> {
        let rules: Vec<DeviceRule> = if spec.privileged {
            vec![DeviceRule::EVERYTHING]
        } else {
            DeviceRule::DEFAULT.iter().copied().chain(devices.iter().map(HostDevice::rule)).collect()
        };
        self.cgroups
            .create(&self.cgroup)
            .and_then(|()| self.cgroups.limit(&self.cgroup, &spec.limits))
            .and_then(|()| self.cgroups.allow_devices(&self.cgroup, &rules))
            .map_err(|error| broken("cannot prepare the container's control group", &error))
    }
}

/// The worker's side of starting a container.
pub(super) fn start(context: &Context, reporter: &Reporter) -> Result<(), Failure> {
    let spec = context.spec()?;
    context.mount_root(&spec)?;
    let root = match &spec.rootfs {
        Rootfs::Layers(_) => context.container.rootfs(),
        Rootfs::Directory(path) => path.clone(),
    };
    let identity = Accounts::read(&root).resolve(&spec.process.user).map_err(invalid)?;
    if !spec.process.cwd.is_empty() {
        // A directory that cannot be made here may still be a mount; if not, entering it says so.
        let _ = make_directories(&root, &spec.process.cwd);
    }
    let devices = HostDevice::of(&spec).map_err(invalid)?;
    context.prepare_cgroup(&spec, &devices)?;
    let parts = Parts {
        pod: &context.pod,
        places: &context.places,
        container: &context.container,
        spec: &spec,
        identity: &identity,
        cgroup: &context.cgroup,
        cgroup_version: context.cgroups.version(),
        devices: &devices,
        processes: context.processes,
        oom_score_adj: context.oom_score_adj(spec.process.oom_score_adj),
    };
    disk::write_json(&context.container.config(), &parts.configuration())
        .map_err(|error| Failure::internal(&error))?;
    let program = program(&spec.process, &identity, spec.privileged)?;
    let (outcome, report) = pipe2(OFlag::O_CLOEXEC).map_err(|error| Failure::internal(&error))?;
    let mut builder = context.builder(Payload { program: Rc::new(program), report: report.as_raw_fd() })?;
    let console = if spec.process.terminal {
        let console = Console::listen(context, "console")?;
        builder = builder.with_console_socket(Some(console.path.clone()));
        Some(console)
    } else {
        let [stdin, stdout, stderr] = streams(context, &spec, &identity)?;
        builder = builder.with_stdin(stdin).with_stdout(stdout).with_stderr(stderr);
        None
    };
    let mut container = builder
        .as_init(context.container.directory.clone())
        .with_systemd(false)
        .with_detach(true)
        .as_sibling(true)
        .build()
        .map_err(|error| library_failure(&error))?;
    drop(report);
    let pid = container.pid().ok_or_else(|| invalid("the container's process has no id"))?;
    let terminal = console.map(|console| console.accept()).transpose()?;
    reporter.made(pid.as_raw(), terminal, &identity);
    container.start().map_err(|error| broken("cannot start the container", &error))?;
    running(outcome)
}

/// The worker's side of running one more process. `stdio` are the standard streams that the agent sent.
pub(super) fn exec(
    context: &Context,
    exec: &str,
    request: &ExecSpec,
    stdio: Vec<OwnedFd>,
    reporter: &Reporter,
) -> Result<(), Failure> {
    let spec = context.spec()?;
    let root = match &spec.rootfs {
        Rootfs::Layers(_) => context.container.rootfs(),
        Rootfs::Directory(path) => path.clone(),
    };
    let identity = Accounts::read(&root).resolve(&spec.process.user).map_err(invalid)?;
    let mut process = spec.process.clone();
    process.args.clone_from(&request.args);
    process.terminal = request.terminal;
    process.env.retain(|(name, _)| request.env.iter().all(|(added, _)| added != name));
    process.env.extend(request.env.iter().cloned());
    let score = context.oom_score_adj(process.oom_score_adj);
    let description = context.container.directory.join(format!("exec-{exec}.json"));
    disk::write_json(&description, &bundle::process(&process, &identity, score))
        .map_err(|error| Failure::internal(&error))?;
    let program = program(&process, &identity, spec.privileged)?;
    let (outcome, report) = pipe2(OFlag::O_CLOEXEC).map_err(|error| Failure::internal(&error))?;
    let mut builder = context.builder(Payload { program: Rc::new(program), report: report.as_raw_fd() })?;
    let console = if request.terminal {
        let console = Console::listen(context, exec)?;
        builder = builder.with_console_socket(Some(console.path.clone()));
        Some(console)
    } else {
        let mut stdio = stdio.into_iter();
        let mut next = |present: bool| match (present, stdio.next()) {
            (true, Some(descriptor)) => Ok(descriptor),
            (true, None) => Err(invalid("a standard stream is missing")),
            (false, _) => null(),
        };
        let stdin = if request.stdin { next(true)? } else { null()? };
        builder = builder.with_stdin(stdin).with_stdout(next(true)?).with_stderr(next(true)?);
        None
    };
    let built = builder
        .as_tenant()
        .with_process(Some(description.clone()))
        .with_detach(true)
        .as_sibling(true)
        .build();
    drop(report);
    let _ = disk::remove_file(&description);
    let pid = match built {
        Ok(pid) => pid,
        // The executor's own words, if it came that far, say more than the library's.
        Err(error) => return running(outcome).and_then(|()| Err(library_failure(&error))),
    };
    let terminal = console.map(|console| console.accept()).transpose()?;
    reporter.made(pid.as_raw(), terminal, &identity);
    running(outcome)
}

/// Waits until the program is executed, which closes the pipe, or the executor says why it is not.
fn running(outcome: OwnedFd) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    #[allow(clippy::disallowed_types, reason = "a pipe of this process")]
    std::fs::File::from(outcome).read_to_end(&mut bytes).map_err(|error| Failure::internal(&error))?;
    if bytes.is_empty() {
        return Ok(());
    }
    Err(serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| invalid(String::from_utf8_lossy(&bytes).into_owned())))
}

fn library_failure(error: &libcontainer::error::LibcontainerError) -> Failure {
    invalid(format!("unable to start container process: {}", base::error::Chain(error)))
}

fn program(process: &Process, identity: &Identity, privileged: bool) -> Result<Program, Failure> {
    let filter = match &process.seccomp {
        Seccomp::Unconfined => Filter::default(),
        Seccomp::Compiled(path) => {
            let bytes = disk::read(path).map_err(|error| broken("cannot read the seccomp filter", &error))?;
            let bytes =
                bytes.ok_or_else(|| invalid(format!("the seccomp filter {} is missing", path.display())))?;
            Filter::from_bytes(&bytes).map_err(|error| broken("cannot use the seccomp filter", &error))?
        }
        Seccomp::RuntimeDefault => {
            let capabilities: BTreeSet<String> = process.capabilities.iter().cloned().collect();
            Filter::runtime_default(&capabilities)
                .map_err(|error| broken("cannot make the seccomp filter", &error))?
        }
        Seccomp::Profile(_) => {
            return Err(invalid("a seccomp profile must be compiled before it reaches a shim"));
        }
    };
    Ok(Program {
        args: process.args.clone(),
        env: bundle::environment(process, &identity.home),
        cwd: process.cwd.clone(),
        capabilities: capability::bits(&process.capabilities, privileged).map_err(invalid)?,
        no_new_privileges: process.no_new_privileges,
        filter,
    })
}

fn null() -> Result<OwnedFd, Failure> {
    open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|error| broken("cannot open /dev/null", &error))
}

/// A container's standard streams: output FIFOs opened for reading too, so that they never break, and input for reading only, so that it
/// can end. They belong to the container's user, who may open them again as /dev/stdout (as runc has it).
fn streams(context: &Context, spec: &ContainerSpec, identity: &Identity) -> Result<[OwnedFd; 3], Failure> {
    let open_stream = |name: &str, access| {
        let path = context.container.stream(name);
        let stream = open(&path, access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())?;
        nix::unistd::fchown(&stream, Some(nix::unistd::Uid::from_raw(identity.uid)), None)?;
        nix::fcntl::fcntl(&stream, nix::fcntl::FcntlArg::F_SETFL(OFlag::empty()))?;
        Ok(stream)
    };
    let open_stream = |name: &str, access| {
        open_stream(name, access)
            .map_err(|error: nix::Error| broken(&format!("cannot open the container's {name}"), &error))
    };
    let stdin = if spec.stdin { open_stream("stdin", OFlag::O_RDONLY)? } else { null()? };
    Ok([stdin, open_stream("stdout", OFlag::O_RDWR)?, open_stream("stderr", OFlag::O_RDWR)?])
}

/// Where the library sends a new terminal.
struct Console {
    listener: UnixListener,
    path: std::path::PathBuf,
}

impl Console {
    fn listen(context: &Context, name: &str) -> Result<Console, Failure> {
        let failed = |error: &dyn std::error::Error| broken("cannot prepare the terminal", error);
        // Bound by a short name: a socket's path may have 107 bytes. This process is a worker's, so its directory is nobody else's.
        nix::unistd::chdir(&context.container.directory).map_err(|error| failed(&error))?;
        let name = format!("{name}.sock");
        let path = context.container.directory.join(&name);
        disk::remove_file(&path).map_err(|error| failed(&error))?;
        let listener = UnixListener::bind(&name).map_err(|error| failed(&error))?;
        Ok(Console { listener, path })
    }

    fn accept(&self) -> Result<OwnedFd, Failure> {
        let failed = |error: &dyn std::error::Error| broken("cannot take over the terminal", error);
        let (socket, _) = self.listener.accept().map_err(|error| failed(&error))?;
        let mut buffer = [0; 64];
        let (_, descriptors) = wire::receive(socket.as_fd(), &mut buffer).map_err(|error| failed(&error))?;
        let _ = disk::remove_file(&self.path);
        descriptors.into_iter().next().ok_or_else(|| invalid("the container's process sent no terminal"))
    }
}
