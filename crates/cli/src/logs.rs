//! The log of a server in the background.
/// x
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Go on as the log grows.
    pub follow: bool,
    /// How many of the last lines to show; all without it.
    pub tail: Option<usize>,
}
