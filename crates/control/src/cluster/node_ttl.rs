//! How long nodes may believe what they have read of ConfigMaps and Secrets: the longer, the more nodes there are.
//!
//! Upstream: `pkg/controller/ttl`. The steps overlap, so that a cluster at the edge of one does not go to and fro; where it is within its step
//! is read from the node, while upstream remembers it.

use api_types::core::v1::Node;
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World, Write};
use serde_json::json;

const TTL: &str = "node.alpha.kubernetes.io/ttl";

/// From how many nodes on, up to how many, and how many seconds then.
const STEPS: [(usize, usize, u32); 5] =
    [(0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, usize::MAX, 300)];

/// The controller of that annotation.
pub struct NodeTtl;

impl Controller for NodeTtl {
    const NAME: &'static str = "ttl-controller";
    type Key = String;

    fn wire(&self, wires: &mut Wires<String>) {
        wires.maps::<Node>(|node, _| vec![node.metadata.name.clone()]);
    }

    fn plan(&self, name: &String, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(node) = world.get::<Node>("", name) else { return plan };
        let said = node.metadata.annotations.get(TTL).and_then(|text| text.parse().ok());
        let wanted = seconds(world.all::<Node>().count(), said);
        if said != Some(wanted) {
            let patch = json!({"metadata": {"annotations": {TTL: wanted.to_string()}}});
            plan.stage([Write::patch(node, "", patch)]);
        }
        plan
    }
}

fn seconds(nodes: usize, said: Option<u32>) -> u32 {
    let holds = |(from, to, _): &&(usize, usize, u32)| (*from..=*to).contains(&nodes);
    let own = STEPS.iter().filter(holds).find(|(_, _, seconds)| said == Some(*seconds));
    own.or_else(|| STEPS.iter().find(holds)).map_or(0, |(_, _, seconds)| *seconds)
}

#[cfg(test)]
mod tests {
    use client::Revision;

    use super::*;

    #[test]
    fn steps_overlap() {
        for (nodes, said, wanted) in [
            (1, None, 0),
            (100, Some(0), 0),
            (101, Some(0), 15),
            (95, Some(15), 15),
            (89, Some(15), 0),
            (95, None, 0),
            (1000, Some(30), 30),
            (5000, Some(7), 300),
        ] {
            assert_eq!(seconds(nodes, said), wanted, "{nodes} {said:?}");
        }
    }

    #[test]
    fn a_node_is_told_once() {
        let plan = |annotation: Option<&str>| {
            let mut node = Node::default();
            node.metadata.name = "n".into();
            node.metadata.annotations.extend(annotation.map(|text| (TTL.to_owned(), text.to_owned())));
            NodeTtl.plan(&"n".to_owned(), &World::default().with([node], Revision(1)), Time::EPOCH).describe()
        };
        assert_eq!(plan(None), ["patch nodes n"]);
        assert_eq!(plan(Some("x")), ["patch nodes n"]);
        assert!(plan(Some("0")).is_empty());
    }
}
