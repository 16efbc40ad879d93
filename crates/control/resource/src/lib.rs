//! Controllers of devices: claims are made for pods, let go of when nobody uses them, and pods leave devices that are tainted.
//!
//! Layer: above `client`, below `control`, which starts them. Entry points: the controllers themselves.
//! Invariants, failure: as `control`'s front page says for all controllers. State: which claims were deallocated and still have their
//! finalizer, and how many pods were evicted because of which rule; a restart forgets both, as upstream's does. Limits: [`limits`].
//!
//! Claims of pod groups are behind a gate that is off upstream, and not here.
//! Upstream: `pkg/controller/{resourceclaim,devicetainteviction}` of Kubernetes 1.37. How to test: `cargo test -p control-resource`; tables of
//! worlds and the plans that they lead to.

mod claims;
mod eviction;
pub mod limits;

pub use claims::{Key as ClaimKey, ResourceClaims};
pub use eviction::{DeviceTaintEviction, Key as EvictionKey};
