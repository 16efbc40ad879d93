//! One seed, from its beginning to a verdict.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::actors::{Fleet, guarded, user};
use crate::check::convergence;
use crate::family::Family;
use crate::faults;
use crate::profile::{Defect, Profile};
use crate::world::{World, resources};

/// How long faults go on after the last user.
const AFTER: Duration = Duration::from_secs(5);
/// The bound within which all is as it was asked for, once faults have stopped. Back-offs of restarts and of views are within
/// it.
const SETTLED: Duration = Duration::from_secs(300);
/// How often it is looked whether that is so.
const LOOK: Duration = Duration::from_secs(3);

/// What a seed is run with.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The seed.
    pub seed: u64,
    /// What the world is about.
    pub family: Family,
    /// What was broken on purpose.
    pub defect: Option<Defect>,
    /// The faults, if they are not to be those of the seed.
    pub profile: Option<Profile>,
}

/// A world in which all held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// How many changes the store has seen.
    pub changes: usize,
    /// A digest of them all, in order.
    pub digest: u64,
    /// How long it took in the world, in milliseconds.
    pub millis: u128,
    /// What happened last, line by line.
    pub told: Vec<String>,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} changes in {} s, digest {:016x}", self.changes, self.millis / 1000, self.digest)
    }
}

/// A world in which something did not hold.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The seed.
    pub seed: u64,
    /// What the world was about.
    pub family: Family,
    /// What did not hold.
    pub what: String,
    /// What happened before, line by line.
    pub told: Vec<String>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {}\nto see what happened: cargo run -p sim --example seeds -- --seed {} --family {}",
            self.seed,
            self.what,
            self.seed,
            self.family.name()
        )
    }
}

/// Runs a seed of applications with its own faults.
///
/// # Errors
/// What did not hold.
pub fn run(seed: u64) -> Result<Passed, Box<Failed>> {
    run_with(&Setting { seed, ..Setting::default() })
}

/// Runs a seed.
///
/// # Errors
/// What did not hold.
pub fn run_with(setting: &Setting) -> Result<Passed, Box<Failed>> {
    let Setting { seed, family, defect, profile } = setting;
    let dice = crate::dice::Dice::new(*seed).fork("profile");
    let profile = profile.clone().unwrap_or_else(|| Profile::draw(&dice, *family));
    let world = World::new(*seed, *family, profile, *defect);
    let outcome = catch_unwind(AssertUnwindSafe(|| play(&world)));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    let told = world.told();
    world.end();
    outcome.map_err(|what| Box::new(Failed { seed: *seed, family: *family, what, told }))
}

/// Lets a world go on until an age, or until something is wrong.
fn until(world: &World, more: Duration, stop: &AtomicBool) -> Result<(), String> {
    let end = world.executor.now() + more;
    world.executor.run(end, || stop.load(Ordering::Relaxed) || world.violation().is_some());
    world.violation().map_or(Ok(()), Err)
}

fn play(world: &Arc<World>) -> Result<Passed, String> {
    let never = AtomicBool::new(false);
    let begun = Arc::new(AtomicBool::new(false));
    world.calm_down();
    world.start_server();
    let (own, mark) = (Arc::clone(world), Arc::clone(&begun));
    world.executor.spawn(world.executor.group(), async move {
        if let Err(status) = user::set_up(&user::hand(&own, "installer")).await {
            own.violate(format!("set-up: {status}"));
        }
        mark.store(true, Ordering::Relaxed);
    });
    until(world, world.family.busy(), &begun)?;
    world.disturb();
    let fleet = Arc::new(Fleet::new(world.family, world.profile.nodes));
    for component in fleet.all() {
        fleet.start(world, &component);
    }
    let done = Arc::new(AtomicBool::new(false));
    let (own, mark) = (Arc::clone(world), Arc::clone(&done));
    world.executor.spawn(world.executor.group(), async move {
        user::User::new(&own).work().await;
        mark.store(true, Ordering::Relaxed);
    });
    world.executor.spawn(world.executor.group(), guarded::work(Arc::clone(world)));
    world.executor.spawn(world.executor.group(), faults::disturb(Arc::clone(world), Arc::clone(&fleet)));
    until(world, world.family.busy(), &done)?;
    world.check_views();
    until(world, AFTER, &never)?;
    world.calm_down();
    world.tell(|| "faults are over".into());
    settle(world, &fleet, &never)
}

fn settle(world: &Arc<World>, fleet: &Fleet, never: &AtomicBool) -> Result<Passed, String> {
    let end = world.executor.now() + SETTLED;
    loop {
        until(world, LOOK, never)?;
        let state = convergence::check(&world.history());
        match state {
            Ok(()) if !fleet.is_whole() => {}
            Ok(()) => break,
            Err(why) if world.executor.now() >= end => return Err(format!("convergence: {why}")),
            Err(_) => {}
        }
    }
    // What is so stays so, and everybody comes to hear of it.
    until(world, LOOK * 3, never)?;
    while let Err(why) = told(world) {
        if world.executor.now() >= end {
            return Err(format!("watches: {why}"));
        }
        until(world, LOOK, never)?;
    }
    world.check_views();
    let history = world.history();
    convergence::check(&history).map_err(|why| format!("convergence: it did not last: {why}"))?;
    let passed = Passed {
        changes: history.count,
        digest: history.digest,
        millis: world.age().as_millis(),
        told: world.told(),
    };
    drop(history);
    world.violation().map_or(Ok(passed), Err)
}

/// Whether every watch has told all that it owes. Leases go on for ever.
fn told(world: &World) -> Result<(), String> {
    let history = world.history();
    let watches = world.watches();
    let mut watches = watches.values().filter(|watched| *watched.resource() != resources::LEASES);
    watches.try_for_each(|watched| watched.check_complete(&history))
}
