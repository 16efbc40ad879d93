//! The rows of the group `node`.

pub mod runtime_class;
