//! One field of a schedule: the set of numbers that it names.

/// Which numbers a field may name, and by which words.
pub(crate) struct Bounds {
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) names: &'static [&'static str],
}

pub(crate) const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
pub(crate) const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
pub(crate) const DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
pub(crate) const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
pub(crate) const WEEKDAYS: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

/// The numbers of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    bits: u64,
    /// Whether it is open, by a star or question mark: of two fields for days, one that is open does not make a day match.
    pub(crate) star: bool,
}

impl Field {
    /// All numbers.
    pub(crate) fn all(bounds: &Bounds) -> Field {
        Field { bits: bits(bounds.min, bounds.max, 1), star: true }
    }

    /// The least number.
    pub(crate) fn first(bounds: &Bounds) -> Field {
        Field { bits: 1 << bounds.min, star: false }
    }

    /// Reads a list of ranges.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn parse(text: &str, bounds: &Bounds) -> Result<Field, String> {
        let mut field = Field::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let Field { bits, star } = range(part, bounds)?;
            field.bits |= bits;
            field.star |= star;
        }
        Ok(field)
    }

    pub(crate) fn has(self, number: i64) -> bool {
        u32::try_from(number)
            .ok()
            .and_then(|number| self.bits.checked_shr(number))
            .is_some_and(|it| it & 1 == 1)
    }
}

fn range(text: &str, bounds: &Bounds) -> Result<Field, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let mut star = matches!(ends[0], "*" | "?");
    let (start, mut end) = if star {
        (bounds.min, bounds.max)
    } else {
        let start = number(ends[0], bounds)?;
        match ends[..] {
            [_] => (start, start),
            [_, end] => (start, number(end, bounds)?),
            _ => return Err(format!("too many hyphens: {text}")),
        }
    };
    let step = match parts[..] {
        [_] => 1,
        [_, step] => {
            let step = integer(step)?;
            // `5/10` means `5-59/10`.
            if ends.len() == 1 {
                end = bounds.max;
            }
            star &= step <= 1;
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    let Bounds { min, max, .. } = bounds;
    if start < *min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > *max {
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(Field { bits: bits(start, end, step), star })
}

fn bits(start: u64, end: u64, step: u64) -> u64 {
    let mut bits = 0;
    let mut number = start;
    while number <= end {
        bits |= 1 << number;
        number += step;
    }
    bits
}

fn number(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let named = bounds.names.iter().zip(bounds.min..).find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or_else(|| integer(text), |(_, number)| Ok(number))
}

fn integer(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let why = |why| format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {why}");
    if !is_number {
        return Err(why("invalid syntax"));
    }
    let number: i64 = text.parse().map_err(|_| why("value out of range"))?;
    u64::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}"))
}
