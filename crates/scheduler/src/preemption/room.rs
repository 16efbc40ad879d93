//! Preemption where only resources are at stake: reckoned, without moving any pod.

use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::PodId;
use crate::filters::node_resources_fit::{Room, shift};
use crate::reason::Reason;
use crate::shape::Shape;

/// The pods of `lower`, the most important first, that would have to go to make room for the shape; or what is lacking even
/// without all of them.
pub(crate) fn victims(
    cluster: &Cluster,
    shape: &Shape,
    node: NodeIx,
    lower: &[PodId],
) -> Result<Vec<PodId>, Vec<String>> {
    let (room, demand) = (cluster.nodes.room(node), shape.needed());
    let (mut requested, mut extended) = (*room.requested, room.extended.to_vec());
    for other in lower {
        shift(&mut requested, &mut extended, &cluster.pods[*other].demand, -1);
    }
    let mut reasons = Vec::new();
    Room { requested: &requested, extended: &extended, ..room }.lacks(demand, &mut reasons);
    if !reasons.is_empty() {
        return Err(reasons.iter().map(Reason::to_string).collect());
    }
    let mut victims = Vec::new();
    for other in lower {
        let there = &cluster.pods[*other].demand;
        shift(&mut requested, &mut extended, there, 1);
        if !(Room { requested: &requested, extended: &extended, ..room }).fits(demand) {
            shift(&mut requested, &mut extended, there, -1);
            victims.push(*other);
        }
    }
    Ok(victims)
}
