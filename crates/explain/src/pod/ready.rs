//! Pods that run and are not ready: probes and readiness gates.

use api_meta::conditions;
use api_types::core::v1::{ContainerStatus, Pod, Probe};

use crate::answer::Told;
use crate::evidence::Evidence;
use crate::finding::Finding;

/// Why a pod that runs gets no traffic.
pub(crate) fn explain(pod: &Pod, evidence: &Evidence) -> Vec<Finding> {
    if control_base::pod::is_ready(pod) {
        return Vec::new();
    }
    let events = evidence.events(&pod.metadata, "Pod");
    let running =
        pod.status.container_statuses.iter().filter(|status| status.state.running.is_some() && !status.ready);
    let mut findings: Vec<Finding> = running.map(|status| unready(pod, status, &events)).collect();
    findings.extend(gates(pod));
    findings
}

fn unready(pod: &Pod, status: &ContainerStatus, events: &[Told]) -> Finding {
    let spec = pod.spec.containers.iter().find(|container| container.name == status.name);
    let since = control_base::pod::ready_condition(pod).and_then(|said| said.last_transition_time);
    let startup = spec.and_then(|spec| spec.startup_probe.as_deref());
    let readiness = spec.and_then(|spec| spec.readiness_probe.as_deref());
    let (word, kind, probe) = match (status.started, startup, readiness) {
        (Some(false) | None, Some(probe), _) => ("startup", "Startup", probe),
        (_, _, Some(probe)) => ("readiness", "Readiness", probe),
        _ => {
            return Finding::new(
                "NotReady",
                format!("container {} runs, and its node has not said yet that it is ready", status.name),
            )
            .since(since);
        }
    };
    let text =
        format!("container {} runs, but its {word} probe ({}) has not succeeded", status.name, shown(probe));
    let failed = events.iter().find(|told| told.reason == "Unhealthy" && told.message.starts_with(kind));
    let why = failed.map(|told| Finding::new("Unhealthy", told.message.clone()).since(told.time));
    Finding::new(&format!("{kind}Probe"), text).since(since).because(why)
}

fn shown(probe: &Probe) -> String {
    let handler = &probe.probe_handler;
    let what = if let Some(http) = &handler.http_get {
        format!("GET {} at port {}", if http.path.is_empty() { "/" } else { &http.path }, http.port)
    } else if let Some(exec) = &handler.exec {
        format!("exec {}", exec.command.join(" "))
    } else if let Some(tcp) = &handler.tcp_socket {
        format!("TCP port {}", tcp.port)
    } else if let Some(grpc) = &handler.grpc {
        format!("gRPC port {}", grpc.port)
    } else {
        "of no known sort".to_owned()
    };
    let delay = match probe.initial_delay_seconds {
        0 => String::new(),
        seconds => format!(", first after {seconds}s"),
    };
    format!("{what}{delay}, every {}s", probe.period_seconds)
}

/// Readiness gates: conditions that somebody outside of the node sets.
fn gates(pod: &Pod) -> Vec<Finding> {
    let open = |gate: &&api_types::core::v1::PodReadinessGate| {
        !conditions::is_true(&pod.status.conditions, &gate.condition_type)
    };
    let waiting = pod.spec.readiness_gates.iter().filter(open);
    waiting
        .map(|gate| {
            let said = conditions::find(&pod.status.conditions, &gate.condition_type);
            let how = match said {
                None => "nobody has set it yet".to_owned(),
                Some(said) => {
                    format!("it is {}: {} {}", said.status, said.reason, said.message).trim_end().to_owned()
                }
            };
            Finding::new(
                "ReadinessGate",
                format!("the readiness gate {} is not open: {how}", gate.condition_type),
            )
            .since(said.and_then(|said| said.last_transition_time))
            .remedy("see whether the controller that sets this condition runs")
        })
        .collect()
}
