//! A checker that never finds anything proves nothing: each of these defects is planted, and has to be found by the checker that
//! is there for it, within a few seeds.

use sim::profile::Defect;
use sim::run::{Setting, run_with};

/// How many seeds a defect may hide from.
const SEEDS: u64 = 150;

fn caught(defect: Defect, by: &[&str]) {
    let mut found = Vec::new();
    for seed in 0..SEEDS {
        let setting = Setting { seed, defect: Some(defect), ..Setting::default() };
        if let Err(failed) = run_with(&setting) {
            if by.iter().any(|checker| failed.what.starts_with(checker)) {
                return;
            }
            found.push(failed.what);
        }
    }
    panic!("{defect:?} was planted, and no checker of {by:?} saw it; others saw: {found:#?}");
}

#[test]
fn writes_that_nobody_waits_for_are_caught() {
    caught(Defect::WitnessOff, &["surge"]);
}

#[test]
fn writes_that_ignore_what_they_rest_on_are_caught() {
    caught(Defect::PreconditionOff, &["answers"]);
}

#[test]
fn events_that_are_kept_from_a_view_are_caught() {
    caught(Defect::EventDropped, &["views"]);
}

#[test]
fn an_address_that_is_given_to_two_pods_is_caught() {
    caught(Defect::PodAddressTwice, &["addresses: pods"]);
}

#[test]
fn an_address_that_is_given_to_two_services_is_caught() {
    caught(Defect::ServiceAddressTwice, &["addresses: services", "addresses: the IPAddress"]);
}

#[test]
fn what_is_stored_although_a_webhook_refused_it_is_caught() {
    caught(Defect::RefusalLost, &["webhooks"]);
}

#[test]
fn a_view_that_only_says_that_it_has_synced_is_caught() {
    caught(Defect::UnsyncedView, &["surge", "fail static"]);
}
