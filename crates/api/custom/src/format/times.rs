//! Dates, times of day and spans of time, as upstream's formats have them.

use api_record::scalar::Duration;

/// `2006-01-02`, of a day that there is.
pub(super) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let number = |text: &str, digits: usize| {
        let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (Some(year), Some(month), Some(day)) = (number(year, 4), number(month, 2), number(day, 2)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// A date, `T`, and a time with its zone.
pub(super) fn is_date_time(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut parts = text.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    is_date(date) && is_time(time)
}

fn is_time(text: &str) -> bool {
    if !text.is_ascii() {
        return false;
    }
    let two = |from: usize, highest: &str| {
        let part = text.get(from..from + 2).unwrap_or_default();
        part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()) && part <= highest
    };
    let colon = |at: usize| text.as_bytes().get(at) == Some(&b':');
    if !(two(0, "23") && colon(2) && two(3, "59") && colon(5) && two(6, "59")) {
        return false;
    }
    let mut rest = &text[8..];
    // Any character may stand for the point, as in upstream's pattern.
    let fraction = rest.get(1..).unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 && !is_zone(rest) {
        rest = &fraction[digits..];
    }
    is_zone(rest)
}

fn is_zone(text: &str) -> bool {
    let bytes = text.as_bytes();
    text == "z"
        || (bytes.len() == 6
            && matches!(bytes[0], b'+' | b'-')
            && bytes[3] == b':'
            && [1, 2, 4, 5].iter().all(|at| bytes[*at].is_ascii_digit()))
}

/// The units of spans, short and long, in nanoseconds; the last name of each may go on.
const UNITS: [(&[&str], i64); 8] = [
    (&["ns", "nano"], 1),
    (&["us", "µs", "micro"], 1_000),
    (&["ms", "milli"], 1_000_000),
    (&["s", "sec"], 1_000_000_000),
    (&["m", "min"], 60_000_000_000),
    (&["h", "hr", "hour"], 3_600_000_000_000),
    (&["d", "day"], 86_400_000_000_000),
    (&["w", "wk", "week"], 604_800_000_000_000),
];

/// Go's durations (`1h30m`), or Scala's (`3 days`), in nanoseconds.
pub(crate) fn duration(text: &str) -> Option<i64> {
    match text.parse::<Duration>() {
        Ok(span) => Some(span.nanos),
        Err(_) => scala_duration(text),
    }
}

pub(super) fn is_duration(text: &str) -> bool {
    duration(text).is_some()
}

/// The sum of all numbers that a unit follows.
fn scala_duration(text: &str) -> Option<i64> {
    let (mut rest, mut sum) = (text, None::<i64>);
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = &rest[start..];
        let after = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        let count: i64 = digits[..digits.len() - after.len()].parse().ok()?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(after.len());
        let unit = after[..end].to_lowercase();
        let known = UNITS.iter().find(|(names, _)| {
            names.contains(&unit.as_str()) || names.last().is_some_and(|last| unit.starts_with(last))
        });
        if let Some((_, nanos)) = known.filter(|_| !unit.is_empty()) {
            sum = Some(sum.unwrap_or(0).wrapping_add(count.wrapping_mul(*nanos)));
        }
        rest = &after[end..];
    }
    sum
}
