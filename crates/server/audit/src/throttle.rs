//! How often batches are sent: a bucket of tokens, filled at a rate. (`client-go/util/flowcontrol`.)

use std::time::Duration;

use base::time::Time;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// On average, a second.
    pub per_second: f64,
    /// At once, after nothing has happened for long.
    pub burst: u32,
}

/// The bucket.
pub(crate) struct Throttle {
    rate: Rate,
    /// Below zero as far as turns are given away that are yet to come.
    tokens: f64,
    filled: Time,
}

impl Throttle {
    pub(crate) fn new(rate: Rate, now: Time) -> Throttle {
        Throttle { rate, tokens: f64::from(rate.burst), filled: now }
    }

    /// Takes a turn; answers how long it is until then.
    pub(crate) fn turn(&mut self, now: Time) -> Duration {
        let gained = now.since(self.filled).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + gained).min(f64::from(self.rate.burst)) - 1.0;
        self.filled = now;
        Duration::try_from_secs_f64(-self.tokens / self.rate.per_second).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let at = |millis: i64| Time::from_unix_nanos(millis * 1_000_000);
        let mut throttle = Throttle::new(Rate { per_second: 10.0, burst: 2 }, at(0));
        let wait = |(now, wanted): (i64, u128)| {
            assert_eq!(throttle.turn(at(now)).as_millis(), wanted, "at {now}");
        };
        [(0, 0), (0, 0), (0, 100), (0, 200), (300, 0), (350, 50), (5_000, 0), (5_000, 0), (5_000, 100)]
            .into_iter()
            .for_each(wait);
    }
}
