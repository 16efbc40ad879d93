//! How a figure is written down: one line each.

use std::time::Duration;

/// One figure.
pub struct Figure {
    number: u8,
    what: String,
    measured: String,
    goal: Option<(String, bool)>,
    limit: Option<String>,
}

impl Figure {
    /// A figure of this number in the plan, and what was measured.
    pub fn new(number: u8, what: impl Into<String>, measured: impl Into<String>) -> Figure {
        Figure { number, what: what.into(), measured: measured.into(), goal: None, limit: None }
    }

    /// What was aimed at, and whether it was reached.
    #[must_use]
    pub fn goal(self, goal: impl Into<String>, met: bool) -> Figure {
        Figure { goal: Some((goal.into(), met)), ..self }
    }

    /// What could not be beaten, measured in the same run.
    #[must_use]
    pub fn limit(self, limit: impl Into<String>) -> Figure {
        Figure { limit: Some(limit.into()), ..self }
    }

    /// Prints it.
    pub fn print(&self) {
        println!("{self}");
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  [{}] {}: {}", self.number, self.what, self.measured)?;
        if let Some((goal, met)) = &self.goal {
            write!(f, "; goal {goal}: {}", if *met { "met" } else { "missed" })?;
        }
        match &self.limit {
            Some(limit) => write!(f, "; limit in this run: {limit}"),
            None => Ok(()),
        }
    }
}

/// How long each of many took.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// These times.
    pub fn of(mut times: Vec<Duration>) -> Times {
        times.sort_unstable();
        Times(times)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The time in milliseconds that this share, in thousandths, did not exceed.
    pub fn ms(&self, share: usize) -> f64 {
        let at = (self.0.len() * share / 1_000).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    /// The median and the 99th percentile.
    pub fn shown(&self) -> String {
        format!("p50 {:.2} ms, p99 {:.2} ms, of {}", self.ms(500), self.ms(990), self.len())
    }
}

/// A whole number with its thousands set apart.
pub fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_one_line_that_says_all() {
        let figure =
            Figure::new(6, "writes, 1 client", "1,000/s").goal("2,040/s", false).limit("a log: 7,000/s");
        let line = "  [6] writes, 1 client: 1,000/s; goal 2,040/s: missed; limit in this run: a log: 7,000/s";
        assert_eq!(figure.to_string(), line);
    }

    #[test]
    fn shares_of_times_are_those_of_the_sorted() {
        let times = Times::of((1..=100).rev().map(Duration::from_millis).collect());
        assert_eq!((times.ms(500), times.ms(990), times.ms(1_000)), (51.0, 100.0, 100.0));
        assert!(Times::default().ms(500).is_nan());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0.0, 999.0, 1_000.0, 1_234_567.4].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
