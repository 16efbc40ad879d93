//! The probes of a pod's running containers: one task each, which tells the worker when a result has come often enough.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api_record::scalar::IntOrString;
use api_types::core::v1::{Container, Pod, Probe};
use base::time::Time;
use node_pod::container::{Role, all, field_path};
use node_pod::probe::{Kind, Tally};
use node_pod::record::{Stage, State};
use node_runtime::PodHandle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Message, Worker};
use crate::action::{self, Outcome};
use crate::core::Core;
use crate::events::{Kind as EventKind, pod_reference};

/// What a probe has found.
pub(crate) struct Finding {
    pub(super) container: String,
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) success: bool,
}

/// The tasks of a pod's probes, which end with this.
#[derive(Default)]
pub(super) struct Probers(BTreeMap<(String, Kind), JoinHandle<()>>);

impl Drop for Probers {
    fn drop(&mut self) {
        self.0.values().for_each(JoinHandle::abort);
    }
}

fn of(container: &Container, kind: Kind) -> Option<&Probe> {
    match kind {
        Kind::Startup => container.startup_probe.as_deref(),
        Kind::Liveness => container.liveness_probe.as_deref(),
        Kind::Readiness => container.readiness_probe.as_deref(),
    }
}

impl Worker {
    /// Starts the probes that should run, and ends all others.
    pub(super) fn tend_probes(&mut self) {
        let mut wanted = BTreeMap::new();
        if let (Some(pod), Some(handle)) = (&self.pod, &self.handle) {
            for (container, role) in all(pod) {
                let Some(known) = self.record.containers.get(&container.name) else { continue };
                let State::Running(since) = known.state else { continue };
                for kind in [Kind::Startup, Kind::Liveness, Kind::Readiness] {
                    let runs = match kind {
                        Kind::Startup => !known.started,
                        // Endpoints of a pod that ends go on being told whether they serve.
                        Kind::Readiness => known.started,
                        Kind::Liveness => known.started && self.record.stage == Stage::Syncing,
                    };
                    let Some(probe) = of(container, kind).filter(|_| runs && known.unhealthy.is_none())
                    else {
                        continue;
                    };
                    let prober = Prober {
                        core: Arc::clone(&self.core),
                        pod: Arc::clone(pod),
                        container: container.clone(),
                        role,
                        handle: handle.clone(),
                        id: known.id.clone(),
                        host: self.record.addresses.first().cloned().unwrap_or_default(),
                        since: Time::from_unix_nanos(since),
                        kind,
                        probe: probe.clone(),
                        sender: self.sender.clone(),
                    };
                    wanted.insert((known.id.clone(), kind), prober);
                }
            }
        }
        self.probers.0.retain(|key, task| {
            let keep = wanted.contains_key(key);
            if !keep {
                task.abort();
            }
            keep
        });
        for (key, prober) in wanted {
            self.probers.0.entry(key).or_insert_with(|| tokio::spawn(prober.run()));
        }
    }

    /// Takes a probe's finding over, unless it is of an attempt before.
    pub(super) fn found(&mut self, finding: &Finding) {
        let known = self.record.container(&finding.container);
        if known.id != finding.id || !known.is_running() {
            return;
        }
        match (finding.kind, finding.success) {
            (Kind::Startup, true) => known.started = true,
            (Kind::Readiness, success) => known.ready = success,
            (Kind::Startup | Kind::Liveness, false) => {
                known.unhealthy = Some(finding.kind.verdict(&finding.container));
                known.ready = false;
            }
            (Kind::Liveness, true) => {}
        }
    }

    /// The grace that the probe sets which found a container unhealthy.
    pub(super) fn probe_grace(&self, name: &str) -> Option<i64> {
        let (container, _) = self.pod.as_deref().and_then(|pod| node_pod::container::find(pod, name))?;
        let known = self.record.containers.get(name)?;
        let why = known.unhealthy.as_deref()?;
        let kinds = [Kind::Startup, Kind::Liveness];
        let kind = kinds.into_iter().find(|kind| kind.verdict(name) == why)?;
        of(&container, kind)?.termination_grace_period_seconds
    }
}

struct Prober {
    core: Arc<Core>,
    pod: Arc<Pod>,
    container: Container,
    role: Role,
    handle: PodHandle,
    id: String,
    host: String,
    since: Time,
    kind: Kind,
    probe: Probe,
    sender: mpsc::Sender<Message>,
}

fn seconds(number: i32, least: i32) -> Duration {
    Duration::from_secs(u64::try_from(number.max(least)).unwrap_or(0))
}

impl Prober {
    async fn run(self) {
        let clock = Arc::clone(&self.core.clock);
        let begin = self.since + seconds(self.probe.initial_delay_seconds, 0);
        clock.sleep(begin.since(clock.now())).await;
        let (mut tally, mut told) = (Tally::default(), None);
        loop {
            let outcome = self.once().await;
            if let Err(said) = &outcome {
                let message = format!("{} probe failed: {said}", self.kind.word());
                let reference = pod_reference(&self.pod, &field_path(&self.container, self.role));
                self.core.events.record(reference, EventKind::Warning, "Unhealthy", message);
            }
            let result = tally.count(&self.probe, outcome.is_ok());
            if let Some(success) = result.filter(|_| result != told) {
                told = result;
                let finding = Finding {
                    container: self.container.name.clone(),
                    id: self.id.clone(),
                    kind: self.kind,
                    success,
                };
                if self.sender.send(Message::Probed(finding)).await.is_err() {
                    return;
                }
            }
            clock.sleep(seconds(self.probe.period_seconds, 1)).await;
        }
    }

    async fn once(&self) -> Outcome {
        let clock = self.core.clock.as_ref();
        let patience = seconds(self.probe.timeout_seconds, 1);
        let handler = &self.probe.probe_handler;
        if let Some(exec) = &handler.exec {
            return action::exec(&self.handle, &self.id, &exec.command, clock, patience).await;
        }
        if let Some(get) = &handler.http_get {
            let host = if get.host.is_empty() { &self.host } else { &get.host };
            let port = action::port(&get.port, &self.container)?;
            return action::http(get, host, port, clock, patience).await;
        }
        if let Some(tcp) = &handler.tcp_socket {
            let host = if tcp.host.is_empty() { &self.host } else { &tcp.host };
            let port = action::port(&tcp.port, &self.container)?;
            return action::tcp(host, port, clock, patience).await;
        }
        if let Some(grpc) = &handler.grpc {
            let port = action::port(&IntOrString::Int(grpc.port), &self.container)?;
            return action::grpc(grpc, &self.host, port, clock, patience).await;
        }
        Err("missing probe handler".to_owned())
    }
}
