//! Controllers of storage.

mod protection;

pub use protection::{AttributesClassProtection, ClaimProtection, VolumeProtection};
