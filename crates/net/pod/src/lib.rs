//! The pod network: addresses, one routed veth per pod, routes to other nodes, masquerading and host ports.
//!
//! Layer: `net`, above `host`; used by the node's agent. It never talks to the API: what should be is handed in.
//!
//! Entry points: [`network::PodNetwork`] puts the parts together; [`pod::plan`] and [`node::plan`] are the pure decisions,
//! one for a pod, one for the node.
//!
//! How it is wired: a pod has a namespace pinned at `<namespaces>/<uid>`, in it `eth0` with its addresses as /32 and /128
//! and a default route by 169.254.1.1 and fe80::1. The first is an address of the node's `lo`, the second of each veth's
//! host end. The node has one route per pod address. No bridge, so a pod's every packet is routed, passes the node's rules,
//! and nothing depends on br_netfilter. Other nodes' pod ranges are routed directly where the node is on the same link and
//! through a VXLAN device otherwise.
//!
//! Invariants: no address is handed out twice; names of links and tables carry the cluster's id, so several clusters share a
//! machine; nothing that another program made is changed. A `Want` is to be built only from views that have synced, as
//! planning deletes what is not wanted.
//!
//! State: one record per pod (its addresses and host ports), written atomically before the kernel is touched. Everything
//! else is observed again. The order in which addresses were freed does not survive a restart.
//!
//! Failure: any step may fail and be repeated; `add` and `remove` continue where they were interrupted. When this crate's
//! process is down, running pods keep all of their traffic.
//!
//! Limits: [`limits`]. IPv6 forwarding makes the kernel ignore router advertisements on links whose `accept_ra` is not 2:
//! nodes that get their own address by them need that setting.
//!
//! Upstream behaviour answered to: kubelet's and CNI's contract (`eth0`, `lo` up, hostPort as the portmap plugin has it,
//! host-local's order of addresses) and the Kubernetes network model: pods reach pods without NAT.
//!
//! Testing: tables with the Sim forms beside the code; `tests/kernel.rs` wires real namespaces, as root.

pub mod ipam;
pub mod limits;
pub mod names;
pub mod network;
pub mod node;
pub mod peers;
pub mod pod;
pub mod rules;
