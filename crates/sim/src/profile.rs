//! What one world is like: which faults strike how often, how far clocks are apart, how large everything is. Drawn from the seed;
//! half of the kinds of faults are absent from any one world, so that the others show undisturbed too.

use std::time::Duration;

use crate::dice::Dice;
use crate::family::Family;

/// A defect that a test plants to see it caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// What components write is answered as if it had been written long ago, so that nothing is waited for.
    WitnessOff,
    /// What a write says about the version and the uid that it is based on does not reach the server.
    PreconditionOff,
    /// Some events are kept from a watch's reader.
    EventDropped,
    /// Nodes give pods addresses that are taken.
    PodAddressTwice,
    /// The store forgets to check that an address of a service is free.
    ServiceAddressTwice,
    /// Views say that they have synced before they have.
    UnsyncedView,
    /// What webhooks refuse is answered as if they let it pass.
    RefusalLost,
}

/// How often things go wrong, in thousandths, and how long they take.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Requests that never arrive.
    pub refused: usize,
    /// Requests that are carried out, but whose answer is lost.
    pub lost: usize,
    /// Writes that the store refuses for want of space.
    pub full: usize,
    /// Writes that fail on the medium: half of them are kept all the same.
    pub torn: usize,
    /// Watches that are cut, at each event.
    pub cut: usize,
    /// Events that come very late.
    pub late: usize,
    /// The longest way of a request or an event, in milliseconds.
    pub way_millis: u64,
    /// The furthest that a component's clock is off, in milliseconds.
    pub skew_millis: u64,
    /// Image pulls that fail.
    pub failed_pulls: usize,
    /// How often a component crashes, in a thousand disturbances.
    pub crashes: usize,
    /// How often the whole server does.
    pub outages: usize,
    /// How often the history is compacted.
    pub compactions: usize,
    /// How often a node is lost for longer than its lease.
    pub lost_nodes: usize,
    /// How often a container dies, by itself or for want of memory.
    pub deaths: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// Calls of webhooks that fail, and as many that take too long, and that are late.
    pub hooks: usize,
    /// How often a component's clock jumps.
    pub jumps: usize,
    /// How often a node says for a while that it is not ready, and then that it is.
    pub flaps: usize,
    /// Whether the quota has room for a few pods only, until somebody gives more.
    pub tight: bool,
    /// Whether somebody asks for images that nobody has, until that is mended.
    pub hopeless: bool,
}

impl Profile {
    /// The profile of a seed in a family. Clocks do not jump among applications, nodes do not flap, nothing is tight or hopeless: their worlds
    /// are those that they have always been, and so are the seeds that once found something.
    pub fn draw(dice: &Dice, family: Family) -> Profile {
        // In one of ten worlds everything goes wrong at once.
        let often = if dice.chance(100) { 1_000 } else { 500 };
        let maybe = |most: usize| if dice.chance(often) { 1 + dice.below(most) } else { 0 };
        let mut profile = Profile {
            refused: maybe(80),
            lost: maybe(80),
            full: maybe(60),
            torn: maybe(60),
            cut: maybe(100),
            late: maybe(60),
            way_millis: [0, 2, 20, 200][dice.below(4)],
            skew_millis: if dice.chance(300) { 1 + dice.below(3000) as u64 } else { 0 },
            failed_pulls: maybe(300),
            crashes: maybe(400),
            outages: maybe(150),
            compactions: maybe(500),
            lost_nodes: if dice.chance(150) { 100 } else { 0 },
            deaths: maybe(300),
            nodes: 1 + dice.below(3),
            hooks: maybe(300),
            ..Profile::default()
        };
        if family != Family::Applications {
            profile.jumps = if dice.chance(150) { 1 + dice.below(300) } else { 0 };
            profile.flaps = if dice.chance(150) { 1 + dice.below(300) } else { 0 };
            profile.tight = dice.chance(150);
            profile.hopeless = dice.chance(200);
        }
        profile
    }

    /// A world in which nobody can be sure of anything that was asked for, and views are late, while no pod is disturbed.
    pub fn unsure() -> Profile {
        Profile {
            refused: 250,
            lost: 120,
            torn: 150,
            cut: 60,
            late: 120,
            way_millis: 20,
            compactions: 200,
            nodes: 2,
            ..Profile::default()
        }
    }

    /// Whether pods are disturbed by anything but what is asked of the cluster.
    pub fn disturbs_pods(&self) -> bool {
        // A clock that jumps is a node's lease that seems to have run out.
        self.lost_nodes > 0 || self.deaths > 0 || self.flaps > 0 || self.jumps > 0
    }

    /// How much later than now what a component sees may be at most while faults last: reconnections included.
    pub fn longest_lag(&self) -> Duration {
        Duration::from_secs(90)
    }
}
