//! Going on where a shim died: containers from disk, processes by identity, and what the agent still holds of both.

use std::os::fd::OwnedFd;

use host::process::PidFd;

use super::ShimError;
use super::container::Container;
use super::server::Shim;
use crate::disk;
use crate::protocol::Failure;
use crate::spec::ContainerSpec;
use crate::state::{ContainerState, ExitRecord, StartRecord};

impl Shim {
    /// Reads every container from disk and watches those that run.
    pub(super) fn load(&mut self) -> Result<(), ShimError> {
        for id in disk::names(&self.places.containers())? {
            let places = self.places.container(&id);
            // Without a description it was never made.
            let Some(spec) = disk::read_json::<ContainerSpec>(&places.spec())? else { continue };
            let cgroup = self.pod.cgroup.join(&id)?;
            let mut container = Container::new(&spec, &self.pod, places, cgroup);
            container.start = disk::read_json::<StartRecord>(&container.places.start())?;
            container.exit = disk::read_json::<ExitRecord>(&container.places.exit())?;
            let running = container.start.clone().filter(|_| container.exit.is_none());
            if container.exit.is_some() {
                container.state = ContainerState::Exited;
            } else if let Some(start) = &running {
                container.state = ContainerState::Running;
                container.process =
                    PidFd::open(start.process).map_err(ShimError::system("open a process"))?;
                container.open_streams(&spec)?;
            }
            let half_started =
                container.state == ContainerState::Created && self.cgroups.exists(&container.cgroup);
            self.containers.insert(id.clone(), container);
            if half_started {
                let failure = Failure::new(
                    crate::protocol::FailureKind::Start,
                    "the shim died while the container was being started",
                );
                self.start_failed(&id, &failure);
            } else if running.is_some() {
                self.watch_outputs(&id)?;
                self.watch_process(&id)?;
            }
        }
        Ok(())
    }

    /// Takes over what the agent held, and counts as lost what nobody knows of.
    pub(super) fn recover(&mut self, processes: &[String], terminals: &[String], descriptors: Vec<OwnedFd>) {
        let mut descriptors = descriptors.into_iter();
        for id in processes {
            let Some(held) = descriptors.next().map(PidFd::from_fd) else { break };
            let Some(container) = self.containers.get_mut(id) else { continue };
            if container.state == ContainerState::Running && container.process.is_none() {
                container.process = Some(held);
                // Gone by now, so this is an event at once.
                if self.watch_process(id).is_err() {
                    self.container_ended(id, None);
                }
            }
        }
        for id in terminals {
            let Some(master) = descriptors.next() else { break };
            let Some(container) = self.containers.get_mut(id) else { continue };
            if container.state == ContainerState::Running
                && container.master.is_none()
                && container.take_terminal(master).is_ok()
            {
                let _ = self.watch_outputs(id);
            }
        }
        let lost: Vec<String> = self
            .containers
            .iter()
            .filter(|(_, container)| {
                container.state == ContainerState::Running && container.process.is_none()
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            self.container_ended(&id, None);
        }
        self.recovering = false;
    }
}
