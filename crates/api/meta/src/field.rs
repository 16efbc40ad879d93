//! Where in an object something is wrong, and what.
//!
//! Every validation answers with an [`ErrorList`]; [`crate::Status::invalid`] makes the answer to the client of it.
//! Messages, kinds and the rendering of values are those of upstream's `pkg/util/validation/field`.

mod bad_value;
mod error;
mod path;

pub use bad_value::BadValue;
pub use error::{ErrorKind, ErrorList, FieldError};
pub use path::Path;
