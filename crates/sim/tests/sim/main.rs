//! The simulator's own tests: seeds, families, planted defects, and seeds that once found something.

mod families;
mod planted;
mod regressions;
mod seeds;
