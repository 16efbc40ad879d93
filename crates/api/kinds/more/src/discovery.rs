//! The rows of the group `discovery`.

pub mod endpoint_slice;
