//! What Ginkgo reports of a run, and whether it may be believed: a run in which nothing was run, or that did not come to its end, says nothing of
//! the tests that are missing in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::record::{Outcome, Test, first_line};

/// What Ginkgo says of a test that ran when the time for all of them was over.
const SUITE_TIMEOUT: &str = "A suite timeout occurred";

/// What it says of a run whose time was over.
const TIME_OVER: &str = "Suite Timeout Elapsed";

/// What a run, or several one after the other, found.
#[derive(Debug, Default)]
pub struct Found {
    /// The tests that ended.
    pub tests: Vec<Test>,
    /// How many tests were begun and not ended, or not begun, because the time was over.
    pub cut_short: u64,
}

impl Found {
    /// Adds what a run found that ended so and whose report and log lie there.
    ///
    /// # Errors
    /// When the report is missing or cannot be read, when no test was begun because what comes before all of them failed, and when the run
    /// failed otherwise than by tests that failed or by the end of its time.
    pub fn add(
        &mut self,
        report: &Path,
        log: &Path,
        status: ExitStatus,
        areas: &BTreeMap<String, String>,
    ) -> Result<()> {
        let said = || format!("{} says at the end:\n{}", log.display(), last_lines(log));
        let text = match std::fs::read(report) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("ginkgo ended ({status}) without a report; {}", said())
            }
            Err(error) => return Err(error).with_context(|| report.display().to_string()),
        };
        let suites: Vec<Value> =
            serde_json::from_slice(&text).with_context(|| format!("the report {}", report.display()))?;
        if suites.is_empty() {
            bail!("ginkgo ended ({status}) with an empty report; {}", said());
        }
        for suite in &suites {
            self.suite(suite, status.success(), areas).with_context(said)?;
        }
        self.tests.sort_by(|a, b| (&a.area, &a.name).cmp(&(&b.area, &b.name)));
        Ok(())
    }

    fn suite(&mut self, suite: &Value, exited_well: bool, areas: &BTreeMap<String, String>) -> Result<()> {
        let reasons = suite["SpecialSuiteFailureReasons"].as_array().into_iter().flatten();
        let reasons: Vec<&str> = reasons.filter_map(Value::as_str).collect();
        let (mut begun, mut failed, mut cut_short) = (0, 0, 0);
        for spec in suite["SpecReports"].as_array().into_iter().flatten() {
            let is_before_all =
                spec["LeafNodeType"].as_str().is_some_and(|type_| type_.ends_with("BeforeSuite"));
            if is_before_all && spec["State"] == "failed" {
                let why = first_line(spec["Failure"]["Message"].as_str().unwrap_or_default());
                bail!("no test was run, because what comes before all tests failed: {why}");
            }
            if spec["LeafNodeType"] != "It" || (spec["State"] == "skipped" && spec["NumAttempts"] == 0) {
                continue;
            }
            begun += 1;
            // The time for all of them was over, which says nothing of this one.
            if spec["State"] == "interrupted" || spec["Failure"]["Message"] == SUITE_TIMEOUT {
                cut_short += 1;
                continue;
            }
            let test = test(spec, areas);
            failed += usize::from(test.result == Outcome::Failed);
            self.tests.push(test);
        }
        let chosen = suite["PreRunStats"]["SpecsThatWillRun"].as_u64().unwrap_or_default();
        let missing = chosen.saturating_sub(begun);
        if reasons.contains(&TIME_OVER) || cut_short > 0 {
            self.cut_short += missing + cut_short;
            return Ok(());
        }
        if missing > 0 {
            bail!("{missing} of {chosen} tests were not run: {}", reasons.join("; "));
        }
        let succeeded = exited_well && suite["SuiteSucceeded"] == true;
        if !succeeded && (failed == 0 || !reasons.is_empty()) {
            bail!("the run failed, and not by a test: {}", reasons.join("; "));
        }
        Ok(())
    }
}

fn test(spec: &Value, areas: &BTreeMap<String, String>) -> Test {
    let words =
        spec["ContainerHierarchyTexts"].as_array().into_iter().flatten().chain([&spec["LeafNodeText"]]);
    let name = words.filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let result = match spec["State"].as_str() {
        Some("passed") => Outcome::Passed,
        Some("skipped" | "pending") => Outcome::Skipped,
        _ => Outcome::Failed,
    };
    let message = spec["Failure"]["Message"].as_str().unwrap_or_default();
    let failed = result == Outcome::Failed;
    Test {
        area: areas.get(&name).cloned().unwrap_or_else(|| "other".to_owned()),
        name,
        result,
        seconds: spec["RunTime"].as_u64().unwrap_or_default() / 1_000_000_000,
        class: String::new(),
        failure: if failed { first_line(message) } else { String::new() },
    }
}

/// The last of what a run said that is more than blank.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests;
