//! Words of the command line that the suite itself would refuse only after it has been built.

use regex::Regex;

/// A regular expression, as Go and this judge alike.
///
/// # Errors
/// What is wrong with it, and where.
pub fn expression(text: &str) -> Result<String, String> {
    Regex::new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// A duration as Go writes them: numbers with units, such as `1h30m`.
///
/// # Errors
/// What one looks like.
pub fn duration(text: &str) -> Result<String, String> {
    const UNITS: [&str; 6] = ["ns", "us", "ms", "s", "m", "h"];
    let mut rest = text;
    let mut is_some = false;
    while let Some(at) = rest.find(|at: char| !at.is_ascii_digit() && at != '.') {
        let (number, after) = rest.split_at(at);
        let unit = UNITS.iter().find(|unit| {
            let next = after.strip_prefix(**unit).map(|rest| rest.chars().next());
            next.is_some_and(|next| next.is_none_or(|next| next.is_ascii_digit()))
        });
        let (Some(unit), Ok(number)) = (unit, number.parse::<f64>()) else { break };
        is_some |= number > 0.0;
        rest = &after[unit.len()..];
    }
    if rest.is_empty() && is_some {
        Ok(text.to_owned())
    } else {
        Err("a duration is a number with a unit, or several, such as 90s, 20m or 1h30m".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for text in ["2h", "20m", "90s", "1h30m", "1.5h", "100ms", "1m1ms"] {
            assert!(duration(text).is_ok(), "{text}");
        }
        for text in ["", "soon", "20", "h", "0s", "1d", "-2h", "2 h", "1h30"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_expression_that_is_none_says_where() {
        assert!(expression(r"ConfigMap .* \[NodeConformance\]").is_ok());
        assert!(expression("[").is_err_and(|why| why.contains("unclosed")));
    }
}
