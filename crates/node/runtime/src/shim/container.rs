//! One container as its shim knows it: what it is made of, its streams and who else hears them, and how its life goes on disk.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use base::time::{Clock, SystemClock, Time};
use host::cgroup::CgroupPath;
use host::process::{Exit, PidFd};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::log::{Lines, LogFile};
use crate::disk::{self, DiskError};
use crate::layout::ContainerLayout;
use crate::limits::{ATTACHED_MAX, ATTACHED_PIPE_BYTES, OUTPUT_READ_BYTES};
use crate::spec::{ContainerSpec, PodSandbox};
use crate::state::{ContainerState, ContainerStatus, ExitReason, ExitRecord, StartRecord};

/// The time now. A shim has no other use for a clock.
pub(super) fn now() -> Time {
    SystemClock.now()
}

/// Which of a container's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub(super) fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// An output being read.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) stream: Stream,
    pub(super) source: OwnedFd,
    lines: Lines,
}

/// A client that hears a container's output too.
#[derive(Debug)]
struct Attached {
    stream: Stream,
    pipe: OwnedFd,
}

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) places: ContainerLayout,
    pub(super) cgroup: CgroupPath,
    pub(super) terminal: bool,
    pub(super) stdin: bool,
    /// Whether it shares its process namespace, so that its other processes outlive its first.
    pub(super) shares_processes: bool,
    pub(super) state: ContainerState,
    pub(super) created_at_nanos: i64,
    pub(super) start: Option<StartRecord>,
    pub(super) exit: Option<ExitRecord>,
    pub(super) process: Option<PidFd>,
    pub(super) outputs: Vec<Output>,
    pub(super) stdin_pipe: Option<OwnedFd>,
    pub(super) master: Option<OwnedFd>,
    log: Option<LogFile>,
    attached: Vec<Attached>,
}

/// What reading an output came to.
pub(super) enum Read {
    /// There may be more later.
    Open,
    /// Nothing will come any more.
    Ended,
}

impl Container {
    pub(super) fn new(
        spec: &ContainerSpec,
        pod: &PodSandbox,
        places: ContainerLayout,
        cgroup: CgroupPath,
    ) -> Container {
        let shared = pod.host_pid || pod.share_process_namespace || spec.processes_of.is_some();
        Container {
            places,
            cgroup,
            terminal: spec.process.terminal,
            stdin: spec.stdin,
            shares_processes: shared,
            state: ContainerState::Created,
            created_at_nanos: now().unix_nanos(),
            start: None,
            exit: None,
            process: None,
            outputs: Vec::new(),
            stdin_pipe: None,
            master: None,
            log: None,
            attached: Vec::new(),
        }
    }

    /// Makes the container's directories and streams, and puts what it is on disk.
    pub(super) fn make(&mut self, spec: &ContainerSpec) -> Result<(), super::ShimError> {
        let places = &self.places;
        for directory in [&places.directory, &places.rootfs(), &places.upper(), &places.work()] {
            disk::make_directory(directory)?;
        }
        if !self.terminal {
            let streams: &[&str] =
                if self.stdin { &["stdin", "stdout", "stderr"] } else { &["stdout", "stderr"] };
            for name in streams {
                match mkfifo(&places.stream(name), Mode::from_bits_truncate(0o600)) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(source) => return Err(super::ShimError::System { action: "make a stream", source }),
                }
            }
        }
        Ok(disk::replace_json(&places.spec(), spec)?)
    }

    /// Opens the log and the shim's ends of the streams.
    pub(super) fn open_streams(&mut self, spec: &ContainerSpec) -> Result<(), super::ShimError> {
        if self.log.is_none()
            && let Some(log) = &spec.log
        {
            self.log = Some(
                LogFile::open(log.clone())
                    .map_err(|source| super::ShimError::Log { path: log.path.clone(), source })?,
            );
        }
        if self.terminal {
            return Ok(());
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let source = open_stream(&self.places.stream(stream.name()), OFlag::O_RDONLY)?;
            self.outputs.push(Output { stream, source, lines: Lines::default() });
        }
        if self.stdin {
            // A FIFO opens for writing only while somebody has it open for reading.
            let path = self.places.stream("stdin");
            let _reader = open_stream(&path, OFlag::O_RDONLY)?;
            self.stdin_pipe = Some(open_stream(&path, OFlag::O_WRONLY)?);
        }
        Ok(())
    }

    /// Takes over the container's terminal.
    pub(super) fn take_terminal(&mut self, master: OwnedFd) -> Result<(), Errno> {
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let source = master.try_clone().map_err(|_| Errno::EMFILE)?;
        self.outputs.push(Output { stream: Stream::Stdout, source, lines: Lines::default() });
        self.master = Some(master);
        Ok(())
    }

    /// Reads what an output has, into the log and to whoever is attached.
    pub(super) fn read(&mut self, stream: Stream) -> Read {
        let Some(output) = self.outputs.iter_mut().find(|output| output.stream == stream) else {
            return Read::Ended;
        };
        let mut buffer = [0; OUTPUT_READ_BYTES];
        let count = match nix::unistd::read(&output.source, &mut buffer) {
            Ok(0) => return Read::Ended,
            Ok(count) => count,
            Err(Errno::EAGAIN | Errno::EINTR) => return Read::Open,
            // A terminal whose other side is closed answers EIO.
            Err(_) => return Read::Ended,
        };
        let bytes = &buffer[..count];
        if let Some(log) = &mut self.log {
            let mut lines = Vec::with_capacity(count + 128);
            let now = now();
            output.lines.add(bytes, stream.name(), now, &mut lines);
            log.write(&lines, now);
        }
        // Whoever does not keep up is cut off: a container never waits for a spectator.
        self.attached.retain(|attached| attached.stream != stream || write_all(&attached.pipe, bytes));
        Read::Open
    }

    /// Reads what is left, and closes the streams.
    pub(super) fn finish_streams(&mut self) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            // Bounded: a process that escaped into another group could write for ever.
            for _ in 0..super::FINAL_READS_MAX {
                if matches!(self.read(stream), Read::Ended) || self.is_drained(stream) {
                    break;
                }
            }
        }
        let now = now();
        let mut lines = Vec::new();
        for output in &mut self.outputs {
            output.lines.finish(output.stream.name(), now, &mut lines);
        }
        if let Some(log) = &mut self.log {
            log.write(&lines, now);
        }
        self.outputs.clear();
        self.attached.clear();
        self.stdin_pipe = None;
        self.master = None;
        self.log = None;
    }

    fn is_drained(&self, stream: Stream) -> bool {
        let Some(output) = self.outputs.iter().find(|output| output.stream == stream) else { return true };
        let mut polled = [nix::poll::PollFd::new(output.source.as_fd(), nix::poll::PollFlags::POLLIN)];
        let _ = nix::poll::poll(&mut polled, nix::poll::PollTimeout::ZERO);
        !polled[0].revents().is_some_and(|events| events.contains(nix::poll::PollFlags::POLLIN))
    }

    /// Adds a listener to the outputs that are still open.
    pub(super) fn attach(&mut self, stdout: Option<OwnedFd>, stderr: Option<OwnedFd>) -> Result<(), Errno> {
        if self.attached.len() >= ATTACHED_MAX {
            return Err(Errno::EMFILE);
        }
        for (stream, pipe) in [(Stream::Stdout, stdout), (Stream::Stderr, stderr)] {
            let Some(pipe) = pipe else { continue };
            fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
            // A smaller pipe only means being cut off sooner.
            let _ =
                fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(i32::try_from(ATTACHED_PIPE_BYTES).unwrap_or(i32::MAX)));
            self.attached.push(Attached { stream, pipe });
        }
        Ok(())
    }

    pub(super) fn rotate_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.rotate(now());
        }
    }

    /// The container runs: on disk first.
    pub(super) fn started(&mut self, record: StartRecord, process: PidFd) -> Result<(), DiskError> {
        disk::replace_json(&self.places.start(), &record)?;
        self.start = Some(record);
        self.process = Some(process);
        self.state = ContainerState::Running;
        Ok(())
    }

    /// The container has ended: on disk first.
    pub(super) fn ended(&mut self, record: ExitRecord) -> Result<(), DiskError> {
        let written = disk::replace_json(&self.places.exit(), &record);
        self.exit = Some(record);
        self.process = None;
        self.state = ContainerState::Exited;
        written
    }

    /// The record of an ending that was seen.
    pub(super) fn exit_record(&self, exit: Exit, out_of_memory: bool) -> ExitRecord {
        let reason = match (out_of_memory, exit.code()) {
            (true, _) => ExitReason::OomKilled,
            (false, 0) => ExitReason::Completed,
            (false, _) => ExitReason::Error,
        };
        let signal = match exit {
            Exit::Signal(signal) => Some(signal),
            Exit::Code(_) => None,
        };
        self.record(exit.code(), signal, reason, String::new())
    }

    /// The record of an ending that nobody saw, in kubelet's words.
    pub(super) fn lost_record(&self) -> ExitRecord {
        let message = "The container could not be located when the pod was terminated".to_owned();
        self.record(137, None, ExitReason::ContainerStatusUnknown, message)
    }

    /// The record of a start that failed.
    pub(super) fn start_error_record(&self, mut message: String) -> ExitRecord {
        let mut end = message.len().min(crate::limits::MESSAGE_BYTES_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        self.record(128, None, ExitReason::StartError, message)
    }

    fn record(&self, exit_code: i32, signal: Option<i32>, reason: ExitReason, message: String) -> ExitRecord {
        ExitRecord {
            exit_code,
            signal,
            reason,
            message,
            started_at_nanos: self.start.as_ref().map_or(0, |start| start.started_at_nanos),
            finished_at_nanos: now().unix_nanos(),
        }
    }

    pub(super) fn status(&self, id: &str) -> ContainerStatus {
        let start = self.start.as_ref();
        ContainerStatus {
            id: id.to_owned(),
            state: self.state,
            process: start.filter(|_| self.state == ContainerState::Running).map(|start| start.process),
            created_at_nanos: self.created_at_nanos,
            started_at_nanos: start.map(|start| start.started_at_nanos),
            exit: self.exit.clone(),
            user: start.and_then(|start| start.user.clone()),
        }
    }
}

fn open_stream(path: &Path, access: OFlag) -> Result<OwnedFd, super::ShimError> {
    open(path, access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(super::ShimError::system("open a stream"))
}

/// Writes all of `bytes` without waiting; `false` when the other side is gone or does not keep up.
fn write_all(pipe: &OwnedFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match nix::unistd::write(pipe, bytes) {
            Ok(count) if count > 0 => bytes = &bytes[count..],
            Err(Errno::EINTR) => {}
            _ => return false,
        }
    }
    true
}

/// Sets a terminal's size.
#[allow(unsafe_code)]
pub(super) fn resize(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> Result<(), Errno> {
    let size = nix::libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open and the kernel only reads `size`, which outlives the call.
    Errno::result(unsafe { nix::libc::ioctl(terminal.as_raw_fd(), nix::libc::TIOCSWINSZ, &raw const size) })
        .map(drop)
}
