//! controller-runtime: its own tests, which take a cluster that is there for the one that they would start.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::report;
use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::record::{Outcome, Test, first_line};

const MODULE: &str = "sigs.k8s.io/controller-runtime@v0.25.2";
const SUM: &str = "h1:bEkK3PVOIVK9X8QWLGVhJgmFc++47vfT6wakSzAOLsQ=";

/// The packages whose tests use a cluster.
const PACKAGES: [&str; 15] = [
    "builder",
    "cache",
    "client",
    "client/apiutil",
    "cluster",
    "controller",
    "controller/controllerutil",
    "envtest",
    "handler",
    "internal/controller",
    "internal/recorder",
    "manager",
    "metrics/filters",
    "source",
    "webhook",
];

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    let module = workshop.programs.go.module(MODULE, SUM)?;
    let directory = workshop.of("controller-runtime");
    std::fs::create_dir_all(&directory)?;
    for package in PACKAGES {
        let program = program(&directory, package);
        if program.exists() {
            continue;
        }
        let mut build = Command::new("go");
        build
            .args(["test", "-c", "-trimpath", "-vet=off", "-ldflags=-s -w", "-o"])
            .arg(&program)
            .arg(format!("./pkg/{package}"));
        build.current_dir(&module).env("CGO_ENABLED", "0");
        workshop.make(&format!("the tests of {package}"), &mut build)?;
    }
    Ok(())
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    let module = workshop.programs.go.module(MODULE, SUM)?;
    let directory = workshop.of("controller-runtime");
    let mut tests = Vec::new();
    let wanted = |package: &&str| workshop.only.is_none_or(|only| package.contains(only));
    for package in PACKAGES.into_iter().filter(wanted) {
        println!("==> {package}");
        tests.extend(
            of_package(workshop, cluster, &module, &directory, package)
                .with_context(|| package.to_owned())?,
        );
    }
    Ok(tests)
}

/// Each package of theirs is one program with one suite of Ginkgo's in it, or with none.
fn of_package(
    workshop: &Workshop<'_>,
    cluster: &Cluster,
    module: &Path,
    directory: &Path,
    package: &str,
) -> Result<Vec<Test>> {
    let program = program(directory, package);
    let report = program.with_extension("json");
    let _ = std::fs::remove_file(&report);
    let (_, log) = workshop.run("controller-runtime", cluster, &program, |command| {
        // What is known to hang would take the time of all the others.
        command.args(["-test.v", "-test.timeout=12m", "--ginkgo.no-color", "--ginkgo.timeout=10m"]);
        command.arg("--ginkgo.silence-skips").arg(format!("--ginkgo.json-report={}", report.display()));
        command.env("USE_EXISTING_CLUSTER", "true").current_dir(module.join("pkg").join(package));
    })?;
    let said = std::fs::read_to_string(&log)?;
    let mut tests = if report.exists() { specs(package, &std::fs::read(&report)?)? } else { Vec::new() };
    let with_specs = !tests.is_empty();
    let plain = report::go(package, &said).with_context(|| format!("see {}", log.display()))?;
    // The test that holds the suite says no more than the suite did.
    tests.extend(plain.into_iter().filter(|test| !(with_specs && is_holder(module, package, &test.name))));
    if tests.is_empty() {
        bail!("it ran no test: see {}", log.display());
    }
    Ok(tests)
}

/// Whether a test of Go's does nothing but to run Ginkgo's specs.
fn is_holder(module: &Path, package: &str, test: &str) -> bool {
    let files = std::fs::read_dir(module.join("pkg").join(package)).into_iter().flatten().flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().ends_with("_suite_test.go"));
    let mut texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    texts.any(|text| text.contains(&format!("func {test}(")) && text.contains("RunSpecs("))
}

/// What Ginkgo's report says. What fails before or after the tests is one of its own.
fn specs(package: &str, report: &[u8]) -> Result<Vec<Test>> {
    let suites: Value = serde_json::from_slice(report)?;
    let suites = suites.as_array().into_iter().flatten();
    let specs = suites.flat_map(|suite| suite["SpecReports"].as_array().into_iter().flatten());
    let mut tests = Vec::new();
    for spec in specs {
        let result = match spec["State"].as_str() {
            Some("passed") => Outcome::Passed,
            Some("skipped" | "pending") => Outcome::Skipped,
            _ => Outcome::Failed,
        };
        let kind = spec["LeafNodeType"].as_str().unwrap_or_default();
        if kind != "It" && result == Outcome::Passed {
            continue;
        }
        let texts = spec["ContainerHierarchyTexts"].as_array().into_iter().flatten();
        let words = texts.chain([&spec["LeafNodeText"]]).filter_map(Value::as_str);
        let name = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let message = spec["Failure"]["Message"].as_str().unwrap_or_default();
        // Matchers begin theirs with a line that says nothing.
        let told =
            message.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("Expected"));
        tests.push(Test {
            name: if name.is_empty() { format!("{package}: {kind}") } else { format!("{package}: {name}") },
            area: package.to_owned(),
            result,
            seconds: spec["RunTime"].as_u64().unwrap_or_default() / 1_000_000_000,
            class: String::new(),
            failure: if result == Outcome::Failed {
                first_line(told.unwrap_or(message))
            } else {
                String::new()
            },
        });
    }
    Ok(tests)
}

fn program(directory: &Path, package: &str) -> PathBuf {
    directory.join(format!("{}.test", package.replace('/', "-")))
}
