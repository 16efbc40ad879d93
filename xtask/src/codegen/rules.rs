//! Turns `+k8s:` markers into the validation rules of a field's schema.

/// Rust expressions of `api_record::Rule`, one for each marker that demands something.
pub fn render(markers: &[String], values: &[String]) -> Vec<String> {
    markers.iter().filter_map(|marker| rule(marker, values)).collect()
}

fn rule(marker: &str, values: &[String]) -> Option<String> {
    let (level, rest) = match marker.strip_prefix("k8s:")? {
        rest if rest.starts_with("alpha") => ("Alpha", nested(rest)?),
        rest if rest.starts_with("beta") => ("Beta", nested(rest)?),
        rest => ("Stable", rest),
    };
    let (tag, argument) = split(rest);
    let number = || argument.parse::<i64>().ok();
    let constraint = match tag {
        "required" => "Required".to_owned(),
        "optional" => "Optional".to_owned(),
        "forbidden" => "Forbidden".to_owned(),
        "immutable" => "Immutable".to_owned(),
        "minimum" => format!("Minimum({})", number()?),
        "maximum" => format!("Maximum({})", number()?),
        "maxItems" => format!("MaxItems({})", number()?),
        "minItems" => format!("MinItems({})", number()?),
        "maxLength" => format!("MaxLength({})", number()?),
        "minLength" => format!("MinLength({})", number()?),
        "maxBytes" => format!("MaxBytes({})", number()?),
        "format" => format!("Format({:?})", argument.trim_matches('"')),
        "enum" if values.is_empty() => return None,
        "enum" => format!("Enum(&{values:?})"),
        "listType" | "listMapKey" | "deprecated" | "validation-gen-nolint" | "openapi-gen" => return None,
        tag => format!("Other({tag:?}, {argument:?})"),
    };
    Some(format!("r::Rule {{ level: r::Level::{level}, constraint: r::Constraint::{constraint} }}"))
}

/// The marker inside `beta(since: "1.37")=+k8s:…`.
fn nested(marker: &str) -> Option<&str> {
    marker.split_once("=+k8s:").map(|(_, inner)| inner)
}

/// The tag, and its argument from `=` or from the parenthesis on.
fn split(rest: &str) -> (&str, &str) {
    match rest.find(['=', '(']) {
        Some(at) if rest.as_bytes()[at] == b'=' => (&rest[..at], &rest[at + 1..]),
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_arguments_are_read() {
        let rule = |marker: &str| render(&[marker.to_owned()], &["A".to_owned()]).pop().unwrap_or_default();
        assert_eq!(
            rule("k8s:beta(since: \"1.37\")=+k8s:maxItems=32"),
            "r::Rule { level: r::Level::Beta, constraint: r::Constraint::MaxItems(32) }"
        );
        assert_eq!(
            rule("k8s:enum"),
            "r::Rule { level: r::Level::Stable, constraint: r::Constraint::Enum(&[\"A\"]) }"
        );
        assert_eq!(
            rule("k8s:alpha(since: \"1.37\")=+k8s:eachVal=+k8s:maxBytes=64"),
            "r::Rule { level: r::Level::Alpha, constraint: r::Constraint::Other(\"eachVal\", \"+k8s:maxBytes=64\") }"
        );
        assert_eq!(rule("optional"), "");
    }
}
