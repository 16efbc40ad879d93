//! One pod's worker: observe, decide (`node_pod::plan`), carry out, tell; then wait for something to happen.
//!
//! What takes long runs in tasks of its own, which send a [`Message`] when they are done: at most one that makes something
//! (sandbox, container), as kubelet starts containers one after another, and any number that stop something.

use std::collections::BTreeSet;
use std::sync::Arc;

use api_types::core::v1::{Container, Pod};
use base::error::Chain;
use base::time::Time;
use node_pod::allocation::Share;
use node_pod::container::{ephemeral, find, id, target};
use node_pod::plan::{Step, plan};
use node_pod::record::{PodRecord, Stage, State, Waiting};
use node_pod::resources::pod_limits;
use node_pod::status;
use node_runtime::PodHandle;
use node_runtime::state::ContainerState;
use tokio::sync::{broadcast, mpsc, watch};

use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::Kind;
use crate::limits;
use crate::node_api::Entry;
use crate::reporter::Reporter;

mod exits;
mod finish;
mod probes;
mod resize;
mod sandbox;
mod spec;
mod start;
mod stop;

/// What a task has to say.
pub(crate) enum Message {
    /// There is a sandbox, or there is not.
    Sandbox(Result<sandbox::Sandbox, AgentError>),
    /// A container's start has ended, well or not.
    Started(String, Result<start::Started, start::NotStarted>),
    /// A container has been asked to stop, and has.
    Stopped(String),
    /// Everything has been asked to stop, and has.
    AllStopped,
    /// A probe has found something.
    Probed(probes::Finding),
    /// Volumes were brought up to date, or could not be.
    Refreshed,
}

pub(crate) struct Worker {
    core: Arc<Core>,
    record: PodRecord,
    saved: Option<PodRecord>,
    source: watch::Receiver<Option<Arc<Pod>>>,
    /// The pod as it was last seen.
    pod: Option<Arc<Pod>>,
    /// The same with the resources that the node has given it: what is planned and made by.
    granted: Option<Arc<Pod>>,
    /// Whether the API still has it.
    present: bool,
    handle: Option<PodHandle>,
    events: Option<broadcast::Receiver<node_runtime::state::Event>>,
    reporter: Reporter,
    sender: mpsc::Sender<Message>,
    messages: mpsc::Receiver<Message>,
    /// The container (or, when empty, the sandbox) that is being made.
    making: Option<String>,
    /// Containers that are being stopped.
    stopping: BTreeSet<String>,
    stopping_all: bool,
    /// Tells makers to give up.
    cancel: watch::Sender<bool>,
    /// When everything that is left is killed.
    deadline: watch::Sender<Option<Time>>,
    /// Not to try anything before this time: something failed.
    not_before: Option<Time>,
    probers: probes::Probers,
    /// Changes whenever the node has decided about pods that it had taken in.
    decided: watch::Receiver<u64>,
    /// When it is next looked whether there is room for what the pod asks for, or tried again to put in force what it was given.
    resize_at: Option<Time>,
    /// When volumes are next brought up to date.
    refresh_at: Option<Time>,
    /// The API was asked to forget the pod.
    deleted: bool,
}

impl Worker {
    pub(crate) fn new(
        core: Arc<Core>,
        record: PodRecord,
        source: watch::Receiver<Option<Arc<Pod>>>,
        handle: Option<PodHandle>,
    ) -> Worker {
        let (sender, messages) = mpsc::channel(limits::MESSAGES);
        let pod = source.borrow().clone();
        let events = handle.as_ref().map(PodHandle::events);
        let mut worker = Worker {
            reporter: Reporter::start(Arc::clone(&core)),
            decided: core.allocations.decided(),
            present: pod.is_some(),
            deadline: watch::Sender::new(record.deadline_nanos.map(Time::from_unix_nanos)),
            core,
            saved: None,
            record,
            source,
            pod,
            granted: None,
            handle,
            events,
            sender,
            messages,
            making: None,
            stopping: BTreeSet::new(),
            stopping_all: false,
            cancel: watch::Sender::new(false),
            not_before: None,
            probers: probes::Probers::default(),
            resize_at: None,
            refresh_at: None,
            deleted: false,
        };
        worker.grant();
        worker
    }

    /// Works until nothing of the pod is left, here and in the API.
    pub(crate) async fn run(mut self) {
        loop {
            self.observe().await;
            let wake = match self.step().await {
                Ok(Next::Gone) => return,
                Ok(Next::Wait(wake)) => wake,
                Err(error) => {
                    tracing::warn!(uid = self.record.uid, error = %Chain(&error), "a pod's step failed");
                    Some(self.core.clock.now() + limits::SYNC_RETRY)
                }
            };
            if !self.wait(wake).await {
                self.leave().await;
                return;
            }
        }
    }

    /// The agent is ending: what is being made is given up or brought to its end, so that the next agent finds it whole.
    async fn leave(&mut self) {
        self.cancel.send_replace(true);
        while self.making.is_some() {
            let Some(message) = self.messages.recv().await else { break };
            self.hear(message);
        }
        self.observe().await;
        if let Err(error) = self.save().await {
            tracing::warn!(uid = self.record.uid, error = %Chain(&error), "a pod's record was not saved");
        }
    }

    /// Takes over what the runtime knows of the containers.
    async fn observe(&mut self) {
        self.record.sandbox = self.handle.is_some();
        let names: Vec<String> = self.record.containers.keys().cloned().collect();
        for name in names {
            let Some(known) = self.record.containers.get(&name) else { continue };
            if !known.is_active() {
                continue;
            }
            let seen = self.handle.as_ref().and_then(|handle| handle.status(&known.id));
            if let Some(user) = seen.as_ref().and_then(|seen| seen.user.clone()) {
                self.record.container(&name).user = Some(user);
            }
            let Some(known) = self.record.containers.get(&name) else { continue };
            let being_made = self.making.as_deref() == Some(name.as_str());
            match seen.as_ref().map(|seen| (seen.state, &seen.exit)) {
                Some((ContainerState::Exited, Some(exit))) if !being_made => {
                    let exit = self.exit(&name, exit).await;
                    self.record.container(&name).exited(exit);
                    self.tell_back_off(&name);
                }
                // As long as its start has not told of its image and hook, it is not shown as running.
                Some((ContainerState::Running, _)) if !being_made => {
                    let since = seen.and_then(|seen| seen.started_at_nanos).unwrap_or_default();
                    self.runs(&name, since);
                }
                None if known.is_running() => {
                    let exit = self.lost(&name);
                    self.record.container(&name).exited(exit);
                }
                // A start that an agent before this one did not finish.
                _ if !being_made && matches!(known.state, State::Starting) => {
                    self.record.container(&name).abandon(Waiting::default());
                }
                _ => {}
            }
        }
    }

    /// Says that a container that has just ended is not started again at once.
    fn tell_back_off(&self, name: &str) {
        let known = self.record.containers.get(name);
        let waits = known.and_then(|known| {
            let ended = Time::from_unix_nanos(known.exit()?.finished_nanos);
            known.backoff.until(ended, self.core.clock.now())
        });
        let found = self.pod.as_deref().and_then(|pod| Some((pod, find(pod, name)?)));
        let (Some(_), Some((pod, (container, role)))) = (waits, found) else { return };
        if self.record.containers.get(name).is_some_and(|known| known.is_replaced()) {
            return;
        }
        let again =
            self.record.containers.get(name).and_then(|known| known.exit()).is_some_and(|exit| {
                node_pod::restart::should_restart(&container, &pod.spec, role, exit.code)
            });
        if again && self.record.stage == Stage::Syncing {
            let message = format!(
                "Back-off restarting failed container {name} in pod {}",
                node_pod::container::pod_text(pod)
            );
            let reference =
                crate::events::pod_reference(pod, &node_pod::container::field_path(&container, role));
            self.core.events.record(reference, Kind::Warning, "BackOff", message);
        }
    }

    /// Marks a container as running; what has no probe to wait for counts as started and ready.
    fn runs(&mut self, name: &str, since: i64) {
        let spec = self.pod.as_deref().and_then(|pod| find(pod, name)).map(|(container, _)| container);
        let (startup, readiness) =
            spec.map_or((false, false), |one| (one.startup_probe.is_some(), one.readiness_probe.is_some()));
        let known = self.record.container(name);
        known.waiting = None;
        // Its start never told: that agent is gone, and its hook with it.
        known.post_started |= known.image.is_empty();
        if !known.is_running() {
            known.state = State::Running(since);
            known.started = !startup;
            known.ready = !readiness;
        }
    }

    /// Decides and carries out, until there is nothing to do but wait.
    async fn step(&mut self) -> Result<Next, AgentError> {
        let now = self.core.clock.now();
        self.refuse();
        self.take_over(now);
        if self.record.stage > Stage::Syncing && !self.record.is_active() && self.making.is_none() {
            // Before its end is told: whoever comes in its place finds room.
            self.core.allocations.release(&self.record.uid, now);
        }
        let pod = self.granted.clone().filter(|_| self.present);
        let planned = plan(pod.as_deref(), &self.record, now);
        let mut wake = planned.wake;
        let held = self.not_before.filter(|time| *time > now);
        for step in planned.steps {
            let creates = matches!(step, Step::Sandbox | Step::Start { .. });
            if let Some(until) = held.filter(|_| creates) {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
                continue;
            }
            match step {
                Step::Sandbox => self.make_sandbox().await?,
                Step::Start { container } => self.start(&container).await?,
                Step::Stop { container, message } => self.stop(&container, message),
                Step::Resize(change) => {
                    // What was given is on disk before it is in force.
                    self.save().await?;
                    self.resize(&change, now).await;
                }
                Step::Replace { container, message } => self.replace(&container, message).await?,
                Step::Terminate { verdict } => {
                    self.record.verdict = self.record.verdict.take().or(verdict);
                    self.record.stage = Stage::Terminating;
                    self.cancel.send_replace(true);
                    return Ok(Next::Wait(Some(now)));
                }
                Step::StopAll => self.stop_all(now),
                Step::Finish if self.making.is_some() || self.stopping_all => {}
                Step::Finish => {
                    self.take_away().await?;
                    self.record.stage = Stage::Terminated;
                    return Ok(Next::Wait(Some(now)));
                }
            }
        }
        self.tend_probes();
        self.enter();
        let refresh = self.refresh(now);
        let resize = self.tend_resize(now);
        wake = wake.into_iter().chain(refresh).chain(resize).min();
        self.save().await?;
        self.tell();
        if self.record.stage == Stage::Terminated && self.forget().await? {
            return Ok(Next::Gone);
        }
        if self.record.stage == Stage::Syncing
            && let Some(end) = self.crash_loop_end(now)
        {
            wake = Some(wake.map_or(end, |wake| wake.min(end)));
        }
        Ok(Next::Wait(wake))
    }

    /// Brings volumes that show objects of the API up to date now and then; returns when next.
    fn refresh(&mut self, now: Time) -> Option<Time> {
        let pod = self.granted.clone().filter(|pod| crate::volumes::needs_refresh(pod))?;
        if self.record.stage != Stage::Syncing || self.handle.is_none() {
            return None;
        }
        let at = *self.refresh_at.get_or_insert(now + limits::VOLUMES_REFRESH);
        if at > now {
            return Some(at);
        }
        // Until the task is done.
        self.refresh_at = Some(now + limits::VOLUMES_REFRESH * 10);
        let (core, sender) = (Arc::clone(&self.core), self.sender.clone());
        let addresses = self.record.addresses.clone();
        tokio::spawn(async move {
            // What could not be read now was told, and is tried again in a while.
            let _ = core.make_volumes(&pod, &addresses, true).await;
            let _ = sender.send(Message::Refreshed).await;
        });
        None
    }

    /// When the next back-off ends, which changes what the status shows.
    fn crash_loop_end(&self, now: Time) -> Option<Time> {
        let ends = self.record.containers.values().filter_map(|known| {
            let exit = known.exit()?;
            known.backoff.until(Time::from_unix_nanos(exit.finished_nanos), now)
        });
        ends.min()
    }

    /// Lets the node's API find the pod as it is now.
    fn enter(&self) {
        let containers = self.pod.as_deref().map(|pod| &pod.spec.containers[..]).unwrap_or_default();
        let inits = self.pod.as_deref().map(|pod| &pod.spec.init_containers[..]).unwrap_or_default();
        let added: Vec<Container> =
            self.pod.as_deref().map(|pod| ephemeral(pod).collect()).unwrap_or_default();
        let everyone = || containers.iter().chain(&added);
        let terminals = everyone().chain(inits).filter(|one| one.tty).map(|one| one.name.clone());
        self.core.directory.put(Entry {
            record: self.record.clone(),
            handle: self.handle.clone(),
            only_container: containers.first().filter(|_| containers.len() == 1).map(|one| one.name.clone()),
            terminals: terminals.collect(),
            once: everyone().filter(|one| one.stdin_once).map(|one| one.name.clone()).collect(),
        });
    }

    /// Refuses a pod that asks for what this node cannot do, before anything of it exists.
    fn refuse(&mut self) {
        let is_new = self.record.stage == Stage::Syncing
            && !self.record.sandbox
            && self.record.containers.is_empty()
            && self.record.verdict.is_none()
            && self.record.allocation.is_none()
            && self.making.is_none();
        let Some(pod) = self.pod.clone().filter(|_| is_new && self.present) else { return };
        let is_going = pod.metadata.deletion_timestamp.is_some();
        if is_going || matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            return;
        }
        let snapshot = self.core.pods.snapshot();
        let others = snapshot.iter().filter_map(|object| object.downcast_ref::<Pod>());
        let verdict = node_pod::fields::verdict(&pod, self.core.runtime.capabilities().selinux);
        let verdict = verdict.or_else(|| node_pod::ports::verdict(&pod, others));
        self.core.count_room();
        if let Some(verdict) = verdict.or_else(|| self.core.allocations.admit(&pod).err()) {
            let why = verdict.message.trim_start_matches("Pod was rejected: ");
            self.core.events.pod(&pod, Kind::Warning, &verdict.reason, why.to_owned());
            self.record.verdict = Some(verdict);
        } else {
            self.record.allocation =
                self.core.allocations.given(&self.record.uid).map(|given| given.allocation);
            self.grant();
        }
    }

    async fn save(&mut self) -> Result<(), AgentError> {
        if self.saved.as_ref() == Some(&self.record) {
            return Ok(());
        }
        let (records, record) = (self.core.records.clone(), self.record.clone());
        let record = blocking(move || records.save(&record).map(|()| record)).await?;
        self.saved = Some(record);
        Ok(())
    }

    /// Says how the pod is.
    fn tell(&mut self) {
        if let (Some(pod), true) = (&self.granted, self.present) {
            // Of a pod that ended before this node knew it, its status knows more.
            if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
                && self.record.containers.is_empty()
            {
                return;
            }
            let node = self.core.node(&self.record.addresses);
            let status = status::compute(pod, &self.record, &node, self.core.clock.now());
            self.reporter.report(pod, status);
        }
    }

    async fn make_sandbox(&mut self) -> Result<(), AgentError> {
        if self.making.is_some() {
            return Ok(());
        }
        let Some(pod) = self.granted.clone() else { return Ok(()) };
        self.record.group = pod_limits(&pod);
        self.record.actuated = pod.spec.resources.as_deref().map(Share::of);
        // The record comes first: what is found without one is taken away.
        self.save().await?;
        self.making = Some(String::new());
        let (core, sender, cancel) = (Arc::clone(&self.core), self.sender.clone(), self.cancel.subscribe());
        tokio::spawn(async move {
            let made = sandbox::make(core, pod, cancel).await;
            // Only a worker that has ended does not listen.
            let _ = sender.send(Message::Sandbox(made)).await;
        });
        Ok(())
    }

    async fn start(&mut self, name: &str) -> Result<(), AgentError> {
        if self.making.is_some() || self.stopping.contains(name) {
            return Ok(());
        }
        let (Some(pod), Some(handle)) = (self.granted.clone(), self.handle.clone()) else { return Ok(()) };
        let now = self.core.clock.now();
        let uid = self.record.uid.clone();
        let share = self.record.allocation.as_ref().map(|allocation| allocation.container(name));
        let known = self.record.container(name);
        if let Some(exit) = known.exit().filter(|_| !known.is_replaced()) {
            let ended = Time::from_unix_nanos(exit.finished_nanos);
            known.backoff.next(ended, now);
        }
        known.begin(|attempt| id(&uid, name, attempt));
        known.actuated = share;
        self.save().await?;
        self.tell();
        self.making = Some(name.to_owned());
        let named = target(&pod, name).and_then(|target| self.record.containers.get(target));
        let target_id = named.filter(|known| known.is_running()).map(|known| known.id.clone());
        let attempt = start::Attempt {
            core: Arc::clone(&self.core),
            pod,
            handle,
            name: name.to_owned(),
            known: self.record.container(name).clone(),
            addresses: self.record.addresses.clone(),
            target: target_id,
            cancel: self.cancel.subscribe(),
        };
        let (sender, name) = (self.sender.clone(), name.to_owned());
        tokio::spawn(async move {
            let outcome = attempt.run().await;
            let _ = sender.send(Message::Started(name, outcome)).await;
        });
        Ok(())
    }

    /// Waits for the first of all that may happen; `false` when the agent is ending.
    async fn wait(&mut self, wake: Option<Time>) -> bool {
        let now = self.core.clock.now();
        let mut sleep = wake.map(|wake| self.core.clock.sleep(wake.since(now)));
        let message = tokio::select! {
            changed = self.source.changed() => {
                if changed.is_err() {
                    return false;
                }
                self.see();
                None
            }
            message = self.messages.recv() => message,
            () = happened(&mut self.events) => None,
            // Its end is that of this agent.
            _ = self.decided.changed() => None,
            () = maybe(sleep.as_mut()) => None,
        };
        if let Some(message) = message {
            self.hear(message);
        }
        true
    }

    /// Takes over the pod as it is now.
    fn see(&mut self) {
        let newest = self.source.borrow_and_update().clone();
        self.present = newest.is_some();
        if let Some(newest) = newest {
            let shown = |pod: &Pod| (pod.metadata.labels.clone(), pod.metadata.annotations.clone());
            if self.pod.as_deref().is_some_and(|old| shown(old) != shown(&newest)) {
                // Volumes may show them: not only when their time comes.
                self.refresh_at = self.refresh_at.map(|_| self.core.clock.now());
            }
            self.core.allocations.see(&newest, self.core.clock.now());
            self.pod = Some(newest);
            self.grant();
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Sandbox(made) => {
                self.making = None;
                match made {
                    Ok(sandbox) => {
                        self.events = Some(sandbox.handle.events());
                        self.handle = Some(sandbox.handle);
                        self.record.addresses = sandbox.addresses;
                    }
                    Err(error) => {
                        self.not_before = Some(self.core.clock.now() + limits::SYNC_RETRY);
                        if let (Some(pod), Some((reason, message))) = (&self.pod, sandbox::event(&error)) {
                            self.core.events.pod(pod, Kind::Warning, reason, message);
                        }
                    }
                }
            }
            Message::Started(name, outcome) => {
                self.making = None;
                self.heard_start(&name, outcome);
            }
            Message::Stopped(name) => drop(self.stopping.remove(&name)),
            Message::AllStopped => self.stopping_all = false,
            Message::Probed(finding) => self.found(&finding),
            Message::Refreshed => self.refresh_at = Some(self.core.clock.now() + limits::VOLUMES_REFRESH),
        }
    }

    fn heard_start(&mut self, name: &str, outcome: Result<start::Started, start::NotStarted>) {
        if let Ok(started) = &outcome {
            self.record.volume_images.extend(started.volume_images.iter().cloned());
        }
        let known = self.record.container(name);
        match outcome {
            Ok(started) => {
                known.image = started.image;
                known.image_id = started.image_id;
                known.image_digest = started.image_digest;
                known.stop_signal = started.stop_signal;
                known.post_started = started.hook_failure.is_none();
                known.unhealthy = started.hook_failure;
                known.waiting = None;
            }
            // The runtime knows how it ended.
            Err(start::NotStarted { waiting, created: true, .. }) => known.waiting = Some(waiting),
            Err(start::NotStarted { waiting, retry, .. }) => {
                known.abandon(waiting);
                let soon = self.core.clock.now() + limits::SYNC_RETRY;
                known.retry_nanos = retry.unwrap_or(soon).unix_nanos();
            }
        }
    }
}

/// What comes after a step.
enum Next {
    /// Nothing of the pod is left.
    Gone,
    /// Something happens, at the latest at this time.
    Wait(Option<Time>),
}

async fn happened(events: &mut Option<broadcast::Receiver<node_runtime::state::Event>>) {
    match events {
        Some(receiver) => {
            if let Err(broadcast::error::RecvError::Closed) = receiver.recv().await {
                *events = None;
            }
        }
        None => std::future::pending().await,
    }
}

pub(crate) async fn maybe(sleep: Option<&mut base::time::Sleep>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}
