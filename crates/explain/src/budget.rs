//! Disruption budgets that let nobody be evicted.

use api_meta::conditions;
use api_meta::labels::Selector;
use api_types::core::v1::Pod;
use api_types::policy::v1::PodDisruptionBudget;

use crate::evidence::Evidence;
use crate::finding::{Finding, counted};
use crate::pod;

/// How a budget is, in a few words.
pub(crate) fn state(budget: &PodDisruptionBudget) -> String {
    let allowed = usize::try_from(budget.status.disruptions_allowed).unwrap_or(0);
    match allowed {
        0 => "no pod may be evicted".to_owned(),
        allowed => format!("{} may be evicted", counted(allowed, "pod", "pods")),
    }
}

/// Why it is so.
pub(crate) fn explain(budget: &PodDisruptionBudget, evidence: &Evidence) -> Vec<Finding> {
    let status = &budget.status;
    if status.observed_generation < budget.metadata.generation {
        return vec![Finding::new(
            "NotObserved",
            "the disruption controller has yet to look at it; until then nothing is evicted",
        )];
    }
    if let Some(failed) =
        conditions::find(&status.conditions, "DisruptionAllowed").filter(|said| said.reason == "SyncFailed")
    {
        return vec![Finding::new("SyncFailed", failed.message.clone()).since(failed.last_transition_time)];
    }
    if status.disruptions_allowed > 0 {
        return Vec::new();
    }
    if status.expected_pods == 0 {
        return vec![Finding::new("NoPods", "its selector picks no pods")];
    }
    let wanted = match (&budget.spec.min_available, &budget.spec.max_unavailable) {
        (Some(least), _) => format!("minAvailable {least}"),
        (None, Some(most)) => format!("maxUnavailable {most}"),
        (None, None) => "neither minAvailable nor maxUnavailable".to_owned(),
    };
    let why = format!(
        "{} of {} pods are healthy, and {} have to be ({wanted})",
        status.current_healthy, status.expected_pods, status.desired_healthy
    );
    let mut finding = Finding::new("InsufficientPods", why);
    let selector = Selector::from_api(budget.spec.selector.as_deref())
        .unwrap_or_else(|_| Selector::from_labels(&Default::default()));
    let pods = evidence.world.picked::<Pod>(&budget.metadata.namespace, &selector);
    let sick: Vec<Finding> = pods.filter_map(|pod| pod::brief(pod, evidence)).collect();
    finding = match sick.is_empty() {
        true if status.desired_healthy >= status.expected_pods => {
            finding.remedy("as it is written, it never lets a pod be evicted: allow one to be unavailable, or have more pods")
        }
        true => finding.remedy("have more pods, or allow more of them to be unavailable"),
        false => finding.because(sick),
    };
    vec![finding]
}
