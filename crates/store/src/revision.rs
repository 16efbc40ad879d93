//! The store's one clock: every change of state has a revision, and all revisions are in one order.

use std::fmt;

/// A point in the store's history. Kubernetes shows it as `resourceVersion`.
///
/// Counts from 1, which is the empty store's, as in etcd; the first change gets 2. 0 is no revision at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// No revision: nothing has happened at it or before it.
    pub const NONE: Revision = Revision(0);

    /// The revision of a store to which nothing has been written yet.
    pub const EMPTY: Revision = Revision(1);

    /// The one after this.
    pub const fn next(self) -> Revision {
        Revision(self.0 + 1)
    }

    /// The one before this; [`Revision::NONE`] has none, and is its own.
    pub const fn before(self) -> Revision {
        Revision(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
