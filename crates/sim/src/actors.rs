//! Who acts on a world: the components of ours, each in one life after another, and the users.

pub mod control;
pub mod guarded;
pub mod node;
pub mod requests;
pub mod user;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base::drain;

use crate::executor::Group;
use crate::family::Family;
use crate::line::Line;
use crate::world::{World, lock};

/// A component that can crash and be started again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// A controller, by its place among those of the world's family.
    Controller(usize),
    /// The scheduler.
    Scheduler,
    /// The agent of a node.
    Agent(String),
}

/// All components, with the lives of those that run.
#[derive(Default)]
pub struct Fleet {
    lives: Mutex<BTreeMap<Component, Option<Group>>>,
}

impl Fleet {
    /// The components of a world of a family and of so many nodes; none of them runs.
    pub fn new(family: Family, nodes: usize) -> Fleet {
        let controllers = (0..family.controllers().count()).map(Component::Controller);
        let agents = (0..nodes).map(|number| Component::Agent(format!("node-{number}")));
        let all = controllers.chain([Component::Scheduler]).chain(agents);
        Fleet { lives: Mutex::new(all.map(|component| (component, None)).collect()) }
    }

    /// All of them.
    pub fn all(&self) -> Vec<Component> {
        lock(&self.lives).keys().cloned().collect()
    }

    /// Whether none is away.
    pub fn is_whole(&self) -> bool {
        lock(&self.lives).values().all(Option::is_some)
    }

    /// Starts a component, unless it runs.
    pub fn start(&self, world: &Arc<World>, component: &Component) {
        let mut lives = lock(&self.lives);
        let Some(life) = lives.get_mut(component).filter(|life| life.is_none()) else { return };
        let group = world.executor.group();
        *life = Some(group);
        world.tell(|| format!("{component:?} starts"));
        match component {
            Component::Controller(number) => control::start(world, group, *number),
            Component::Scheduler => schedule(world, group),
            Component::Agent(name) => node::start(world, group, name),
        }
    }

    /// Ends a component's life, wherever it is.
    pub fn stop(&self, world: &World, component: &Component) {
        let ended = lock(&self.lives).get_mut(component).and_then(Option::take);
        if let Some(group) = ended {
            world.tell(|| format!("{component:?} dies"));
            world.kill(group);
        }
    }
}

fn schedule(world: &Arc<World>, group: Group) {
    let line = Line::new(world, group, "scheduler", true);
    let (clock, tasks) = (line.clock(), line.tasks());
    let config =
        scheduler::Config { seed: world.dice.below(usize::MAX) as u64, ..scheduler::Config::default() };
    let (signal, watch) = drain::channel();
    world.executor.spawn(group, async move {
        let _signal = signal;
        scheduler_shell::run(Arc::new(line), clock, tasks, config, watch).await;
    });
}
