//! Runs seeds by hand: `--seed N` shows what happened in one, `--from N --count M` runs many and says which failed. With `--unsure` they are
//! worlds in which nobody can be sure of anything, with `--family NAME` worlds of another family than applications.

use std::process::ExitCode;

use sim::family::Family;

fn number(flag: &str) -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != flag);
    arguments.nth(1)?.parse().ok()
}

/// The family that was asked for.
fn family() -> Family {
    let name = std::env::args().skip_while(|argument| argument != "--family").nth(1);
    let Some(name) = name else { return Family::default() };
    Family::named(&name).unwrap_or_else(|| {
        let all = Family::ALL.map(Family::name).join(", ");
        eprintln!("no family is called {name}; there are {all}");
        std::process::exit(1)
    })
}

/// The seed's own faults, or those of `--unsure`.
fn run(seed: u64, family: Family) -> Result<sim::run::Passed, Box<sim::run::Failed>> {
    let unsure = std::env::args().any(|argument| argument == "--unsure");
    let profile = unsure.then(sim::profile::Profile::unsure);
    sim::run::run_with(&sim::run::Setting { seed, family, profile, defect: None })
}

fn main() -> ExitCode {
    let family = family();
    if let Some(seed) = number("--seed") {
        return match run(seed, family) {
            Ok(passed) => {
                passed.told.iter().for_each(|line| println!("{line}"));
                println!("seed {seed} passed: {passed}");
                ExitCode::SUCCESS
            }
            Err(failed) => {
                failed.told.iter().for_each(|line| println!("{line}"));
                println!("{failed}");
                ExitCode::FAILURE
            }
        };
    }
    let (Some(from), Some(count)) = (number("--from"), number("--count")) else {
        eprintln!("usage: seeds --seed N | --from N --count M, with --unsure, with --family NAME");
        return ExitCode::FAILURE;
    };
    let mut failed = Vec::new();
    for seed in from..from + count {
        match run(seed, family) {
            Ok(passed) => println!("seed {seed} passed: {passed}"),
            Err(why) => {
                println!("seed {seed} FAILED: {}", why.what);
                failed.push(seed);
            }
        }
    }
    println!("{} of {count} seeds failed: {failed:?}", failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
