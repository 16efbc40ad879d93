//! `cargo xtask conformance`: Kubernetes' conformance suite against a cluster of Knarr's, a stock one, or any other.

mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::images::{Images, PAUSE, SUITE};
use crate::machine::Machine;
use crate::record::{self, Kept, Known, Record, Test};
use crate::registry;

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
    #[arg(long, value_name = "RE")]
    focus: Option<String>,
    /// Not the tests whose name this regular expression finds
    #[arg(long, value_name = "RE")]
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
    #[arg(long, default_value_t = 12)]
    procs: u16,
    /// After how long the tests that may run together are interrupted, and those that may not likewise
    #[arg(long, value_name = "DURATION", default_value = "2h")]
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

/// Runs the suite and keeps what it found.
///
/// # Errors
/// When it cannot be run, or a test of the selection did not pass. Any other test that fails is no error: the record says it.
pub fn run(programs: &Programs<'_>, project: &Path, directory: &Path, options: &Options) -> Result<()> {
    let outcome = judged(programs, project, directory, options);
    if let Some(place) = options.own_place(directory) {
        if options.keep {
            println!("the cluster is kept; its files lie in {}", place.display());
        } else {
            cluster::down(CLUSTER, &place)?;
        }
    }
    outcome
}

/// The same, and leaves the cluster to the caller.
fn judged(programs: &Programs<'_>, project: &Path, directory: &Path, options: &Options) -> Result<()> {
    let areas = record::areas(&project.join("../shared/kubernetes/conformance.tsv"))?;
    let chosen = if options.selection { selection::read(project, &areas)? } else { Vec::new() };
    let patterns = patterns(options, &areas, &chosen)?;
    let suite = Suite::build(programs)?;
    let mut cluster = match options.own_place(directory) {
        Some(place) => Some(start(programs, directory, &place, options)?),
        None => None,
    };
    let started = cluster.as_ref().map(|cluster| &cluster.kubeconfig);
    let kubeconfig = started.or(options.against.as_ref()).context("a kubeconfig")?;
    // The tests run in a folder of their own.
    let kubeconfig = kubeconfig.canonicalize().with_context(|| kubeconfig.display().to_string())?;
    let list = directory.join("repositories.yaml");
    registry::list(&list)?;
    let reports = directory.join("reports").join(options.name());
    std::fs::create_dir_all(&reports)?;
    let mut tests = Vec::new();
    for (serial, procs) in [(false, options.procs), (true, 1)] {
        let report = suite.run(&Run {
            from: cluster.as_ref().map(|cluster| &cluster.hub),
            kubeconfig: &kubeconfig,
            list: cluster.is_some().then_some(&*list),
            reports: &reports,
            patterns: &patterns,
            skip: options.skip.as_deref(),
            label: &options.label,
            timeout: &options.timeout,
            serial,
            procs,
        })?;
        record::read_report(&report, &areas, &mut tests)?;
    }
    // A part that ended explains more than the tests that failed after it.
    if let Some(Err(error)) = cluster.as_mut().map(Cluster::check) {
        println!("note: {error:#}");
    }
    if options.selection {
        selection::judge(project, &chosen, tests)
    } else if options.label != CONFORMANCE {
        record::keep(project, options.name(), tests, None)
    } else {
        keep(project, options.name(), tests)
    }
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
    from: Option<&'a Machine>,
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

impl Suite {
    fn build(programs: &Programs<'_>) -> Result<Suite> {
        let go = programs.go;
        Ok(Suite { ginkgo: go.program("ginkgo")?, tests: go.suite()?, kubectl: go.program("kubectl")? })
    }

    /// Runs the tests that may run together, or those that may not, and answers where the report lies.
    fn run(&self, run: &Run<'_>) -> Result<PathBuf> {
        let name = if run.serial { "serial.json" } else { "parallel.json" };
        let report = run.reports.join(name);
        let _ = std::fs::remove_file(&report);
        let mut command = match run.from {
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
        let status = command.stdout(file.try_clone()?).stderr(file).status().context("running ginkgo")?;
        if !report.exists() {
            bail!("ginkgo ended with {status} and left no report: see {}", log.display());
        }
        Ok(report)
    }
}

/// Prints what was found and what changed, and keeps it: as JSON, and as a page for readers.
fn keep(project: &Path, against: &str, mut tests: Vec<Test>) -> Result<()> {
    let directory = project.join("docs/conformance");
    let known = Known::read(&directory)?;
    known.classify(against, &mut tests);
    let path = directory.join(format!("{against}.json"));
    record::keep(project, against, tests, Some(Kept::Over(&path)))?;
    let mut record = Record::read(&path)?.context("the record")?;
    // What was not run again may be known better by now.
    known.classify(against, &mut record.tests);
    std::fs::write(&path, serde_json::to_string_pretty(&record)? + "\n")?;
    let head = format!(
        "# Kubernetes' conformance suite against {against}\n\nWritten by `cargo xtask conformance`.\n\n"
    );
    std::fs::write(path.with_extension("md"), head + &record.page(&known))?;
    Ok(())
}
