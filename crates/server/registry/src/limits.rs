//! The bounds of the registry.

/// How often a write that lost a race is tried again before the caller is told.
pub const WRITE_ATTEMPTS: usize = 16;

/// How many decoded objects are remembered: what has just been written, which all who watch are about to be shown, and what is read
/// again and again. Each costs the memory of a whole object, some seven times what the store keeps of it.
pub const DECODED_OBJECTS: usize = 1_024;

/// How many of these may be objects that have been written again since: only watchers still ask for them that are a little behind.
pub const SUPERSEDED_OBJECTS: usize = 512;

/// How many objects one read of the store fetches for a list.
pub const LIST_PAGE: usize = 2_000;

/// How many bytes of stored values a page of a list that is written while it is read has at most; an object that is larger has its own. It is
/// what a client costs that asks for a list and does not read it.
pub const LIST_PAGE_BYTES: usize = 1 << 20;

/// How many candidates for a service's address are looked at one by one before all that are taken are read.
pub const ADDRESS_PROBES: usize = 16;

/// How often addresses, ports and quotas of a new object are settled anew because somebody else was faster.
pub const CHOICE_ATTEMPTS: usize = 64;

/// How many objects a conversion webhook is asked for at once.
pub const CONVERTED_OBJECTS: usize = 500;

/// How large these are together, in bytes; a larger one is asked for alone.
pub const CONVERTED_BYTES: usize = 4 << 20;
