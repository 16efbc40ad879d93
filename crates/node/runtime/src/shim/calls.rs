//! What an agent may ask, one function each. Short work is answered at once; starts are answered when they are done.

use std::os::fd::OwnedFd;

use super::container::{Container, resize};
use super::server::Shim;
use crate::limits::{FRAME_DESCRIPTORS_MAX, KILL_WAIT};
use crate::protocol::{Answer, Call, Failure, FailureKind};
use crate::spec::ContainerSpec;
use crate::state::ContainerState;
use crate::teardown;

type Answered = Result<(Answer, Vec<OwnedFd>), Failure>;

const DONE: Answered = Ok((Answer::Done, Vec::new()));

/// The longest id of a container.
const ID_BYTES_MAX: usize = 200;

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::internal(error)
}

impl Shim {
    /// Does what is asked. `None` when the answer comes later.
    pub(super) fn call(
        &mut self,
        client: u64,
        id: u64,
        call: Call,
        descriptors: Vec<OwnedFd>,
    ) -> Option<Answered> {
        let later = |result: Result<(), Failure>| result.err().map(Err);
        Some(match call {
            Call::Create(spec) => self.create(&spec),
            Call::Start { container } => return later(self.start((client, id), &container)),
            Call::Exec { exec, spec } => return later(self.exec((client, id), exec, &spec, descriptors)),
            Call::Attach { container } => self.attach(&container, descriptors),
            Call::CloseStdin { container } => self.with(&container, |container| container.stdin_pipe = None),
            Call::Signal { container, signal } => self.signal(&container, signal),
            Call::SignalExec { exec, signal } => match self.execs.get(&exec).map(|exec| &exec.process) {
                Some(Some(process)) => process.signal(signal).map_err(|error| internal(&error)).and(DONE),
                // Gone by now, and not yet reaped.
                Some(None) => DONE,
                None => Err(Failure::new(FailureKind::NotFound, format!("exec {exec} not found"))),
            },
            Call::Kill { container } => self.kill(&container),
            Call::Delete { container } => self.delete(&container),
            Call::Resize { target, columns, rows } => self.resize(&target, columns, rows),
            Call::Limit { container, limits } => match self.containers.get(&container) {
                Some(found) => {
                    self.cgroups.limit(&found.cgroup, &limits).map_err(|error| internal(&error)).and(DONE)
                }
                None => Err(not_found(&container)),
            },
            Call::RotateLog { container } => self.with(&container, Container::rotate_log),
            Call::List => self.list(),
            Call::Recover { processes, terminals } => {
                self.recover(&processes, &terminals, descriptors);
                DONE
            }
            Call::Shutdown => self.shut_down(),
        })
    }

    fn with(&mut self, id: &str, act: impl FnOnce(&mut Container)) -> Answered {
        act(self.containers.get_mut(id).ok_or_else(|| not_found(id))?);
        DONE
    }

    fn create(&mut self, spec: &ContainerSpec) -> Answered {
        let id = &spec.id;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if id.is_empty() || id.len() > ID_BYTES_MAX || !id.bytes().all(plain) || id.starts_with('.') {
            let message = format!("container id {id:?} must be of letters, digits, '-', '_' and '.'");
            return Err(Failure::new(FailureKind::Invalid, message));
        }
        if self.containers.contains_key(id) {
            return Err(Failure::new(FailureKind::Exists, format!("container {id} already exists")));
        }
        let cgroup = self.pod.cgroup.join(id).map_err(|error| internal(&error))?;
        let mut container = Container::new(spec, &self.pod, self.places.container(id), cgroup);
        if let Err(error) = container.make(spec) {
            let _ = teardown::container(self.cgroups.as_ref(), &container.places, &container.cgroup);
            return Err(internal(&error));
        }
        self.containers.insert(id.clone(), container);
        DONE
    }

    fn attach(&mut self, id: &str, descriptors: Vec<OwnedFd>) -> Answered {
        let container = self.containers.get_mut(id).ok_or_else(|| not_found(id))?;
        if !matches!(container.state, ContainerState::Running | ContainerState::Created) {
            return Err(Failure::new(FailureKind::WrongState, format!("container {id} is not running")));
        }
        let input = container.master.as_ref().or(container.stdin_pipe.as_ref()).filter(|_| container.stdin);
        let input = input.map(OwnedFd::try_clone).transpose().map_err(|error| internal(&error))?;
        let mut descriptors = descriptors.into_iter();
        container.attach(descriptors.next(), descriptors.next()).map_err(|error| internal(&error))?;
        Ok((Answer::Attached { stdin: input.is_some() }, input.into_iter().collect()))
    }

    fn signal(&mut self, id: &str, signal: i32) -> Answered {
        let container = self.containers.get(id).ok_or_else(|| not_found(id))?;
        match &container.process {
            // Its end may not have been seen yet: a signal that comes too late is no mistake.
            Some(process) => process.signal(signal).map_err(|error| internal(&error)).and(DONE),
            None => Err(Failure::new(FailureKind::WrongState, format!("container {id} is not running"))),
        }
    }

    fn kill(&mut self, id: &str) -> Answered {
        let container = self.containers.get(id).ok_or_else(|| not_found(id))?;
        self.cgroups.kill(&container.cgroup).map_err(|error| internal(&error))?;
        DONE
    }

    fn delete(&mut self, id: &str) -> Answered {
        let Some(container) = self.containers.get(id) else { return DONE };
        if matches!(container.state, ContainerState::Running | ContainerState::Starting) {
            return Err(Failure::new(FailureKind::WrongState, format!("container {id} is running")));
        }
        teardown::container(self.cgroups.as_ref(), &container.places, &container.cgroup)
            .map_err(|error| internal(&error))?;
        self.unwatch_container(id);
        self.containers.remove(id);
        DONE
    }

    fn resize(&mut self, id: &str, columns: u16, rows: u16) -> Answered {
        use std::os::fd::AsFd;
        let container = self.containers.get(id).ok_or_else(|| not_found(id))?;
        let master = container.master.as_ref().ok_or_else(|| {
            Failure::new(FailureKind::WrongState, format!("container {id} has no terminal"))
        })?;
        resize(master.as_fd(), columns, rows).map_err(|error| internal(&error))?;
        DONE
    }

    fn list(&mut self) -> Answered {
        let containers = self.containers.iter().map(|(id, container)| container.status(id)).collect();
        let (mut processes, mut terminals, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        let running =
            || self.containers.iter().filter(|(_, container)| container.state == ContainerState::Running);
        for (id, container) in running() {
            if let Some(process) =
                container.process.as_ref().filter(|_| descriptors.len() < FRAME_DESCRIPTORS_MAX)
            {
                descriptors.push(process.try_clone().map_err(|error| internal(&error))?.into());
                processes.push(id.clone());
            }
        }
        for (id, container) in running() {
            if let Some(master) =
                container.master.as_ref().filter(|_| descriptors.len() < FRAME_DESCRIPTORS_MAX)
            {
                descriptors.push(master.try_clone().map_err(|error| internal(&error))?);
                terminals.push(id.clone());
            }
        }
        let recovering = self.recovering;
        Ok((Answer::Containers { containers, processes, terminals, recovering }, descriptors))
    }

    fn shut_down(&mut self) -> Answered {
        self.cgroups.kill(&self.pod.cgroup).map_err(|error| internal(&error))?;
        let left = self.cgroups.wait_empty(&self.pod.cgroup, KILL_WAIT).map_err(|error| internal(&error))?;
        if !left.is_empty() {
            let message = format!("processes {left:?} of the pod cannot be killed");
            return Err(Failure::new(FailureKind::WrongState, message));
        }
        // Their endings on disk and told, as any other's.
        self.reap();
        self.stopping = true;
        DONE
    }
}

fn not_found(id: &str) -> Failure {
    Failure::new(FailureKind::NotFound, format!("container {id} not found"))
}
