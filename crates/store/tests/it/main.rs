//! Both backends, tested as their users see them.
//!
//! `suite` holds the behaviour that every backend must show, `agreement` lets them do the same random things,
//! and the rest is about what only the durable one can get wrong: `files` it cannot open, `crash`es of the
//! process, `power_loss`, and a `full_disk`. `vfs` is the disk that the last two are played on.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "these tests are about files and processes"
)]
#![allow(clippy::unwrap_used, reason = "what fails in a test's own functions fails the test")]

mod agreement;
mod crash;
mod driver;
mod files;
mod full_disk;
mod load;
mod power_loss;
mod suite;
mod vfs;
