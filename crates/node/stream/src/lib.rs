//! Streams.
pub mod error;
pub mod limits;
pub mod spdy;
