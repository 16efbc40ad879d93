//! Behaviour of the three kinds of patch, and laws that they obey.

mod json_cases;
pub(crate) mod laws;
mod merge_cases;
mod strategic_cases;
