//! `cargo xtask differ`: Kubernetes' controllers and Knarr's, each on Kubernetes' API server and on Knarr's, given the same scripts.
//!
//! A script (`yardstick/differ/NAME.yaml`) does things in a namespace of its own. After each, whoever runs this plays the nodes: binds pods, says that
//! they run, and that they are gone. Each time all is left to settle, and what has been made and deleted since, in which order, the events, and every
//! object as it stands then, are noted. Four clusters note the same, or the places in which they do not are told.

mod api;
mod hand;
mod play;
mod script;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::known::Known;
use crate::oracle::compare::{Difference, values};
use play::Played;
use script::Script;
use world::Moment;

/// The clusters' name.
pub const CLUSTER: &str = "differ";

/// What Kubernetes' own parts do is what the others are compared with.
const REFERENCE: &str = "stock";

/// The others: whose the API server is, and whose the controllers.
const CELLS: [(&str, Maker, Maker); 3] = [
    ("knarr-controllers", Maker::Stock, Maker::Knarr),
    ("knarr-api", Maker::Knarr, Maker::Stock),
    ("knarr", Maker::Knarr, Maker::Knarr),
];

/// How many differences of one script are shown.
const SHOWN: usize = 12;

/// Which scripts, on what.
#[derive(Args)]
pub struct Options {
    /// Scripts; all without
    scripts: Vec<String>,
    /// Compare this cluster alone
    #[arg(long, value_parser = ["knarr-controllers", "knarr-api", "knarr"])]
    cell: Option<String>,
}

/// The scripts that are meant.
///
/// # Errors
/// When there is none of a name, or one cannot be read.
pub fn choose(project: &Path, options: &Options) -> Result<Vec<Script>> {
    script::choose(&project.join("yardstick/differ"), &options.scripts)
}

/// Where the clusters' files lie, one cluster after the other.
pub fn place(directory: &Path) -> PathBuf {
    directory.join("differ/cluster")
}

/// Plays, compares, and prints what differs.
///
/// # Errors
/// When something differs for no known reason, or cannot be played.
pub fn run(programs: &Programs<'_>, project: &Path, directory: &Path, options: &Options) -> Result<()> {
    let scripts = choose(project, options)?;
    let known = project.join("yardstick/differ/known.tsv");
    let known = Known::parse(&std::fs::read_to_string(known).context("the list of known differences")?)?;
    let place = place(directory);
    let theirs = cell(programs, &place, REFERENCE, (Maker::Stock, Maker::Stock), &scripts)?;
    let mut lines = vec![
        "| cluster | scripts | moments | the same | known to differ | differing |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    let refusals =
        theirs.iter().flat_map(|(script, moments)| moments.iter().map(move |moment| (script, moment)));
    for (script, moment) in refusals {
        if let Some(refused) = moment.steps.first().filter(|step| step.starts_with(play::REFUSED)) {
            bail!("script {script}, {}: {refused}", moment.act);
        }
    }
    let (mut reasons, mut differing) = (BTreeMap::new(), 0);
    for (name, api, controllers) in CELLS {
        if options.cell.as_deref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let ours = cell(programs, &place, name, (api, controllers), &scripts)?;
        let tally = compare(name, &ours, &theirs, &known, &mut reasons);
        let [moments, same, known, new] = tally;
        lines.push(format!("| `{name}` | {} | {moments} | {same} | {known} | {new} |", scripts.len()));
        differing += new;
    }
    println!("{}", lines.join("\n"));
    for ((class, reason), count) in &reasons {
        println!("{count} known: {class}: {reason}");
    }
    if differing > 0 {
        bail!("{differing} moments differ for no known reason");
    }
    Ok(())
}

/// Plays all scripts on a cluster of its own.
fn cell(
    programs: &Programs<'_>,
    place: &Path,
    name: &str,
    (api, controllers): (Maker, Maker),
    scripts: &[Script],
) -> Result<Played> {
    println!("==> {name}");
    let parts = Parts { api, controllers, scheduler: None, node: None, nodes: 1 };
    let started = Cluster::up(programs, CLUSTER, place, parts);
    let outcome = started.and_then(|mut cluster| {
        let played = on_link(&cluster, scripts);
        // A part that ended explains more than what failed after it.
        cluster.check().and(played)
    });
    cluster::both(outcome, cluster::down(CLUSTER, place)).with_context(|| name.to_owned())
}

/// Plays in a thread that is on the cluster's link.
fn on_link(cluster: &Cluster, scripts: &[Script]) -> Result<Played> {
    let played = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            cluster.hub.enter()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { play::play(&api::Api::of(cluster)?, scripts).await })
        });
        thread.join()
    });
    played.map_err(|_| anyhow!("whoever plays the scripts panicked"))?
}

/// Prints in what the moments of two clusters differ, and answers how many there are, are the same, differ as is known, and otherwise.
fn compare(
    cell: &str,
    ours: &Played,
    theirs: &Played,
    known: &Known,
    reasons: &mut BTreeMap<(String, String), usize>,
) -> [usize; 4] {
    let mut tally = [0; 4];
    for (script, theirs) in theirs {
        let ours = ours.get(script).map_or(&[][..], Vec::as_slice);
        let mut shown: BTreeSet<String> = BTreeSet::new();
        let count = ours.len().max(theirs.len());
        tally[0] += count;
        for at in 0..count {
            let found = differences(ours.get(at), theirs.get(at));
            let mut new: Vec<&Difference> = Vec::new();
            for difference in &found {
                match known.find(script, cell, &difference.place) {
                    Some(row) => *reasons.entry((row.class.clone(), row.reason.clone())).or_default() += 1,
                    None => new.push(difference),
                }
            }
            tally[if found.is_empty() {
                1
            } else if new.is_empty() {
                2
            } else {
                3
            }] += 1;
            for difference in new {
                if shown.len() < SHOWN && shown.insert(difference.place.clone()) {
                    let act = theirs.get(at).or(ours.get(at)).map_or("", |moment| moment.act.as_str());
                    println!("{cell}, {script}, {act}\n    {difference}");
                }
            }
            let acts = [ours.get(at), theirs.get(at)].map(|moment| moment.map(|moment| &moment.act));
            if acts[0] != acts[1] {
                // What comes after is of another story.
                break;
            }
        }
    }
    tally
}

fn differences(ours: Option<&Moment>, theirs: Option<&Moment>) -> Vec<Difference> {
    let told = |moment: Option<&Moment>| match moment {
        None => Value::Null,
        Some(moment) => {
            let events: BTreeMap<&String, bool> = moment.events.iter().map(|event| (event, true)).collect();
            json!({"act": moment.act, "steps": moment.steps, "events": events})
        }
    };
    let mut found = Vec::new();
    values(&mut "moment".to_owned(), &told(ours), &told(theirs), &mut found);
    let none = BTreeMap::new();
    let [ours, theirs] = [ours, theirs].map(|moment| moment.map_or(&none, |moment| &moment.objects));
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        let resource = name.split('/').next().unwrap_or_default().to_owned();
        let [ours, theirs] = [ours, theirs].map(|objects| objects.get(name).cloned().unwrap_or_default());
        values(&mut resource.clone(), &ours, &theirs, &mut found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(act: &str, replicas: u8) -> Moment {
        let objects =
            BTreeMap::from([("replicasets/web".to_owned(), json!({"spec": {"replicas": replicas}}))]);
        Moment {
            act: act.to_owned(),
            steps: vec!["made replicasets/web".to_owned()],
            events: BTreeSet::new(),
            objects,
        }
    }

    #[test]
    fn what_differs_is_told_once_by_its_place_and_what_is_known_is_counted() {
        let played = |moments: Vec<Moment>| Played::from([("scale".to_owned(), moments)]);
        let ours = played(vec![moment("step 1", 1), moment("step 2", 2), moment("step 3", 3)]);
        let theirs = played(vec![moment("step 1", 1), moment("step 2", 3), moment("step 4", 4)]);
        let mut reasons = BTreeMap::new();
        let none = Known::parse("").expect("a list");
        assert_eq!(compare("knarr", &ours, &theirs, &none, &mut reasons), [3, 1, 0, 2]);
        let known = Known::parse("scale\tknarr*\treplicasets.spec*\ton purpose\tit counts otherwise")
            .expect("a list");
        assert_eq!(compare("knarr", &ours, &theirs, &known, &mut reasons), [3, 1, 1, 1]);
        assert_eq!(reasons.values().sum::<usize>(), 2);
    }
}
