//! Stopping containers: the hook, the signal, the grace, the kill.

use std::sync::Arc;
use std::time::Duration;

use api_types::core::v1::Pod;
use base::error::Chain;
use base::time::Time;
use node_pod::container::{Role, field_path, find};
use node_pod::restart::is_sidecar;
use node_runtime::PodHandle;
use tokio::sync::watch;

use super::{Message, Worker};
use crate::core::Core;
use crate::events::{Kind, pod_reference};
use crate::limits;

/// One container to stop.
struct Stop {
    core: Arc<Core>,
    pod: Option<Arc<Pod>>,
    handle: PodHandle,
    name: String,
    id: String,
    signal: String,
    message: String,
    address: String,
    deadline: watch::Receiver<Option<Time>>,
}

fn duration(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

impl Worker {
    /// How long the pod's containers have from now.
    fn grace_seconds(&self) -> i64 {
        let Some(pod) = &self.pod else { return limits::ORPHAN_GRACE_SECONDS };
        let deletion = pod.metadata.deletion_grace_period_seconds;
        let own = pod.spec.termination_grace_period_seconds;
        deletion.or(own).unwrap_or(limits::GRACE_SECONDS)
    }

    fn stop_of(&self, name: &str, message: String, deadline: watch::Receiver<Option<Time>>) -> Option<Stop> {
        let known = self.record.containers.get(name)?;
        Some(Stop {
            core: Arc::clone(&self.core),
            pod: self.pod.clone(),
            handle: self.handle.clone()?,
            name: name.to_owned(),
            id: known.id.clone(),
            signal: known.stop_signal.clone(),
            message,
            address: self.record.addresses.first().cloned().unwrap_or_default(),
            deadline,
        })
    }

    /// Stops one container of a pod that goes on.
    pub(super) fn stop(&mut self, name: &str, message: String) {
        if self.stopping.contains(name) || self.making.as_deref() == Some(name) {
            return;
        }
        let grace = self.probe_grace(name).unwrap_or_else(|| self.grace_seconds());
        let end = self.core.clock.now() + duration(grace.max(limits::GRACE_SECONDS_MIN));
        let (sender, deadline) = watch::channel(Some(end));
        let Some(stop) = self.stop_of(name, message, deadline) else { return };
        self.stopping.insert(name.to_owned());
        let (messages, name) = (self.sender.clone(), name.to_owned());
        tokio::spawn(async move {
            stop.run().await;
            drop(sender);
            let _ = messages.send(Message::Stopped(name)).await;
        });
    }

    /// Stops everything that runs: regular containers at once, then sidecars, the last one first.
    pub(super) fn stop_all(&mut self, now: Time) {
        // A shorter grace counts at once, a longer one not at all.
        let end = now + duration(self.grace_seconds().max(limits::ORPHAN_GRACE_SECONDS));
        let begun = self.record.deadline_nanos.map(Time::from_unix_nanos);
        let end = begun.map_or(end, |begun| begun.min(end));
        self.record.deadline_nanos = Some(end.unix_nanos());
        self.deadline.send_if_modified(|old| {
            let changed = *old != Some(end);
            *old = Some(end);
            changed
        });
        if self.stopping_all || self.making.as_deref().is_some_and(|name| !name.is_empty()) {
            return;
        }
        let running = |worker: &Worker, name: &str| {
            worker.record.containers.get(name).is_some_and(node_pod::record::ContainerRecord::is_active)
        };
        let mut waves: Vec<Vec<String>> = vec![Vec::new()];
        for name in self.record.containers.keys().filter(|name| running(self, name)) {
            let sidecar = self.pod.as_deref().and_then(|pod| find(pod, name));
            if !sidecar.is_some_and(|(container, role)| role == Role::Init && is_sidecar(&container)) {
                waves[0].push(name.clone());
            }
        }
        let inits = self.pod.as_deref().map(|pod| pod.spec.init_containers.as_slice()).unwrap_or_default();
        for container in inits.iter().rev().filter(|container| is_sidecar(container)) {
            if running(self, &container.name) {
                waves.push(vec![container.name.clone()]);
            }
        }
        let waves: Vec<Vec<Stop>> = waves
            .into_iter()
            .map(|wave| {
                let stop = |name: String| {
                    self.stop_of(&name, format!("Stopping container {name}"), self.deadline.subscribe())
                };
                wave.into_iter().filter_map(stop).collect()
            })
            .collect();
        self.stopping_all = true;
        let sender = self.sender.clone();
        tokio::spawn(async move {
            for wave in waves {
                futures_util::future::join_all(wave.into_iter().map(Stop::run)).await;
            }
            let _ = sender.send(Message::AllStopped).await;
        });
    }
}

/// Completes when the deadline has passed, wherever it is moved.
async fn over(deadline: &mut watch::Receiver<Option<Time>>, core: &Core) {
    loop {
        let end = *deadline.borrow_and_update();
        let left = end.map_or(Duration::ZERO, |end| end.since(core.clock.now()));
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = core.clock.sleep(left) => {}
            changed = deadline.changed() => if changed.is_err() {
                core.clock.sleep(left).await;
            }
        }
    }
}

impl Stop {
    fn left(&self) -> Duration {
        let end = *self.deadline.borrow();
        end.map_or(Duration::ZERO, |end| end.since(self.core.clock.now()))
    }

    async fn run(mut self) {
        let whole = self.left();
        if let Some(pod) = self.pod.clone() {
            let path = find(&pod, &self.name).map(|(container, role)| field_path(&container, role));
            let reference = pod_reference(&pod, &path.unwrap_or_default());
            self.core.events.record(reference, Kind::Normal, "Killing", std::mem::take(&mut self.message));
        }
        let own = self.pod.as_deref().and_then(|pod| find(pod, &self.name));
        let own = own.as_ref().map(|(container, role)| (container.as_ref(), *role));
        let lifecycle = own.and_then(|(container, _)| container.lifecycle.as_deref());
        if let (Some((container, role)), Some(hook)) =
            (own, lifecycle.and_then(|one| one.pre_stop.as_deref()))
        {
            let patience = self.left().max(Duration::from_secs(1));
            let mut deadline = self.deadline.clone();
            let ran = tokio::select! {
                ran = crate::hooks::run(&self.core, &self.handle, (container, &self.id), &self.address, hook, patience) => ran,
                () = over(&mut deadline, &self.core) => Err("it took too long".to_owned()),
                _ = self.handle.wait(&self.id) => Ok(String::new()),
            };
            if let (Err(said), Some(pod)) = (ran, &self.pod) {
                tracing::debug!(id = self.id, said, "a preStop hook failed");
                let reference = pod_reference(pod, &field_path(container, role));
                self.core.events.record(
                    reference,
                    Kind::Warning,
                    "FailedPreStopHook",
                    "PreStopHook failed".to_owned(),
                );
            }
        }
        let chosen = lifecycle.and_then(|lifecycle| lifecycle.stop_signal.as_deref());
        let signal = number(chosen.unwrap_or(&self.signal));
        if let Err(error) = self.handle.signal(&self.id, signal).await {
            tracing::debug!(id = self.id, error = %Chain(&error), "a stop signal went nowhere");
        }
        // However long the hook took, a container has a moment after its signal.
        let least = self.core.clock.sleep(duration(limits::GRACE_SECONDS_MIN).min(whole));
        tokio::select! {
            _ = self.handle.wait(&self.id) => return,
            () = async { tokio::join!(least, over(&mut self.deadline, &self.core)); } => {}
        }
        if let Err(error) = self.handle.kill(&self.id).await {
            tracing::warn!(id = self.id, error = %Chain(&error), "a container cannot be killed");
            return;
        }
        let _ = self.handle.wait(&self.id).await;
    }
}

/// A signal by its name, with or without `SIG`, or its number; SIGTERM when it is none.
fn number(name: &str) -> i32 {
    const TERM: i32 = 15;
    if let Ok(number) = name.parse::<i32>() {
        return if (1..=64).contains(&number) { number } else { TERM };
    }
    let full = if name.starts_with("SIG") { name.to_owned() } else { format!("SIG{name}") };
    if let Some(offset) = full.strip_prefix("SIGRTMIN+").and_then(|text| text.parse::<i32>().ok()) {
        return 34 + offset;
    }
    full.parse::<nix::sys::signal::Signal>().map_or(TERM, |signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        let cases = [("", 15), ("SIGQUIT", 3), ("QUIT", 3), ("9", 9), ("SIGRTMIN+3", 37), ("nonsense", 15)];
        for (name, want) in cases {
            assert_eq!(number(name), want, "{name}");
        }
    }
}
