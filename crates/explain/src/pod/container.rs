//! Containers that wait, have ended, or were started anew.

use std::time::Duration;

use api_kind::span;
use api_record::scalar;
use api_types::core::v1::{Container, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod};
use base::time::Time;

use crate::answer::Told;
use crate::evidence::Evidence;
use crate::finding::{Finding, counted};

/// What is to be said of each container that is not simply at work, in the order in which they start.
pub(crate) fn explain(pod: &Pod, evidence: &Evidence) -> Vec<Finding> {
    let events = evidence.events(&pod.metadata, "Pod");
    let look = Look { pod, events: &events, now: evidence.now };
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    statuses.filter_map(|status| look.at(status)).collect()
}

struct Look<'a> {
    pod: &'a Pod,
    events: &'a [Told],
    now: Time,
}

impl Look<'_> {
    fn at(&self, status: &ContainerStatus) -> Option<Finding> {
        if let Some(waiting) = &status.state.waiting {
            return self.waiting(status, waiting);
        }
        if let Some(ended) = &status.state.terminated {
            return self.terminated(status, ended);
        }
        self.restarted(status)
    }

    fn spec(&self, name: &str) -> Option<&Container> {
        let all = self.pod.spec.init_containers.iter().chain(self.pod.spec.containers.iter());
        all.into_iter().find(|container| container.name == name)
    }

    fn is_init(&self, name: &str) -> bool {
        self.pod.spec.init_containers.iter().any(|container| container.name == name)
    }

    fn named(&self, name: &str) -> String {
        if self.is_init(name) { format!("init container {name}") } else { format!("container {name}") }
    }

    fn waiting(&self, status: &ContainerStatus, waiting: &ContainerStateWaiting) -> Option<Finding> {
        let name = self.named(&status.name);
        let (reason, message) = (waiting.reason.as_str(), waiting.message.as_str());
        match reason {
            // The whole pod is told of.
            "" | "ContainerCreating" | "PodInitializing" => None,
            "CrashLoopBackOff" => Some(self.crashing(status, message)),
            "ImagePullBackOff"
            | "ErrImagePull"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => Some(self.pulling(status, reason, message)),
            _ => Some(Finding::new(reason, format!("{name} is not started, {reason}: {message}"))),
        }
    }

    fn crashing(&self, status: &ContainerStatus, message: &str) -> Finding {
        let name = self.named(&status.name);
        let last = status.last_termination_state.terminated.as_deref();
        let times = counted(usize::try_from(status.restart_count).unwrap_or(0), "time", "times");
        let mut text = format!("{name} ends again and again, started anew {times}");
        let wait = back_off(message);
        let next = last.and_then(|last| Some(Time::from(last.finished_at?) + wait?));
        match next {
            Some(next) if next > self.now => {
                let left = i64::try_from(next.since(self.now).as_secs()).unwrap_or(i64::MAX);
                text.push_str(&format!("; it is tried next in {}", span(left)));
            }
            Some(_) => text.push_str("; it is tried next about now"),
            None => {}
        }
        let mut finding = Finding::new("CrashLoopBackOff", text);
        if let Some(last) = last {
            finding = finding.because([self.exit(status, last)]);
        }
        finding.remedy(format!(
            "see what it said last: kubectl -n {} logs {} -c {} --previous",
            self.pod.metadata.namespace, self.pod.metadata.name, status.name
        ))
    }

    fn pulling(&self, status: &ContainerStatus, reason: &str, message: &str) -> Finding {
        let name = self.named(&status.name);
        let image = self.spec(&status.name).map_or(&*status.image, |spec| &*spec.image);
        let mut finding =
            Finding::new(reason, format!("{name} has no image: {image} cannot be pulled ({reason})"));
        // The state says that it backs off; why is in the event of the attempt.
        let failed = self.events.iter().find(|told| {
            told.reason == "Failed" && told.message.contains(image) && told.message.contains("pull")
        });
        let why = failed
            .map(|told| (told.message.clone(), told.time))
            .or_else(|| (!message.is_empty()).then(|| (message.to_owned(), None)));
        if let Some((why, time)) = why {
            finding = finding.because([Finding::new("Failed", why).since(time)]);
        }
        let remedy = match reason {
            "InvalidImageName" => "mend the image's name",
            "ErrImageNeverPull" => "load the image on the node, or let imagePullPolicy be IfNotPresent",
            _ => {
                "see whether the image and its tag exist, the node reaches the registry, and imagePullSecrets fit"
            }
        };
        finding.remedy(remedy)
    }

    fn terminated(&self, status: &ContainerStatus, ended: &ContainerStateTerminated) -> Option<Finding> {
        let is_done = ended.exit_code == 0;
        if is_done && (self.is_init(&status.name) || self.pod.spec.restart_policy != "Always") {
            return None;
        }
        Some(self.exit(status, ended))
    }

    fn restarted(&self, status: &ContainerStatus) -> Option<Finding> {
        let last = status.last_termination_state.terminated.as_deref()?;
        let times = counted(usize::try_from(status.restart_count).ok()?, "time", "times");
        let text = format!("{} was started anew {times}", self.named(&status.name));
        let running = status.state.running.as_deref().and_then(|running| running.started_at);
        Some(Finding::new("Restarted", text).since(running).because([self.exit(status, last)]))
    }

    /// How it ended, and why as far as anybody has said so.
    fn exit(&self, status: &ContainerStatus, ended: &ContainerStateTerminated) -> Finding {
        let name = self.named(&status.name);
        let code = ended.exit_code;
        let signal = if ended.signal > 0 { ended.signal } else { code - 128 };
        let how = match signal_name(signal) {
            Some(signal) => format!("exit code {code}, as {signal} ends programs"),
            None => format!("exit code {code}"),
        };
        let mut finding = Finding::new(
            if ended.reason.is_empty() { "Error" } else { &ended.reason },
            format!("{name} ended with {how}{}", said(ended)),
        )
        .since(ended.finished_at);
        if ended.reason == "OOMKilled" {
            let limit = self.spec(&status.name).and_then(|spec| spec.resources.limits.get("memory"));
            finding = match limit {
                Some(limit) => finding
                    .because([Finding::new(
                        "MemoryLimit",
                        format!("it used more memory than its limit of {limit}"),
                    )])
                    .remedy("raise the container's memory limit, or let it use less"),
                None => finding
                    .because([Finding::new(
                        "NodeMemory",
                        "it has no memory limit: the node itself, or the whole pod, had no memory left",
                    )])
                    .remedy("give its containers memory requests and limits"),
            };
        }
        finding.because(self.probe_that_killed(&status.name))
    }

    /// The probe for which a container was ended, by what the node told.
    fn probe_that_killed(&self, name: &str) -> Option<Finding> {
        let killed = self.events.iter().find(|told| {
            told.reason == "Killing"
                && told.message.contains(name)
                && told.message.contains("failed")
                && told.message.contains("probe")
        })?;
        let kind = if killed.message.contains("startup") { "Startup" } else { "Liveness" };
        let failed =
            self.events.iter().find(|told| told.reason == "Unhealthy" && told.message.starts_with(kind));
        let why = Finding::new("Killing", killed.message.clone()).since(killed.time);
        Some(why.because(failed.map(|told| Finding::new("Unhealthy", told.message.clone()).since(told.time))))
    }
}

fn said(ended: &ContainerStateTerminated) -> String {
    let reason = match ended.reason.as_str() {
        "" | "Error" | "Completed" => String::new(),
        reason => format!(", {reason}"),
    };
    let message = ended.message.trim();
    if message.is_empty() { reason } else { format!("{reason}: {message}") }
}

/// How long is waited: kubelet says it in the message, as `back-off 2m40s restarting failed container=...`.
fn back_off(message: &str) -> Option<Duration> {
    let wait = message.strip_prefix("back-off ")?.split_whitespace().next()?;
    let wait: scalar::Duration = wait.parse().ok()?;
    u64::try_from(wait.nanos).ok().map(Duration::from_nanos)
}

fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}
