//! `tests/suites/explained.tsv`: which tests are known to fail, and why.
//!
//! Columns: suite, test, class, why. A test that ends in `*` stands for all that begin so. The classes are `not built` (Knarr lacks it yet),
//! `defect` (Knarr does it wrong), `kernel` (this machine's kernel or namespaces do not give it) and `suite` (the suite takes for granted
//! what no cluster of this kind has).

use std::path::Path;

use anyhow::{Context as _, Result, bail};

const CLASSES: [&str; 4] = ["not built", "defect", "kernel", "suite"];

/// One line.
pub struct Line {
    suite: String,
    test: String,
    /// What kind of failure it is.
    pub class: String,
}

/// All of them.
pub struct Explained(Vec<Line>);

impl Explained {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or a line of it does not say all.
    pub fn read(path: &Path) -> Result<Explained> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        Explained::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn parse(text: &str) -> Result<Explained> {
        let rows = text.lines().skip(1).filter(|line| !line.is_empty());
        let lines = rows.map(|row| match row.split('\t').collect::<Vec<_>>()[..] {
            [suite, test, class, why] if CLASSES.contains(&class) && !why.is_empty() => {
                Ok(Line { suite: suite.to_owned(), test: test.to_owned(), class: class.to_owned() })
            }
            _ => bail!("not a suite, a test, a class of {CLASSES:?} and a reason: {row}"),
        });
        Ok(Explained(lines.collect::<Result<_>>()?))
    }

    /// What is said of a test.
    pub fn of(&self, suite: &str, test: &str) -> Option<&Line> {
        let fits = |line: &&Line| match line.test.strip_suffix('*') {
            Some(begin) => test.starts_with(begin),
            None => test == line.test,
        };
        self.0.iter().filter(|line| line.suite == suite).find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_explains_a_test_or_all_that_begin_so() {
        let text =
            "suite\ttest\tclass\twhy\none\tTestA\tdefect\tit is slow\none\tTestB/*\tnot built\tno B yet\n";
        let explained = Explained::parse(text).expect("it is read");
        assert_eq!(explained.of("one", "TestA").map(|line| line.class.as_str()), Some("defect"));
        assert_eq!(explained.of("one", "TestB/first").map(|line| line.class.as_str()), Some("not built"));
        assert!(explained.of("one", "TestAB").is_none() && explained.of("two", "TestA").is_none());
    }

    #[test]
    fn a_line_without_a_reason_is_refused() {
        assert!(Explained::parse("suite\ttest\tclass\twhy\none\tTestA\tdefect\t\n").is_err());
        assert!(Explained::parse("suite\ttest\tclass\twhy\none\tTestA\tflaky\tsomehow\n").is_err());
    }
}
