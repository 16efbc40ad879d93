//! What a job's policy says of a pod that failed. Upstream: `pod_failure_policy.go`.

use api_types::batch::v1::{Job, PodFailurePolicyOnExitCodesRequirement, PodFailurePolicyRule};
use api_types::core::v1::{ContainerStatus, Pod};

/// What becomes of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts, as it does without a policy.
    Counts,
    /// It does not count.
    Ignored,
    /// The pod's index has failed.
    FailsIndex,
    /// The job has failed, for this reason.
    FailsJob(String),
}

impl Verdict {
    /// Whether the failure counts towards the limits.
    pub(super) fn counts(&self) -> bool {
        *self != Verdict::Ignored
    }
}

/// What the first rule that matches says.
pub(super) fn verdict(job: &Job, pod: &Pod) -> Verdict {
    let rules = job.spec.pod_failure_policy.iter().flat_map(|policy| policy.rules.iter());
    let place = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
    for (number, rule) in rules.enumerate() {
        let Some(what) = matched(rule, pod, &place) else { continue };
        match rule.action.as_str() {
            "Ignore" => return Verdict::Ignored,
            "FailIndex" => return Verdict::FailsIndex,
            "Count" => return Verdict::Counts,
            "FailJob" => {
                return Verdict::FailsJob(format!("{what} matching FailJob rule at index {number}"));
            }
            _ => {}
        }
    }
    Verdict::Counts
}

/// What of the pod matches a rule, in words.
fn matched(rule: &PodFailurePolicyRule, pod: &Pod, place: &str) -> Option<String> {
    if let Some(wanted) = &rule.on_exit_codes {
        let status = &pod.status;
        let mut statuses = status.container_statuses.iter().chain(&status.init_container_statuses);
        let (name, code) = statuses.find_map(|status| exit_code(status, wanted))?;
        return Some(format!("Container {name} for pod {place} failed with exit code {code}"));
    }
    let wanted = |type_: &str, status: &str| {
        let mut patterns = rule.on_pod_conditions.iter();
        patterns.any(|pattern| pattern.type_ == type_ && pattern.status == status)
    };
    let found = pod.status.conditions.iter().find(|own| wanted(&own.type_, &own.status))?;
    Some(format!("Pod {place} has condition {}", found.type_))
}

fn exit_code<'a>(
    status: &'a ContainerStatus,
    wanted: &PodFailurePolicyOnExitCodesRequirement,
) -> Option<(&'a str, i32)> {
    let code = status.state.terminated.as_ref()?.exit_code;
    let named = wanted.container_name.as_ref().is_none_or(|name| *name == status.name);
    let listed = wanted.values.contains(&code);
    let matches = match wanted.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        _ => false,
    };
    (named && code != 0 && matches).then_some((&status.name, code))
}
