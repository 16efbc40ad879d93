//! RFC 3339 as Go's `time` package reads and writes it, with its words for what is wrong. Used by the times beside it;
//! knows nothing of time zones but the offset that the text gives.

use std::fmt;

/// A time that could not be read; the text is that of Go's `time.Parse`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseTimeError {
    message: String,
}

/// Whether the fraction of a second may be left out, or has exactly six digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fraction {
    Optional,
    SixDigits,
}

impl Fraction {
    fn layout(self) -> &'static str {
        match self {
            Fraction::Optional => "2006-01-02T15:04:05Z07:00",
            Fraction::SixDigits => "2006-01-02T15:04:05.000000Z07:00",
        }
    }
}

/// How much of a text an error shows.
pub(super) const SHOWN_BYTES: usize = 1_024;

const DAY_SECONDS: i64 = 86_400;

struct Parser<'a> {
    text: &'a str,
    rest: &'a [u8],
    fraction: Fraction,
}

/// Seconds since the Unix epoch, and nanoseconds on top of them.
pub(super) fn parse(text: &str, fraction: Fraction) -> Result<(i64, i64), ParseTimeError> {
    let mut parser = Parser { text, rest: text.as_bytes(), fraction };
    let year = parser.year()?;
    parser.literal(b'-', "-")?;
    let month = parser.number("01", true)?;
    parser.within((1..=12).contains(&month), "month")?;
    parser.literal(b'-', "-")?;
    let day = parser.number("02", true)?;
    parser.literal(b'T', "T")?;
    let hour = parser.number("15", false)?;
    parser.within(hour < 24, "hour")?;
    parser.literal(b':', ":")?;
    let minute = parser.number("04", true)?;
    parser.within(minute < 60, "minute")?;
    parser.literal(b':', ":")?;
    let second = parser.number("05", true)?;
    parser.within(second < 60, "second")?;
    let nanos = parser.nanos()?;
    let offset_seconds = parser.offset()?;
    if !parser.rest.is_empty() {
        let extra = quoted(parser.rest);
        return Err(parser.problem(&format!("extra text: {extra}")));
    }
    parser.within((1..=days_in(year, month)).contains(&day), "day")?;
    let days = days_from_civil(year, month, day);
    Ok((days * DAY_SECONDS + hour * 3_600 + minute * 60 + second - offset_seconds, nanos))
}

impl<'a> Parser<'a> {
    fn problem(&self, problem: &str) -> ParseTimeError {
        ParseTimeError { message: format!("parsing time {}: {problem}", quoted(self.text.as_bytes())) }
    }

    fn mismatch(&self, at: &[u8], element: &str) -> ParseTimeError {
        let (text, layout) = (quoted(self.text.as_bytes()), self.fraction.layout());
        ParseTimeError {
            message: format!(
                "parsing time {text} as \"{layout}\": cannot parse {} as \"{element}\"",
                quoted(at)
            ),
        }
    }

    fn within(&self, within: bool, what: &str) -> Result<(), ParseTimeError> {
        if within { Ok(()) } else { Err(self.problem(&format!("{what} out of range"))) }
    }

    fn literal(&mut self, wanted: u8, element: &str) -> Result<(), ParseTimeError> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte == wanted => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.mismatch(self.rest, element)),
        }
    }

    fn year(&mut self) -> Result<i64, ParseTimeError> {
        match self.rest.split_at_checked(4) {
            Some((year, rest)) if year.iter().all(u8::is_ascii_digit) => {
                self.rest = rest;
                Ok(number(year))
            }
            _ => Err(self.mismatch(self.rest, "2006")),
        }
    }

    /// Two digits, or one where that is enough.
    fn number(&mut self, element: &str, fixed: bool) -> Result<i64, ParseTimeError> {
        let digits = self.rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || (digits == 1 && fixed) {
            return Err(self.mismatch(self.rest, element));
        }
        let (text, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Ok(number(text))
    }

    fn nanos(&mut self) -> Result<i64, ParseTimeError> {
        let starts = matches!(self.rest, [b'.' | b',', digit, ..] if digit.is_ascii_digit());
        if self.fraction == Fraction::Optional && !starts {
            return Ok(0);
        }
        let digits = match self.fraction {
            Fraction::Optional => self.rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
            Fraction::SixDigits => 6,
        };
        let text = self.rest.get(1..=digits).filter(|text| starts && text.iter().all(u8::is_ascii_digit));
        let text = text.ok_or_else(|| self.mismatch(self.rest, ".000000"))?;
        self.rest = &self.rest[1 + digits..];
        let kept = &text[..text.len().min(9)];
        Ok(number(kept) * 10_i64.pow(9 - kept.len() as u32))
    }

    fn offset(&mut self) -> Result<i64, ParseTimeError> {
        if let [b'Z', rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(0);
        }
        let bad = self.mismatch(self.rest, "Z07:00");
        let [sign, h1, h2, b':', m1, m2, rest @ ..] = self.rest else { return Err(bad) };
        if ![h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit) {
            return Err(bad);
        }
        let (hours, minutes) = (number(&[*h1, *h2]), number(&[*m1, *m2]));
        self.within(hours <= 24, "time zone offset hour")?;
        self.within(minutes <= 60, "time zone offset minute")?;
        self.rest = rest;
        match sign {
            b'+' => Ok((hours * 60 + minutes) * 60),
            b'-' => Ok(-(hours * 60 + minutes) * 60),
            _ => Err(bad),
        }
    }
}

fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
}

/// As Go's `time` quotes what it could not read; of what is far too long for a time, the beginning.
fn quoted(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in text.iter().take(SHOWN_BYTES) {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..0x80 => out.push(char::from(byte)),
            _ => out += &format!("\\x{byte:02x}"),
        }
    }
    out + "\""
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the Unix epoch of a date of the Gregorian calendar. The year begins in March here, which puts the leap day
/// at its end; 400 years have 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day; the inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// Writes a time without its zone and fraction.
pub(super) fn write(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
    let second = seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-719_528..=2_932_896).step_by(13) {
            let (year, month, day) = civil_from_days(days);
            assert!((1..=days_in(year, month)).contains(&day));
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(days_from_civil(2000, 2, 29), 11_016);
    }

    #[test]
    fn what_is_wrong_is_said_in_gos_words() {
        let wrong = |text: &str, fraction| parse(text, fraction).expect_err(text).to_string();
        for (text, message) in [
            ("", r#"parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006""#),
            (
                "é\"",
                r#"parsing time "\xc3\xa9\"" as "2006-01-02T15:04:05Z07:00": cannot parse "\xc3\xa9\"" as "2006""#,
            ),
            (
                "2008-01-01 01:01:01Z",
                r#"parsing time "2008-01-01 01:01:01Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 01:01:01Z" as "T""#,
            ),
            ("2008-13-01T01:01:01Z", r#"parsing time "2008-13-01T01:01:01Z": month out of range"#),
            ("2007-02-29T01:01:01Z", r#"parsing time "2007-02-29T01:01:01Z": day out of range"#),
            (
                "2008-01-01T01:01:01",
                r#"parsing time "2008-01-01T01:01:01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#,
            ),
            ("2008-01-01T01:01:01Zx", r#"parsing time "2008-01-01T01:01:01Zx": extra text: "x""#),
        ] {
            assert_eq!(wrong(text, Fraction::Optional), message);
        }
        assert_eq!(
            wrong("2008-01-01T01:01:01.5Z", Fraction::SixDigits),
            r#"parsing time "2008-01-01T01:01:01.5Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".5Z" as ".000000""#
        );
    }
}
