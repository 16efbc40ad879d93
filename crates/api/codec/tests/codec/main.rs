//! The codecs against upstream's fixtures, against what upstream's decoders answer, and against their own laws.

mod fixtures;
mod huge;
mod laws;
mod numbers;
mod random;
mod sparse;
