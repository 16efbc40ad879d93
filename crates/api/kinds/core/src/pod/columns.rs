//! How `kubectl get pods` shows a pod (`printPod`).

use api_kind::{Cell, Column, age};
use api_record::scalar::Time;
use api_types::core::v1::{Container, ContainerState, ContainerStatus, Pod};

/// The columns.
pub const COLUMNS: &[Column<Pod>] = &[
    Column::<Pod>::name(),
    Column::<Pod>::text("Ready", "The aggregate readiness state of this pod for accepting traffic.", |pod, _| {
        let summary = Summary::of(pod);
        format!("{}/{}", summary.ready, summary.total).into()
    }),
    Column::<Pod>::text("Status", "The aggregate status of the containers in this pod.", |pod, _| {
        Summary::of(pod).reason.into()
    }),
    Column::<Pod>::text(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
        |pod, now| {
            let summary = Summary::of(pod);
            match (summary.restarts, age(summary.last_restart, now)) {
                (restarts, Cell::Text(ago)) if restarts != 0 && summary.last_restart.is_some() => {
                    format!("{restarts} ({ago} ago)").into()
                }
                (restarts, _) => restarts.to_string().into(),
            }
        },
    ),
    Column::<Pod>::age(),
    Column::<Pod>::text(
        "IP",
        "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.",
        |pod, _| or_none(pod.status.pod_ips.first().map_or("", |ip| &ip.ip)),
    )
    .wide(),
    Column::<Pod>::text("Node", "NodeName indicates in which node this pod is scheduled.", |pod, _| {
        or_none(&pod.spec.node_name)
    })
    .wide(),
    Column::<Pod>::text(
        "Nominated Node",
        "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods.",
        |pod, _| or_none(&pod.status.nominated_node_name),
    )
    .wide(),
    Column::<Pod>::text(
        "Readiness Gates",
        "If specified, all readiness gates will be evaluated for pod readiness.",
        |pod, _| readiness_gates(pod).into(),
    )
    .wide(),
];

fn or_none(text: &str) -> Cell {
    if text.is_empty() { "<none>".into() } else { text.into() }
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = &pod.spec.readiness_gates;
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let met = gates.iter().filter(|gate| condition(pod, &gate.condition_type) == Some("True")).count();
    format!("{met}/{}", gates.len())
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a str> {
    let found = pod.status.conditions.iter().find(|condition| condition.type_ == type_);
    found.map(|condition| condition.status.as_str())
}

struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i32,
    last_restart: Option<Time>,
}

fn restartable(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn finished(status: &ContainerStatus) -> Option<Time> {
    status.last_termination_state.terminated.as_ref().and_then(|terminated| terminated.finished_at)
}

/// The reason of a termination, or its signal or exit code.
fn ended(state: &ContainerState, prefix: &str) -> Option<String> {
    let terminated = state.terminated.as_ref()?;
    Some(match (terminated.reason.as_str(), terminated.signal) {
        ("", 0) => format!("{prefix}ExitCode:{}", terminated.exit_code),
        ("", signal) => format!("{prefix}Signal:{signal}"),
        (reason, _) => format!("{prefix}{reason}"),
    })
}

fn waiting(state: &ContainerState) -> Option<&str> {
    state.waiting.as_ref().map(|waiting| waiting.reason.as_str()).filter(|reason| !reason.is_empty())
}

impl Summary {
    fn of(pod: &Pod) -> Summary {
        let status = &pod.status;
        let mut reason = if status.reason.is_empty() { &status.phase } else { &status.reason }.clone();
        let gated = |c: &&api_types::core::v1::PodCondition| {
            c.type_ == "PodScheduled" && c.reason == "SchedulingGated"
        };
        if status.conditions.iter().find(gated).is_some() {
            reason = "SchedulingGated".to_owned();
        }
        let sidecars = pod.spec.init_containers.iter().filter(|c| restartable(c)).count();
        let mut summary = Summary {
            ready: 0,
            total: pod.spec.containers.len() + sidecars,
            reason,
            restarts: 0,
            last_restart: None,
        };
        let (initializing, restarts, last) = summary.read_init(pod);
        if !initializing || condition(pod, "Initialized") == Some("True") {
            summary.restarts = restarts;
            summary.last_restart = last;
            summary.read_main(pod);
        }
        let terminal = matches!(status.phase.as_str(), "Succeeded" | "Failed");
        if pod.metadata.deletion_timestamp.is_some() {
            if status.reason == "NodeLost" {
                summary.reason = "Unknown".to_owned();
            } else if !terminal {
                summary.reason = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Whether the pod is still initializing; the restarts of the sidecars alone and the last of them.
    fn read_init(&mut self, pod: &Pod) -> (bool, i32, Option<Time>) {
        let (mut restarts, mut last) = (0, None);
        for (index, status) in pod.status.init_container_statuses.iter().enumerate() {
            self.restarts += status.restart_count;
            self.last_restart = self.last_restart.max(finished(status));
            let own = pod.spec.init_containers.iter().find(|container| container.name == status.name);
            let sidecar = own.is_some_and(restartable);
            if sidecar {
                restarts += status.restart_count;
                last = last.max(finished(status));
            }
            if status.state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code == 0) {
                continue;
            }
            if sidecar && status.started == Some(true) {
                self.ready += usize::from(status.ready);
                continue;
            }
            let total = pod.spec.init_containers.len();
            let wait = waiting(&status.state).filter(|reason| *reason != "PodInitializing");
            self.reason = ended(&status.state, "Init:")
                .or_else(|| wait.map(|reason| format!("Init:{reason}")))
                .unwrap_or_else(|| format!("Init:{index}/{total}"));
            return (true, restarts, last);
        }
        (false, restarts, last)
    }

    fn read_main(&mut self, pod: &Pod) {
        let (mut running, mut error) = (false, None);
        for status in pod.status.container_statuses.iter().rev() {
            self.restarts += status.restart_count;
            self.last_restart = self.last_restart.max(finished(status));
            if let Some(reason) = waiting(&status.state) {
                self.reason = reason.to_owned();
            } else if let Some(reason) = ended(&status.state, "") {
                self.reason = reason;
                if status.state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code != 0) {
                    error = Some(self.reason.clone());
                }
            } else if status.ready && status.state.running.is_some() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" {
            if running && condition(pod, "Ready") == Some("True") {
                self.reason = "Running".to_owned();
            } else if let Some(error) = error {
                self.reason = error;
            } else if running {
                self.reason = "NotReady".to_owned();
            }
        }
    }
}
