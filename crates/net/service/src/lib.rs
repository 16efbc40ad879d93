//! Services in nftables: cluster addresses, node ports, external addresses and load balancers, as map elements in fixed chains.
//!
//! Layer: `net`, above `host`; used by the node's agent. It never talks to the API: Services and endpoints are handed in as
//! [`spec`]'s types.
//!
//! Entry points: [`proxy::Proxy`], a synchronous state machine that turns changed services into one transaction in
//! proportion to the change; [`dataplane::Dataplane`], which carries its plans out.
//!
//! How a first packet goes: `(address, protocol, port)` leads to a kind of frontend (`internal`, `external-cluster`,
//! `external-local`), a chain that decides masquerading and sets the packet mark to a *pool*; the pool leads to `lb-N`, N
//! being its size; that draws an index, and one map shared by all pools leads from `(pool, index)` to the endpoint. Chains
//! exist per size and per affinity timeout, never per service; a change is a few elements. Sets are named, never anonymous
//! ones that grow.
//!
//! Invariants: [`ruleset::MARK_TAG`] marks packets only between their first translation and its end in the same pass; the
//! bit [`ruleset::MASQUERADE_BIT`] of the connection's mark likewise. An endpoint keeps its index for as long as it is in
//! its pool. Of two services that claim one frontend the first by name has it, on every node alike. Plans are to be made
//! only once the views of Services and EndpointSlices have synced.
//!
//! State: none on disk. After a restart the tables are listed, pools keep the numbers that they have there, and the first
//! plan is the difference. Established connections live on in conntrack whatever happens here.
//!
//! Failure: a transaction happens whole or not at all; after a refusal the tables are listed again. While this crate's
//! process is down, services go on with the endpoints that they had.
//!
//! Limits: [`limits`]. IPv6 affinity is by a hash of the client's address, without the timeout: Debian 12's nft (1.0.6)
//! aborts on the update of a map from an IPv6 address to an endpoint.
//!
//! Upstream behaviour answered to: kube-proxy 1.37, nftables mode (traffic policies, fallback to terminating endpoints,
//! topology hints, rejection, source ranges). Unlike it, addresses of the service ranges that no service has are refused rather than
//! dropped, node ports answer on every address of the node, 127.0.0.1 included, and a client's affinity is kept apart for
//! policy Cluster and policy Local. Not here: health check node ports.
//!
//! Testing: tables and properties beside the code; `tests/kernel.rs` sends packets through real namespaces, as root.

pub mod compile;
pub mod conntrack;
pub mod dataplane;
pub mod endpoints;
pub mod limits;
pub mod node;
pub mod pools;
pub mod proxy;
pub mod ruleset;
pub mod spec;
