use super::*;

use std::os::unix::process::ExitStatusExt as _;

use serde_json::json;

/// A suite's report as Ginkgo writes it, of this many chosen tests.
fn suite(chosen: u64, succeeded: bool, reasons: &[&str], specs: &Value) -> Value {
    json!({
        "SuiteSucceeded": succeeded, "SpecialSuiteFailureReasons": reasons,
        "PreRunStats": { "TotalSpecs": 2992, "SpecsThatWillRun": chosen }, "SpecReports": specs,
    })
}

fn spec(name: &str, state: &str, message: &str) -> Value {
    json!({
        "LeafNodeType": "It", "ContainerHierarchyTexts": ["[sig-apps] Job"], "LeafNodeText": name, "State": state,
        "RunTime": 2_500_000_000_u64, "NumAttempts": 1, "Failure": { "Message": message },
    })
}

/// What comes of a run that left this report, and a log that says "it panicked".
fn found(report: Option<&Value>, code: i32) -> Result<Found> {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, log) = (directory.path().join("report.json"), directory.path().join("report.log"));
    if let Some(report) = report {
        std::fs::write(&path, report.to_string()).expect("it is written");
    }
    std::fs::write(&log, "it panicked\n\n").expect("it is written");
    let areas = BTreeMap::from([("[sig-apps] Job should run".to_owned(), "apps".to_owned())]);
    let mut found = Found::default();
    found.add(&path, &log, ExitStatus::from_raw(code << 8), &areas).map(|()| found)
}

#[test]
fn a_report_is_read_with_areas_and_first_lines() {
    let skipped =
        json!({ "LeafNodeType": "It", "LeafNodeText": "not chosen", "State": "skipped", "NumAttempts": 0 });
    let before = json!({ "LeafNodeType": "BeforeSuite", "State": "passed" });
    let ended = spec("should end", "failed", "Timed out after 300s.\nThe pod is there.");
    let specs = json!([spec("should run", "passed", ""), ended, skipped, before]);
    let found = found(Some(&json!([suite(2, false, &[], &specs)])), 1).expect("it is read");
    let [other, apps] = &found.tests[..] else { panic!("two tests: {:?}", found.tests.len()) };
    let (other, apps) = if other.area == "other" { (other, apps) } else { (apps, other) };
    assert_eq!((apps.area.as_str(), apps.result, apps.seconds), ("apps", Outcome::Passed, 2));
    assert_eq!((other.area.as_str(), other.result), ("other", Outcome::Failed));
    assert_eq!(other.failure, "Timed out after 300s.");
    assert_eq!(found.cut_short, 0);
}

#[test]
fn tests_that_had_no_time_are_counted_and_said_nothing_of() {
    let passed = spec("should run", "passed", "");
    let stopped = spec("stopped", "timedout", SUITE_TIMEOUT);
    let interrupted = spec("interrupted", "interrupted", "");
    let specs = json!([passed, stopped, interrupted]);
    for (chosen, reasons, specs, tests, cut_short) in [
        (10, &[TIME_OVER][..], specs.clone(), 1, 9),
        (3, &[], specs, 1, 2),
        (7, &[TIME_OVER], json!([]), 0, 7),
    ] {
        let found = found(Some(&json!([suite(chosen, false, reasons, &specs)])), 1).expect("it is read");
        assert_eq!((found.tests.len(), found.cut_short), (tests, cut_short));
    }
}

#[test]
fn nothing_chosen_is_nothing_found() {
    let found = found(Some(&json!([suite(0, true, &[], &json!([]))])), 0).expect("it is read");
    assert_eq!((found.tests.len(), found.cut_short), (0, 0));
}

#[test]
fn a_run_that_did_not_come_to_its_end_is_an_error() {
    let passed = json!([spec("should run", "passed", "")]);
    let before = json!([
        { "LeafNodeType": "SynchronizedBeforeSuite", "State": "failed",
          "Failure": { "Message": "Error loading client: no such file\nat e2e.go" } },
        { "LeafNodeType": "It", "LeafNodeText": "a test", "State": "skipped", "NumAttempts": 0 },
    ]);
    let whole = |suite: Value| Some(json!([suite]));
    for (report, code, complaint) in [
        (None, 1, "ginkgo ended (exit status: 1) without a report"),
        (Some(json!([])), 1, "ginkgo ended (exit status: 1) with an empty report"),
        (Some(json!("nonsense")), 0, "the report "),
        (
            whole(suite(4, false, &["a process ended"], &passed)),
            1,
            "3 of 4 tests were not run: a process ended",
        ),
        (whole(suite(0, false, &["it broke"], &json!([]))), 1, "the run failed, and not by a test: it broke"),
        (whole(suite(1, true, &[], &passed)), 2, "the run failed, and not by a test"),
        (
            whole(suite(1, false, &[], &before)),
            1,
            "no test was run, because what comes before all tests failed: Error loading client: no such file",
        ),
    ] {
        let error = format!("{:#}", found(report.as_ref(), code).expect_err(complaint));
        assert!(error.contains(complaint), "{error}");
        assert!(complaint == "the report " || error.contains("it panicked"), "{error}");
    }
}
