//! Endings: children that are reaped, processes that are another's children, and what is recorded and told of them.

use host::process::Exit;
use nix::errno::Errno;
use nix::libc;

use super::container::now;
use super::server::Shim;
use crate::limits::{EXIT_INFO_WAIT, KILL_WAIT};
use crate::state::{ContainerState, Event, ExitReason, ExitRecord};

impl Shim {
    /// Reaps every child that has ended.
    #[allow(unsafe_code)]
    pub(super) fn reap(&mut self) {
        loop {
            let mut status = 0;
            // SAFETY: the call writes one number, which outlives it.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) };
            match Errno::result(pid) {
                Ok(0) | Err(Errno::ECHILD) => return,
                Err(_) => continue,
                Ok(pid) => self.child_ended(pid, Exit::from_wait_status(status)),
            }
        }
    }

    pub(super) fn child_ended(&mut self, pid: i32, exit: Exit) {
        let container = self.containers.iter().find(|(_, container)| {
            container.state == ContainerState::Running
                && container.start.as_ref().is_some_and(|start| start.process.pid == pid)
        });
        if let Some(id) = container.map(|(id, _)| id.clone()) {
            return self.container_ended(&id, Some(exit));
        }
        let exec = self.execs.iter().find(|(_, exec)| exec.pid == pid).map(|(name, _)| name.clone());
        if let Some(name) = exec {
            self.execs.remove(&name);
            return self.tell(&Event::ExecExited { exec: name, exit_code: exit.code() });
        }
        // The library's own processes, orphans of containers, and what a worker has not told us of yet.
        if !self.workers.is_empty() {
            self.unclaimed.push((pid, exit));
        }
    }

    /// A container's first process is gone; with `None` nobody knows how.
    pub(super) fn container_ended(&mut self, id: &str, exit: Option<Exit>) {
        let Some(container) = self.containers.get_mut(id) else { return };
        if container.state != ContainerState::Running {
            return;
        }
        if container.shares_processes {
            // With a namespace of its own the kernel has done this.
            let _ = self.cgroups.kill(&container.cgroup);
            let _ = self.cgroups.wait_empty(&container.cgroup, KILL_WAIT);
        }
        let out_of_memory = self.cgroups.oom_kills(&container.cgroup).is_ok_and(|kills| kills > 0);
        container.finish_streams();
        let record = match exit {
            Some(exit) => container.exit_record(exit, out_of_memory),
            None => container.lost_record(),
        };
        self.finish(id, record);
    }

    /// Puts an ending on disk, then tells it.
    pub(super) fn finish(&mut self, id: &str, record: ExitRecord) {
        self.unwatch_container(id);
        let Some(container) = self.containers.get_mut(id) else { return };
        if let Err(error) = container.ended(record.clone()) {
            // The state directory is memory: this is a node without any. The agent is told all the same, and has its own record.
            let text = format!("{}\n", base::error::Chain(&error));
            let _ = nix::unistd::write(std::io::stderr(), text.as_bytes());
        }
        if record.reason == ExitReason::OomKilled {
            self.tell(&Event::OutOfMemory { container: id.to_owned() });
        }
        self.tell(&Event::Exited { container: id.to_owned(), exit: record });
    }

    /// The process of a container that is not our child has ended. Its parent reaps it at once, and then the kernel knows how.
    pub(super) fn process_event(&mut self, token: u64, id: &str) {
        let Some(process) = self.containers.get(id).and_then(|container| container.process.as_ref()) else {
            return self.unwatch(token);
        };
        match process.exit() {
            Some(exit) => self.container_ended(id, Some(exit)),
            None if self.capabilities.exit_info => {
                // A gone process is readable for ever: no longer watched, it is looked at again.
                self.stop_watching(id, token);
                let wait = i64::try_from(EXIT_INFO_WAIT.as_nanos()).unwrap_or(i64::MAX);
                self.awaiting.push((id.to_owned(), now().unix_nanos().saturating_add(wait)));
            }
            None => self.container_ended(id, None),
        }
    }

    /// Looks again for exit codes that were not known yet.
    pub(super) fn look_again(&mut self) {
        if self.awaiting.is_empty() {
            return;
        }
        let now = now().unix_nanos();
        for (id, until) in std::mem::take(&mut self.awaiting) {
            let exit = self.containers.get(&id).and_then(|container| container.process.as_ref()?.exit());
            if exit.is_some() || now >= until {
                self.container_ended(&id, exit);
            } else {
                self.awaiting.push((id, until));
            }
        }
    }
}
