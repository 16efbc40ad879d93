//! What a budget has to say of an eviction. Pure.

use api_meta::gvk::GroupResource;
use api_meta::status::cause;
use api_meta::{Status, conditions};
use api_types::core::v1::Pod;
use api_types::meta::v1::{Condition, StatusCause};
use api_types::policy::v1::PodDisruptionBudget;
use base::time::Time;

/// How many evictions may be pending that the budget's controller has not seen (`MaxDisruptedPodSize`).
const MOST_DISRUPTED: usize = 2000;
const ALLOWED: &str = "DisruptionAllowed";

/// Whether the pod does not count for the budget: it is not ready, and may go for that, or because enough others are.
pub(super) fn spares(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    if conditions::is_true(&pod.status.conditions, "Ready") {
        return false;
    }
    let status = &budget.status;
    budget.spec.unhealthy_pod_eviction_policy.as_deref() == Some("AlwaysAllow")
        || (status.desired_healthy > 0 && status.current_healthy >= status.desired_healthy)
}

/// The budget with one disruption less, for the pod of this name.
///
/// # Errors
/// Why it allows none.
pub(super) fn charged(
    budget: &PodDisruptionBudget,
    pod: &str,
    now: Time,
) -> Result<PodDisruptionBudget, Status> {
    let (name, status) = (&budget.metadata.name, &budget.status);
    if status.observed_generation < budget.metadata.generation {
        return Err(pending(name));
    }
    if status.disruptions_allowed < 0 {
        let why = "pdb disruptions allowed is negative";
        return Err(forbidden(name, why, why));
    }
    if status.disrupted_pods.len() > MOST_DISRUPTED {
        return Err(forbidden(
            name,
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
            "too many pending evictions not confirmed by PDB controller",
        ));
    }
    if status.disruptions_allowed == 0 {
        return Err(caused(Status::too_many_requests(VIOLATES, 0), spent(budget)));
    }
    let mut budget = budget.clone();
    let status = &mut budget.status;
    status.disruptions_allowed -= 1;
    if status.disruptions_allowed == 0 {
        let condition = Condition {
            type_: ALLOWED.into(),
            status: conditions::FALSE.into(),
            reason: "InsufficientPods".into(),
            observed_generation: status.observed_generation,
            ..Condition::default()
        };
        conditions::set(&mut status.conditions, condition, now.into());
    }
    status.disrupted_pods.insert(pod.to_owned(), Some(now.into()));
    Ok(budget)
}

const VIOLATES: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// That the budget is not up to date; the caller is to come again.
pub(super) fn pending(name: &str) -> Status {
    let why = format!("The disruption budget {name} is still being processed by the server.");
    caused(Status::too_many_requests(VIOLATES, 10), why)
}

fn forbidden(name: &str, why: &str, cause: &str) -> Status {
    let resource = GroupResource { group: "policy", resource: "poddisruptionbudget" };
    let cause = format!("The disruption budget {name} does not allow evicting pods currently: {cause}");
    caused(Status::forbidden(resource, name, why), cause)
}

/// Why a budget allows nothing more.
fn spent(budget: &PodDisruptionBudget) -> String {
    let (name, status) = (&budget.metadata.name, &budget.status);
    let said = conditions::find(&status.conditions, ALLOWED);
    let said = said.filter(|said| said.status == conditions::FALSE && !said.message.is_empty());
    match said {
        // What is counted is not to be trusted then.
        Some(said) if said.reason == "SyncFailed" => format!(
            "The disruption budget {name} does not allow evicting pods currently because it failed sync: {}",
            said.message
        ),
        _ if status.current_healthy <= status.desired_healthy => format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            status.desired_healthy, status.current_healthy
        ),
        Some(said) => format!(
            "The disruption budget {name} does not allow evicting pods currently ({}): {}",
            said.reason, said.message
        ),
        None => format!("The disruption budget {name} does not allow evicting pods currently"),
    }
}

fn caused(status: Status, why: String) -> Status {
    let mut status = status.into_inner();
    let cause =
        StatusCause { type_: cause::DISRUPTION_BUDGET.to_owned(), message: why, ..StatusCause::default() };
    status.details.get_or_insert_default().causes.push(cause);
    Status::from(status)
}
