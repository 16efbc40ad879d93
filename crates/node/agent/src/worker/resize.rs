//! A pod's resources while it runs: taking over what the node has given it, putting that in force, and telling of it.

use std::sync::Arc;

use base::error::Chain;
use base::time::Time;
use host::cgroup::Limits;
use node_pod::allocation::{Allocation, Share};
use node_pod::preemption;
use node_pod::record::State;
use node_pod::resize::{
    Change, Progress, Usage, Write, check_memory, in_force, is_in_progress, lowers_memory, summary, writes,
};
use node_pod::resources::pod_limits;
use node_runtime::PodHandle;
use node_runtime::state::ContainerState;

use super::{Stage, Worker};
use crate::core::blocking;
use crate::error::AgentError;
use crate::events::Kind;
use crate::limits;

impl Worker {
    /// Looks at the pod as it was given what it has.
    pub(super) fn grant(&mut self) {
        self.granted = self.pod.clone().map(|pod| match &self.record.allocation {
            Some(allocation) if Allocation::of(&pod) != *allocation => Arc::new(allocation.applied(&pod)),
            _ => pod,
        });
    }

    /// Takes over what the node has decided about the pod.
    pub(super) fn take_over(&mut self, now: Time) {
        let Some(pod) = self.pod.clone().filter(|_| self.record.stage == Stage::Syncing) else { return };
        let Some(given) = self.core.allocations.given(&self.record.uid) else { return };
        if given.preempted && self.record.verdict.is_none() {
            let verdict = preemption::verdict();
            self.core.events.pod(&pod, Kind::Warning, &verdict.reason, verdict.message.clone());
            self.record.verdict = Some(verdict);
        }
        let generation = pod.metadata.generation;
        if self.record.allocation.as_ref() != Some(&given.allocation) {
            self.record.allocation = Some(given.allocation);
            self.grant();
            // What went wrong before is no matter of this one.
            self.record.in_progress = Some(Progress::next(None, "", "", generation, now));
            self.resize_at = None;
            self.refresh_at = self.refresh_at.map(|_| now);
            let message = summary("Pod resize started", &pod, generation, "");
            self.core.events.pod(&pod, Kind::Normal, "ResizeStarted", message);
        }
        let told = |one: &Option<Progress>| one.as_ref().map(|one| (one.reason.clone(), one.generation));
        if let Some(pending) = &given.pending
            && told(&self.record.pending) != told(&given.pending)
        {
            let what = format!("Pod resize {}", pending.reason);
            let message = summary(&what, &pod, pending.generation, &pending.message);
            self.core.events.pod(&pod, Kind::Warning, "ResizeDeferred", message);
        }
        self.record.pending = given.pending;
    }

    /// Says how far a resize is; returns when it is looked at next.
    pub(super) fn tend_resize(&mut self, now: Time) -> Option<Time> {
        let pod = self.granted.clone().filter(|_| self.record.stage == Stage::Syncing)?;
        if is_in_progress(&pod, &self.record) {
            let begin = || Progress::next(None, "", "", pod.metadata.generation, now);
            self.record.in_progress.get_or_insert_with(begin);
        } else if let Some(done) = self.record.in_progress.take() {
            let message = summary("Pod resize completed", &pod, done.generation, "");
            self.core.events.pod(&pod, Kind::Normal, "ResizeCompleted", message);
        }
        if self.record.pending.is_none() {
            return self.resize_at.filter(|at| *at > now);
        }
        let at = self.resize_at.filter(|at| *at > now);
        if at.is_none() && self.resize_at.is_some() {
            self.core.allocations.retry(now);
        }
        let next = at.unwrap_or(now + limits::RESIZE_LOOK);
        self.resize_at = Some(next);
        Some(next)
    }

    /// Puts in force what can be without starting anything anew.
    pub(super) async fn resize(&mut self, change: &Change, now: Time) {
        let failed = self.record.in_progress.as_ref().is_some_and(|progress| !progress.reason.is_empty());
        if failed && self.resize_at.is_some_and(|at| at > now) {
            return;
        }
        let Err(error) = self.actuate(change).await else { return };
        let Some(pod) = self.granted.clone() else { return };
        let before = self.record.in_progress.take();
        let generation = before.as_ref().map_or(pod.metadata.generation, |before| before.generation);
        let next = Progress::next(before.as_ref(), "Error", &error, generation, now);
        let said = |one: &Progress| (one.reason.clone(), one.message.clone());
        if before.as_ref().is_none_or(|before| said(before) != said(&next)) {
            let message = summary("Pod resize error", &pod, generation, &error);
            self.core.events.pod(&pod, Kind::Warning, "ResizeError", message);
        }
        self.record.in_progress = Some(next);
        self.resize_at = Some(now + limits::RESIZE_RETRY);
    }

    /// Writes what changes. What was written before something failed counts as in force.
    async fn actuate(&mut self, change: &Change) -> Result<(), String> {
        let (Some(pod), Some(handle)) = (self.granted.clone(), self.handle.clone()) else { return Ok(()) };
        let (has, wants) = (self.record.group.clone(), pod_limits(&pod));
        if lowers_memory(change, &has, &wants) {
            check_memory(change, &has, &wants, &self.memory_used(&handle).await)?;
        }
        for write in writes(change, &has, &wants) {
            match write {
                Write::Group(limits) => {
                    let (cgroups, group, told) =
                        (self.core.runtime.cgroups(), handle.sandbox().cgroup.clone(), limits.clone());
                    let written = blocking(move || Ok(cgroups.limit(&group, &told)?)).await;
                    written.map_err(|error| error.text())?;
                    merge(&mut self.record.group, limits);
                }
                Write::Container { container, limits, resource } => {
                    self.update(&handle, &container, limits, resource).await?;
                }
            }
        }
        if change.whole {
            self.record.actuated = pod.spec.resources.as_deref().map(Share::of);
        }
        Ok(())
    }

    async fn update(
        &mut self,
        handle: &PodHandle,
        name: &str,
        limits: Limits,
        resource: &str,
    ) -> Result<(), String> {
        let Some(known) = self.record.containers.get(name) else { return Ok(()) };
        let runs = handle.status(&known.id).is_some_and(|seen| seen.state == ContainerState::Running);
        // One that has just ended starts with what it was given.
        if !runs {
            return Ok(());
        }
        let (id, mut share) = (known.id.clone(), in_force(known, &self.record, name));
        let Some(given) = self.record.allocation.as_ref().map(|allocation| allocation.container(name)) else {
            return Ok(());
        };
        handle.update_limits(&id, limits).await.map_err(|error| Chain(&error).to_string())?;
        share.adopt(&given, resource);
        self.record.container(name).actuated = Some(share);
        Ok(())
    }

    /// Memory that the pod and its containers use now; what cannot be read is left out.
    async fn memory_used(&self, handle: &PodHandle) -> Usage {
        let running = self.record.containers.iter().filter_map(|(name, known)| {
            let id = matches!(known.state, State::Running(_)).then(|| known.id.clone())?;
            Some((name.clone(), handle.sandbox().cgroup.join(&id).ok()?))
        });
        let (running, group): (Vec<_>, _) = (running.collect(), handle.sandbox().cgroup.clone());
        let cgroups = self.core.runtime.cgroups();
        let read = blocking(move || {
            let bytes = |group| cgroups.usage(group).ok().map(|usage| usage.memory_bytes);
            let containers = running.iter().filter_map(|(name, group)| Some((name.clone(), bytes(group)?)));
            Ok(Usage { pod: bytes(&group), containers: containers.collect() })
        });
        read.await.unwrap_or_default()
    }

    /// Stops a container, so that it starts with other resources.
    pub(super) async fn replace(&mut self, name: &str, message: String) -> Result<(), AgentError> {
        let known = self.record.container(name);
        known.replaced = Some(known.attempt);
        // Whoever comes after this agent must know that it is to be started again.
        self.save().await?;
        self.stop(name, message);
        Ok(())
    }
}

/// What a group was told beside what it was told before.
fn merge(group: &mut Limits, told: Limits) {
    let before = std::mem::take(group);
    *group = Limits {
        cpu_shares: told.cpu_shares.or(before.cpu_shares),
        cpu_quota_micros: told.cpu_quota_micros.or(before.cpu_quota_micros),
        cpu_period_micros: told.cpu_period_micros.or(before.cpu_period_micros),
        memory_bytes: told.memory_bytes.or(before.memory_bytes),
        ..before
    };
}
