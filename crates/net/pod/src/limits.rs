//! Every bound of this crate.

/// The longest name of a link in bytes (`IFNAMSIZ` - 1).
pub const LINK_NAME_BYTES: usize = 15;
/// The longest cluster id in bytes: it stands in each link's name.
pub const CLUSTER_ID_BYTES: usize = 4;
/// What VXLAN adds to a packet over IPv4, in bytes.
pub const VXLAN_OVERHEAD_BYTES: u32 = 50;
/// What VXLAN adds to a packet over IPv6, in bytes.
pub const VXLAN_OVERHEAD_6_BYTES: u32 = 70;
/// The smallest MTU that IPv6 allows, in bytes: no pod gets less.
pub const MTU_MIN_BYTES: u32 = 1280;
/// The largest MTU that a veth takes, in bytes.
pub const MTU_MAX_BYTES: u32 = 65_535;
/// How many other nodes one node keeps routes to.
pub const PEERS_MAX: usize = 10_000;
