//! A range of pod addresses for every node. Upstream: `pkg/controller/nodeipam/ipam/range_allocator.go`.
//!
//! All nodes are one key: two nodes that were planned at once could get the same range.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use api_types::core::v1::Node;
use base::time::Time;
use client::Caller;
use client::reconcile::{Controller, Note, Plan, Wires, World, Write, service_account};
use serde_json::json;

/// The range of the cluster, and how it is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first address.
    pub base: Ipv4Addr,
    /// The length of the cluster's prefix.
    pub prefix: u8,
    /// The length of a node's prefix.
    pub node_prefix: u8,
}

impl Range {
    /// A range from its text, such as `10.88.0.0/16`, divided into `/24`s; `None` if it is none.
    pub fn parse(text: &str) -> Option<Range> {
        let (base, prefix) = text.split_once('/')?;
        let range = Range { base: base.parse().ok()?, prefix: prefix.parse().ok()?, node_prefix: 24 };
        (range.prefix <= range.node_prefix).then_some(range)
    }

    fn size(self) -> u32 {
        1 << (self.node_prefix - self.prefix).min(31)
    }

    fn text(self, index: u32) -> String {
        let step = 1u64 << (32 - self.node_prefix.min(32));
        let first = u64::from(u32::from(self.base)) + u64::from(index) * step;
        format!("{}/{}", Ipv4Addr::from(u32::try_from(first).unwrap_or(u32::MAX)), self.node_prefix)
    }
}

/// The controller of nodes' ranges.
pub struct NodeIpam {
    range: Range,
}

impl NodeIpam {
    /// Divides this range.
    pub fn new(range: Range) -> NodeIpam {
        NodeIpam { range }
    }
}

impl Controller for NodeIpam {
    const NAME: &'static str = "node-ipam-controller";
    const SOURCE: &'static str = "cidrAllocator";
    type Key = ();

    fn wire(&self, wires: &mut Wires<()>) {
        wires.maps::<Node>(|node, _| if node.spec.pod_cidr.is_empty() { vec![()] } else { Vec::new() });
    }

    fn plan(&self, (): &(), world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let taken: BTreeSet<&str> = world.all::<Node>().flat_map(cidrs).collect();
        let free = |index: &u32| !taken.contains(self.range.text(*index).as_str());
        let mut free = (0..self.range.size()).filter(free);
        let waiting = world.all::<Node>().filter(|node| cidrs(node).next().is_none());
        let mut writes = Vec::new();
        for node in waiting.filter(|node| node.metadata.deletion_timestamp.is_none()) {
            match free.next() {
                Some(index) => {
                    let cidr = self.range.text(index);
                    writes.push(Write::patch(
                        node,
                        "",
                        json!({"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}),
                    ));
                }
                None => {
                    let message = format!("Node {} status is now: CIDRNotAvailable", node.metadata.name);
                    plan.events.push(Note::normal(node, "CIDRNotAvailable", message));
                }
            }
        }
        plan.stage(writes);
        plan
    }

    fn caller(&self) -> Caller {
        service_account("node-controller")
    }
}

fn cidrs(node: &Node) -> impl Iterator<Item = &str> {
    let listed = node.spec.pod_cidrs.iter().map(String::as_str);
    listed.chain([node.spec.pod_cidr.as_str()]).filter(|cidr| !cidr.is_empty())
}

#[cfg(test)]
mod tests {
    use client::Revision;
    use client::reconcile::Op;

    use super::*;

    fn node(name: &str, cidr: &str) -> Node {
        let mut node = Node::default();
        node.metadata.name = name.into();
        node.spec.pod_cidr = cidr.into();
        node
    }

    #[test]
    fn each_node_gets_the_first_free_range() {
        let range = Range::parse("10.88.0.0/22").expect("a range");
        let nodes = [node("a", "10.88.1.0/24"), node("b", ""), node("c", ""), node("d", ""), node("e", "")];
        let world = World::default().with(nodes, Revision(1));
        let plan = NodeIpam::new(range).plan(&(), &world, Time::EPOCH);
        let given: Vec<String> = plan
            .writes()
            .map(|write| match &write.op {
                Op::Patch(_, patch) => format!("{} {}", write.target.name, patch["spec"]["podCIDR"]),
                _ => String::new(),
            })
            .collect();
        assert_eq!(given, ["b \"10.88.0.0/24\"", "c \"10.88.2.0/24\"", "d \"10.88.3.0/24\""]);
        assert_eq!(plan.events[0].reason, "CIDRNotAvailable");
    }
}
