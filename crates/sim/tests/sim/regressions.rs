//! Seeds and settings that once found a defect of ours.

/// The same seed gives the same world, to the last revision: or no seed would be worth anything.
#[test]
fn a_seed_is_a_world() {
    for seed in [1, 7, 23] {
        let (one, two) = (sim::run::run(seed), sim::run::run(seed));
        assert_eq!(one.expect("it holds"), two.expect("it holds"));
    }
}

/// Worlds in which nobody can be sure of what was written. Among them is one where a set made pods twice: a write had failed
/// ambiguously, and so had the consistent read after it, which left nothing to wait for.
#[test]
fn what_nobody_is_sure_of_is_not_done_twice() {
    for seed in 8..20 {
        let profile = Some(sim::profile::Profile::unsure());
        let family = sim::family::Family::Applications;
        let setting = sim::run::Setting { seed, profile, family, defect: None };
        if let Err(failed) = sim::run::run_with(&setting) {
            panic!("with --unsure, {failed}");
        }
    }
}

/// A quota's controller whose view was late, and that backed off from conflict to conflict: nobody woke it when the view had come.
#[test]
fn a_count_that_conflicted_for_long_is_made_right_soon() {
    let profile = Some(sim::profile::Profile::unsure());
    let family = sim::family::Family::Applications;
    let setting = sim::run::Setting { seed: 1044, profile, family, defect: None };
    if let Err(failed) = sim::run::run_with(&setting) {
        panic!("with --unsure, {failed}");
    }
}
