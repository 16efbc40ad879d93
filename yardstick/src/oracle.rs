//! `cargo xtask oracle`: Kubernetes' own functions and Knarr's, asked the same questions about random objects.
//!
//! The questions come from the schemas (`questions`, `generate`), upstream's answers from a Go program in `tests/conformance/oracle`
//! (`upstream`), Knarr's from the engines that its server runs (`knarr`). What differs (`compare`) and is not known (`known`) is made small
//! (`shrink`) and kept as a fixture (`fixtures`). It asks about no cluster: admission, storage and controllers are not in it.

pub mod compare;
mod fixtures;
mod generate;
mod knarr;
mod question;
mod questions;
#[cfg(test)]
mod replay;
mod shrink;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::go::Go;
use crate::known::Known;
use compare::{Difference, differences, general};
use fixtures::Fixture;
use question::{Op, Question};
use upstream::Upstream;

/// What is asked, and what becomes of the answers.
#[derive(clap::Args)]
pub struct Options {
    /// The same seed asks the same questions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Questions about each kind, for each operation
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// An operation; all without
    #[arg(long)]
    op: Option<Op>,
    /// A kind, such as `Pod`; all without
    #[arg(long)]
    kind: Option<String>,
    /// Write no fixtures
    #[arg(long)]
    look: bool,
    /// Keep so many questions of each operation that were answered alike, in place of those that are kept
    #[arg(long, conflicts_with_all = ["look", "kind"])]
    samples: Option<usize>,
}

/// How many differences of a kind are shown and kept in one run: a defect in a type that nests shows in many places.
const FINDINGS: usize = 12;

/// What came of an operation's questions.
#[derive(Default)]
struct Tally {
    asked: usize,
    same: usize,
    known: usize,
    differing: usize,
    unanswered: usize,
}

/// Asks, prints a table, and keeps what differs.
///
/// # Errors
/// When there is a difference that is not known.
pub fn run(go: &Go, project: &Path, options: &Options) -> Result<()> {
    if let Some(kind) = &options.kind {
        is_asked_about(kind, options.op)?;
    }
    let directory = project.join("yardstick/oracle");
    let known =
        std::fs::read_to_string(directory.join("known.tsv")).context("the list of known differences")?;
    let mut session = Session {
        upstream: Upstream::start(&go.oracle()?)?,
        known: Known::parse(&known)?,
        found: BTreeSet::new(),
        reasons: BTreeMap::new(),
        silences: BTreeMap::new(),
        directory: &directory,
        options,
    };
    // A panic of Knarr's is an answer, and the report says where.
    std::panic::set_hook(Box::new(|_| {}));
    let mut rows = Vec::new();
    for op in Op::ALL.into_iter().filter(|op| options.op.is_none_or(|wanted| wanted == *op)) {
        rows.push((op, session.ask_all(op)?));
    }
    drop(std::panic::take_hook());
    println!("{}", table(&rows));
    for ((class, reason), count) in &session.reasons {
        println!("{count} known: {class}: {reason}");
    }
    for (reason, count) in &session.silences {
        println!("{count} unanswered: {reason}");
    }
    let differing: usize = rows.iter().map(|(_, tally)| tally.differing).sum();
    if differing > 0 {
        bail!("{differing} answers differ for no known reason, in {} ways", session.found.len());
    }
    Ok(())
}

/// Refuses a kind that no operation is asked about, or not this one.
fn is_asked_about(kind: &str, op: Option<Op>) -> Result<()> {
    let ops = Op::ALL.into_iter().filter(|of| op.is_none_or(|wanted| wanted == *of));
    let subjects: Vec<_> = ops.flat_map(questions::subjects).collect();
    let kinds: BTreeSet<&str> = subjects.iter().map(questions::Subject::kind).collect();
    if !kinds.contains(kind) {
        let asked = op.map_or("nothing is asked".to_owned(), |op| format!("{} is not asked", op.name()));
        bail!("{asked} about a kind {kind}; there are {}", Vec::from_iter(kinds).join(", "));
    }
    Ok(())
}

fn table(rows: &[(Op, Tally)]) -> String {
    let mut lines = vec![
        "| operation | asked | same | known to differ | differing | unanswered |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(rows.iter().map(|(op, tally)| {
        let Tally { asked, same, known, differing, unanswered } = tally;
        format!("| `{}` | {asked} | {same} | {known} | {differing} | {unanswered} |", op.name())
    }));
    lines.join("\n")
}

struct Session<'a> {
    upstream: Upstream,
    known: Known,
    /// The differences that were reported, by operation, kind and place.
    found: BTreeSet<(Op, String, String)>,
    /// How many answers have known differences, by class and reason.
    reasons: BTreeMap<(String, String), usize>,
    /// How many questions upstream has no answer to, by what it says instead.
    silences: BTreeMap<String, usize>,
    directory: &'a Path,
    options: &'a Options,
}

impl Session<'_> {
    fn ask_all(&mut self, op: Op) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut alike: Vec<Fixture> = Vec::new();
        for subject in questions::subjects(op) {
            if self.options.kind.as_deref().is_some_and(|kind| kind != subject.kind()) {
                continue;
            }
            for number in 0..usize::from(self.options.count) {
                let question = questions::question(op, &subject, self.options.seed, number);
                let answer = self.upstream.ask(&question)?;
                tally.asked += 1;
                if !answer.unanswered.is_empty() {
                    tally.unanswered += 1;
                    *self.silences.entry(general(&answer.unanswered)).or_default() += 1;
                    continue;
                }
                let all = differences(&knarr::answer(&question), &answer);
                let new = self.unknown(&question, &all);
                match (all.is_empty(), new.is_empty()) {
                    (true, _) => {
                        tally.same += 1;
                        alike.push(Fixture { question, answer });
                    }
                    (false, true) => tally.known += 1,
                    (false, false) => {
                        tally.differing += 1;
                        self.report(&question, &new)?;
                    }
                }
            }
        }
        if let Some(wanted) = self.options.samples {
            fixtures::write(&fixtures::samples(self.directory, op), &spread(alike, wanted))?;
        }
        Ok(tally)
    }

    /// Those of the differences that are not known; the reasons of the others are counted.
    fn unknown(&mut self, question: &Question, all: &[Difference]) -> Vec<Difference> {
        let (mut new, mut reasons) = (Vec::new(), BTreeSet::new());
        for difference in all {
            match self.known.find(question.op.name(), &question.named(), &difference.place) {
                Some(row) => drop(reasons.insert((row.class.clone(), row.reason.clone()))),
                None => new.push(difference.clone()),
            }
        }
        for reason in reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
        new
    }

    /// Shrinks each difference that was not seen before, shows it, and keeps it.
    fn report(&mut self, question: &Question, new: &[Difference]) -> Result<()> {
        for difference in new {
            let place = difference.place.clone();
            let of_kind =
                self.found.iter().filter(|(op, kind, _)| (*op, kind) == (question.op, &question.named()));
            if of_kind.count() >= FINDINGS
                || !self.found.insert((question.op, question.named(), place.clone()))
            {
                continue;
            }
            let small = shrink::shrink(question.clone(), |candidate| {
                let answer = self.upstream.ask(candidate)?;
                let differences = differences(&knarr::answer(candidate), &answer);
                anyhow::Ok(differences.iter().any(|difference| difference.place == place))
            })?;
            let answer = self.upstream.ask(&small)?;
            let differences = differences(&knarr::answer(&small), &answer);
            println!("{} {}", small.op.name(), small.named());
            println!("    object {}", small.object);
            if let Some(patch) = &small.patch {
                println!("    patch  {patch}");
            }
            for configuration in &small.configurations {
                println!("    apply  {configuration}");
            }
            for difference in differences {
                println!("    {difference}");
            }
            if !self.options.look {
                let path = fixtures::differences(self.directory);
                if fixtures::read(&path)?.iter().all(|fixture| fixture.question != small) {
                    fixtures::append(&path, &Fixture { question: small, answer })?;
                }
            }
        }
        Ok(())
    }
}

/// The smallest of each kind in turn, until there are so many.
fn spread(fixtures: Vec<Fixture>, wanted: usize) -> Vec<Fixture> {
    let mut by_kind: BTreeMap<String, Vec<(usize, Fixture)>> = BTreeMap::new();
    for fixture in fixtures {
        let size = serde_json::to_string(&fixture).map_or(usize::MAX, |text| text.len());
        by_kind.entry(fixture.question.named()).or_default().push((size, fixture));
    }
    let mut ranked = Vec::new();
    for (_, mut fixtures) in by_kind {
        fixtures.sort_by_key(|(size, _)| *size);
        // Not the very smallest, which say little.
        let skipped = fixtures.len() / 3;
        ranked.extend(
            fixtures.into_iter().skip(skipped).enumerate().map(|(rank, (_, fixture))| (rank, fixture)),
        );
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(wanted).map(|(_, fixture)| fixture).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_nothing_is_asked_about_is_refused_with_those_that_there_are() {
        assert!(is_asked_about("Pod", None).is_ok());
        assert!(is_asked_about("Pod", Some(Op::Default)).is_ok());
        for (kind, op, wanted) in [
            ("Nonsense", None, "nothing is asked about a kind Nonsense; there are "),
            ("Pod", Some(Op::Convert), "convert is not asked about a kind Pod; there are "),
        ] {
            let error = is_asked_about(kind, op).expect_err("it is refused").to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
