//! Reading a quantity as upstream's `ParseQuantity` does, its leniency included: a suffix alone is nothing of it, a sign
//! alone is nothing, and what is smaller than a billionth is a billionth.

use std::str::FromStr;

use num_bigint::BigInt;

use super::{Amount, BINARY, DECIMAL, MAX_DIGITS, Quantity, QuantityFormat};

/// The smallest power of ten that is kept.
const NANO: i32 = -9;

/// Why text is no quantity; the wording is upstream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// It is not a number followed by a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is none, or has more digits than are read.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

struct Parts<'a> {
    negative: bool,
    /// Without leading zeros, and never empty.
    whole: &'a str,
    fraction: &'a str,
    /// Whether there is any digit before the suffix.
    digits: bool,
    suffix: &'a str,
}

fn split(text: &str) -> Result<Parts<'_>, ParseQuantityError> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
        None => return Err(ParseQuantityError::Format),
    };
    let count = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = unsigned.split_at(count(unsigned));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(count(rest)),
        None => ("", rest),
    };
    let letters = suffix.bytes().take_while(|byte| b"eEinumkKMGTP".contains(byte)).count();
    let exponent = &suffix[letters..];
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if !exponent.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseQuantityError::Format);
    }
    let digits = !whole.is_empty() || !fraction.is_empty();
    let whole = whole.trim_start_matches('0');
    Ok(Parts { negative, whole: if whole.is_empty() { "0" } else { whole }, fraction, digits, suffix })
}

/// The factor of a suffix as a power of two or of ten. Of an exponent upstream keeps the lower half of its bits.
fn interpret(suffix: &str) -> Result<(QuantityFormat, i32), ParseQuantityError> {
    if let Some(index) = DECIMAL.iter().position(|known| *known == suffix) {
        return Ok((QuantityFormat::DecimalSi, index as i32 * 3 - 9));
    }
    if let Some(index) = BINARY.iter().position(|known| *known == suffix) {
        return Ok((QuantityFormat::BinarySi, index as i32 * 10));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(ParseQuantityError::Suffix)?;
    let exponent: i64 = exponent.parse().map_err(|_| ParseQuantityError::Suffix)?;
    Ok((QuantityFormat::DecimalExponent, exponent as i32))
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Quantity, ParseQuantityError> {
        if text == "0" {
            return Ok(Quantity::from_units(0, QuantityFormat::DecimalSi));
        }
        let parts = split(text)?;
        let (format, exponent) = interpret(parts.suffix)?;
        if parts.whole.len() + parts.fraction.len() > MAX_DIGITS {
            return Err(ParseQuantityError::Numeric);
        }
        match short(text, &parts, format, exponent) {
            Some(quantity) => Ok(quantity),
            None if parts.digits => Ok(long(&parts, format, exponent)),
            None => Err(ParseQuantityError::Numeric),
        }
    }
}

/// A number of so few digits that upstream keeps it as an integer, and repeats its text if that looks canonical.
fn short(text: &str, parts: &Parts<'_>, format: QuantityFormat, exponent: i32) -> Option<Quantity> {
    let length = (parts.whole.len() + parts.fraction.len()) as i32;
    let (scale, factor) = match format {
        QuantityFormat::BinarySi if !parts.fraction.is_empty() || 14 - length - exponent * 3 / 10 < 0 => {
            return None;
        }
        QuantityFormat::BinarySi => (0, 1i64 << exponent),
        _ if length > 18 => return None,
        _ => (exponent.wrapping_sub(parts.fraction.len() as i32), 1),
    };
    if scale < NANO {
        return None;
    }
    let digits = [parts.whole, parts.fraction].concat();
    // At most 18 digits.
    let number: i64 = digits.parse().unwrap_or_default();
    let value = number.checked_mul(factor)?;
    let repeated = match format {
        QuantityFormat::BinarySi => number & 7 != 0,
        _ => scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0'),
    };
    let amount = Amount::Small { value: if parts.negative { -value } else { value }, exponent: scale };
    let mut quantity = Quantity { amount, format, text: None };
    if repeated && quantity.to_string() != text {
        quantity.text = Some(text.into());
    }
    Some(quantity)
}

/// Any other number: rounded up to billionths, and capped where its notation is binary.
fn long(parts: &Parts<'_>, format: QuantityFormat, exponent: i32) -> Quantity {
    let digits = [parts.whole, parts.fraction].concat();
    let number: BigInt = digits.parse().unwrap_or_default();
    let places = parts.fraction.len() as i32;
    let amount = match format {
        QuantityFormat::BinarySi => Amount::new(number << exponent, -places),
        _ => Amount::new(number, exponent.wrapping_sub(places)),
    };
    let mut quantity = Quantity { amount, format, text: None };
    if quantity.amount.exponent() < NANO {
        quantity.amount = Amount::new(quantity.amount.at(NANO).0, NANO);
    }
    if format == QuantityFormat::BinarySi {
        let unit = |value| Quantity::from_units(value, format);
        if quantity > unit(i64::MAX) {
            quantity.amount = unit(i64::MAX).amount;
        }
        if !quantity.is_zero() && quantity < unit(1) {
            quantity.format = QuantityFormat::DecimalSi;
        }
    }
    if parts.negative {
        quantity.amount = quantity.amount.negated();
    }
    quantity
}
