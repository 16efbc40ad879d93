//! What several controllers share: whose objects are whose, what holds them, how pods stand, which taints are tolerated, which resources are
//! served, how messages show selectors.
//!
//! Layer: above `client`, below the controllers. Entry points: [`claim`], [`finalizer`], [`pod`], [`resources`]. Pure functions of what views show;
//! no state, no limits of its own. Upstream: `pkg/controller` of Kubernetes 1.37. How to test: `cargo test -p control-base`.

pub mod claim;
pub mod finalizer;
pub mod pod;
pub mod resources;
pub mod taints;
pub mod words;
