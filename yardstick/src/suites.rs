//! `cargo xtask suites`: clients that others wrote, each run whole against a cluster: libraries by their own tests or by programs of ours
//! in `tests/suites`, and helm.
//!
//! A suite is built before its cluster starts, because the link has no way out. What it found is kept in `docs/suites/SUITE.json`, and each
//! failure must have its line in `tests/suites/explained.tsv`: one without is an error, as is a suite that cannot be run to its end.

mod client_go;
mod controller_runtime;
mod explained;
mod fabric8;
mod helm;
mod kr8s;
mod kube_rs;
pub mod python;
mod report;
pub mod workshop;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::images::{Image, Images, PAUSE, SUITES};
use crate::machine::Machine;
use crate::record::{self, Kept, Outcome, Record, Test};
use crate::registry;

use explained::Explained;
use workshop::Workshop;

/// Which suites, and against whom.
#[derive(Args)]
pub struct Options {
    /// Suites; all without
    names: Vec<String>,
    /// Against a stock cluster in the place of Knarr's
    #[arg(long)]
    stock: bool,
    /// Only tests whose names hold this; what is found is printed, not kept
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Stop after the first suite in which something failed, and leave its cluster running
    #[arg(long)]
    keep: bool,
}

/// A suite.
struct Suite {
    /// Its name, which its record has too.
    name: &'static str,
    /// Brings and builds what it is made of.
    build: fn(&Workshop<'_>) -> Result<()>,
    /// Runs it on a cluster's hub, and answers how its tests ended.
    run: fn(&Workshop<'_>, &Cluster) -> Result<Vec<Test>>,
}

const SUITES_BY_NAME: [Suite; 7] = [
    Suite { name: "client-go", build: client_go::build, run: client_go::run },
    Suite { name: "python", build: python::build, run: python::run },
    Suite { name: "helm", build: helm::build, run: helm::run },
    Suite { name: "kr8s", build: kr8s::build, run: kr8s::run },
    Suite { name: "kube-rs", build: kube_rs::build, run: kube_rs::run },
    Suite { name: "controller-runtime", build: controller_runtime::build, run: controller_runtime::run },
    Suite { name: "fabric8", build: fabric8::build, run: fabric8::run },
];

/// The cluster's name.
pub const CLUSTER: &str = "suites";

/// Registries whose images come from the hub's.
const MIRRORED: [&str; 3] = ["docker.io", "gcr.io", "registry.k8s.io"];

/// Where the cluster's files lie.
pub fn place(directory: &Path) -> std::path::PathBuf {
    directory.join("suites/cluster")
}

/// What the arguments ask for, and what it is judged by.
pub struct Plan {
    chosen: Vec<&'static Suite>,
    explained: Explained,
}

impl Plan {
    /// Reads all that a run needs to be judged by, so that it is not found missing or broken after it.
    ///
    /// # Errors
    /// When there is no suite of a name, or something that was kept of earlier runs cannot be read.
    pub fn new(project: &Path, options: &Options) -> Result<Plan> {
        let chosen = choose(&options.names)?;
        let explained = Explained::read(&project.join("tests/suites/explained.tsv"))?;
        for suite in &chosen {
            for against in ["", "-stock"] {
                Record::read(&kept(project, suite, against))?;
            }
        }
        Ok(Plan { chosen, explained })
    }
}

fn kept(project: &Path, suite: &Suite, against: &str) -> std::path::PathBuf {
    project.join(format!("docs/suites/{}{against}.json", suite.name))
}

/// Runs the suites of these names, or all, and prints a table.
///
/// # Errors
/// When one cannot be built or run to its end, or a failure is not explained.
pub fn run(programs: &Programs<'_>, project: &Path, directory: &Path, options: &Options) -> Result<()> {
    let Plan { chosen, explained } = Plan::new(project, options)?;
    let workshop = Workshop::new(project, &directory.join("suites"), programs, options.only.as_deref())?;
    let images = Images::build(programs, &directory.join("images"), &SUITES)?;
    for suite in &chosen {
        (suite.build)(&workshop).with_context(|| format!("the suite {} cannot be built", suite.name))?;
    }
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for suite in &chosen {
        println!("==> {}", suite.name);
        match one(&workshop, suite, &images, &explained, directory, options) {
            Ok(found) => {
                if found.unexplained > 0 {
                    wrong.push(format!("{}: {} failures are not explained", suite.name, found.unexplained));
                }
                rows.push(format!(
                    "| {} | {} | {} | {} |",
                    suite.name, found.passed, found.failed, found.skipped
                ));
                if options.keep && found.failed > 0 {
                    let cluster = place(directory);
                    println!("the cluster is kept; its files lie in {}", cluster.display());
                    break;
                }
            }
            Err(error) => {
                rows.push(format!("| {} | did not run to its end | | |", suite.name));
                wrong.push(format!("{}: {error:#}", suite.name));
            }
        }
        if let Err(error) = cluster::down(CLUSTER, &place(directory)) {
            wrong.push(format!("{}: its cluster cannot be ended: {error:#}", suite.name));
            break;
        }
    }
    println!("| suite | passed | failed | skipped |\n|---|---|---|---|\n{}", rows.join("\n"));
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

fn choose(names: &[String]) -> Result<Vec<&'static Suite>> {
    if let Some(unknown) = names.iter().find(|name| SUITES_BY_NAME.iter().all(|suite| suite.name != **name)) {
        let known: Vec<&str> = SUITES_BY_NAME.iter().map(|suite| suite.name).collect();
        bail!("there is no suite {unknown}; there are {}", known.join(", "));
    }
    let wanted = |suite: &&Suite| names.is_empty() || names.iter().any(|name| name == suite.name);
    Ok(SUITES_BY_NAME.iter().filter(wanted).collect())
}

/// How the tests of a suite ended, in numbers.
#[derive(Default)]
struct Found {
    passed: usize,
    failed: usize,
    skipped: usize,
    unexplained: usize,
}

/// Runs one suite on a cluster of its own, and keeps what it found. The cluster is left to the caller.
fn one(
    workshop: &Workshop<'_>,
    suite: &Suite,
    images: &Images,
    explained: &Explained,
    directory: &Path,
    options: &Options,
) -> Result<Found> {
    let (maker, against) = if options.stock { (Maker::Stock, "stock") } else { (Maker::Knarr, "knarr") };
    let mut cluster = start(workshop.programs, images, &place(directory), maker)?;
    let tests = (suite.run)(workshop, &cluster);
    // A part that ended explains more than the tests that failed after it.
    cluster.check()?;
    let mut tests = tests?;
    if tests.is_empty() {
        bail!("it ran no test");
    }
    let path = |against: &str| kept(workshop.project, suite, against);
    let stock = if options.stock { None } else { Record::read(&path("-stock"))? };
    let mut found = Found::default();
    for test in &mut tests {
        match test.result {
            Outcome::Passed => found.passed += 1,
            Outcome::Skipped => found.skipped += 1,
            Outcome::Failed => {
                found.failed += 1;
                let class = explained.of(suite.name, &test.name).map(|line| line.class.as_str());
                // What Kubernetes' own parts fail too says nothing of Knarr.
                let failed = |stock: &Record| stock.failed(&test.name).then_some("suite");
                let class = class.or_else(|| stock.as_ref().and_then(failed));
                found.unexplained += usize::from(class.is_none());
                test.class = class.unwrap_or("unexplained").to_owned();
            }
        }
    }
    if options.stock {
        // What is explained is what Knarr lacks.
        found.unexplained = 0;
    } else {
        for test in tests.iter().filter(|test| test.result == Outcome::Passed) {
            if explained.of(suite.name, &test.name).is_some() {
                println!("note: {} passes: its line in explained.tsv is out of date", test.name);
            }
        }
    }
    let path = path(if options.stock { "-stock" } else { "" });
    record::keep(workshop.project, against, tests, options.only.is_none().then_some(Kept::Anew(&path)))?;
    Ok(found)
}

/// Starts a cluster whose nodes pull every image from the hub.
fn start(programs: &Programs<'_>, images: &Images, place: &Path, maker: Maker) -> Result<Cluster> {
    let prepare = |hub: &Machine, machines: &[Machine]| {
        for machine in machines {
            registry::trust_by_containerd(machine, &MIRRORED)?;
            registry::trust_by_knarr(machine, &MIRRORED)?;
        }
        registry::start(hub, images, &SUITES).map(Some)
    };
    let cluster = Cluster::up_with(programs, CLUSTER, place, Parts::all(maker, 1), prepare)?;
    for machine in &cluster.machines {
        cluster.load(machine, images, &[PAUSE])?;
    }
    Ok(cluster)
}

/// The image with a shell that programs of ours run.
fn shell_image() -> String {
    let image: &Image = &SUITES[0];
    registry::reference(image)
}

#[cfg(test)]
mod tests;
