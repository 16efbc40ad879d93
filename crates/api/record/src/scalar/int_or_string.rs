//! `intstr.IntOrString`: a number, or text such as a percentage or a port's name.

use std::fmt;

/// A number or text. The zero value is the number 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// Text.
    String(String),
}

impl Default for IntOrString {
    fn default() -> Self {
        IntOrString::Int(0)
    }
}

impl IntOrString {
    /// The number itself, or `total` times the text's percentage, rounded up or down.
    ///
    /// # Errors
    /// Upstream's text when this is text that is no percentage.
    pub fn scaled(&self, total: i32, round_up: bool) -> Result<i32, String> {
        match self {
            IntOrString::Int(number) => Ok(*number),
            IntOrString::String(text) => {
                let percent = text
                    .strip_suffix('%')
                    .ok_or_else(|| "invalid value for IntOrString: invalid type: string is not a percentage".to_owned())?
                    .parse::<i64>()
                    .map_err(|_| format!("invalid value for IntOrString: invalid value {text:?}: strconv.Atoi: parsing {:?}: invalid syntax", text.trim_end_matches('%')))?;
                let product = percent.saturating_mul(i64::from(total));
                let scaled = if round_up { -(-product).div_euclid(100) } else { product.div_euclid(100) };
                Ok(i32::try_from(scaled).unwrap_or(if scaled < 0 { i32::MIN } else { i32::MAX }))
            }
        }
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntOrString::Int(number) => number.fmt(f),
            IntOrString::String(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_asked() {
        let quarter = IntOrString::String("25%".into());
        assert_eq!(quarter.scaled(10, true), Ok(3));
        assert_eq!(quarter.scaled(10, false), Ok(2));
        assert_eq!(IntOrString::Int(7).scaled(10, true), Ok(7));
        assert!(IntOrString::String("http".into()).scaled(10, true).is_err());
    }
}
