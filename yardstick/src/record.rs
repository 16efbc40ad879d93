//! What a run of a suite found, as it is kept in `docs/conformance` and `docs/suites`, and what changed since another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::machine;

/// A run.
#[derive(Serialize, Deserialize)]
pub struct Record {
    /// The day, as `YYYY-MM-DD`.
    pub date: String,
    /// The commit that was tested.
    pub commit: String,
    /// Against whom: `knarr` or `stock`.
    pub against: String,
    /// The tests that were run.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Debug, Serialize, Deserialize)]
pub struct Test {
    /// Its full name.
    pub name: String,
    /// The part of the suite, such as `apps`, or the file that it is in.
    pub area: String,
    /// How it ended.
    pub result: Outcome,
    /// How long it took.
    pub seconds: u64,
    /// Why it failed, in a word or two; empty if it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// The first line of the failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure: String,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// It does not apply to this cluster.
    Skipped,
}

/// Why a test of the conformance suite fails: Kubernetes' own parts fail it here too, since this kind of machine cannot do what it asks for;
/// it asks for what Knarr does not have yet; or Knarr does it wrong.
const CLASSES: [&str; 3] = [KERNEL, NOT_BUILT, DEFECT];
const KERNEL: &str = "kernel";
const NOT_BUILT: &str = "not built";
const DEFECT: &str = "defect";

/// What is known of failures before a run: tests that stock fails here, and what is missing in Knarr by parts of tests' names.
#[derive(Default)]
pub struct Known {
    stock: BTreeSet<String>,
    missing: Vec<(String, String)>,
}

impl Known {
    /// Reads `stock.json` and `not-built.tsv` of a directory, as far as they are there.
    ///
    /// # Errors
    /// When one cannot be read, or a line of the table has no two columns.
    pub fn read(directory: &Path) -> Result<Known> {
        let stock = Record::read(&directory.join("stock.json"))?.into_iter().flat_map(|record| record.tests);
        let failed = stock.filter(|test| test.result == Outcome::Failed).map(|test| test.name);
        let text = std::fs::read_to_string(directory.join("not-built.tsv")).unwrap_or_default();
        let rows = text.lines().skip(1).filter(|line| !line.is_empty()).map(|line| {
            let (what, part) = line.split_once('\t').with_context(|| format!("not-built.tsv: {line}"))?;
            Ok((what.to_owned(), part.to_owned()))
        });
        Ok(Known { stock: failed.collect(), missing: rows.collect::<Result<_>>()? })
    }

    /// What is missing for a test, if that is known.
    pub fn missing(&self, name: &str) -> Option<&str> {
        self.missing.iter().find(|(_, part)| name.contains(part.as_str())).map(|(what, _)| what.as_str())
    }

    /// Says of each failure against Knarr, stock or another cluster why it is one.
    pub fn classify(&self, against: &str, tests: &mut [Test]) {
        for test in tests {
            let class = match test.result {
                Outcome::Failed if against == "stock" || self.stock.contains(&test.name) => KERNEL,
                Outcome::Failed if self.missing(&test.name).is_some() => NOT_BUILT,
                Outcome::Failed => DEFECT,
                Outcome::Passed | Outcome::Skipped => "",
            };
            class.clone_into(&mut test.class);
        }
    }
}

/// The area of each test, by its name, from the table of conformance tests.
///
/// # Errors
/// When the table is not there.
pub fn areas(table: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(table).with_context(|| format!("the table {}", table.display()))?;
    let rows = text.lines().skip(1).filter_map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        Some(((*columns.get(4)?).to_owned(), (*columns.get(1)?).to_owned()))
    });
    Ok(rows.collect())
}

/// The first line of a message, and no more of it than one reads.
pub fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(240).collect()
}

/// Where a record is kept.
pub enum Kept<'a> {
    /// In the place of an earlier one.
    Anew(&'a Path),
    /// Over an earlier one, whose tests that were not run again stay.
    Over(&'a Path),
}

/// Prints the failures, a table and what changed, and keeps the record, if it is to be kept.
///
/// # Errors
/// When it cannot be written.
pub fn keep(project: &Path, against: &str, tests: Vec<Test>, kept: Option<Kept<'_>>) -> Result<()> {
    let mut git = Command::new("git");
    git.args(["rev-parse", "--short", "HEAD"]).current_dir(project);
    let commit = machine::run(&mut git).map(|text| text.trim().to_owned()).unwrap_or_default();
    let date = machine::run(Command::new("date").arg("+%Y-%m-%d"))?.trim().to_owned();
    let record = Record { date, commit, against: against.to_owned(), tests };
    for test in record.tests.iter().filter(|test| test.result == Outcome::Failed) {
        println!("failed  {} ({}): {}", test.name, test.class, test.failure);
    }
    println!("{}", record.table());
    let Some(kept) = kept else { return Ok(()) };
    let (Kept::Anew(path) | Kept::Over(path)) = kept;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let earlier = Record::read(path)?;
    for (name, then, now) in earlier.iter().flat_map(|earlier| record.changes(earlier)) {
        println!("changed {name}: {then:?} → {now:?}");
    }
    let record = match (kept, earlier) {
        (Kept::Over(_), Some(earlier)) => record.over(earlier),
        _ => record,
    };
    std::fs::write(path, serde_json::to_string_pretty(&record)? + "\n")?;
    println!("kept in {}", path.display());
    Ok(())
}

impl Record {
    /// Whether a test of this name failed.
    pub fn failed(&self, name: &str) -> bool {
        self.tests.iter().any(|test| test.name == name && test.result == Outcome::Failed)
    }

    /// Reads one, if it is there.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Option<Record>> {
        match std::fs::read(path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).with_context(|| path.display().to_string())?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// Takes the place of the tests of an earlier one that were run again.
    pub fn over(mut self, earlier: Record) -> Record {
        let again = |name: &str| self.tests.iter().any(|test| test.name == name);
        let kept: Vec<Test> = earlier.tests.into_iter().filter(|test| !again(&test.name)).collect();
        self.tests.extend(kept);
        self.tests.sort_by(|a, b| (&a.area, &a.name).cmp(&(&b.area, &b.name)));
        self
    }

    /// What a reader wants of it: the table by area, and the failing tests by class, with what is missing or what they said.
    pub fn page(&self, known: &Known) -> String {
        let mut page = format!(
            "{} tests were run against {}; the newest of these runs was on {} at commit {}.\n\n{}\n",
            self.tests.len(),
            self.against,
            self.date,
            self.commit,
            self.table()
        );
        for class in CLASSES {
            let failures: Vec<&Test> = self.tests.iter().filter(|test| test.class == class).collect();
            if failures.is_empty() {
                continue;
            }
            page += &format!("\n### {class} ({})\n\n| test | |\n|---|---|\n", failures.len());
            for test in failures {
                let missing = known.missing(&test.name).filter(|_| class == NOT_BUILT);
                let why = missing.unwrap_or(&test.failure).replace('|', "\\|");
                page += &format!("| {} | {why} |\n", test.name.replace('|', "\\|"));
            }
        }
        page
    }

    /// A table by area.
    pub fn table(&self) -> String {
        let mut rows: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        for test in &self.tests {
            for area in [test.area.as_str(), "\u{10ffff}"] {
                let row = rows.entry(area).or_default();
                row[match test.result {
                    Outcome::Passed => 0,
                    Outcome::Failed => 1,
                    Outcome::Skipped => 2,
                }] += 1;
                row[3] += test.seconds;
            }
        }
        let mut lines = vec![
            "| area | passed | failed | skipped | minutes |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        lines.extend(rows.iter().map(|(area, [passed, failed, skipped, seconds])| {
            let area = if *area == "\u{10ffff}" { "all" } else { area };
            format!("| {area} | {passed} | {failed} | {skipped} | {:.1} |", *seconds as f64 / 60.0)
        }));
        lines.join("\n")
    }

    /// The names of tests that ended otherwise in another run, with how they ended then and now.
    pub fn changes<'a>(&'a self, earlier: &Record) -> Vec<(&'a str, Outcome, Outcome)> {
        let before: BTreeMap<&str, Outcome> =
            earlier.tests.iter().map(|test| (test.name.as_str(), test.result)).collect();
        let pairs = self
            .tests
            .iter()
            .filter_map(|test| Some((test.name.as_str(), *before.get(test.name.as_str())?, test.result)));
        pairs.filter(|(_, then, now)| then != now).collect()
    }
}

#[cfg(test)]
mod tests;
