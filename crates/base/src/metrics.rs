//! Metrics in Prometheus' text form (version 0.0.4), as Go's client library writes them.
//!
//! Whoever counts something keeps its own numbers and is a [`Source`] of them; names, help texts, labels and buckets are the
//! source's business. No library: those for Rust write OpenMetrics, whose names and numbers differ from upstream's.

mod process;

use std::fmt::Write as _;

use crate::time::Time;

pub use process::Process;

/// What the answer to a scrape is called.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Who counts something.
pub trait Source: Send + Sync {
    /// Writes the metrics as they are now.
    fn collect(&self, text: &mut Text, now: Time);
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// It only goes up.
    Counter,
    /// It goes up and down.
    Gauge,
    /// A [`Histogram`].
    Histogram,
}

/// Names and values of labels, in the order of the names.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text of an answer to a scrape.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// Begins a metric; all its samples follow.
    pub fn family(&mut self, name: &'static str, type_: Type, help: &str) -> Family<'_> {
        let type_ = match type_ {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {type_}");
        Family { out: &mut self.0, name }
    }

    /// The whole text.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// A metric being written.
pub struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: Labels<'_>, value: f64) -> &mut Self {
        self.line("", labels, None, value)
    }

    /// One sample, taken at a time of its own.
    pub fn sample_at(&mut self, labels: Labels<'_>, value: f64, at: Time) -> &mut Self {
        self.line("", labels, None, value);
        self.out.pop();
        let _ = writeln!(self.out, " {}", at.unix_nanos().div_euclid(1_000_000));
        self
    }

    /// The samples of a histogram.
    pub fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) -> &mut Self {
        let mut below = 0;
        for (bound, count) in histogram.bounds.iter().zip(&histogram.counts) {
            below += count;
            self.line("_bucket", labels, Some(&number(*bound)), below as f64);
        }
        self.line("_bucket", labels, Some("+Inf"), histogram.count as f64);
        self.line("_sum", labels, None, histogram.sum);
        self.line("_count", labels, None, histogram.count as f64)
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, bound: Option<&str>, value: f64) -> &mut Self {
        let _ = write!(self.out, "{}{suffix}", self.name);
        let bound = bound.map(|bound| ("le", bound));
        for (index, (name, value)) in labels.iter().copied().chain(bound).enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.out, "{open}{name}=\"{value}\"");
        }
        if !labels.is_empty() || bound.is_some() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {}", number(value));
        self
    }
}

/// How often values fell below each of some bounds.
#[derive(Clone, Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Histogram {
    /// One that has seen nothing; the bounds rise, and infinity is not among them.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        Histogram { bounds, counts: vec![0; bounds.len()], count: 0, sum: 0.0 }
    }

    /// Takes in a value.
    pub fn observe(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        let index = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
    }

    /// How many values it has seen.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// Go's `strconv.FormatFloat(value, 'g', -1, 64)`: the shortest text, with an exponent for the very small and large.
fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if value != 0.0 && !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (0.005, "0.005"),
            (1e-8, "1e-08"),
            (1.5e-5, "1.5e-05"),
            (1e21, "1e+21"),
            (123_456_789.0, "123456789"),
            (-1.0, "-1"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn metrics_are_written_in_the_text_form() {
        let mut histogram = Histogram::new(&[0.1, 1.0]);
        for value in [0.05, 0.1, 0.5, 7.0] {
            histogram.observe(value);
        }
        let mut text = Text::default();
        text.family("a_total", Type::Counter, "Of a\nkind.").sample(&[], 3.0);
        text.family("b_seconds", Type::Histogram, "B.").histogram(&[("name", "x\"y")], &histogram);
        assert_eq!(
            text.into_string(),
            "# HELP a_total Of a\\nkind.\n# TYPE a_total counter\na_total 3\n\
             # HELP b_seconds B.\n# TYPE b_seconds histogram\n\
             b_seconds_bucket{name=\"x\\\"y\",le=\"0.1\"} 2\n\
             b_seconds_bucket{name=\"x\\\"y\",le=\"1\"} 3\n\
             b_seconds_bucket{name=\"x\\\"y\",le=\"+Inf\"} 4\n\
             b_seconds_sum{name=\"x\\\"y\"} 7.65\n\
             b_seconds_count{name=\"x\\\"y\"} 4\n"
        );
    }
}
