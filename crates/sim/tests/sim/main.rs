//! The simulator's own tests: seeds, planted defects, and seeds that once found something.

mod planted;
mod regressions;
mod seeds;
