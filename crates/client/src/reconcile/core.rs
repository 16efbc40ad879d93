//! When each key is planned: a deduplicating queue with delays, back-off and witnesses, as one synchronous machine.
//!
//! Driven by [`run`](super::run) and by the simulator. It never looks at objects itself, except through witnesses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use base::time::Time;

use super::inspect::{Counts, Explained, LastRun};
use super::limits::{BACK_OFF_FIRST, BACK_OFF_LONGEST, REMEMBERED_RUNS, WITNESS_OVERDUE};
use super::{Failure, Witness, World};
use crate::Resource;

/// Something that a core is told.
pub enum Input<K> {
    /// Something that a key is about has changed.
    Changed {
        /// The key.
        key: K,
        /// What has changed, for people.
        why: Arc<str>,
    },
    /// A plan has been carried out, or has failed.
    Finished {
        /// The key.
        key: K,
        /// How it went.
        how: Finished,
    },
    /// The views show more than before.
    Shown,
    /// A view is being listed anew, as asked.
    Relisting {
        /// The view's resource.
        resource: Resource,
        /// The request's number.
        request: u64,
    },
    /// Time has passed.
    Ticked,
}

/// How carrying out a plan went.
#[derive(Default)]
pub struct Finished {
    /// What the views must show before the key is planned again.
    pub witnesses: Vec<Witness>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// When to plan again in any case.
    pub again: Option<Duration>,
    /// What was decided, in words.
    pub decided: Vec<String>,
}

/// Something that a core wants done.
#[derive(Debug, PartialEq)]
pub enum Output<K> {
    /// Plan this key and carry the plan out; the last attempt failed with this.
    Plan(K, Option<Failure>),
    /// List this resource anew, and say so with [`Input::Relisting`]: its view has not shown a write for too long, or nobody
    /// knows what was written.
    Relist(Resource),
}

struct State {
    wanted: Option<Arc<str>>,
    /// Since when it is wanted, or is being worked on.
    since: Time,
    running: bool,
    queued: bool,
    failures: u32,
    failure: Option<Failure>,
    due: Option<Time>,
    held: Vec<Witness>,
    overdue_at: Time,
}

impl Default for State {
    fn default() -> Self {
        State {
            wanted: None,
            since: Time::EPOCH,
            running: false,
            queued: false,
            failures: 0,
            failure: None,
            due: None,
            held: Vec::new(),
            overdue_at: Time::EPOCH,
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.wanted.is_none()
            && !self.running
            && self.failures == 0
            && self.due.is_none()
            && self.held.is_empty()
    }
}

/// The queue of one controller.
pub struct Core<K> {
    states: BTreeMap<K, State>,
    ready: VecDeque<K>,
    timers: BTreeSet<(Time, K)>,
    held: BTreeSet<K>,
    running: usize,
    workers: usize,
    back_off: BackOff,
    overdue: u64,
    counts: Counts,
    last: BTreeMap<K, LastRun>,
    remembered: VecDeque<K>,
}

impl<K: Ord + Clone + Debug> Core<K> {
    /// An empty queue that hands out this many keys at once.
    pub fn new(workers: usize, back_off: BackOff) -> Core<K> {
        Core {
            states: BTreeMap::new(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            held: BTreeSet::new(),
            running: 0,
            workers,
            back_off,
            overdue: 0,
            counts: Counts::default(),
            last: BTreeMap::new(),
            remembered: VecDeque::new(),
        }
    }

    /// Takes one input and answers what is to be done now.
    pub fn step(&mut self, input: Input<K>, world: &World, now: Time) -> Vec<Output<K>> {
        let mut outputs = Vec::new();
        match input {
            Input::Changed { key, why } => self.want(key, why, now),
            Input::Finished { key, how } => self.finish(key, how, world, now, &mut outputs),
            Input::Shown => self.release(world),
            Input::Relisting { resource, request } => self.relisting(&resource, request),
            Input::Ticked => {}
        }
        self.tick(&mut outputs, now);
        while self.running < self.workers {
            let Some(key) = self.ready.pop_front() else { break };
            let state = self.states.entry(key.clone()).or_default();
            state.queued = false;
            let why = state.wanted.take().unwrap_or_default();
            self.counts.queue_seconds.observe(now.since(state.since).as_secs_f64());
            state.since = now;
            state.running = true;
            self.running += 1;
            let failure = state.failure.clone();
            self.remember(&key, why, now);
            outputs.push(Output::Plan(key, failure));
        }
        outputs
    }

    /// When to come back with [`Input::Ticked`] if nothing happens before.
    pub fn wake_at(&self) -> Option<Time> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether nothing is planned, waiting or delayed.
    pub fn is_idle(&self) -> bool {
        self.running == 0 && self.ready.is_empty() && self.timers.is_empty() && self.held.is_empty()
    }

    /// The state of the queue and what it did last, for people.
    pub fn explain(&self) -> Explained {
        Explained {
            depth: self.ready.len(),
            running: self.running,
            delayed: self.timers.len(),
            withheld: self.held.len(),
            overdue: self.overdue,
            counts: self.counts.clone(),
            running_since: self.states.values().filter(|it| it.running).map(|it| it.since).collect(),
            runs: self.last.iter().map(|(key, run)| (format!("{key:?}"), run.clone())).collect(),
        }
    }

    fn want(&mut self, key: K, why: Arc<str>, now: Time) {
        let state = self.states.entry(key.clone()).or_default();
        if state.wanted.is_none() {
            state.wanted = Some(why);
            self.counts.adds += 1;
            if !state.running {
                state.since = now;
            }
        }
        if !state.running && !state.queued && state.held.is_empty() {
            state.queued = true;
            self.ready.push_back(key);
        }
    }

    fn finish(&mut self, key: K, how: Finished, world: &World, now: Time, outputs: &mut Vec<Output<K>>) {
        let Some(state) = self.states.get_mut(&key) else { return };
        state.running = false;
        self.running -= 1;
        self.counts.work_seconds.observe(now.since(state.since).as_secs_f64());
        state.since = now;
        if let Some(run) = self.last.get_mut(&key) {
            run.decided = how.decided;
            run.failure = how.failure.as_ref().map(|failure| failure.status.message.clone());
        }
        state.held = how.witnesses;
        state.held.retain(|witness| !witness.is_shown(world));
        let wait = match &how.failure {
            Some(_) => {
                state.failures = state.failures.saturating_add(1);
                self.counts.retries += 1;
                Some(self.back_off.wait(state.failures))
            }
            None => {
                state.failures = 0;
                how.again
            }
        };
        state.failure = how.failure;
        for witness in &state.held {
            if let Witness::Unsure(resource) = witness {
                relist(resource, outputs);
            }
        }
        if !state.held.is_empty() {
            state.overdue_at = now + WITNESS_OVERDUE;
            self.timers.insert((state.overdue_at, key.clone()));
            self.held.insert(key.clone());
        }
        if let Some(due) = state.due.take() {
            self.timers.remove(&(due, key.clone()));
        }
        if let Some(wait) = wait {
            state.due = Some(now + wait);
            self.timers.insert((now + wait, key.clone()));
        }
        self.resume(key);
    }

    /// Queues a key that is wanted and has nothing to wait for; forgets one that nothing is known of.
    fn resume(&mut self, key: K) {
        let Some(state) = self.states.get_mut(&key) else { return };
        if state.wanted.is_some() && !state.running && !state.queued && state.held.is_empty() {
            state.queued = true;
            self.ready.push_back(key);
        } else if state.is_idle() {
            self.states.remove(&key);
        }
    }

    fn release(&mut self, world: &World) {
        let mut free = Vec::new();
        for key in &self.held {
            let Some(state) = self.states.get_mut(key) else { continue };
            state.held.retain(|witness| !witness.is_shown(world));
            if state.held.is_empty() {
                free.push(key.clone());
            }
        }
        for key in free {
            self.let_go(key);
        }
    }

    fn relisting(&mut self, resource: &Resource, request: u64) {
        for key in &self.held {
            let Some(state) = self.states.get_mut(key) else { continue };
            for witness in &mut state.held {
                if matches!(witness, Witness::Unsure(own) if own == resource) {
                    *witness = Witness::Listed(resource.clone(), request);
                }
            }
        }
    }

    fn let_go(&mut self, key: K) {
        self.held.remove(&key);
        if let Some(state) = self.states.get_mut(&key) {
            state.held.clear();
            if state.due != Some(state.overdue_at) {
                self.timers.remove(&(state.overdue_at, key.clone()));
            }
        }
        self.resume(key);
    }

    fn tick(&mut self, outputs: &mut Vec<Output<K>>, now: Time) {
        while let Some((at, key)) = self.timers.first().cloned().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, key.clone()));
            let Some(state) = self.states.get_mut(&key) else { continue };
            let due = state.due == Some(at);
            if due {
                state.due = None;
            }
            if !state.held.is_empty() && state.overdue_at == at {
                self.overdue += state.held.len() as u64;
                // Still withheld: a view that is so late is the last thing to plan on.
                for witness in &mut state.held {
                    relist(witness.resource(), outputs);
                    *witness = Witness::Unsure(witness.resource().clone());
                }
                state.overdue_at = now + WITNESS_OVERDUE;
                self.timers.insert((state.overdue_at, key.clone()));
                state.wanted.get_or_insert_with(|| Arc::from("a write did not show in time"));
            }
            if due {
                self.want(key, Arc::from("its time had come"), now);
            }
        }
    }

    fn remember(&mut self, key: &K, why: Arc<str>, now: Time) {
        let run = LastRun { at: now, why, decided: Vec::new(), failure: None };
        if self.last.insert(key.clone(), run).is_none() {
            self.remembered.push_back(key.clone());
            if self.remembered.len() > REMEMBERED_RUNS
                && let Some(oldest) = self.remembered.pop_front()
            {
                self.last.remove(&oldest);
            }
        }
    }
}

/// Asks for a list of a resource, once.
fn relist<K>(resource: &Resource, outputs: &mut Vec<Output<K>>) {
    if !outputs.iter().any(|output| matches!(output, Output::Relist(own) if own == resource)) {
        outputs.push(Output::Relist(resource.clone()));
    }
}

/// How long keys that fail wait until they are planned again: twice as long with each failure (client-go's
/// `ItemExponentialFailureRateLimiter`).
#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    /// After the first failure.
    pub first: Duration,
    /// At the most.
    pub longest: Duration,
}

impl BackOff {
    /// What most controllers have (`DefaultTypedControllerRateLimiter`).
    pub const USUAL: BackOff = BackOff { first: BACK_OFF_FIRST, longest: BACK_OFF_LONGEST };

    fn wait(self, failures: u32) -> Duration {
        let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.checked_mul(factor).unwrap_or(self.longest).min(self.longest)
    }
}
