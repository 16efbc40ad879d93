//! Controllers of storage: claims get their volumes, volumes are attached, become free or go, and what is in use stays.
//!
//! Layer: above `client`, below `control`, which starts them. Entry points: the controllers themselves.
//! Invariants, state, failure: as `control`'s front page says for all controllers. Limits: [`limits`].
//! Upstream: `pkg/controller/volume` of Kubernetes 1.37. How to test: `cargo test -p control-storage`; tables of worlds and the plans that they lead to.

mod attach;
mod binder;
mod ephemeral;
mod expand;
pub mod limits;
mod local;
mod protection;

pub use attach::{AttachDetach, Attachable, Key as AttachKey};
pub use binder::{Key as BinderKey, PersistentVolumeBinder};
pub use ephemeral::EphemeralVolumes;
pub use expand::Expansions;
pub use local::{Key as LocalKey, LocalVolumes, NodeVolumes, PROVISIONER};
pub use protection::{AttributesClassProtection, ClaimProtection, VolumeProtection};
