//! What goes wrong by itself, again and again, until it has to stop: crashes, outages, compactions, deaths, lost nodes. (What
//! goes wrong with single messages and writes does so where they pass.)

use std::sync::Arc;
use std::time::Duration;

use store::{Revision, Store as _};

use crate::actors::{Component, Fleet};
use crate::world::{World, lock};

/// How long a component that has crashed stays away at least: what it had asked for is done, or never will be, by then.
const AWAY_MILLIS: u64 = 3_000;

/// Disturbs a world until its faults are over.
pub async fn disturb(world: Arc<World>, fleet: Arc<Fleet>) {
    let dice = world.dice.fork("faults");
    let profile = world.profile.clone();
    while world.is_faulty() {
        world.executor.sleep(dice.millis(200, 5_000)).await;
        if !world.is_faulty() {
            return;
        }
        if dice.chance(profile.crashes) {
            let all = fleet.all();
            let component = dice.pick(&all).clone();
            bring_down(&world, &fleet, vec![component], dice.millis(AWAY_MILLIS, 9_000));
        }
        if dice.chance(profile.outages) {
            outage(&world, &fleet, dice.chance(500), dice.millis(100, 6_000));
        }
        if dice.chance(profile.compactions) {
            let current = world.store.current_revision();
            let back = dice.below(10) as u64;
            world.tell(|| format!("the history before {} is compacted", current.0.saturating_sub(back)));
            // It may have been compacted there before.
            let _ = world.store.compact_now(Revision(current.0.saturating_sub(back)));
        }
        if dice.chance(profile.deaths) {
            let name = format!("node-{}", dice.below(profile.nodes));
            let machine = world.machine(&name);
            let now = world.executor.now();
            if dice.chance(100) {
                world.tell(|| format!("{name} reboots"));
                lock(&machine).reboot(now);
                bring_down(&world, &fleet, vec![Component::Agent(name)], dice.millis(AWAY_MILLIS, 9_000));
            } else if lock(&machine).kill_one(now, &dice) {
                world.tell(|| format!("a container on {name} dies"));
            }
        }
        if profile.jumps > 0 && dice.chance(profile.jumps) {
            world.jump(&dice);
        }
        if profile.flaps > 0 && dice.chance(profile.flaps) {
            let name = format!("node-{}", dice.below(profile.nodes));
            let until = world.executor.now() + dice.millis(1_000, 20_000);
            world.tell(|| format!("{name} is not well for a while"));
            lock(&world.machine(&name)).sicken(until);
        }
        if dice.chance(profile.lost_nodes) {
            let name = format!("node-{}", dice.below(profile.nodes));
            bring_down(&world, &fleet, vec![Component::Agent(name)], dice.millis(60_000, 120_000));
        }
    }
}

/// Stops components now and starts them again after a while.
fn bring_down(world: &Arc<World>, fleet: &Arc<Fleet>, components: Vec<Component>, wait: Duration) {
    for component in &components {
        fleet.stop(world, component);
    }
    let (own, fleet) = (Arc::clone(world), Arc::clone(fleet));
    world.executor.spawn(world.executor.group(), async move {
        own.executor.sleep(wait).await;
        for component in components {
            fleet.start(&own, &component);
        }
    });
}

/// The server dies, in half of all cases with the components in its process.
fn outage(world: &Arc<World>, fleet: &Arc<Fleet>, whole: bool, wait: Duration) {
    if world.server().is_none() {
        return;
    }
    world.stop_server();
    let own = Arc::clone(world);
    world.executor.spawn(world.executor.group(), async move {
        own.executor.sleep(wait).await;
        own.start_server();
    });
    if whole {
        let inside = |component: &Component| !matches!(component, Component::Agent(_));
        let components = fleet.all().into_iter().filter(inside).collect();
        bring_down(world, fleet, components, wait + Duration::from_millis(AWAY_MILLIS));
    }
}
