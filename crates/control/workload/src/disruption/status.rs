//! What a budget should say of itself.

use std::collections::BTreeMap;

use api_meta::conditions::{self, FALSE, TRUE};
use api_record::scalar;
use api_types::meta::v1::Condition;
use api_types::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use base::time::Time;
use client::reconcile::Write;

use super::expected::Expected;

const ALLOWED: &str = "DisruptionAllowed";
const FAILED: &str = "SyncFailed";
const SUFFICIENT: &str = "SufficientPods";
const INSUFFICIENT: &str = "InsufficientPods";

/// Whether it could not be worked out.
pub(super) fn is_failed(budget: &PodDisruptionBudget) -> bool {
    conditions::find(&budget.status.conditions, ALLOWED).is_some_and(|condition| condition.reason == FAILED)
}

/// A budget that cannot be worked out allows nothing.
pub(super) fn failed(budget: &PodDisruptionBudget, why: &str, now: Time) -> Option<Write> {
    let mut new = budget.clone();
    new.status.disruptions_allowed = 0;
    let condition = Condition {
        type_: ALLOWED.into(),
        status: FALSE.into(),
        reason: FAILED.into(),
        message: why.to_owned(),
        observed_generation: new.status.observed_generation,
        ..Condition::default()
    };
    conditions::set(&mut new.status.conditions, condition, now.into());
    (new != *budget).then(|| Write::status(new))
}

/// A budget of which so many pods are healthy, while these may still go.
pub(super) fn counted(
    budget: &PodDisruptionBudget,
    healthy: i32,
    expected: &Expected,
    disrupted: BTreeMap<String, Option<scalar::Time>>,
    now: Time,
) -> Option<Write> {
    // A budget without pods allows nothing, or the first ones could go before they are counted.
    let spare = healthy.saturating_sub(expected.healthy);
    let allowed = if expected.pods <= 0 { 0 } else { spare.max(0) };
    let (old, generation) = (&budget.status, budget.metadata.generation);
    let status = PodDisruptionBudgetStatus {
        observed_generation: generation,
        disrupted_pods: disrupted,
        disruptions_allowed: allowed,
        current_healthy: healthy,
        desired_healthy: expected.healthy,
        expected_pods: expected.pods,
        conditions: old.conditions.clone(),
    };
    let (holds, reason) = if allowed > 0 { (TRUE, SUFFICIENT) } else { (FALSE, INSUFFICIENT) };
    let said = conditions::find(&old.conditions, ALLOWED);
    if status == *old && said.is_some_and(|said| said.status == holds && said.reason == reason) {
        return None;
    }
    let mut new = PodDisruptionBudget { status, ..budget.clone() };
    let condition = Condition {
        type_: ALLOWED.into(),
        status: holds.into(),
        reason: reason.into(),
        observed_generation: generation,
        ..Condition::default()
    };
    conditions::set(&mut new.status.conditions, condition, now.into());
    Some(Write::status(new))
}
