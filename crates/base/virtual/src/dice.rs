//! All chance of a world, from its seed. Whoever draws much has dice of its own, so that one more draw here changes nothing
//! there.
//!
//! SplitMix64 (Steele, Lea, Flood 2014).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::random::Random;

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of numbers; clones share it.
#[derive(Clone, Debug)]
pub struct Dice(Arc<AtomicU64>);

impl Dice {
    /// Dice that always show the same for the same seed.
    pub fn new(seed: u64) -> Dice {
        Dice(Arc::new(AtomicU64::new(mix(seed.wrapping_add(STEP)))))
    }

    /// Dice of their own for a part, by its name.
    #[must_use]
    pub fn fork(&self, part: &str) -> Dice {
        let named = part.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Dice::new(self.next() ^ named)
    }

    fn next(&self) -> u64 {
        mix(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Whether something happens that does so `per_mille` times in a thousand.
    pub fn chance(&self, per_mille: usize) -> bool {
        self.below(1000) < per_mille
    }

    /// One of several.
    pub fn pick<'a, T>(&self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A span of whole milliseconds, both ends included.
    pub fn millis(&self, from: u64, to: u64) -> Duration {
        let span = usize::try_from(to - from).unwrap_or(usize::MAX);
        Duration::from_millis(from + self.below(span + 1) as u64)
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_shows_the_same_and_parts_differ() {
        let draw = |dice: Dice| (0..4).map(|_| dice.below(1000)).collect::<Vec<_>>();
        assert_eq!(draw(Dice::new(7)), draw(Dice::new(7)));
        assert_ne!(draw(Dice::new(7)), draw(Dice::new(8)));
        assert_ne!(draw(Dice::new(7).fork("a")), draw(Dice::new(7).fork("b")));
    }
}
