//! Worlds of the families beside applications.

use sim::family::Family;
use sim::run::{Setting, run_with};

fn hold(family: Family, seeds: std::ops::Range<u64>) {
    let worlds = seeds.map(|seed| run_with(&Setting { seed, family, ..Setting::default() }));
    let failed: Vec<String> = worlds.filter_map(Result::err).map(|failed| failed.to_string()).collect();
    assert!(failed.is_empty(), "{} seeds failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn worlds_of_daemons_hold() {
    hold(Family::Daemons, 0..50);
}

#[test]
fn worlds_of_jobs_hold() {
    hold(Family::Jobs, 0..40);
}

#[test]
fn worlds_of_schedules_hold() {
    hold(Family::Schedules, 0..30);
}
