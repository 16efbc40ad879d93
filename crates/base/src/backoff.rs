//! How long to wait after a failure that may pass: twice as long each time, up to a bound, and never exactly, so that those who
//! failed together do not come again together.

use std::time::Duration;

use crate::random::Random;

/// The waits between tries. A wait is between half of what it doubles to and the whole.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Waits that begin with `first` and grow to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { next: first, longest }
    }

    /// How long to wait now.
    pub fn wait(&mut self, random: &dyn Random) -> Duration {
        let whole = self.next.min(self.longest);
        self.next = whole * 2;
        let mut bytes = [0; 2];
        random.fill(&mut bytes);
        whole / 2 + whole / 2 * u32::from(u16::from_le_bytes(bytes)) / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn waits_double_to_their_bound_and_are_never_the_same_for_all() {
        let seconds = |random: u8| {
            let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10));
            [(); 5].map(|()| backoff.wait(&Always(random)).as_secs())
        };
        assert_eq!(seconds(255), [2, 4, 8, 10, 10]);
        assert_eq!(seconds(0), [1, 2, 4, 5, 5]);
    }
}
