//! How much is looked at and shown.

/// The most nodes of which every plugin is asked; of more, only the first that rejects each node is told.
pub const NODES_ASKED_ALL: usize = 500;
/// How many details of one sort are shown in text unless all are wanted.
pub const SHOWN: usize = 3;
/// How many fields of a change are shown in text before they are told by what is above them.
pub const SHOWN_FIELDS: usize = 8;
/// How many of the latest events about an object are told.
pub const EVENTS: usize = 8;
/// How deep owners and what is owned are followed.
pub const GENERATIONS: usize = 8;
/// How many of what an object owns are told, of each kind.
pub const OWNED: usize = 20;
