//! `resource.Quantity`: an amount of a resource, and the notation that it came in.
//!
//! An exact decimal: a whole number times a power of ten, small ones without an allocation. It is not rounded or capped
//! beyond what reading does (`parse`), as upstream's is not. Where upstream's computing would grow without bound (the sum
//! of 1 and 1e1000000000) or lose digits, this stays bounded and exact instead; `tests.rs` lists where.

mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

use num_bigint::BigInt;

pub use parse::ParseQuantityError;

/// The digits of a number that is read, and how many places apart two amounts can be and still be added exactly.
const MAX_DIGITS: usize = 4_096;

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

/// An exact amount and its notation.
#[derive(Clone, Default)]
pub struct Quantity {
    amount: Amount,
    format: QuantityFormat,
    /// The text it was parsed from where upstream repeats that instead of the canonical form (`1.500`, `+5`, `1E3`).
    text: Option<Box<str>>,
}

/// A number times ten to the power of `exponent`.
#[derive(Clone)]
enum Amount {
    Small { value: i64, exponent: i32 },
    Large(Box<(BigInt, i32)>),
}

impl Default for Amount {
    fn default() -> Self {
        Amount::Small { value: 0, exponent: 0 }
    }
}

impl Amount {
    fn new(value: BigInt, exponent: i32) -> Amount {
        match i64::try_from(&value) {
            Ok(value) => Amount::Small { value, exponent },
            Err(_) => Amount::Large(Box::new((value, exponent))),
        }
    }

    fn parts(&self) -> (BigInt, i32) {
        match self {
            Amount::Small { value, exponent } => (BigInt::from(*value), *exponent),
            Amount::Large(large) => (large.0.clone(), large.1),
        }
    }

    fn exponent(&self) -> i32 {
        match self {
            Amount::Small { exponent, .. } => *exponent,
            Amount::Large(large) => large.1,
        }
    }

    fn sign(&self) -> i32 {
        match self {
            Amount::Small { value, .. } => value.signum() as i32,
            Amount::Large(large) => match large.0.sign() {
                num_bigint::Sign::Minus => -1,
                num_bigint::Sign::NoSign => 0,
                num_bigint::Sign::Plus => 1,
            },
        }
    }

    fn negated(&self) -> Amount {
        let (value, exponent) = self.parts();
        Amount::new(-value, exponent)
    }

    /// The power of ten of the first digit, plus one.
    fn magnitude(&self) -> i64 {
        let digits = match self {
            Amount::Small { value, .. } => value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1,
            Amount::Large(large) => large.0.magnitude().to_string().len(),
        };
        digits as i64 + i64::from(self.exponent())
    }

    /// As many units of ten to the power of `exponent`, rounded away from zero; whether that is exact.
    fn at(&self, exponent: i32) -> (BigInt, bool) {
        let (value, own) = self.parts();
        let gap = i64::from(own) - i64::from(exponent);
        if self.sign() == 0 {
            return (value, true);
        }
        if gap >= 0 {
            return (value * power_of_ten(gap), true);
        }
        if self.magnitude() + 1 < i64::from(exponent) {
            // Less than a unit, without computing how much less.
            return (BigInt::from(self.sign()), false);
        }
        let divisor = power_of_ten(-gap);
        let (whole, rest) = (&value / &divisor, &value % &divisor);
        let exact = rest == BigInt::ZERO;
        (if exact { whole } else { whole + self.sign() }, exact)
    }

    /// The sum; the larger of the two where they are too far apart for all digits to be kept.
    fn plus(&self, other: &Amount) -> Amount {
        if self.sign() == 0 || other.sign() == 0 {
            return if self.sign() == 0 { other.clone() } else { self.clone() };
        }
        if let Some((one, two, exponent)) = self.aligned(other)
            && let Some(value) = one.checked_add(two)
        {
            return Amount::Small { value, exponent };
        }
        let lowest = self.exponent().min(other.exponent());
        let gap = i64::from(self.exponent().max(other.exponent())) - i64::from(lowest);
        if gap > MAX_DIGITS as i64 {
            return if self.magnitude() >= other.magnitude() { self.clone() } else { other.clone() };
        }
        Amount::new(self.at(lowest).0 + other.at(lowest).0, lowest)
    }

    /// Both as numbers of the lower of their units, where that needs no large ones: nearly always, and without an allocation.
    fn aligned(&self, other: &Amount) -> Option<(i64, i64, i32)> {
        let (Amount::Small { value, exponent }, Amount::Small { value: second, exponent: their }) =
            (self, other)
        else {
            return None;
        };
        let lowest = *exponent.min(their);
        let raised = |value: i64, exponent: i32| {
            let factor = 10_i64.checked_pow(u32::try_from(i64::from(exponent) - i64::from(lowest)).ok()?)?;
            value.checked_mul(factor)
        };
        Some((raised(*value, *exponent)?, raised(*second, *their)?, lowest))
    }

    fn compared(&self, other: &Amount) -> Ordering {
        if let Some((one, two, _)) = self.aligned(other) {
            return one.cmp(&two);
        }
        let (sign, magnitude) = (self.sign(), self.magnitude());
        if sign != other.sign() || sign == 0 {
            return sign.cmp(&other.sign());
        }
        if magnitude != other.magnitude() {
            let larger = magnitude.cmp(&other.magnitude());
            return if sign > 0 { larger } else { larger.reverse() };
        }
        // First digits of one power: the exponents are no further apart than the numbers are long.
        let lowest = self.exponent().min(other.exponent());
        self.at(lowest).0.cmp(&other.at(lowest).0)
    }
}

fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

impl Quantity {
    /// `value` units.
    pub fn from_units(value: i64, format: QuantityFormat) -> Quantity {
        Quantity { amount: Amount::Small { value, exponent: 0 }, format, text: None }
    }

    /// `value` thousandths, in decimal notation.
    pub fn from_millis(value: i64) -> Quantity {
        let amount = Amount::Small { value, exponent: -3 };
        Quantity { amount, format: QuantityFormat::DecimalSi, text: None }
    }

    /// Whole units, rounded up (away from zero), at the nearest end of the range if it lies outside.
    pub fn units(&self) -> i64 {
        self.scaled(0)
    }

    /// Thousandths, rounded up (away from zero), at the nearest end of the range if it lies outside.
    pub fn millis(&self) -> i64 {
        self.scaled(-3)
    }

    fn scaled(&self, exponent: i32) -> i64 {
        match &self.amount {
            Amount::Small { value, exponent: own } if *own == exponent => *value,
            amount => {
                let end = if amount.sign() < 0 { i64::MIN } else { i64::MAX };
                if amount.sign() != 0 && amount.magnitude() > i64::from(exponent) + 19 {
                    return end;
                }
                i64::try_from(amount.at(exponent).0).unwrap_or(end)
            }
        }
    }

    /// Whether it is nothing at all.
    pub fn is_zero(&self) -> bool {
        self.sign() == 0
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        self.amount.sign()
    }

    /// The notation.
    pub fn format(&self) -> QuantityFormat {
        self.format
    }

    /// Adds `other`; nothing takes on the notation of what is added to it.
    pub fn add(&mut self, other: &Quantity) {
        self.join(other, &other.amount);
    }

    /// Takes `other` away; nothing takes on the notation of what is taken from it.
    pub fn subtract(&mut self, other: &Quantity) {
        self.join(other, &other.amount.negated());
    }

    fn join(&mut self, other: &Quantity, amount: &Amount) {
        self.text = None;
        if self.is_zero() {
            self.format = other.format;
        }
        self.amount = self.amount.plus(amount);
    }

    fn canonical(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        if self.format == QuantityFormat::BinarySi
            && self.amount.magnitude() <= MAX_DIGITS as i64
            && let (whole, true) = self.amount.at(0)
            && *whole.magnitude() >= 1024u32.into()
        {
            let steps = whole.trailing_zeros().unwrap_or(0).div_euclid(10).min(6);
            return write!(f, "{}{}", whole >> (steps * 10), BINARY[steps as usize]);
        }
        let (text, exponent) = match &self.amount {
            Amount::Small { value, exponent } => (value.to_string(), *exponent),
            Amount::Large(large) => (large.0.to_string(), large.1),
        };
        let digits = text.trim_end_matches('0');
        let exponent = i64::from(exponent) + (text.len() - digits.len()) as i64;
        let mut shown = exponent - exponent.rem_euclid(3);
        let suffixed = self.format != QuantityFormat::DecimalExponent && shown <= MAX_DIGITS as i64;
        if suffixed {
            shown = shown.min(18);
        }
        f.write_str(digits)?;
        for _ in shown..exponent {
            f.write_str("0")?;
        }
        match shown {
            _ if suffixed => f.write_str(DECIMAL[((shown + 9) / 3) as usize]),
            0 => Ok(()),
            _ => write!(f, "e{shown}"),
        }
    }
}

const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];

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
        self.cmp(other) == Ordering::Equal
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
        match (&self.amount, &other.amount) {
            (Amount::Small { value: a, exponent: at }, Amount::Small { value: b, exponent: bt })
                if at == bt =>
            {
                a.cmp(b)
            }
            (a, b) => a.compared(b),
        }
    }
}
