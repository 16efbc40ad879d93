//! HorizontalPodAutoscalers: why one does not scale.

use api_meta::conditions;
use api_types::autoscaling::v2::HorizontalPodAutoscaler;

use crate::finding::Finding;

/// How it is, in a few words.
pub(crate) fn state(own: &HorizontalPodAutoscaler) -> String {
    let (spec, status) = (&own.spec, &own.status);
    let target = format!("{} {}", spec.scale_target_ref.kind, spec.scale_target_ref.name);
    format!(
        "{target} has {} replicas and should have {}, of {} to {}",
        status.current_replicas,
        status.desired_replicas,
        spec.min_replicas.unwrap_or(1),
        spec.max_replicas
    )
}

/// Why it is so.
pub(crate) fn explain(own: &HorizontalPodAutoscaler) -> Vec<Finding> {
    let said = &own.status.conditions;
    if said.is_empty() {
        return vec![Finding::new("NotObserved", "its controller has yet to look at it")];
    }
    let mut findings = Vec::new();
    for (type_, bad, remedy) in [
        ("AbleToScale", "False", ""),
        (
            "ScalingActive",
            "False",
            "see whether what is to be measured is: kubectl top pods, and the APIServices of metrics",
        ),
        ("ScalingLimited", "True", "change minReplicas or maxReplicas, if it should go further"),
    ] {
        let Some(condition) = conditions::find(said, type_).filter(|said| said.status == bad) else {
            continue;
        };
        let message = format!("{type_} is {bad} ({}): {}", condition.reason, condition.message);
        let finding = Finding::new(&condition.reason, message).since(condition.last_transition_time);
        findings.push(if remedy.is_empty() { finding } else { finding.remedy(remedy) });
    }
    findings
}
