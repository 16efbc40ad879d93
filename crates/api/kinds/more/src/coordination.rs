//! The rows of the group `coordination`.

pub mod lease;
