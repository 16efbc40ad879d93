//! `cargo xtask bench --with-peers`: the same load on Knarr and on Kubernetes' own parts, on machines made in the same way, in turn.
//!
//! Each round starts a cluster of either, loads it with `bench against`, and looks at what it needs when nothing happens. What is shown is
//! the median of the rounds, and the ratio.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::images::{Images, PAGE, PAUSE};
use crate::machine::{self, Machine};
use crate::registry::reference;

/// How long a cluster is left alone before it is looked at, and while it is.
const SETTLE: Duration = Duration::from_secs(20);
const IDLE: Duration = Duration::from_secs(20);

/// The clock's ticks a second in `/proc/PID/stat`.
const TICKS: f64 = 100.0;

/// What was measured of one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Figure {
    /// Its number in the plan.
    figure: u8,
    /// What it is.
    what: String,
    /// What it is counted in.
    unit: String,
    /// How much it is.
    value: f64,
    /// Whether more of it is better.
    more_is_better: bool,
}

/// The name of both sides' clusters.
pub const CLUSTER: &str = "peers";

/// Where the files of either's cluster lie.
pub fn place(directory: &Path) -> PathBuf {
    directory.join("peers")
}

/// Knarr's and the peer's, by what was measured.
#[derive(Serialize)]
struct Row {
    figure: u8,
    what: String,
    unit: String,
    knarr: f64,
    stock: f64,
    /// How many times better Knarr is.
    ratio: f64,
}

/// Measures both in turn, so many rounds, and keeps the ratios in `docs/performance`.
///
/// # Errors
/// When a cluster does not start or the load cannot be carried out.
pub fn run(programs: &Programs<'_>, project: &Path, directory: &Path, rounds: u8) -> Result<()> {
    let release = programs.knarr.ancestors().nth(2).context("the build directory")?.join("release");
    let measured = Programs { go: programs.go, knarr: release.join("knarr") };
    let bench = release.join("bench");
    let images = Images::build(programs, &directory.join("images"), &[PAGE, PAUSE])?;
    let mut found: BTreeMap<(u8, usize), [Vec<Figure>; 2]> = BTreeMap::new();
    for round in 1..=rounds {
        for (side, maker) in [Maker::Knarr, Maker::Stock].into_iter().enumerate() {
            println!("==> round {round}: {maker:?}");
            // Both sides say the same figures in the same order.
            for (index, figure) in
                one(&measured, &images, &bench, &place(directory), maker)?.into_iter().enumerate()
            {
                found.entry((figure.figure, index)).or_default()[side].push(figure);
            }
        }
    }
    let rows: Vec<Row> = found.into_values().filter_map(|sides| row(&sides)).collect();
    let page = page(&rows, rounds, project)?;
    println!("{page}");
    let path = project.join("docs/performance/peers.md");
    std::fs::create_dir_all(path.parent().context("a directory")?)?;
    std::fs::write(&path, page)?;
    std::fs::write(path.with_extension("json"), serde_json::to_string_pretty(&rows)? + "\n")?;
    println!("kept in {}", path.display());
    Ok(())
}

fn one(
    programs: &Programs<'_>,
    images: &Images,
    bench: &Path,
    place: &Path,
    maker: Maker,
) -> Result<Vec<Figure>> {
    let begun = Instant::now();
    let outcome = Cluster::up(programs, CLUSTER, place, Parts::all(maker, 1)).and_then(|mut cluster| {
        let outcome = measure(&cluster, images, bench, begun.elapsed());
        // A part that ended explains more than the load that failed after it.
        cluster.check()?;
        outcome
    });
    cluster::both(outcome, cluster::down(CLUSTER, place))
}

fn measure(cluster: &Cluster, images: &Images, bench: &Path, started: Duration) -> Result<Vec<Figure>> {
    let node = &cluster.machines[0];
    cluster.load(node, images, &[PAGE, PAUSE])?;
    std::thread::sleep(SETTLE);
    let (before, begun) = (used(node)?, Instant::now());
    std::thread::sleep(IDLE);
    let after = used(node)?;
    let share = (after.ticks - before.ticks) / TICKS / begun.elapsed().as_secs_f64() * 100.0;
    let own = |figure, what: &str, unit: &str, value| Figure {
        figure,
        what: what.to_owned(),
        unit: unit.to_owned(),
        value,
        more_is_better: false,
    };
    let mut figures = vec![
        own(11, "idle: memory of all processes (RSS)", " MiB", after.resident_kib / 1024.0),
        own(11, "idle: processor, of a core", "%", share),
        own(12, "from nothing to a Ready node, machine included", " s", started.as_secs_f64()),
    ];
    let mut load = cluster.hub.command(bench);
    figures.extend(said(load.arg("against").arg(&cluster.kubeconfig).arg(reference(&PAGE)))?);
    figures.extend(said(node.command(bench).args(["names", cluster::DNS]))?);
    let server =
        node.processes()?.into_iter().filter(|pid| is_name_server(*pid)).map(resident_kib).sum::<f64>();
    figures.push(own(15, "DNS: memory of its process (RSS), after that", " MiB", server / 1024.0));
    figures.extend(said(cluster.hub.command(bench).arg("reads").arg(&cluster.kubeconfig))?);
    let resident = used(node)?.resident_kib / 1024.0;
    figures.push(own(8, "memory of all processes (RSS), after those lists", " MiB", resident));
    Ok(figures)
}

/// The figures that a load prints, which takes longer than a step of building something may.
fn said(load: &mut Command) -> Result<Vec<Figure>> {
    let output = load.output().context("running the load")?;
    if !output.status.success() {
        bail!("{load:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("the load said {line:?}")))
        .collect()
}

/// CoreDNS, or `knarr dns`.
fn is_name_server(pid: i32) -> bool {
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split('\0');
    words.next().is_some_and(|program| program.ends_with("/coredns")) || words.next() == Some("dns")
}

/// What all processes of a machine hold and have used.
struct Used {
    resident_kib: f64,
    ticks: f64,
}

fn used(node: &Machine) -> Result<Used> {
    let mut all = Used { resident_kib: 0.0, ticks: 0.0 };
    for pid in node.processes()? {
        all.resident_kib += resident_kib(pid);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> =
            stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').collect()).unwrap_or_default();
        all.ticks +=
            fields.iter().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    }
    Ok(all)
}

/// Nothing, when it ends meanwhile.
fn resident_kib(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    resident.trim().trim_end_matches(" kB").parse().unwrap_or(0.0)
}

/// The medians, and how many times better Knarr is; nothing where one side has no figure.
fn row([knarr, stock]: &[Vec<Figure>; 2]) -> Option<Row> {
    let figure = knarr.first()?;
    let median = |figures: &[Figure]| {
        let mut values: Vec<f64> = figures.iter().map(|figure| figure.value).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let (ours, theirs) = (median(knarr)?, median(stock)?);
    let ratio = if figure.more_is_better { ours / theirs } else { theirs / ours };
    let (figure, what, unit) = (figure.figure, figure.what.clone(), figure.unit.clone());
    Some(Row { figure, what, unit, knarr: ours, stock: theirs, ratio })
}

fn page(rows: &[Row], rounds: u8, project: &Path) -> Result<String> {
    let mut git = Command::new("git");
    let commit =
        machine::run(git.args(["rev-parse", "--short", "HEAD"]).current_dir(project)).unwrap_or_default();
    let date = machine::run(Command::new("date").arg("+%Y-%m-%d"))?;
    let mut page = format!(
        "# Knarr beside Kubernetes' own parts\n\n\
         Written by `cargo xtask bench --with-peers`: kube-apiserver, kube-controller-manager, kube-scheduler (its limit of requests lifted), kubelet and kube-proxy \
         1.37.1, etcd 3.7, CoreDNS 1.15, containerd and runc of Debian, against Knarr's release binary; the same load, the same machine, in turn; {}, each with a cluster \
         of its own. The load generator shares the cores. {}, commit {}.\n\n\
         | # | figure | Knarr | stock | Knarr is |\n|---|---|---|---|---|\n",
        if rounds == 1 { "one round".to_owned() } else { format!("medians of {rounds} rounds") },
        date.trim(),
        commit.trim()
    );
    for row in rows {
        page += &format!(
            "| {} | {} | {}{} | {}{} | {} |\n",
            row.figure,
            row.what,
            shown(row.knarr),
            row.unit,
            shown(row.stock),
            row.unit,
            verdict(row.ratio)
        );
    }
    Ok(page)
}

/// How many times better Knarr is, or worse.
fn verdict(ratio: f64) -> String {
    if ratio < 1.0 { format!("{}× worse", shown(1.0 / ratio)) } else { format!("{}× better", shown(ratio)) }
}

/// Three digits, or all before the point.
fn shown(value: f64) -> String {
    let digits = if value < 1.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_side_is_the_one_with_more_or_with_less() {
        let figure = |value, more_is_better| Figure {
            figure: 6,
            what: "w".into(),
            unit: "/s".into(),
            value,
            more_is_better,
        };
        let ratio = |more| {
            let knarr = vec![figure(10.0, more), figure(30.0, more), figure(20.0, more)];
            row(&[knarr, vec![figure(5.0, more)]]).map(|row| (row.knarr, row.stock, row.ratio))
        };
        assert_eq!(ratio(true), Some((20.0, 5.0, 4.0)));
        assert_eq!(ratio(false), Some((20.0, 5.0, 0.25)));
        assert!(row(&[vec![figure(1.0, true)], Vec::new()]).is_none());
        assert_eq!([4.0, 1.0, 0.25].map(verdict), ["4.0× better", "1.0× better", "4.0× worse"]);
        assert_eq!([0.254, 1.26, 123.4].map(shown), ["0.25", "1.3", "123"]);
    }
}
