//! `metav1.Time`, `metav1.MicroTime` and `metav1.Duration`.
//!
//! A nil or zero time is `None` of an `Option` around these, for fields that are pointers and for those that are not.

mod rfc3339;

use std::fmt;
use std::str::FromStr;

pub use rfc3339::ParseTimeError;
use rfc3339::{Fraction, SHOWN_BYTES};

/// Go's zero time, the first of January of the year 1, in seconds since the Unix epoch.
const ZERO_SECONDS: i64 = -62_135_596_800;

/// A point in time in whole seconds since the Unix epoch, RFC 3339 in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds since the Unix epoch.
    pub seconds: i64,
}

/// A point in time in microseconds since the Unix epoch, RFC 3339 with six decimals in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroTime {
    /// Microseconds since the Unix epoch.
    pub micros: i64,
}

/// A span of time, in JSON as Go writes it (`1h2m3s`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    /// Nanoseconds.
    pub nanos: i64,
}

impl Time {
    /// Go's zero time, which JSON writes as `null` and protobuf as an empty message. A field that is no pointer holds
    /// `None` in its place.
    pub const ZERO: Time = Time { seconds: ZERO_SECONDS };

    /// Whether it is the zero time.
    pub fn is_zero(self) -> bool {
        self == Time::ZERO
    }
}

impl MicroTime {
    /// Go's zero time; see [`Time::ZERO`].
    pub const ZERO: MicroTime = MicroTime { micros: ZERO_SECONDS * 1_000_000 };

    /// Whether it is the zero time.
    pub fn is_zero(self) -> bool {
        self == MicroTime::ZERO
    }
}

impl FromStr for Time {
    type Err = ParseTimeError;
    fn from_str(text: &str) -> Result<Time, ParseTimeError> {
        Ok(Time { seconds: rfc3339::parse(text, Fraction::Optional)?.0 })
    }
}

impl FromStr for MicroTime {
    type Err = ParseTimeError;
    fn from_str(text: &str) -> Result<MicroTime, ParseTimeError> {
        let (seconds, nanos) = rfc3339::parse(text, Fraction::SixDigits)?;
        Ok(MicroTime { micros: seconds * 1_000_000 + nanos / 1_000 })
    }
}

/// A moment in RFC 3339 with as many decimals as it may have: the nine of a container's log, say.
///
/// # Errors
/// When the text is none.
pub fn parse_moment(text: &str) -> Result<base::time::Time, ParseTimeError> {
    let (seconds, nanos) = rfc3339::parse(text, Fraction::Optional)?;
    Ok(base::time::Time::from_unix_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos)))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write(f, self.seconds)?;
        f.write_str("Z")
    }
}

impl fmt::Display for MicroTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        rfc3339::write(f, self.micros.div_euclid(1_000_000))?;
        write!(f, ".{:06}Z", self.micros.rem_euclid(1_000_000))
    }
}

impl From<base::time::Time> for Time {
    fn from(time: base::time::Time) -> Time {
        Time { seconds: time.unix_seconds() }
    }
}

impl From<Time> for base::time::Time {
    fn from(time: Time) -> base::time::Time {
        base::time::Time::from_unix_seconds(time.seconds)
    }
}

impl From<base::time::Time> for MicroTime {
    fn from(time: base::time::Time) -> MicroTime {
        MicroTime { micros: time.unix_nanos().div_euclid(1_000) }
    }
}

impl From<MicroTime> for base::time::Time {
    fn from(time: MicroTime) -> base::time::Time {
        base::time::Time::from_unix_nanos(time.micros.saturating_mul(1_000))
    }
}

const UNITS: [(&str, i64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A span of time that could not be read.
impl FromStr for Duration {
    type Err = String;
    fn from_str(text: &str) -> Result<Duration, String> {
        let invalid = || {
            let shown = &text[..text.floor_char_boundary(SHOWN_BYTES)];
            format!("time: invalid duration {shown:?}")
        };
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Duration::default());
        }
        let mut total: i128 = 0;
        if rest.is_empty() {
            return Err(invalid());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
            let unit_end = rest[digits..]
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .map_or(rest.len(), |end| digits + end);
            let unit = &rest[digits..unit_end];
            let scale = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?.1;
            let (whole, fraction) = rest[..digits].split_once('.').unwrap_or((&rest[..digits], ""));
            if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
                return Err(invalid());
            }
            let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
            let mut part = whole * i128::from(scale);
            let mut place = i128::from(scale);
            for digit in fraction.bytes() {
                place /= 10;
                part += i128::from(digit - b'0') * place;
            }
            total += part;
            rest = &rest[unit_end..];
        }
        let nanos = i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())?;
        Ok(Duration { nanos })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let fraction = |value: u64, scale: u64| {
            let digits = format!("{:0width$}", value % scale, width = scale.ilog10() as usize);
            let digits = digits.trim_end_matches('0');
            let dot = if digits.is_empty() { "" } else { "." };
            format!("{}{dot}{digits}", value / scale)
        };
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{sign}{nanos}ns"),
            1_000..1_000_000 => write!(f, "{sign}{}µs", fraction(nanos, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{sign}{}ms", fraction(nanos, 1_000_000)),
            _ => {
                let minutes = nanos / 60_000_000_000;
                let seconds = fraction(nanos % 60_000_000_000, 1_000_000_000);
                match (minutes / 60, minutes % 60) {
                    (0, 0) => write!(f, "{sign}{seconds}s"),
                    (0, minutes) => write!(f, "{sign}{minutes}m{seconds}s"),
                    (hours, minutes) => write!(f, "{sign}{hours}h{minutes}m{seconds}s"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_go_does() {
        let time: Time = "2008-01-01T02:01:01+01:00".parse().expect("a time with an offset");
        assert_eq!(time.to_string(), "2008-01-01T01:01:01Z");
        let micro: MicroTime = "2008-01-01T01:01:01.500000Z".parse().expect("a time with a fraction");
        assert_eq!(micro.to_string(), "2008-01-01T01:01:01.500000Z");
        for edge in ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            assert_eq!(edge.parse::<Time>().expect("a time").to_string(), edge);
        }
        let lenient: Time = "2008-01-01T1:01:01,5Z".parse().expect("one digit of an hour is enough");
        assert_eq!(lenient, time);
        for bad in ["2008-01-01T01:01:01Z", "2008-01-01T01:01:01.5Z", "2008-01-01T01:01:01.0000001Z"] {
            assert!(bad.parse::<MicroTime>().is_err(), "{bad}: six digits are demanded");
        }
    }

    #[test]
    fn errors_are_short_however_long_the_text() {
        for part in ["9", "h", "1h", "2008-01-01T01:01:01Z", "\u{e9}", "."] {
            let huge = part.repeat((100 << 20) / part.len());
            assert!(huge.parse::<Time>().expect_err(part).to_string().len() < 16 << 10);
            assert!(huge.parse::<MicroTime>().expect_err(part).to_string().len() < 16 << 10);
            assert!(huge.parse::<Duration>().expect_err(part).len() < 16 << 10);
            assert!(huge.parse::<crate::scalar::Quantity>().is_err());
        }
    }

    #[test]
    fn the_zero_time_is_the_year_one() {
        assert!("0001-01-01T00:00:00Z".parse::<Time>().expect("a time").is_zero());
        assert!("0001-01-01T00:00:00.000000Z".parse::<MicroTime>().expect("a time").is_zero());
    }

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        for (text, nanos) in [
            ("0s", 0),
            ("1ns", 1),
            ("1.5µs", 1_500),
            ("2ms", 2_000_000),
            ("1.5s", 1_500_000_000),
            ("1m0s", 60_000_000_000),
            ("-1h2m3s", -3_723_000_000_000),
        ] {
            assert_eq!(Duration { nanos }.to_string(), text);
            assert_eq!(text.parse(), Ok(Duration { nanos }));
        }
        for bad in ["", "1", "s", "1x", "1..5s", "99999999999999999999h"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }
}
