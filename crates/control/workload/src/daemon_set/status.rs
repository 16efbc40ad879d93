//! What a DaemonSet's status should say.

use api_types::apps::v1::{DaemonSet, DaemonSetStatus};
use client::reconcile::Write;

use super::Fleet;
use control_base::pod;

/// The status that the pods lead to. Of several on a node, the oldest counts.
fn calculate(fleet: &Fleet<'_>) -> DaemonSetStatus {
    let mut status = DaemonSetStatus {
        observed_generation: fleet.set.metadata.generation.max(fleet.set.status.observed_generation),
        collision_count: fleet.set.status.collision_count,
        conditions: fleet.set.status.conditions.clone(),
        ..DaemonSetStatus::default()
    };
    for (name, fit) in &fleet.nodes {
        let oldest = fleet.pods_on(name).and_then(|own| own.first());
        if !fit.runs {
            status.number_misscheduled += i32::from(oldest.is_some());
            continue;
        }
        status.desired_number_scheduled += 1;
        let Some(oldest) = oldest else { continue };
        status.current_number_scheduled += 1;
        status.number_ready += i32::from(pod::is_ready(oldest));
        status.number_available += i32::from(fleet.is_available(oldest));
        status.updated_number_scheduled += i32::from(fleet.is_updated(oldest));
    }
    status.number_unavailable = status.desired_number_scheduled - status.number_available;
    status
}

/// The write of the status, if it says something new.
pub(super) fn write(fleet: &Fleet<'_>) -> Option<Write> {
    let status = calculate(fleet);
    (status != fleet.set.status).then(|| Write::status(DaemonSet { status, ..fleet.set.clone() }))
}
