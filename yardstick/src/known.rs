//! Differences that are known, each with its reason: `known.tsv` of the oracle and of the controllers' comparison.

use anyhow::{Context as _, Result};

/// What is known.
pub struct Known {
    rows: Vec<Row>,
}

/// Differences of one reason.
pub struct Row {
    op: String,
    kind: String,
    place: String,
    /// What sort of reason it is: `not built`, or `on purpose`.
    pub class: String,
    /// The reason.
    pub reason: String,
}

impl Known {
    /// Reads the list: operation, kind, place, class and reason, with `*` for anything in the first three.
    ///
    /// # Errors
    /// When a row has another number of columns.
    pub fn parse(text: &str) -> Result<Known> {
        let mut rows = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [op, kind, place, class, reason]: [&str; 5] =
                columns.try_into().ok().with_context(|| format!("five columns: {line}"))?;
            rows.push(Row {
                op: op.into(),
                kind: kind.into(),
                place: place.into(),
                class: class.into(),
                reason: reason.into(),
            });
        }
        Ok(Known { rows })
    }

    /// The row that a difference belongs to.
    pub fn find(&self, op: &str, kind: &str, place: &str) -> Option<&Row> {
        self.rows.iter().find(|row| fits(&row.op, op) && fits(&row.kind, kind) && fits(&row.place, place))
    }
}

/// Whether a text fits a pattern, where `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    after.is_empty() || (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("*", "v1 Pod", true),
            ("apps/*", "apps/v1 Deployment", true),
            ("apps/*", "v1 Pod", false),
            ("object.spec*.name", "object.spec.a[].name", true),
            ("object.spec*.name", "object.spec.a[].names", false),
            ("errors *: Required*", "errors spec.a: Required value", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
