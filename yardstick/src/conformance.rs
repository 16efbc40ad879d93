//! `cargo xtask conformance`: Kubernetes' conformance suite against a cluster of Knarr's, a stock one, or any other.

mod report;
mod selection;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::images::{Images, PAUSE, SUITE};
use crate::machine::{self, Machine};
use crate::record::{self, Kept, Known, Record, Test};
use crate::registry;

use report::Found;

/// The name of the cluster that is started.
pub const CLUSTER: &str = "conf";

/// The label of the conformance tests.
const CONFORMANCE: &str = "Conformance";

/// Which tests, and against whom.
#[derive(Args)]
pub struct Options {
    /// Only the tests of `tests/conformance/selection.txt`, all of which pass: one that does not is an error, and no record is kept
    #[arg(long, conflicts_with_all = ["area", "focus", "skip", "stock", "against"])]
    selection: bool,
    /// Only tests of these areas, such as `apps` (the areas are those of the table of conformance tests)
    #[arg(long, value_delimiter = ',')]
    area: Vec<String>,
    /// Only tests whose name this regular expression finds
    #[arg(long, value_name = "RE", value_parser = words::expression)]
    focus: Option<String>,
    /// Not the tests whose name this regular expression finds
    #[arg(long, value_name = "RE", value_parser = words::expression)]
    skip: Option<String>,
    /// Tests with other labels than those of the conformance tests, such as `NodeConformance`: no record of them is kept
    #[arg(long, value_name = "FILTER", default_value = CONFORMANCE, conflicts_with = "selection")]
    label: String,
    /// Against a stock cluster in the place of Knarr's
    #[arg(long)]
    stock: bool,
    /// Against the cluster of this kubeconfig; its nodes pull the suite's images from where upstream keeps them, or from where the file says
    /// that the variable `KUBE_TEST_REPO_LIST` names
    #[arg(long, value_name = "KUBECONFIG", conflicts_with = "stock")]
    against: Option<PathBuf>,
    /// Machines with a node
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=9))]
    nodes: u8,
    /// Tests at the same time, where the suite allows it
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..))]
    procs: u16,
    /// After how long the tests that may run together are interrupted, and those that may not likewise
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = words::duration)]
    timeout: String,
    /// Leave the cluster running
    #[arg(long)]
    keep: bool,
    /// Load the images from a directory that this command fills, without a registry
    #[arg(long)]
    air_gap: bool,
}

impl Options {
    /// Where the files of the cluster lie that is started; none if it is another's.
    pub fn own_place(&self, directory: &Path) -> Option<PathBuf> {
        self.against.is_none().then(|| directory.join("conformance").join(self.name()))
    }

    /// Whether it is against a cluster that is there.
    pub fn is_against_another(&self) -> bool {
        self.against.is_some()
    }

    /// Against whom.
    fn name(&self) -> &'static str {
        match (&self.against, self.maker()) {
            (Some(_), _) => "other",
            (None, Maker::Stock) => "stock",
            (None, Maker::Knarr) => "knarr",
        }
    }

    fn maker(&self) -> Maker {
        if self.stock { Maker::Stock } else { Maker::Knarr }
    }
}

/// What the arguments ask for, and what it is judged by.
pub struct Plan {
    areas: BTreeMap<String, String>,
    selected: Vec<String>,
    patterns: Vec<String>,
    known: Known,
}

impl Plan {
    /// Reads all that a run needs to be judged by, so that it is not found missing or broken after it.
    ///
    /// # Errors
    /// When an argument names what is not there, or something that was kept of earlier runs cannot be read.
    pub fn new(project: &Path, options: &Options) -> Result<Plan> {
        let areas = record::areas(&project.join("../shared/kubernetes/conformance.tsv"))?;
        let selected = if options.selection { selection::read(project, &areas)? } else { Vec::new() };
        let patterns = patterns(options, &areas, &selected)?;
        if let Some(kubeconfig) = options.against.as_ref().filter(|kubeconfig| !kubeconfig.exists()) {
            bail!("there is no {}", kubeconfig.display());
        }
        Record::read(&kept(project, options.name()))?;
        let known = Known::read(&project.join(RECORDS))?;
        Ok(Plan { areas, selected, patterns, known })
    }
}

/// Where records are kept.
const RECORDS: &str = "docs/conformance";

fn kept(project: &Path, against: &str) -> PathBuf {
    project.join(RECORDS).join(format!("{against}.json"))
}

/// Runs the suite and keeps what it found.
///
/// # Errors
/// When it cannot be run to its end, or a test of the selection did not pass. Any other test that fails is no error: the record says it.
pub fn run(programs: &Programs<'_>, project: &Path, directory: &Path, options: &Options) -> Result<()> {
    let plan = Plan::new(project, options)?;
    let outcome = judged(programs, project, directory, options, &plan);
    let Some(place) = options.own_place(directory) else { return outcome };
    if options.keep && cluster::hub(&place).is_ok() {
        println!("the cluster is kept; its files lie in {}", place.display());
        return outcome;
    }
    cluster::both(outcome, cluster::down(CLUSTER, &place))
}

/// The same, and leaves the cluster to the caller.
fn judged(
    programs: &Programs<'_>,
    project: &Path,
    directory: &Path,
    options: &Options,
    plan: &Plan,
) -> Result<()> {
    let suite = Suite::build(programs)?;
    if let Some(kubeconfig) = &options.against {
        suite.reach(kubeconfig)?;
    }
    let mut cluster = match options.own_place(directory) {
        Some(place) => Some(start(programs, directory, &place, options)?),
        None => None,
    };
    let reports = directory.join("reports").join(options.name());
    std::fs::create_dir_all(&reports)?;
    let found = found(&suite, cluster.as_mut(), &reports, directory, options, plan)?;
    if found.tests.is_empty() {
        let why = match found.cut_short {
            0 => "--focus, --skip and --label leave none".to_owned(),
            count => format!("{count} had not ended after {}: --timeout gives more", options.timeout),
        };
        bail!("no test was run, and nothing is kept: {why} (the logs are in {})", reports.display());
    }
    let judged = if options.selection {
        selection::judge(project, &plan.selected, found.tests)
    } else if options.label != CONFORMANCE {
        record::keep(project, options.name(), found.tests, None)
    } else {
        keep(project, options.name(), &plan.known, found.tests)
    };
    if found.cut_short > 0 {
        let over = format!(
            "the time was over: {} of the tests had not ended after {}: --timeout gives more",
            found.cut_short, options.timeout
        );
        return match judged {
            Ok(()) => Err(anyhow!(over)),
            Err(error) => Err(error.context(over)),
        };
    }
    judged
}

/// Runs the tests that may run together, then those that may not.
fn found(
    suite: &Suite,
    mut cluster: Option<&mut Cluster>,
    reports: &Path,
    directory: &Path,
    options: &Options,
    plan: &Plan,
) -> Result<Found> {
    let started = cluster.as_ref().map(|cluster| cluster.kubeconfig.clone());
    let kubeconfig = started.or_else(|| options.against.clone()).context("a kubeconfig")?;
    // The tests run in a folder of their own.
    let kubeconfig = kubeconfig.canonicalize().with_context(|| kubeconfig.display().to_string())?;
    let list = directory.join("repositories.yaml");
    registry::list(&list)?;
    let mut found = Found::default();
    for (serial, procs) in [(false, options.procs), (true, 1)] {
        let from = cluster.as_ref().map(|cluster| cluster.hub.clone());
        let run = Run {
            kubeconfig: &kubeconfig,
            list: cluster.is_some().then_some(&*list),
            reports,
            patterns: &plan.patterns,
            skip: options.skip.as_deref(),
            label: &options.label,
            timeout: &options.timeout,
            serial,
            procs,
        };
        // Tests that fail after a part ended say nothing of what they were made for.
        let ran = suite.run(&run, from.as_ref(), || match &mut cluster {
            Some(cluster) => {
                cluster.check().context("a part of the cluster ended while the tests ran, so nothing is kept")
            }
            None => Ok(()),
        })?;
        found.add(&ran.report, &ran.log, ran.status, &plan.areas)?;
    }
    Ok(found)
}

/// Starts a cluster whose nodes have the images, or can pull them.
fn start(programs: &Programs<'_>, directory: &Path, place: &Path, options: &Options) -> Result<Cluster> {
    let parts = Parts::all(options.maker(), options.nodes);
    let images = Images::build(programs, &directory.join("images"), &SUITE)?;
    let prepare = |hub: &Machine, machines: &[Machine]| {
        for machine in machines {
            registry::trust_by_containerd(machine, &[])?;
            registry::trust_by_knarr(machine, &[])?;
        }
        if options.air_gap { Ok(None) } else { registry::start(hub, &images, &SUITE).map(Some) }
    };
    let cluster = Cluster::up_with(programs, CLUSTER, place, parts, prepare)?;
    for machine in &cluster.machines {
        let wanted: &[_] = if options.air_gap { &SUITE } else { &[PAUSE] };
        cluster.load(machine, &images, wanted)?;
    }
    Ok(cluster)
}

/// What finds the tests' names, as regular expressions; none means all.
fn patterns(options: &Options, areas: &BTreeMap<String, String>, selected: &[String]) -> Result<Vec<String>> {
    let mut chosen: Vec<String> =
        options.focus.iter().cloned().chain(selected.iter().map(|name| quoted(name))).collect();
    for area in &options.area {
        let before = chosen.len();
        // Names hold brackets and dots: each is quoted.
        chosen.extend(areas.iter().filter(|(_, of)| *of == area).map(|(name, _)| quoted(name)));
        if chosen.len() == before {
            let known: BTreeSet<&str> = areas.values().map(String::as_str).collect();
            bail!("there is no area {area}; there are {}", known.into_iter().collect::<Vec<_>>().join(", "));
        }
    }
    Ok(chosen)
}

/// A regular expression that finds just this text.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if !letter.is_alphanumeric() && letter != ' ' {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}

/// The suite's programs.
struct Suite {
    ginkgo: PathBuf,
    tests: PathBuf,
    kubectl: PathBuf,
}

/// One run of them.
struct Run<'a> {
    kubeconfig: &'a Path,
    /// Where images are pulled from, if not from where upstream keeps them.
    list: Option<&'a Path>,
    reports: &'a Path,
    patterns: &'a [String],
    skip: Option<&'a str>,
    label: &'a str,
    timeout: &'a str,
    serial: bool,
    procs: u16,
}

/// How one ended, and what it left.
struct Ran {
    status: ExitStatus,
    report: PathBuf,
    log: PathBuf,
}

impl Suite {
    fn build(programs: &Programs<'_>) -> Result<Suite> {
        let go = programs.go;
        Ok(Suite { ginkgo: go.program("ginkgo")?, tests: go.suite()?, kubectl: go.program("kubectl")? })
    }

    /// Asks another's cluster for its version, so that one that cannot be asked is told in a line.
    fn reach(&self, kubeconfig: &Path) -> Result<()> {
        let mut command = Command::new(&self.kubectl);
        command.arg(format!("--kubeconfig={}", kubeconfig.display()));
        command.args(["get", "--raw", "/version", "--request-timeout=15s"]);
        let answer = machine::output(&mut command)?;
        if !answer.status.success() {
            let said = String::from_utf8_lossy(&answer.stderr);
            let why = said.trim().lines().last().unwrap_or("it does not answer");
            bail!("the cluster of {} cannot be asked: {why}", kubeconfig.display());
        }
        Ok(())
    }

    /// Runs the tests that may run together, or those that may not, for as long as what they run against is well.
    fn run(&self, run: &Run<'_>, from: Option<&Machine>, well: impl FnMut() -> Result<()>) -> Result<Ran> {
        let name = if run.serial { "serial.json" } else { "parallel.json" };
        let report = run.reports.join(name);
        let _ = std::fs::remove_file(&report);
        let mut command = match from {
            Some(machine) => machine.command(&self.ginkgo),
            None => Command::new(&self.ginkgo),
        };
        command.args(["--no-color", "--silence-skips", "--succinct"]);
        command.args([&format!("--procs={}", run.procs), &format!("--json-report={name}")]);
        command.arg(format!("--timeout={}", run.timeout));
        command.arg(format!("--output-dir={}", run.reports.display()));
        let serial = if run.serial { "Serial" } else { "!Serial" };
        command.arg(format!("--label-filter=({}) && {serial}", run.label));
        for pattern in run.patterns {
            command.arg(format!("--focus={pattern}"));
        }
        if let Some(skip) = run.skip {
            command.arg(format!("--skip={skip}"));
        }
        command.arg(&self.tests).arg("--");
        command.args([
            "--provider=skeleton",
            "--delete-namespace-on-failure=true",
            "--disable-log-dump=true",
        ]);
        command.arg(format!("--kubeconfig={}", run.kubeconfig.display()));
        command.arg(format!("--kubectl-path={}", self.kubectl.display()));
        if let Some(list) = run.list {
            command.env("KUBE_TEST_REPO_LIST", list);
        }
        let log = run.reports.join(name.replace(".json", ".log"));
        println!(
            "==> {} tests run; {} says how they do",
            if run.serial { "serial" } else { "parallel" },
            log.display()
        );
        let file = std::fs::File::create(&log)?;
        let status = machine::status_while(command.stdout(file.try_clone()?).stderr(file), well)?;
        Ok(Ran { status, report, log })
    }
}

/// Prints what was found and what changed, and keeps it: as JSON, and as a page for readers.
fn keep(project: &Path, against: &str, known: &Known, mut tests: Vec<Test>) -> Result<()> {
    known.classify(against, &mut tests);
    let path = kept(project, against);
    record::keep(project, against, tests, Some(Kept::Over(&path)))?;
    let mut record = Record::read(&path)?.context("the record")?;
    // What was not run again may be known better by now.
    known.classify(against, &mut record.tests);
    std::fs::write(&path, serde_json::to_string_pretty(&record)? + "\n")?;
    let head = format!(
        "# Kubernetes' conformance suite against {against}\n\nWritten by `cargo xtask conformance`.\n\n"
    );
    std::fs::write(path.with_extension("md"), head + &record.page(known))?;
    Ok(())
}
