//! The bounds of this crate, all of them upstream's.

/// The bytes of a pool's name.
pub const POOL_BYTES: usize = 253;
/// The bytes of the name of an attribute or a capacity, without its domain.
pub const ID_BYTES: usize = 32;
/// The bytes of a qualified name, as far as paths show it.
pub const QUALIFIED_BYTES: usize = 63 + 1 + ID_BYTES;
/// The bytes of an attribute's text.
pub const VALUE_BYTES: usize = 64;
/// The bytes of an expression.
pub const EXPRESSION_BYTES: usize = 10 << 10;
/// The bytes of what a driver alone understands.
pub const OPAQUE_BYTES: usize = 10 << 10;
/// Devices of a slice.
pub const DEVICES: usize = 128;
/// The same, if they have taints, counters or lists.
pub const ADVANCED_DEVICES: usize = 64;
/// Attributes and capacities of a device.
pub const ATTRIBUTES: usize = 32;
/// Values of a device's attributes, lists counted by their elements.
pub const ATTRIBUTE_VALUES: usize = 48;
/// Counters of a set, or taken of one.
pub const COUNTERS: usize = 32;
/// Taints of a device.
pub const TAINTS: usize = 16;
/// Values that a request for a capacity can choose from.
pub const VALID_VALUES: usize = 10;
/// Conditions of an allocated device, or of a rule.
pub const CONDITIONS: usize = 8;
