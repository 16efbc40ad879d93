//! The tests that CI runs: of every area those that pass and do not wait long, so that what is broken shows before it lands.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::record::{self, Outcome, Test};

/// Where they are listed, a name a line; lines that begin with `#` are remarks.
const LIST: &str = "tests/conformance/selection.txt";

/// The names of the tests. `areas` says of each test of the suite in which area it is.
///
/// # Errors
/// When the list cannot be read, one of them is no test, or an area has none.
pub fn read(project: &Path, areas: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(project.join(LIST)).context(LIST)?;
    let names: Vec<String> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect();
    let mut without: BTreeSet<&str> = areas.values().map(String::as_str).collect();
    for name in &names {
        let area =
            areas.get(name).with_context(|| format!("{LIST}: this is no test of the suite: {name}"))?;
        without.remove(area.as_str());
    }
    if !without.is_empty() {
        bail!("{LIST}: no test of {}", without.into_iter().collect::<Vec<_>>().join(", "));
    }
    Ok(names)
}

/// Prints how they ended.
///
/// # Errors
/// When one did not pass, or was not run.
pub fn judge(project: &Path, names: &[String], tests: Vec<Test>) -> Result<()> {
    let wrong = wrong(names, &tests);
    record::keep(project, "knarr", tests, None)?;
    if !wrong.is_empty() {
        bail!(
            "{} of the {} tests that passed before do not now (the logs are in target/yardstick/reports):\n{}",
            wrong.len(),
            names.len(),
            wrong.join("\n")
        );
    }
    Ok(())
}

/// Those that did not pass, each with why.
fn wrong(names: &[String], tests: &[Test]) -> Vec<String> {
    let line = |name: &String| match tests.iter().find(|test| test.name == *name) {
        Some(test) if test.result == Outcome::Passed => None,
        Some(test) => Some(format!("{name}: {:?} {}", test.result, test.failure)),
        None => Some(format!("{name}: was not run to its end")),
    };
    names.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, result: Outcome) -> Test {
        let failure = if result == Outcome::Failed { "Timed out".to_owned() } else { String::new() };
        Test { name: name.into(), area: "apps".into(), result, seconds: 1, class: String::new(), failure }
    }

    #[test]
    fn what_does_not_pass_is_wrong() {
        let names = ["one", "two", "three", "four"].map(str::to_owned);
        let ended =
            [test("one", Outcome::Passed), test("two", Outcome::Failed), test("three", Outcome::Skipped)];
        let said = wrong(&names, &ended);
        assert_eq!(said, ["two: Failed Timed out", "three: Skipped ", "four: was not run to its end"]);
    }

    #[test]
    fn the_list_must_name_tests_of_every_area() {
        let project = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(project.path().join("tests/conformance")).expect("a directory");
        let write = |text: &str| std::fs::write(project.path().join(LIST), text).expect("a file");
        let areas = [("first", "apps"), ("second", "node")].map(|(name, area)| (name.into(), area.into()));
        let areas = BTreeMap::from(areas);
        write("# remark\nfirst\nsecond\n");
        assert_eq!(read(project.path(), &areas).expect("names"), ["first", "second"]);
        for (text, complaint) in
            [("first\nthird\n", "no test of the suite: third"), ("second\n", "no test of apps")]
        {
            write(text);
            let error = read(project.path(), &areas).expect_err("it is wrong").to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
