//! Fields that a write through a resource or a subresource has no say in: nobody comes to own them by it.

use super::set::{Pattern, Set};

/// The fields that a write cannot change.
#[derive(Clone, Debug)]
pub enum Reset {
    /// These, and all that is below them.
    Fields(Set),
    /// All but those on or below these paths.
    AllBut(&'static [&'static [Pattern]]),
}

impl Reset {
    /// The members that a write may come to own.
    pub(super) fn filter(&self, fields: &Set) -> Set {
        match self {
            Reset::Fields(reset) => fields.without(reset),
            Reset::AllBut(paths) => fields.only(paths),
        }
    }
}
