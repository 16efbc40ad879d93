//! Extenders that are real servers on loopback: what they are asked, and what comes of what they say, or fail to say.
#![allow(clippy::disallowed_types, clippy::unwrap_used, reason = "a test, whose extenders are real")]

mod api;
mod calls;
mod scheduling;
mod served;
