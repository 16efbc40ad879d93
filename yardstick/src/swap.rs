//! `cargo xtask swap`: Knarr's API server with each stock part in turn, and stock's API server with each of Knarr's.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cluster::{self, Cluster, Maker, Parts, Programs};
use crate::images::{Images, PAGE, PAUSE};
use crate::scenario;

/// A cell's name, and whose its parts are.
type Cell = (&'static str, Parts);

const fn parts(api: Maker, controllers: Maker, scheduler: Maker, node: Maker) -> Parts {
    Parts { api, controllers, scheduler: Some(scheduler), node: Some(node), nodes: 1 }
}

const CELLS: [Cell; 9] = [
    ("knarr", parts(Maker::Knarr, Maker::Knarr, Maker::Knarr, Maker::Knarr)),
    ("knarr-with-stock-controllers", parts(Maker::Knarr, Maker::Stock, Maker::Knarr, Maker::Knarr)),
    ("knarr-with-stock-scheduler", parts(Maker::Knarr, Maker::Knarr, Maker::Stock, Maker::Knarr)),
    ("knarr-with-stock-node", parts(Maker::Knarr, Maker::Knarr, Maker::Knarr, Maker::Stock)),
    ("stock", parts(Maker::Stock, Maker::Stock, Maker::Stock, Maker::Stock)),
    ("stock-with-knarr-controllers", parts(Maker::Stock, Maker::Knarr, Maker::Stock, Maker::Stock)),
    ("stock-with-knarr-scheduler", parts(Maker::Stock, Maker::Stock, Maker::Knarr, Maker::Stock)),
    ("stock-api-with-knarr-parts", parts(Maker::Stock, Maker::Knarr, Maker::Knarr, Maker::Knarr)),
    ("stock-with-knarr-node", parts(Maker::Stock, Maker::Stock, Maker::Stock, Maker::Knarr)),
];

/// The name of the cells' clusters.
pub const CLUSTER: &str = "swap";

/// Where the files of the clusters of these cells lie, or of all.
pub fn places(directory: &Path, names: &[String]) -> Vec<PathBuf> {
    chosen(names).map(|(name, _)| place(directory, name)).collect()
}

/// The cells of these names, or all.
///
/// # Errors
/// When there is none of a name.
pub fn choose(names: &[String]) -> Result<Vec<Cell>> {
    if let Some(unknown) = names.iter().find(|name| CELLS.iter().all(|(known, _)| known != name)) {
        let known: Vec<&str> = CELLS.iter().map(|(name, _)| *name).collect();
        bail!("there is no cell {unknown}; there are {}", known.join(", "));
    }
    Ok(chosen(names).collect())
}

fn chosen(names: &[String]) -> impl Iterator<Item = Cell> {
    CELLS.into_iter().filter(move |(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name))
}

fn place(directory: &Path, cell: &str) -> PathBuf {
    directory.join("swap").join(cell)
}

/// Runs the cells of these names, or all, and prints a line for each.
///
/// # Errors
/// When one of them is not green.
pub fn run(programs: &Programs<'_>, directory: &Path, names: &[String], keep: bool) -> Result<()> {
    let cells = choose(names)?;
    let images = Images::build(programs, &directory.join("images"), &[PAGE, PAUSE])?;
    let mut red = Vec::new();
    for (name, parts) in cells {
        let place = place(directory, name);
        let begun = Instant::now();
        let outcome = cell(programs, &images, name, &place, parts);
        let seconds = begun.elapsed().as_secs();
        let kept = outcome.is_err() && keep && cluster::hub(&place).is_ok();
        let outcome = if kept { outcome } else { cluster::both(outcome, cluster::down(CLUSTER, &place)) };
        match outcome {
            Ok(()) => println!("green  {name}  {seconds} s"),
            Err(error) => {
                println!("red    {name}  {seconds} s: {error:#}");
                red.push(name);
            }
        }
        if kept {
            println!("it is kept below {}", place.display());
            break;
        }
    }
    if !red.is_empty() {
        bail!("{} of the cells are red: {}", red.len(), red.join(", "));
    }
    Ok(())
}

fn cell(programs: &Programs<'_>, images: &Images, name: &str, place: &Path, parts: Parts) -> Result<()> {
    println!("==> {name}");
    let mut cluster = Cluster::up(programs, CLUSTER, place, parts)?;
    scenario::run(&mut cluster, images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cells_of_these_names_are_touched() {
        let directory = Path::new("target/yardstick");
        assert_eq!(places(directory, &[]).len(), CELLS.len());
        let one = places(directory, &["stock".to_owned()]);
        assert_eq!(one, [Path::new("target/yardstick/swap/stock")]);
        let error = choose(&["stok".to_owned()]).expect_err("there is none").to_string();
        assert!(error.starts_with("there is no cell stok; there are knarr, "), "{error}");
    }
}
