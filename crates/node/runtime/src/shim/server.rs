//! The shim's one loop: connections, workers, outputs and endings, each as an event of epoll.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use host::cgroup::Cgroups;
use host::process::{Exit, LinuxProcesses, NodeCapabilities, Processes};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;

use super::client::{Client, Gone};
use super::container::{Container, Read, Stream};
use super::starts::{Exec, Worker};
use super::{ShimError, init, namespaces};
use crate::disk;
use crate::layout::{PodLayout, SOCKET};
use crate::limits::{CLIENTS_MAX, SHM_BYTES_DEFAULT};
use crate::protocol::{Answer, Failure, Hello, Message, VERSION};
use crate::spec::PodSandbox;
use crate::state::Event;
use host::mount::{LinuxMounts, Mounts};

/// The score that containerd gives its shims: the last to be killed for want of memory.
const OOM_SCORE_ADJ: i32 = -998;
/// The name of the group of a shared process namespace's first process, below the pod's.
const INIT_GROUP: &str = "pod-init";
/// How often an exit code is looked for while nobody has reaped the process.
const LOOK_AGAIN_MILLIS: u16 = 20;
const EVENTS: usize = 64;

/// What a descriptor in the epoll set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Listener,
    Signals,
    Client,
    Worker,
    Output(String, Stream),
    /// The process of a container that is not this shim's child.
    Process(String),
}

/// A shim.
pub(super) struct Shim {
    pub(super) places: PodLayout,
    pub(super) pod: PodSandbox,
    pub(super) cgroups: Arc<dyn Cgroups>,
    pub(super) capabilities: NodeCapabilities,
    pub(super) own_oom_score_adj: i32,
    epoll: Epoll,
    sources: HashMap<u64, Source>,
    next_token: u64,
    pub(super) clients: BTreeMap<u64, Client>,
    pub(super) containers: BTreeMap<String, Container>,
    pub(super) execs: BTreeMap<String, Exec>,
    pub(super) workers: BTreeMap<u64, Worker>,
    /// Children that ended before their worker said whose they are.
    pub(super) unclaimed: Vec<(i32, Exit)>,
    /// Containers whose processes are gone and whose exit codes may still become known, until when.
    pub(super) awaiting: Vec<(String, i64)>,
    pub(super) recovering: bool,
    pub(super) stopping: bool,
}

/// Runs until told to shut down.
pub(super) fn run(
    recovering: bool,
    directory: PathBuf,
    data: PathBuf,
    prefix: Vec<String>,
) -> Result<(), ShimError> {
    let _ = nix::unistd::setsid();
    host::process::become_subreaper().map_err(ShimError::system("become a subreaper"))?;
    let capabilities = NodeCapabilities::detect();
    if capabilities.lower_oom_score {
        host::process::set_oom_score_adj(OOM_SCORE_ADJ);
    }
    let places = PodLayout::at(directory, data);
    let pod: PodSandbox =
        disk::read_json(&places.pod())?.ok_or_else(|| ShimError::NoPod { path: places.pod() })?;
    // So that whoever takes the pod away finds this process also when they do not speak the same version.
    disk::write_json(&places.shim(), &LinuxProcesses.identify(std::process::id().cast_signed()))?;
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block().map_err(ShimError::system("block signals"))?;
    let mut shim = Shim {
        places,
        pod,
        cgroups: host::cgroup::detect()?,
        capabilities,
        own_oom_score_adj: host::process::oom_score_adj(),
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(ShimError::system("make an epoll set"))?,
        sources: HashMap::new(),
        next_token: 0,
        clients: BTreeMap::new(),
        containers: BTreeMap::new(),
        execs: BTreeMap::new(),
        workers: BTreeMap::new(),
        unclaimed: Vec::new(),
        awaiting: Vec::new(),
        recovering,
        stopping: false,
    };
    if recovering {
        shim.load()?;
    } else {
        shim.make_pod(&prefix)?;
    }
    let listener = shim.listen()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(ShimError::system("listen to signals"))?;
    shim.watch(&listener, Source::Listener, EpollFlags::EPOLLIN)?;
    shim.watch(&signals, Source::Signals, EpollFlags::EPOLLIN)?;
    say_ready()?;
    shim.serve(&listener, &signals)
}

/// Tells the agent, and lets go of the pipe to it.
#[allow(unsafe_code)]
fn say_ready() -> Result<(), ShimError> {
    nix::unistd::write(std::io::stdout(), b"ready\n").map_err(ShimError::system("say ready"))?;
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(ShimError::system("open /dev/null"))?;
    for standard in [0, 1] {
        // SAFETY: replaces the shim's own standard streams, which nothing here holds as owned descriptors.
        Errno::result(unsafe { nix::libc::dup2(null.as_raw_fd(), standard) })
            .map_err(ShimError::system("let go of the standard streams"))?;
    }
    Ok(())
}

impl Shim {
    fn make_pod(&mut self, prefix: &[String]) -> Result<(), ShimError> {
        self.cgroups.create(&self.pod.cgroup)?;
        self.cgroups.limit(&self.pod.cgroup, &self.pod.limits)?;
        namespaces::make(&self.places, &self.pod)?;
        for directory in [self.places.library(), self.places.containers(), self.places.shm()] {
            disk::make_directory(&directory)?;
        }
        if !self.pod.host_ipc {
            LinuxMounts.unmount(&self.places.shm())?;
            LinuxMounts.tmpfs(&self.places.shm(), self.pod.shm_bytes.unwrap_or(SHM_BYTES_DEFAULT), 0o1777)?;
        }
        if self.pod.share_process_namespace && !self.pod.host_pid {
            let group = self.pod.cgroup.join(INIT_GROUP)?;
            init::start(&self.places, prefix, self.cgroups.as_ref(), &group)?;
        }
        Ok(())
    }

    fn listen(&self) -> Result<UnixListener, ShimError> {
        // Bound by a short name: a socket's path may have 107 bytes.
        nix::unistd::chdir(self.places.directory())
            .map_err(ShimError::system("enter the pod's directory"))?;
        disk::remove_file(&self.places.directory().join(SOCKET))?;
        let failed = |error: std::io::Error| ShimError::System {
            action: "listen",
            source: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        let listener = UnixListener::bind(SOCKET).map_err(failed)?;
        std::fs::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        nix::unistd::chdir("/").map_err(ShimError::system("leave the pod's directory"))?;
        Ok(listener)
    }

    /// Adds a descriptor to the set. It leaves the set by being closed, or by [`Shim::unwatch`].
    pub(super) fn watch(
        &mut self,
        descriptor: impl AsFd,
        source: Source,
        events: EpollFlags,
    ) -> Result<u64, ShimError> {
        let token = self.next_token;
        self.next_token += 1;
        self.epoll
            .add(descriptor, EpollEvent::new(events, token))
            .map_err(ShimError::system("watch a descriptor"))?;
        self.sources.insert(token, source);
        Ok(token)
    }

    pub(super) fn unwatch(&mut self, token: u64) {
        self.sources.remove(&token);
    }

    fn serve(&mut self, listener: &UnixListener, signals: &SignalFd) -> Result<(), ShimError> {
        let mut events = [EpollEvent::empty(); EVENTS];
        while !(self.stopping && self.clients.values().all(|client| !client.has_pending())) {
            let timeout = if self.awaiting.is_empty() {
                EpollTimeout::NONE
            } else {
                EpollTimeout::from(LOOK_AGAIN_MILLIS)
            };
            let count = match self.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(source) => return Err(ShimError::System { action: "wait for events", source }),
            };
            for event in &events[..count] {
                self.handle(event, listener, signals);
            }
            self.look_again();
        }
        Ok(())
    }

    fn handle(&mut self, event: &EpollEvent, listener: &UnixListener, signals: &SignalFd) {
        let token = event.data();
        // Gone through an earlier event of the same round.
        let Some(source) = self.sources.get(&token).cloned() else { return };
        match source {
            Source::Listener => self.accept(listener),
            Source::Signals => {
                while let Ok(Some(_)) = signals.read_signal() {}
                self.reap();
            }
            Source::Client => self.client_event(token, event.events()),
            Source::Worker => self.worker_event(token),
            Source::Output(id, stream) => self.output_event(token, &id, stream),
            Source::Process(id) => self.process_event(token, &id),
        }
    }

    #[allow(unsafe_code)]
    fn accept(&mut self, listener: &UnixListener) {
        let flags = nix::sys::socket::SockFlag::SOCK_CLOEXEC | nix::sys::socket::SockFlag::SOCK_NONBLOCK;
        let Ok(raw) = nix::sys::socket::accept4(listener.as_raw_fd(), flags) else { return };
        // SAFETY: the call has just returned this descriptor, which nobody else knows.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let peer = nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials);
        let allowed = peer.is_ok_and(|peer| peer.uid() == nix::unistd::geteuid().as_raw());
        if !allowed || self.clients.len() >= CLIENTS_MAX {
            return;
        }
        let events = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        let Ok(token) = self.watch(&socket, Source::Client, events) else { return };
        let mut client = Client::new(socket);
        if client.greet().is_ok() {
            self.clients.insert(token, client);
        } else {
            self.sources.remove(&token);
        }
    }

    fn client_event(&mut self, token: u64, events: EpollFlags) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let read = if events.contains(EpollFlags::EPOLLIN) { client.read() } else { Ok(()) };
        let flushed = client.flush();
        // What came before the end counts.
        let understood = self.understand(token);
        let hung_up = events.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        if hung_up || read.is_err() || flushed.is_err() || understood.is_err() {
            self.hang_up(token);
        }
    }

    fn hang_up(&mut self, token: u64) {
        self.clients.remove(&token);
        self.sources.remove(&token);
    }

    fn understand(&mut self, token: u64) -> Result<(), Gone> {
        loop {
            let Some(client) = self.clients.get_mut(&token) else { return Err(Gone) };
            if !client.greeted {
                let Some((hello, _)) = client.decoder.frame::<Hello>().map_err(|_| Gone)? else {
                    return Ok(());
                };
                // Our own hello has told the agent which version this is; it says so to people.
                if hello.knarr_shim_protocol != VERSION {
                    return Err(Gone);
                }
                client.greeted = true;
                continue;
            }
            let Some((message, descriptors)) = client.decoder.frame::<Message>().map_err(|_| Gone)? else {
                return Ok(());
            };
            let Message::Call { id, call } = message else { return Err(Gone) };
            if let Some(answer) = self.call(token, id, call, descriptors) {
                self.answer(token, id, answer);
            }
        }
    }

    /// Answers a call, if whoever asked is still there.
    pub(super) fn answer(&mut self, token: u64, id: u64, answer: Result<(Answer, Vec<OwnedFd>), Failure>) {
        let Some(client) = self.clients.get_mut(&token) else { return };
        let (answer, descriptors) = match answer {
            Ok((answer, descriptors)) => (Ok(answer), descriptors),
            Err(failure) => (Err(failure), Vec::new()),
        };
        if client.send(&Message::Answer { id, answer }, descriptors).is_err() {
            self.hang_up(token);
        }
    }

    /// Tells every agent.
    pub(super) fn tell(&mut self, event: &Event) {
        let tokens: Vec<u64> =
            self.clients.iter().filter(|(_, client)| client.greeted).map(|(token, _)| *token).collect();
        for token in tokens {
            let message = Message::Event(event.clone());
            if self.clients.get_mut(&token).is_some_and(|client| client.send(&message, Vec::new()).is_err()) {
                self.hang_up(token);
            }
        }
    }

    fn output_event(&mut self, token: u64, id: &str, stream: Stream) {
        let ended = match self.containers.get_mut(id) {
            Some(container) => matches!(container.read(stream), Read::Ended),
            None => true,
        };
        if ended {
            // Still open, so that a container that opens its end again finds a reader; only no longer watched, for it would never rest.
            self.sources.remove(&token);
            if let Some(container) = self.containers.get(id)
                && let Some(output) = container.outputs.iter().find(|output| output.stream == stream)
            {
                let _ = self.epoll.delete(&output.source);
            }
        }
    }

    /// Watches a container's outputs.
    pub(super) fn watch_outputs(&mut self, id: &str) -> Result<(), ShimError> {
        let Some(container) = self.containers.get(id) else { return Ok(()) };
        for output in &container.outputs {
            let token = self.next_token;
            self.next_token += 1;
            self.epoll
                .add(&output.source, EpollEvent::new(EpollFlags::EPOLLIN, token))
                .map_err(ShimError::system("watch an output"))?;
            self.sources.insert(token, Source::Output(id.to_owned(), output.stream));
        }
        Ok(())
    }

    /// Watches the process of a container that is not this shim's child.
    pub(super) fn watch_process(&mut self, id: &str) -> Result<(), ShimError> {
        let process = self.containers.get(id).and_then(|container| container.process.as_ref());
        let Some(process) = process else { return Ok(()) };
        let token = self.next_token;
        self.next_token += 1;
        self.epoll
            .add(process, EpollEvent::new(EpollFlags::EPOLLIN, token))
            .map_err(ShimError::system("watch a process"))?;
        self.sources.insert(token, Source::Process(id.to_owned()));
        Ok(())
    }

    /// Takes a container's process out of the set while its descriptor stays open.
    pub(super) fn stop_watching(&mut self, id: &str, token: u64) {
        if let Some(process) = self.containers.get(id).and_then(|container| container.process.as_ref()) {
            let _ = self.epoll.delete(process);
        }
        self.sources.remove(&token);
    }

    /// Forgets a container's descriptors, which are about to be closed.
    pub(super) fn unwatch_container(&mut self, id: &str) {
        self.sources
            .retain(|_, source| !matches!(source, Source::Output(of, _) | Source::Process(of) if of == id));
    }
}
