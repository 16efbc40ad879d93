//! The rows of the group `scheduling`.

pub mod priority_class;
