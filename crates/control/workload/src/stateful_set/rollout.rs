//! Which pods go so that others of the new revision take their places.
//!
//! Upstream: `updateStatefulSetAfterInvariantEstablished`.

use api_record::scalar::IntOrString;
use api_types::core::v1::Pod;

use super::identity;
use super::replicas::Round;

impl<'a> Round<'a> {
    /// Deletes pods of old revisions from the highest ordinal down to the partition, as far as pods may be unavailable.
    pub(super) fn roll(&mut self) {
        let strategy = &self.set.spec.update_strategy;
        if strategy.type_ == "OnDelete" {
            return;
        }
        let rolling = strategy.rolling_update.as_deref();
        let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
        let most = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
        let total = self.set.spec.replicas.unwrap_or(1);
        // Text that is no percentage never gets this far, and rounding must leave room for one.
        let most = most.unwrap_or(&IntOrString::Int(1)).scaled(total, false).unwrap_or(1).max(1);
        let most = usize::try_from(most).unwrap_or(1);
        let available = self.replicas.values().filter(|pod| !self.is_unavailable(pod)).count();
        let unavailable = usize::try_from(total).unwrap_or(0).saturating_sub(available);
        let mut budget = most.saturating_sub(unavailable);
        let lowest = identity::ordinals(self.set).start + i64::from(partition.max(0));
        let is_outdated = |pod: &&Pod| {
            let is_going = pod.metadata.deletion_timestamp.is_some();
            identity::revision(pod) != self.revisions.update.metadata.name && !is_going
        };
        let replicas = self.replicas.range(lowest..).rev().map(|(_, pod)| *pod);
        let outdated: Vec<&'a Pod> = replicas.filter(is_outdated).collect();
        let (available, idle): (Vec<&Pod>, Vec<&Pod>) =
            outdated.into_iter().partition(|pod| self.is_available(pod));
        // In parallel, those that serve nobody go first and cost nothing, or they could use up for ever what may be unavailable. In order,
        // there are none: the round has waited for all.
        for pod in idle {
            self.replace(pod);
        }
        for pod in available {
            if budget == 0 {
                return;
            }
            self.replace(pod);
            budget -= 1;
        }
    }
}
