//! What suites say of their tests: a line of JSON a test, as programs of ours write it, or what `go test -v` and Rust's tests print.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::record::{Outcome, Test, first_line};

fn test(area: &str, name: &str, result: Outcome, seconds: f64, failure: &str) -> Test {
    Test {
        name: name.to_owned(),
        area: area.to_owned(),
        result,
        seconds: seconds as u64,
        class: String::new(),
        failure: if result == Outcome::Failed { first_line(failure) } else { String::new() },
    }
}

/// Reads a file of lines such as `{"name": "…", "area": "…", "result": "passed", "seconds": 3, "failure": ""}`.
///
/// # Errors
/// When it is not there or not so.
pub fn lines(path: &Path) -> Result<Vec<Test>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("the report {}", path.display()))?;
    let tests =
        text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("the line {line}")));
    tests.collect()
}

/// Reads what `go test -v` printed. Tests that have parts are left to them.
///
/// # Errors
/// When the program did not come to its end.
pub fn go(area: &str, text: &str) -> Result<Vec<Test>> {
    let mut tests: Vec<Test> = Vec::new();
    let mut said = std::collections::BTreeMap::<String, String>::new();
    let mut running = String::new();
    let mut ended = false;
    for line in text.lines() {
        let words = line.trim_start();
        if let Some(name) = words.strip_prefix("=== ") {
            if let Some((_, name)) = name.split_once(char::is_whitespace) {
                running = name.trim().to_owned();
            }
        } else if let Some((result, rest)) = verdict(words) {
            let (name, time) = rest.rsplit_once(" (").with_context(|| format!("the line {line}"))?;
            let seconds = time.trim_end_matches("s)").parse().unwrap_or_default();
            let failure = said.get(name).map_or("it says nothing", String::as_str);
            tests.push(test(area, name, result, seconds, failure));
        } else if line == "PASS" || line == "FAIL" {
            ended = true;
        } else if let Some(message) = message(words) {
            said.entry(running.clone()).or_insert_with(|| message.to_owned());
        }
    }
    if !ended {
        let last = text.lines().find(|line| line.starts_with("panic:")).or_else(|| text.lines().last());
        bail!("its tests did not come to their end: {}", last.unwrap_or("nothing was said"));
    }
    let names: Vec<String> = tests.iter().map(|test| format!("{}/", test.name)).collect();
    let whole = |test: &Test| {
        let begin = format!("{}/", test.name);
        // A part that failed says it; what failed outside of the parts would be lost.
        let outside = test.result == Outcome::Failed && said.contains_key(&test.name);
        outside || !names.iter().any(|name| name.len() > begin.len() && name.starts_with(&begin))
    };
    let keep: Vec<bool> = tests.iter().map(whole).collect();
    let mut keep = keep.into_iter();
    tests.retain(|_| keep.next().unwrap_or(true));
    Ok(tests)
}

fn verdict(line: &str) -> Option<(Outcome, &str)> {
    [("--- PASS: ", Outcome::Passed), ("--- FAIL: ", Outcome::Failed), ("--- SKIP: ", Outcome::Skipped)]
        .into_iter()
        .find_map(|(begin, result)| Some((result, line.strip_prefix(begin)?)))
}

/// What a test said at a line of its source.
fn message(line: &str) -> Option<&str> {
    let (place, message) = line.split_once(": ")?;
    let (file, number) = place.rsplit_once(':')?;
    (file.ends_with(".go") && number.parse::<u32>().is_ok()).then_some(message)
}

/// Reads what Rust's tests printed, run one by one.
///
/// # Errors
/// When the program did not come to its end.
pub fn rust(area: &str, text: &str) -> Result<Vec<Test>> {
    if !text.lines().any(|line| line.starts_with("test result: ")) {
        bail!("its tests did not come to their end: {}", text.lines().last().unwrap_or("nothing was said"));
    }
    let mut tests = Vec::new();
    for line in text.lines() {
        let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.rsplit_once(" ... "))
        else {
            continue;
        };
        let name = name.split(" - ").next().unwrap_or(name);
        let result = match result.split(' ').next() {
            Some("ok") => Outcome::Passed,
            Some("ignored") => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        tests.push(test(area, name, result, 0.0, &complaint(text, name)));
    }
    Ok(tests)
}

/// What a test printed: its error, or the message of its panic.
fn complaint(text: &str, name: &str) -> String {
    let begin = format!("---- {name} stdout ----");
    let lines =
        text.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| !line.starts_with("---- "));
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    if let Some(error) = lines.iter().find(|line| line.starts_with("Error: ")) {
        return (*error).to_owned();
    }
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    panic.and_then(|at| lines.get(at + 1)).map_or_else(String::new, |line| (*line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tests: &[Test]) -> Vec<(&str, Outcome, &str)> {
        tests.iter().map(|test| (test.name.as_str(), test.result, test.failure.as_str())).collect()
    }

    #[test]
    fn go_tests_count_by_their_parts() {
        let text = "=== RUN   TestWatch\n    objects_test.go:12: no event came\n    more of it\n--- FAIL: TestWatch (3.20s)\n\
                    === RUN   TestExec\n=== RUN   TestExec/SPDY\n=== RUN   TestExec/WebSocket\n    pods_test.go:9: no\n\
                    --- FAIL: TestExec (1.00s)\n    --- PASS: TestExec/SPDY (0.50s)\n    --- FAIL: TestExec/WebSocket (0.50s)\nFAIL\n";
        let tests = go("clientgo", text).expect("it is read");
        assert_eq!(
            told(&tests),
            [
                ("TestWatch", Outcome::Failed, "no event came"),
                ("TestExec/SPDY", Outcome::Passed, ""),
                ("TestExec/WebSocket", Outcome::Failed, "no"),
            ]
        );
        assert_eq!(tests[0].seconds, 3);
    }

    #[test]
    fn go_tests_that_panic_are_no_result() {
        let text = "=== RUN   TestWatch\npanic: nil\n\ngoroutine 1:\n";
        assert!(go("clientgo", text).is_err_and(|error| error.to_string().contains("panic: nil")));
    }

    #[test]
    fn rust_tests_say_their_errors() {
        let text = "running 3 tests\ntest api::one - needs a cluster ... ok\ntest two ... FAILED\ntest three ... FAILED\n\nfailures:\n\n\
                    ---- two stdout ----\nError: Api(NotFound)\n\n---- three stdout ----\n\nthread 'three' panicked at src/lib.rs:9:5:\n\
                    not equal\n\nfailures:\n    two\n    three\n\ntest result: FAILED. 1 passed; 2 failed\n";
        let tests = rust("kube", text).expect("it is read");
        assert_eq!(
            told(&tests),
            [
                ("api::one", Outcome::Passed, ""),
                ("two", Outcome::Failed, "Error: Api(NotFound)"),
                ("three", Outcome::Failed, "not equal"),
            ]
        );
    }
}
