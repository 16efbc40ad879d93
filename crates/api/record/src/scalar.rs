//! The scalar types that Kubernetes adds to those of its wire formats.

mod int_or_string;
mod quantity;
mod raw;
mod time;

pub use int_or_string::IntOrString;
pub use quantity::{ParseQuantityError, Quantity, QuantityFormat};
pub use raw::RawJson;
pub use time::{Duration, MicroTime, ParseTimeError, Time, parse_moment};
