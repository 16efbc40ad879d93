//! Moments and spans of time.

use api_record::scalar;

use super::{Answer, failed};
use crate::error::EvalError;
use crate::value::Value;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

/// Moments lie in the years 1 to 9999.
const FIRST: i128 = -62_135_596_800 * SECOND;
const LAST: i128 = 253_402_300_800 * SECOND - 1;

/// A moment, if there is such a year.
pub(super) fn moment(nanos: i128) -> Answer {
    if (FIRST..=LAST).contains(&nanos) { Ok(Value::Timestamp(nanos)) } else { failed("timestamp overflow") }
}

/// RFC 3339.
pub(super) fn timestamp(text: &str) -> Answer {
    // Read in whole seconds, whatever their fraction.
    match text.parse::<scalar::Time>() {
        Ok(at) => moment(i128::from(at.seconds) * SECOND + fraction(text)),
        Err(_) => failed("type conversion error from 'string' to 'google.protobuf.Timestamp'"),
    }
}

/// The nanoseconds of a moment that was read.
fn fraction(text: &str) -> i128 {
    let digits = text.split_once(['.', ',']).map(|(_, rest)| rest).unwrap_or_default();
    let digits = digits.bytes().take_while(u8::is_ascii_digit).chain(std::iter::repeat(b'0')).take(9);
    digits.fold(0, |nanos, digit| nanos * 10 + i128::from(digit - b'0'))
}

/// As Go reads spans of time.
pub(super) fn duration(text: &str) -> Answer {
    match text.parse::<scalar::Duration>() {
        Ok(span) => Ok(Value::Duration(span.nanos)),
        Err(_) => failed("type conversion error from 'string' to 'google.protobuf.Duration'"),
    }
}

/// RFC 3339, with as many decimals as are needed.
pub(super) fn written(nanos: i128) -> String {
    let seconds = nanos.div_euclid(SECOND) as i64;
    let whole = scalar::Time { seconds }.to_string();
    let fraction = format!("{:09}", nanos.rem_euclid(SECOND));
    match fraction.trim_end_matches('0') {
        "" => whole,
        digits => format!("{}.{digits}Z", whole.trim_end_matches('Z')),
    }
}

/// Seconds, as protobuf's JSON has spans of time.
pub(super) fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (whole, rest) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    let fraction = format!("{rest:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}s"),
        digits => format!("{sign}{whole}.{digits}s"),
    }
}

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    match values {
        [Value::Duration(nanos)] => {
            let unit = match name {
                "getHours" => 3_600_000_000_000,
                "getMinutes" => 60_000_000_000,
                "getSeconds" => 1_000_000_000,
                "getMilliseconds" => 1_000_000,
                _ => return None,
            };
            Some(Ok(Value::Int(nanos / unit)))
        }
        [Value::Timestamp(nanos)] => part(name, *nanos),
        [Value::Timestamp(nanos), Value::String(zone)] => match offset(zone) {
            Some(offset) => part(name, nanos + offset),
            None => Some(Err(EvalError::other(format!("unknown time zone {zone}")))),
        },
        _ => None,
    }
}

/// `+02:00`, `-07:30`, `02:00`, `UTC`.
fn offset(zone: &str) -> Option<i128> {
    if matches!(zone, "UTC" | "Z" | "GMT") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i128, i128) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes))
        .then(|| sign * (hours * 60 + minutes) * 60 * SECOND)
}

/// A part of a moment. Months, and days of months and years, count from zero but for `getDate`; weeks begin on Sunday.
fn part(name: &str, nanos: i128) -> Option<Answer> {
    let (days, within) = (nanos.div_euclid(DAY), nanos.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let value = match name {
        "getFullYear" => year,
        "getMonth" => month - 1,
        "getDayOfMonth" => day - 1,
        "getDate" => day,
        "getDayOfYear" => days - days_before(year),
        "getDayOfWeek" => (days + 4).rem_euclid(7),
        "getHours" => within / (3_600 * SECOND),
        "getMinutes" => within / (60 * SECOND) % 60,
        "getSeconds" => within / SECOND % 60,
        "getMilliseconds" => within / 1_000_000 % 1_000,
        _ => return None,
    };
    Some(Ok(Value::Int(value as i64)))
}

/// Days from the Unix epoch to the first of January of a year.
fn days_before(year: i128) -> i128 {
    let before = year - 1;
    before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

/// Year, month and day of a number of days since the Unix epoch.
fn civil(days: i128) -> (i128, i128, i128) {
    // An estimate that is at most one year off.
    let mut year = 1970 + days.div_euclid(366);
    while days_before(year + 1) <= days {
        year += 1;
    }
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let mut rest = days - days_before(year);
    for (index, length) in
        [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate()
    {
        if rest < length {
            return (year, index as i128 + 1, rest + 1);
        }
        rest -= length;
    }
    (year, 12, 31)
}
