//! `resource.Quantity`: an amount of a resource, and the notation that it came in.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

const NANO: i128 = 1_000_000_000;
/// Binary notation stops here, as upstream's does.
const BINARY_MAX: i128 = (i64::MAX as i128) * NANO;

/// The notation of a quantity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QuantityFormat {
    /// `12e6`.
    #[default]
    DecimalExponent,
    /// `12Mi`.
    BinarySi,
    /// `12M`.
    DecimalSi,
}

/// Why text is no quantity; the wording is upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// It is not a number followed by a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is none.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An exact amount in billionths, up to about 10²⁹ units; larger ones saturate.
#[derive(Clone, Default)]
pub struct Quantity {
    nanos: i128,
    format: QuantityFormat,
    /// The text it was parsed from where upstream repeats that instead of the canonical form (`1.500`, `+5`, `1E3`).
    text: Option<Box<str>>,
}

impl Quantity {
    /// `value` units.
    pub fn from_units(value: i64, format: QuantityFormat) -> Quantity {
        Quantity { nanos: i128::from(value) * NANO, format, text: None }
    }

    /// `value` thousandths, in decimal notation.
    pub fn from_millis(value: i64) -> Quantity {
        Quantity { nanos: i128::from(value) * (NANO / 1_000), format: QuantityFormat::DecimalSi, text: None }
    }

    /// Whole units, rounded up (away from zero), at the nearest end of the range if it lies outside.
    pub fn units(&self) -> i64 {
        self.scaled(NANO)
    }

    /// Thousandths, rounded up (away from zero), at the nearest end of the range if it lies outside.
    pub fn millis(&self) -> i64 {
        self.scaled(NANO / 1_000)
    }

    fn scaled(&self, unit: i128) -> i64 {
        let whole = self.nanos / unit;
        let rounded = if self.nanos % unit == 0 { whole } else { whole + self.nanos.signum() };
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether it is nothing at all.
    pub fn is_zero(&self) -> bool {
        self.nanos == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.nanos.signum() as i32
    }

    /// The notation.
    pub fn format(&self) -> QuantityFormat {
        self.format
    }

    /// Adds `other`; nothing takes on the notation of what is added to it.
    pub fn add(&mut self, other: &Quantity) {
        self.text = None;
        if self.nanos == 0 {
            self.format = other.format;
        }
        self.nanos = self.nanos.saturating_add(other.nanos);
    }

    /// Takes `other` away; nothing takes on the notation of what is taken from it.
    pub fn subtract(&mut self, other: &Quantity) {
        self.text = None;
        if self.nanos == 0 {
            self.format = other.format;
        }
        self.nanos = self.nanos.saturating_sub(other.nanos);
    }

    fn canonical(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = self.format == QuantityFormat::BinarySi
            && self.nanos % NANO == 0
            && self.nanos.unsigned_abs() >= (1024 * NANO).unsigned_abs();
        if binary {
            let mut mantissa = self.nanos / NANO;
            let mut suffix = 0;
            while mantissa % 1024 == 0 && suffix + 1 < BINARY.len() {
                mantissa /= 1024;
                suffix += 1;
            }
            return write!(f, "{mantissa}{}", BINARY[suffix]);
        }
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let mut mantissa = self.nanos;
        let mut exponent = -9;
        while mantissa % 1000 == 0 && (exponent < 18 || self.format == QuantityFormat::DecimalExponent) {
            mantissa /= 1000;
            exponent += 3;
        }
        match self.format {
            QuantityFormat::DecimalExponent if exponent == 0 => write!(f, "{mantissa}"),
            QuantityFormat::DecimalExponent => write!(f, "{mantissa}e{exponent}"),
            _ => write!(f, "{mantissa}{}", DECIMAL[((exponent + 9) / 3) as usize]),
        }
    }
}

const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

struct Parts<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

fn split(text: &str) -> Result<Parts<'_>, ParseQuantityError> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
        None => return Err(ParseQuantityError::Format),
    };
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(digits(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits(rest)),
        None => ("", rest),
    };
    let letters = suffix.bytes().take_while(|byte| b"eEinumkKMGTP".contains(byte)).count();
    let exponent = &suffix[letters..];
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseQuantityError::Format);
    }
    Ok(Parts { negative, whole: whole.trim_start_matches('0'), fraction, suffix })
}

/// The factor of a suffix as a power of two or of ten.
fn interpret(suffix: &str) -> Result<(QuantityFormat, u32, i32), ParseQuantityError> {
    if let Some(index) = DECIMAL.iter().position(|known| *known == suffix) {
        return Ok((QuantityFormat::DecimalSi, 10, index as i32 * 3 - 9));
    }
    if let Some(index) = BINARY.iter().position(|known| *known == suffix) {
        return Ok((QuantityFormat::BinarySi, 2, index as i32 * 10));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(ParseQuantityError::Suffix)?;
    let exponent = exponent.parse().map_err(|_| ParseQuantityError::Suffix)?;
    Ok((QuantityFormat::DecimalExponent, 10, exponent))
}

/// `digits` (with a decimal point before the last `decimals` of them) times `base` to the power `exponent`, in
/// billionths, rounded up (away from zero).
fn amount(digits: &str, decimals: usize, base: u32, exponent: i32) -> i128 {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return 0;
    }
    let (mut value, dropped) = digits.split_at(digits.len().min(36));
    let mut inexact = dropped.bytes().any(|digit| digit != b'0');
    let mut power = dropped.len() as i64 - decimals as i64 + 9;
    if base == 10 {
        power += i64::from(exponent);
    }
    // Trailing zeros leave room for a power of two to be multiplied in.
    while base == 2 && value.len() > 1 && value.ends_with('0') {
        value = &value[..value.len() - 1];
        power += 1;
    }
    let mut value: i128 = value.parse().unwrap_or(i128::MAX);
    if base == 2 {
        let factor = 1i128 << exponent;
        while value.checked_mul(factor).is_none() {
            inexact |= value % 10 != 0;
            value /= 10;
            power += 1;
        }
        value *= factor;
    }
    while power > 0 && value < i128::MAX {
        value = value.saturating_mul(10);
        power -= 1;
    }
    while power < 0 && value > 0 {
        inexact |= value % 10 != 0;
        value /= 10;
        power += 1;
    }
    if inexact { value.saturating_add(1) } else { value }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Quantity, ParseQuantityError> {
        let Parts { negative, whole, fraction, suffix } = split(text)?;
        let (mut format, base, exponent) = interpret(suffix)?;
        let number_given = text.bytes().any(|byte| byte.is_ascii_digit());
        if !number_given
            || (text.len() > suffix.len()
                && !text[..text.len() - suffix.len()].bytes().any(|b| b.is_ascii_digit()))
        {
            return Err(ParseQuantityError::Numeric);
        }
        let digits = format!("{whole}{fraction}");
        let mut nanos = amount(&digits, fraction.len(), base, exponent);
        if format == QuantityFormat::BinarySi {
            nanos = nanos.min(BINARY_MAX);
            if nanos > 0 && nanos < NANO {
                format = QuantityFormat::DecimalSi;
            }
        }
        let nanos = if negative { -nanos } else { nanos };
        let mut quantity = Quantity { nanos, format, text: None };
        if repeated(whole, fraction, base, exponent) && quantity.to_string() != text {
            quantity.text = Some(text.into());
        }
        Ok(quantity)
    }
}

/// Whether upstream takes this for canonical already, and repeats the text instead of writing the canonical form.
fn repeated(whole: &str, fraction: &str, base: u32, exponent: i32) -> bool {
    let digits = if whole.is_empty() { format!("0{fraction}") } else { format!("{whole}{fraction}") };
    let scale = exponent.saturating_sub(fraction.len() as i32);
    if base == 10 {
        let fits = digits.len() <= 18 && scale >= -9;
        fits && scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0')
    } else {
        let room = 15 - digits.len() as i64 - i64::from(exponent * 3 / 10) - 1;
        let odd = digits.parse::<u64>().is_ok_and(|value| value & 7 != 0);
        fraction.is_empty() && room >= 0 && odd
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => self.canonical(f),
        }
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms_are_upstreams() {
        for (text, canonical) in [
            ("0", "0"),
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("100m", "100m"),
            ("1000m", "1"),
            ("0.1m", "100u"),
            ("0.0000000001", "1n"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("1023Ki", "1023Ki"),
            ("1e3", "1e3"),
            ("1E3", "1E3"),
            ("1000e0", "1e3"),
            ("+5", "+5"),
            ("1.500", "1.500"),
            ("0.5Ki", "512"),
            ("0.0001Ki", "102400u"),
            ("-1.5", "-1500m"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("9Ei", "9223372036854775807"),
            ("010", "010"),
        ] {
            let quantity: Quantity = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(quantity.to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn malformed_text_gets_upstreams_errors() {
        for (text, error) in [
            ("", ParseQuantityError::Format),
            ("1 Gi", ParseQuantityError::Format),
            ("1Gi1x", ParseQuantityError::Format),
            ("1kk", ParseQuantityError::Suffix),
            ("1e", ParseQuantityError::Suffix),
            (".", ParseQuantityError::Numeric),
        ] {
            assert_eq!(text.parse::<Quantity>(), Err(error), "{text}");
        }
    }

    #[test]
    fn rounding_is_away_from_zero() {
        let quantity: Quantity = "1.0001".parse().expect("a quantity");
        assert_eq!((quantity.units(), quantity.millis()), (2, 1001));
        let quantity: Quantity = "-1.0001".parse().expect("a quantity");
        assert_eq!((quantity.units(), quantity.millis()), (-2, -1001));
    }
}
