//! By how many pods a rollout may be above and below what is wanted.

use api_record::scalar::IntOrString;
use api_types::apps::v1::Deployment;

use super::wanted;

/// Whether it replaces pods little by little.
pub(super) fn is_rolling(deployment: &Deployment) -> bool {
    deployment.spec.strategy.type_ != "Recreate"
}

fn fenceposts(deployment: &Deployment) -> (i32, i32) {
    let limits = deployment.spec.strategy.rolling_update.as_deref();
    let none = IntOrString::default();
    let surge = limits.and_then(|limits| limits.max_surge.as_ref()).unwrap_or(&none);
    let unavailable = limits.and_then(|limits| limits.max_unavailable.as_ref()).unwrap_or(&none);
    let surge = surge.scaled(wanted(deployment), true).unwrap_or(0);
    let unavailable = unavailable.scaled(wanted(deployment), false).unwrap_or(0);
    // Rounding can leave no room at all; surging might not work for want of quota.
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// How far a rollout may be off from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// So many pods more.
    pub surge: i32,
    /// So many available pods fewer.
    pub unavailable: i32,
}

impl Bounds {
    /// Those of a deployment, percentages resolved.
    pub fn of(deployment: &Deployment) -> Bounds {
        Bounds { surge: max_surge(deployment), unavailable: max_unavailable(deployment) }
    }
}

/// By how many pods a rollout may be above what is wanted.
pub(super) fn max_surge(deployment: &Deployment) -> i32 {
    if is_rolling(deployment) { fenceposts(deployment).0 } else { 0 }
}

/// By how many pods a rollout may be below what is wanted.
pub(super) fn max_unavailable(deployment: &Deployment) -> i32 {
    if !is_rolling(deployment) || wanted(deployment) == 0 {
        return 0;
    }
    fenceposts(deployment).1.min(wanted(deployment))
}

/// Whether the number means a limit.
fn is_limit(number: Option<i32>) -> Option<i32> {
    number.filter(|number| *number != i32::MAX)
}

/// After how many seconds without progress it counts as failed.
pub(super) fn progress_deadline(deployment: &Deployment) -> Option<i32> {
    is_limit(deployment.spec.progress_deadline_seconds)
}

/// How many old sets are kept.
pub(super) fn history(deployment: &Deployment) -> Option<i32> {
    is_limit(deployment.spec.revision_history_limit)
}
