//! What a row's functions may know of a request.

use crate::Gates;

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It is made.
    Create,
    /// It is replaced, patched or applied.
    Update,
}

/// What a row's functions may know of a request.
#[derive(Clone, Copy, Debug)]
pub struct Ctx<'a> {
    /// Which features are on.
    pub gates: &'a Gates,
    /// What is being done.
    pub verb: Verb,
    /// The subresource that it is done through, empty for the object itself.
    pub subresource: &'a str,
    /// The API group that it is done through: what two of them serve may be held to more by one.
    pub group: &'a str,
}
