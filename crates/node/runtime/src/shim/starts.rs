//! Starting containers and execs: workers at work, and what becomes of what they report.

use std::os::fd::{AsFd, OwnedFd};

use host::process::{Identity, PidFd};
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;

use super::ShimError;
use super::container::now;
use super::server::{Shim, Source};
use super::worker::{self, Context, Report};
use crate::disk;
use crate::protocol::frame::Decoder;
use crate::protocol::{Answer, Failure, FailureKind, wire};
use crate::spec::{ContainerSpec, ExecSpec};
use crate::state::{ContainerState, ContainerUser, Event, StartRecord};

/// A worker at work.
#[derive(Debug)]
pub(super) struct Worker {
    socket: OwnedFd,
    decoder: Decoder,
    purpose: Purpose,
    /// Whom to answer: connection and call.
    asked: (u64, u64),
    made: Option<Made>,
}

#[derive(Debug)]
enum Purpose {
    Start { container: String },
    Exec { exec: String },
}

/// A process that exists and whose program does not run yet.
#[derive(Debug)]
struct Made {
    pid: i32,
    process: Option<(Identity, PidFd)>,
    terminal: Option<OwnedFd>,
    user: ContainerUser,
}

/// A process of an exec.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) pid: i32,
    /// `None` when it was gone before it could be opened; its end is told all the same.
    pub(super) process: Option<PidFd>,
}

fn not_found(container: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("container {container} not found"))
}

impl Shim {
    /// Begins to start a container; the answer comes when its program runs or cannot.
    pub(super) fn start(&mut self, asked: (u64, u64), id: &str) -> Result<(), Failure> {
        let container = self.containers.get_mut(id).ok_or_else(|| not_found(id))?;
        if container.state != ContainerState::Created {
            return Err(Failure::new(
                FailureKind::WrongState,
                format!("container {id} has been started before"),
            ));
        }
        let spec: ContainerSpec = disk::read_json(&container.places.spec())
            .map_err(|error| Failure::internal(&error))?
            .ok_or_else(|| not_found(id))?;
        container.open_streams(&spec).map_err(|error| Failure::internal(&error))?;
        let among = spec.processes_of;
        container.state = ContainerState::Starting;
        self.watch_outputs(id).map_err(|error| Failure::internal(&error))?;
        let processes = match among.map(|target| self.first_process(&target)).transpose() {
            Ok(processes) => processes,
            Err(failure) => {
                self.start_failed(id, &failure);
                return Err(failure);
            }
        };
        let mut context = self.context(id).ok_or_else(|| not_found(id))?;
        context.processes = processes;
        let spawned = worker::spawn(|reporter| worker::start(&context, reporter));
        self.add_worker(spawned, asked, Purpose::Start { container: id.to_owned() })
    }

    /// Begins to run one more process.
    pub(super) fn exec(
        &mut self,
        asked: (u64, u64),
        exec: String,
        spec: &ExecSpec,
        stdio: Vec<OwnedFd>,
    ) -> Result<(), Failure> {
        let id = &spec.container;
        let container = self.containers.get(id).ok_or_else(|| not_found(id))?;
        if container.state != ContainerState::Running {
            return Err(Failure::new(FailureKind::WrongState, format!("container {id} is not running")));
        }
        let plain = exec.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') && !exec.is_empty();
        if !plain || self.execs.contains_key(&exec) {
            return Err(Failure::new(
                FailureKind::Invalid,
                format!("exec name {exec:?} is not new and plain"),
            ));
        }
        if spec.args.is_empty() {
            return Err(Failure::new(FailureKind::Invalid, "a command must be given"));
        }
        let context = self.context(id).ok_or_else(|| not_found(id))?;
        let spawned = worker::spawn(|reporter| worker::exec(&context, &exec, spec, stdio, reporter));
        self.add_worker(spawned, asked, Purpose::Exec { exec })
    }

    /// The process id of a running container's first process. It is the shim's child and not yet reaped: the id is no other's.
    fn first_process(&self, target: &str) -> Result<i32, Failure> {
        let running = self.containers.get(target).filter(|one| one.state == ContainerState::Running);
        running.and_then(|one| Some(one.start.as_ref()?.process.pid)).ok_or_else(|| Failure {
            kind: FailureKind::Start,
            message: format!("container {target}, whose processes are to be shared, is not running"),
            exit_code: Some(128),
        })
    }

    fn context(&self, id: &str) -> Option<Context> {
        let container = self.containers.get(id)?;
        Some(Context {
            pod: self.pod.clone(),
            places: self.places.clone(),
            container: container.places.clone(),
            id: id.to_owned(),
            cgroup: container.cgroup.clone(),
            cgroups: self.cgroups.clone(),
            capabilities: self.capabilities,
            own_oom_score_adj: self.own_oom_score_adj,
            processes: None,
        })
    }

    fn add_worker(
        &mut self,
        spawned: Result<(nix::unistd::Pid, OwnedFd), Errno>,
        asked: (u64, u64),
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let watched = spawned.map_err(ShimError::system("start a worker")).and_then(|(_, socket)| {
            let token = self.watch(&socket, Source::Worker, EpollFlags::EPOLLIN)?;
            Ok((token, socket))
        });
        match watched {
            Ok((token, socket)) => {
                let worker = Worker { socket, decoder: Decoder::default(), purpose, asked, made: None };
                self.workers.insert(token, worker);
                Ok(())
            }
            Err(error) => {
                let failure = Failure::internal(&error);
                if let Purpose::Start { container } = &purpose {
                    self.start_failed(container, &failure);
                }
                Err(failure)
            }
        }
    }

    pub(super) fn worker_event(&mut self, token: u64) {
        let Some(worker) = self.workers.get_mut(&token) else { return };
        let mut buffer = [0; 8 << 10];
        let ended = match wire::receive(worker.socket.as_fd(), &mut buffer) {
            Ok((0, _)) => true,
            Ok((count, descriptors)) => {
                worker.decoder.add(&buffer[..count], descriptors);
                false
            }
            Err(Errno::EAGAIN) => return,
            Err(_) => true,
        };
        while let Some(worker) = self.workers.get_mut(&token) {
            let report = match worker.decoder.frame::<Report>() {
                Ok(Some((report, descriptors))) => (report, descriptors),
                Ok(None) if !ended => return,
                _ => {
                    (Report::Failed(Failure::new(FailureKind::Internal, "the start worker died")), Vec::new())
                }
            };
            match report {
                (Report::Made { pid, identity, terminal, user }, descriptors) => {
                    let mut descriptors = descriptors.into_iter();
                    let process =
                        identity.and_then(|identity| Some((identity, PidFd::from_fd(descriptors.next()?))));
                    let terminal = descriptors.next().filter(|_| terminal);
                    worker.made = Some(Made { pid, process, terminal, user });
                }
                (Report::Running, _) => return self.worker_done(token, Ok(())),
                (Report::Failed(failure), _) => return self.worker_done(token, Err(failure)),
            }
        }
    }

    fn worker_done(&mut self, token: u64, outcome: Result<(), Failure>) {
        let Some(worker) = self.workers.remove(&token) else { return };
        self.unwatch(token);
        let (client, call) = worker.asked;
        let made = outcome.and_then(|()| {
            worker
                .made
                .ok_or_else(|| Failure::new(FailureKind::Internal, "the process was gone before it ran"))
        });
        let (answer, pid) = match (&worker.purpose, made) {
            (Purpose::Start { container }, Ok(made)) => {
                let pid = made.pid;
                let started = self.started(container, made);
                if let Err(failure) = &started {
                    self.start_failed(container, failure);
                }
                (started, Some(pid))
            }
            (Purpose::Exec { exec }, Ok(made)) => {
                let pid = made.pid;
                let running = Exec { pid, process: made.process.map(|(_, process)| process) };
                self.execs.insert(exec.clone(), running);
                (Ok((Answer::Executing { pid }, made.terminal.into_iter().collect())), Some(pid))
            }
            (Purpose::Start { container }, Err(failure)) => {
                self.start_failed(container, &failure);
                (Err(failure), None)
            }
            (Purpose::Exec { .. }, Err(failure)) => (Err(failure), None),
        };
        self.answer(client, call, answer);
        let early = pid.and_then(|pid| self.unclaimed.iter().position(|(ended, _)| *ended == pid));
        if let Some(at) = early {
            let (pid, exit) = self.unclaimed.swap_remove(at);
            self.child_ended(pid, exit);
        }
        if self.workers.is_empty() {
            self.unclaimed.clear();
        }
    }

    fn started(&mut self, id: &str, made: Made) -> Result<(Answer, Vec<OwnedFd>), Failure> {
        let container = self.containers.get_mut(id).ok_or_else(|| not_found(id))?;
        let internal = |error: Errno| Failure::internal(&error);
        let gone = || Failure::new(FailureKind::Internal, "the process was gone before it ran");
        let (identity, process) = made.process.ok_or_else(gone)?;
        let mut descriptors = vec![OwnedFd::from(process.try_clone().map_err(internal)?)];
        if let Some(master) = made.terminal {
            descriptors.push(master.try_clone().map_err(|_| internal(Errno::EMFILE))?);
            container.take_terminal(master).map_err(internal)?;
        }
        let started_at_nanos = now().unix_nanos();
        let record = StartRecord { process: identity, started_at_nanos, user: Some(made.user) };
        container.started(record, process).map_err(|error| Failure::internal(&error))?;
        let (status, terminal) = (container.status(id), container.terminal);
        if terminal {
            self.watch_outputs(id).map_err(|error| Failure::internal(&error))?;
        }
        self.tell(&Event::Started { container: id.to_owned() });
        Ok((Answer::Started(status), descriptors))
    }

    /// A container that cannot start has ended: nothing of it may be left running.
    pub(super) fn start_failed(&mut self, id: &str, failure: &Failure) {
        let Some(container) = self.containers.get_mut(id) else { return };
        let _ = self.cgroups.kill(&container.cgroup);
        let _ = disk::remove_directory(&container.places.library);
        container.finish_streams();
        let record = container.start_error_record(failure.message.clone());
        self.finish(id, record);
    }
}
