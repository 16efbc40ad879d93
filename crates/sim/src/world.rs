//! One world: a store, a server in front of it, whoever talks to that server, and those who check.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::time::{Clock, Time};
use client::{RawView, Scope};
use store::{KeyRange, MemoryStore, Revision, Store as _};

use crate::actors::node::Machine;
use crate::check::storms::Storms;
use crate::check::watches::Watched;
use crate::check::{self, Check};
use crate::dice::Dice;
use crate::executor::{Executor, Group};
use crate::family::Family;
use crate::history::History;
use crate::profile::{Defect, Profile};
use crate::server::Server;
use crate::webhook::Unheard;

/// How many lines of what happened are shown of a world that failed.
const TOLD_LINES: usize = 400;
/// How far a clock is off at most that has jumped, in milliseconds.
pub const JUMP_MILLIS: u64 = 70_000;

/// The resources that matter here, as the resources' table names them.
pub mod resources {
    use client::Resource;

    /// Pods.
    pub const PODS: Resource = Resource::of("", "v1", "pods");
    /// Nodes.
    pub const NODES: Resource = Resource::of("", "v1", "nodes");
    /// Namespaces.
    pub const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");
    /// Services.
    pub const SERVICES: Resource = Resource::of("", "v1", "services");
    /// Leases.
    pub const LEASES: Resource = Resource::of("coordination.k8s.io", "v1", "leases");
    /// ReplicaSets.
    pub const SETS: Resource = Resource::of("apps", "v1", "replicasets");
    /// Deployments.
    pub const DEPLOYMENTS: Resource = Resource::of("apps", "v1", "deployments");
    /// StatefulSets.
    pub const STATEFUL_SETS: Resource = Resource::of("apps", "v1", "statefulsets");
    /// DaemonSets.
    pub const DAEMON_SETS: Resource = Resource::of("apps", "v1", "daemonsets");
    /// Jobs.
    pub const JOBS: Resource = Resource::of("batch", "v1", "jobs");
    /// CronJobs.
    pub const CRON_JOBS: Resource = Resource::of("batch", "v1", "cronjobs");
    /// EndpointSlices.
    pub const SLICES: Resource = Resource::of("discovery.k8s.io", "v1", "endpointslices");
    /// Addresses of services.
    pub const ADDRESSES: Resource = Resource::of("networking.k8s.io", "v1", "ipaddresses");
    /// Ranges of addresses of services.
    pub const RANGES: Resource = Resource::of("networking.k8s.io", "v1", "servicecidrs");
    /// Events, which nothing here rests on.
    pub const EVENTS: Resource = Resource::of("", "v1", "events");
}

/// Everything of one seed.
pub struct World {
    /// Time.
    pub executor: Executor,
    /// Chance.
    pub dice: Dice,
    /// What its users ask for.
    pub family: Family,
    /// What goes wrong.
    pub profile: Profile,
    /// What was broken on purpose.
    pub defect: Option<Defect>,
    /// What is kept.
    pub store: MemoryStore,
    history: Mutex<History>,
    checks: Mutex<Vec<Box<dyn Check>>>,
    violation: Mutex<Option<String>>,
    server: Mutex<Option<Server>>,
    watches: Mutex<BTreeMap<u64, Watched>>,
    views: Mutex<Vec<(Group, Scope, RawView)>>,
    machines: Mutex<BTreeMap<String, Arc<Mutex<Machine>>>>,
    clocks: Mutex<Vec<(Group, Arc<AtomicI64>)>>,
    /// What is asked again and again.
    pub(crate) storms: Mutex<Storms>,
    told: Mutex<VecDeque<String>>,
    quiet: AtomicBool,
    /// What webhooks have not heard of.
    pub(crate) unheard: Arc<Unheard>,
}

/// Locks also after a panic elsewhere: a world that panicked is only looked at.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// An empty world, whose server does not run yet.
    pub fn new(seed: u64, family: Family, profile: Profile, defect: Option<Defect>) -> Arc<World> {
        let dice = Dice::new(seed).fork("world");
        let store = MemoryStore::new();
        let history = History::new(store.watch(KeyRange::all(), Revision::NONE));
        // Some day in 2026.
        let begin = Time::from_unix_seconds(1_780_000_000);
        let unheard = Arc::new(Unheard::default());
        Arc::new(World {
            executor: Executor::new(begin, dice.fork("executor")),
            checks: Mutex::new(check::all(&profile, Arc::clone(&unheard))),
            dice,
            family,
            profile,
            defect,
            store,
            history: Mutex::new(history),
            violation: Mutex::default(),
            server: Mutex::default(),
            watches: Mutex::default(),
            views: Mutex::default(),
            machines: Mutex::default(),
            clocks: Mutex::default(),
            storms: Mutex::default(),
            told: Mutex::default(),
            quiet: AtomicBool::new(false),
            unheard,
        })
    }

    /// Takes the store's news into the history, and has them checked.
    pub fn catch_up(&self) {
        let mut history = lock(&self.history);
        let at = self.executor.now();
        let news = history.catch_up(at);
        if news.is_empty() {
            return;
        }
        let mut checks = lock(&self.checks);
        for change in &news {
            for check in checks.iter_mut() {
                if let Err(why) = check.changed(&history, change) {
                    let place = format!("{}/{}", change.namespace, change.name);
                    self.violate(format!(
                        "{}: {why} ({place} at revision {})",
                        check.name(),
                        change.revision
                    ));
                }
            }
        }
    }

    /// What has happened so far.
    pub fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    /// Something is as it must never be. The first time counts.
    pub fn violate(&self, what: String) {
        self.tell(|| format!("VIOLATION {what}"));
        lock(&self.violation).get_or_insert(what);
    }

    /// What is as it must never be.
    pub fn violation(&self) -> Option<String> {
        lock(&self.violation).clone()
    }

    /// Whether faults still strike.
    pub fn is_faulty(&self) -> bool {
        !self.quiet.load(Ordering::Relaxed)
    }

    /// Begins with faults.
    pub fn disturb(&self) {
        self.quiet.store(false, Ordering::Relaxed);
    }

    /// Ends all faults. Clocks that have jumped are set right.
    pub fn calm_down(&self) {
        self.quiet.store(true, Ordering::Relaxed);
        if self.profile.jumps > 0 {
            lock(&self.clocks).iter().for_each(|(_, skew)| skew.store(0, Ordering::Relaxed));
        }
    }

    /// The clock of a new life of a component.
    pub fn clock(&self, group: Group) -> Arc<dyn Clock> {
        let skew = Arc::new(AtomicI64::new(self.skew()));
        lock(&self.clocks).push((group, Arc::clone(&skew)));
        self.executor.adjusted_clock(skew)
    }

    /// Sets a clock to another time.
    pub fn jump(&self, dice: &Dice) {
        let clocks = lock(&self.clocks);
        if clocks.is_empty() {
            return;
        }
        let (group, skew) = dice.pick(&clocks);
        let nanos = i64::try_from(dice.millis(0, 2 * JUMP_MILLIS).as_nanos()).unwrap_or(0)
            - i64::try_from(JUMP_MILLIS * 1_000_000).unwrap_or(0);
        skew.store(nanos, Ordering::Relaxed);
        self.tell(|| format!("the clock of {group:?} is {} ms off", nanos / 1_000_000));
    }

    /// How far the clock of a new life of a component is off, in nanoseconds.
    fn skew(&self) -> i64 {
        let most = self.profile.skew_millis;
        if most == 0 {
            return 0;
        }
        let drawn = self.dice.below(usize::try_from(2 * most + 1).unwrap_or(1));
        (i64::try_from(drawn).unwrap_or(0) - i64::try_from(most).unwrap_or(0)) * 1_000_000
    }

    /// Lets a component's way of a message pass.
    pub async fn travel(&self, dice: &Dice) {
        if self.profile.way_millis > 0 && dice.chance(600) {
            self.executor.sleep(dice.millis(0, self.profile.way_millis)).await;
        }
    }

    /// The server, if one runs.
    pub fn server(&self) -> MutexGuard<'_, Option<Server>> {
        lock(&self.server)
    }

    /// Starts the server.
    pub fn start_server(self: &Arc<Self>) {
        self.tell(|| "the server starts".into());
        *self.server() = Some(Server::start(self));
    }

    /// Loses the server with all that it is doing.
    pub fn stop_server(&self) {
        self.tell(|| "the server dies".into());
        let server = self.server().take();
        if let Some(server) = server {
            lock(&self.clocks).retain(|(own, _)| *own != server.group());
            self.executor.kill(server.group());
        }
    }

    /// The watches that are open, as they are checked.
    pub fn watches(&self) -> MutexGuard<'_, BTreeMap<u64, Watched>> {
        lock(&self.watches)
    }

    /// Has a view checked as long as the life that reads it lasts.
    pub fn follow(&self, group: Group, scope: Scope, view: RawView) {
        lock(&self.views).push((group, scope, view));
    }

    /// Ends a life.
    pub fn kill(&self, group: Group) {
        lock(&self.views).retain(|(own, ..)| *own != group);
        lock(&self.clocks).retain(|(own, _)| *own != group);
        self.executor.kill(group);
    }

    /// Compares every view with the history of its scope.
    pub fn check_views(&self) {
        let history = lock(&self.history);
        for (_, scope, view) in lock(&self.views).iter() {
            if let Err(why) = check::views::compare(&history, scope, view) {
                self.violate(format!("views: {why}"));
            }
        }
    }

    /// A machine by its name, made if it is new.
    pub fn machine(&self, name: &str) -> Arc<Mutex<Machine>> {
        let mut machines = lock(&self.machines);
        let number = machines.len();
        Arc::clone(
            machines.entry(name.to_owned()).or_insert_with(|| Arc::new(Mutex::new(Machine::new(number)))),
        )
    }

    /// Notes something for whoever reads of a failure.
    pub fn tell(&self, line: impl FnOnce() -> String) {
        let mut told = lock(&self.told);
        if told.len() == TOLD_LINES {
            told.pop_front();
        }
        let now = self.executor.now().since(Time::from_unix_seconds(1_780_000_000));
        told.push_back(format!("{:9.3}s {}", now.as_secs_f64(), line()));
    }

    /// What happened last.
    pub fn told(&self) -> Vec<String> {
        lock(&self.told).iter().cloned().collect()
    }

    /// Ends everything, so that nothing holds on to the world.
    pub fn end(&self) {
        let server = self.server().take();
        drop(server);
        self.executor.clear();
        lock(&self.views).clear();
    }

    /// How long since the world began.
    pub fn age(&self) -> Duration {
        self.executor.now().since(Time::from_unix_seconds(1_780_000_000))
    }
}
