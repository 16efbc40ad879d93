//! The offending value of a field error, already written out.

use api_record::Bytes;
use api_record::scalar::{Duration, IntOrString, MicroTime, Quantity, Time};

use crate::quote;

/// A value as the message shows it: upstream's `%q` for strings, `%v` for numbers and booleans, JSON for anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BadValue(Option<String>);

impl BadValue {
    /// The message shows no value.
    pub const OMITTED: BadValue = BadValue(None);

    /// A value whose JSON text is known: records, maps, lists of records.
    pub fn json(text: impl Into<String>) -> BadValue {
        BadValue(Some(text.into()))
    }

    /// Upstream's nil pointers, slices and maps.
    pub fn null() -> BadValue {
        BadValue::json("null")
    }

    /// What the message shows.
    pub fn shown(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl From<&str> for BadValue {
    fn from(text: &str) -> BadValue {
        BadValue(Some(quote::go(text)))
    }
}

impl From<&String> for BadValue {
    fn from(text: &String) -> BadValue {
        text.as_str().into()
    }
}

impl From<String> for BadValue {
    fn from(text: String) -> BadValue {
        text.as_str().into()
    }
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl From<$type> for BadValue {
            fn from(value: $type) -> BadValue {
                BadValue(Some(value.to_string()))
            }
        }
    )*};
}
plain!(bool, i32, i64, u16, u32, u64, usize);

impl From<f64> for BadValue {
    fn from(value: f64) -> BadValue {
        let exponent = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
        let text = if value.is_finite() && !(-4..6).contains(&exponent) {
            let text = format!("{value:e}");
            let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        } else {
            value.to_string()
        };
        BadValue(Some(text))
    }
}

impl From<&[String]> for BadValue {
    fn from(list: &[String]) -> BadValue {
        let items: Vec<String> = list.iter().map(|item| quote::json(item)).collect();
        BadValue(Some(format!("[{}]", items.join(","))))
    }
}

impl From<&Vec<String>> for BadValue {
    fn from(list: &Vec<String>) -> BadValue {
        list.as_slice().into()
    }
}

impl From<&Quantity> for BadValue {
    fn from(value: &Quantity) -> BadValue {
        BadValue(Some(quote::json(&value.to_string())))
    }
}

impl From<&IntOrString> for BadValue {
    fn from(value: &IntOrString) -> BadValue {
        BadValue(Some(match value {
            IntOrString::Int(number) => number.to_string(),
            IntOrString::String(text) => quote::json(text),
        }))
    }
}

macro_rules! quoted {
    ($($type:ty),*) => {$(
        impl From<$type> for BadValue {
            fn from(value: $type) -> BadValue {
                BadValue(Some(quote::json(&value.to_string())))
            }
        }
    )*};
}
quoted!(Time, MicroTime, Duration);

impl<T: Into<BadValue>> From<Option<T>> for BadValue {
    fn from(value: Option<T>) -> BadValue {
        value.map_or_else(BadValue::null, Into::into)
    }
}

impl From<&Bytes> for BadValue {
    fn from(value: &Bytes) -> BadValue {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::with_capacity(value.len().div_ceil(3) * 4);
        for chunk in value.chunks(3) {
            let bits =
                chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
            for place in 0..4 {
                let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
                text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
            }
        }
        BadValue(Some(format!("\"{text}\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_upstream_shows_them() {
        let shown = |value: BadValue| value.shown().map(str::to_owned);
        assert_eq!(shown("a\"<".into()).as_deref(), Some(r#""a\"<""#));
        assert_eq!(shown((-3i64).into()).as_deref(), Some("-3"));
        assert_eq!(shown(1.5f64.into()).as_deref(), Some("1.5"));
        assert_eq!(shown(1e20f64.into()).as_deref(), Some("1e+20"));
        assert_eq!(shown(1234567.5f64.into()).as_deref(), Some("1.2345675e+06"));
        assert_eq!(shown(100_000.0f64.into()).as_deref(), Some("100000"));
        assert_eq!(shown(0.00001f64.into()).as_deref(), Some("1e-05"));
        assert_eq!(
            shown((&vec!["a".to_owned(), "<".to_owned()]).into()).as_deref(),
            Some(r#"["a","\u003c"]"#)
        );
        assert_eq!(shown((&IntOrString::String("x".into())).into()).as_deref(), Some("\"x\""));
        assert_eq!(shown(Option::<i64>::None.into()).as_deref(), Some("null"));
        assert_eq!(shown((&Bytes::from_static(b"ab")).into()).as_deref(), Some("\"YWI=\""));
    }
}
