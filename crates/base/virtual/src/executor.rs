//! Virtual time and what happens in it: one thread, one heap of times with what they wake, tasks polled in an order that the
//! seed decides.
//!
//! Time passes only when no task can go on. A group of tasks can be ended at any point between two polls: that is what a crash
//! is. Nothing here knows what the tasks do.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use base::task::{Spawn, Task, Tasks};
use base::time::{Clock, Sleep, Time};

use crate::dice::Dice;

/// How many steps of tasks take a millisecond, if nothing else lets time pass: nobody thinks infinitely fast, and two that undo each
/// other's work until a late view has come must not keep it from coming.
const POLLS_A_MILLISECOND: usize = 10_000;

/// How many such milliseconds may follow each other with nothing due in them before the tasks count as going on for ever.
const STANDSTILL_MILLISECONDS: usize = 1_000;

/// The tasks of one life of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(u64);

/// Virtual time, and everything that waits for it.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    ready: Arc<Ready>,
    dice: Dice,
}

struct State {
    now: Time,
    numbers: u64,
    tasks: BTreeMap<u64, (Group, Task)>,
    heap: BTreeMap<(Time, u64), Waker>,
    /// The task that is being polled; `false` once it has been ended meanwhile.
    polled: Option<(Group, bool)>,
}

/// Tasks that can go on. A set, because the order in which wakers are called is nothing to rely on.
#[derive(Default)]
struct Ready(Mutex<BTreeSet<u64>>);

struct Awake {
    task: u64,
    ready: Arc<Ready>,
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        lock(&self.ready.0).insert(self.task);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Executor {
    /// Nothing, at this time.
    pub fn new(now: Time, dice: Dice) -> Executor {
        let state = State { now, numbers: 0, tasks: BTreeMap::new(), heap: BTreeMap::new(), polled: None };
        Executor(Arc::new(Shared { state: Mutex::new(state), ready: Arc::default(), dice }))
    }

    /// The time, as no component's clock need show it.
    pub fn now(&self) -> Time {
        lock(&self.0.state).now
    }

    /// A group without tasks.
    pub fn group(&self) -> Group {
        Group(self.number())
    }

    fn number(&self) -> u64 {
        let mut state = lock(&self.0.state);
        state.numbers += 1;
        state.numbers
    }

    /// Runs a task as part of a group.
    pub fn spawn(&self, group: Group, task: impl Future<Output = ()> + Send + 'static) {
        self.add(group, Box::pin(task));
    }

    fn add(&self, group: Group, task: Task) {
        let number = self.number();
        lock(&self.0.state).tasks.insert(number, (group, task));
        lock(&self.0.ready.0).insert(number);
    }

    /// Ends all tasks of a group where they are.
    pub fn kill(&self, group: Group) {
        let mut ended = Vec::new();
        {
            let mut state = lock(&self.0.state);
            let numbers: Vec<u64> =
                state.tasks.iter().filter(|(_, (own, _))| *own == group).map(|(number, _)| *number).collect();
            ended.extend(numbers.iter().filter_map(|number| state.tasks.remove(number)));
            if let Some((polled, alive)) = &mut state.polled
                && *polled == group
            {
                *alive = false;
            }
        }
        // What a task held may call back when it is dropped, so not under the lock.
        drop(ended);
    }

    /// A clock that is `skew_nanos` ahead, or behind.
    pub fn clock(&self, skew_nanos: i64) -> Arc<dyn Clock> {
        self.adjusted_clock(Arc::new(AtomicI64::new(skew_nanos)))
    }

    /// A clock that is as many nanoseconds ahead, or behind, as whoever keeps the number says: it jumps when that changes. Spans of time
    /// that somebody waits for pass as they do for everybody.
    pub fn adjusted_clock(&self, skew_nanos: Arc<AtomicI64>) -> Arc<dyn Clock> {
        Arc::new(Watch { executor: self.clone(), skew_nanos })
    }

    /// What spawns into a group.
    pub fn tasks(&self, group: Group) -> Tasks {
        Tasks::new(Member { executor: self.clone(), group })
    }

    /// Completes when the time has passed.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let at = self.now() + duration;
        Box::pin(Alarm { executor: self.clone(), at, entry: None })
    }

    /// Whether an alarm has come whose time has passed.
    fn is_due(&self) -> bool {
        let state = lock(&self.0.state);
        state.heap.first_key_value().is_some_and(|((at, _), _)| *at <= state.now)
    }

    /// Lets everything happen until `end`, or until `stop` says so after a step; answers whether it was `stop`.
    ///
    /// # Panics
    /// If tasks go on for ever without time passing.
    pub fn run(&self, end: Time, mut stop: impl FnMut() -> bool) -> bool {
        let (mut polls, mut busy) = (0, 0);
        loop {
            if polls < POLLS_A_MILLISECOND
                && let Some(task) = self.next_ready()
            {
                self.poll(task);
                polls += 1;
            } else if polls >= POLLS_A_MILLISECOND && !self.is_due() {
                polls = 0;
                busy += 1;
                assert!(busy < STANDSTILL_MILLISECONDS, "tasks go on for ever and wait for nothing");
                let mut state = lock(&self.0.state);
                state.now = (state.now + Duration::from_millis(1)).min(end);
                if state.now == end {
                    return false;
                }
            } else {
                busy = 0;
                let waker = {
                    let mut state = lock(&self.0.state);
                    match state.heap.first_key_value().map(|((at, _), _)| *at) {
                        Some(at) if at <= end => {
                            if at > state.now {
                                state.now = at;
                                polls = 0;
                            }
                            state.heap.pop_first().map(|(_, waker)| waker)
                        }
                        _ => {
                            state.now = end;
                            return false;
                        }
                    }
                };
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            if stop() {
                return true;
            }
        }
    }

    fn next_ready(&self) -> Option<u64> {
        let mut ready = lock(&self.0.ready.0);
        let place = if ready.len() > 1 { self.0.dice.below(ready.len()) } else { 0 };
        let task = *ready.iter().nth(place)?;
        ready.remove(&task);
        Some(task)
    }

    fn poll(&self, number: u64) {
        let Some((group, mut task)) = ({
            let mut state = lock(&self.0.state);
            let taken = state.tasks.remove(&number);
            state.polled = taken.as_ref().map(|(group, _)| (*group, true));
            taken
        }) else {
            return;
        };
        let waker = Waker::from(Arc::new(Awake { task: number, ready: Arc::clone(&self.0.ready) }));
        let outcome = task.as_mut().poll(&mut Context::from_waker(&waker));
        let mut state = lock(&self.0.state);
        let alive = state.polled.take().is_some_and(|(_, alive)| alive);
        if outcome.is_pending() && alive {
            state.tasks.insert(number, (group, task));
        } else {
            drop(state);
            drop(task);
        }
    }

    /// Ends everything, so that nothing is left that holds on to what holds on to it.
    pub fn clear(&self) {
        let tasks = std::mem::take(&mut lock(&self.0.state).tasks);
        drop(tasks);
        let heap = std::mem::take(&mut lock(&self.0.state).heap);
        drop(heap);
    }
}

struct Watch {
    executor: Executor,
    skew_nanos: Arc<AtomicI64>,
}

impl Clock for Watch {
    fn now(&self) -> Time {
        Time::from_unix_nanos(self.executor.now().unix_nanos() + self.skew_nanos.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.executor.sleep(duration)
    }
}

struct Member {
    executor: Executor,
    group: Group,
}

impl Spawn for Member {
    fn spawn(&self, task: Task) {
        self.executor.add(self.group, task);
    }
}

struct Alarm {
    executor: Executor,
    at: Time,
    entry: Option<(Time, u64)>,
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.executor.now() >= self.at {
            return Poll::Ready(());
        }
        let entry = match self.entry {
            Some(entry) => entry,
            None => (self.at, self.executor.number()),
        };
        self.entry = Some(entry);
        lock(&self.executor.0.state).heap.insert(entry, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            let waker = lock(&self.executor.0.state).heap.remove(&entry);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64) -> (Vec<u32>, Time) {
        let executor = Executor::new(Time::EPOCH, Dice::new(seed));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let group = executor.group();
        for number in 0..6u32 {
            let (seen, clock) = (Arc::clone(&seen), executor.clock(0));
            executor.spawn(group, async move {
                clock.sleep(Duration::from_secs(u64::from(number / 3))).await;
                lock(&seen).push(number);
            });
        }
        executor.run(Time::from_unix_seconds(60), || false);
        let seen = lock(&seen).clone();
        (seen, executor.now())
    }

    #[test]
    fn time_orders_and_the_seed_decides_among_what_is_at_once() {
        let (seen, now) = run(1);
        assert!(seen[..3].iter().all(|number| *number < 3));
        assert_eq!((seen.len(), now), (6, Time::from_unix_seconds(60)));
        assert_eq!(run(1), run(1));
        assert!((0..20).any(|seed| run(seed).0 != seen));
    }

    #[test]
    fn a_killed_group_goes_no_step_further() {
        let executor = Executor::new(Time::EPOCH, Dice::new(1));
        let (group, other) = (executor.group(), executor.group());
        let reached = Arc::new(Mutex::new(false));
        let (mark, clock) = (Arc::clone(&reached), executor.clock(0));
        executor.spawn(group, async move {
            clock.sleep(Duration::from_secs(2)).await;
            *lock(&mark) = true;
        });
        let killer = executor.clone();
        executor.spawn(other, async move {
            killer.sleep(Duration::from_secs(1)).await;
            killer.kill(group);
        });
        executor.run(Time::from_unix_seconds(9), || false);
        assert!(!*lock(&reached));
    }
    #[test]
    fn tasks_that_never_rest_do_not_keep_time_from_passing() {
        let executor = Executor::new(Time::EPOCH, Dice::new(1));
        let group = executor.group();
        let shown = Arc::new(Mutex::new(false));
        let (late, clock) = (Arc::clone(&shown), executor.clock(0));
        executor.spawn(group, async move {
            clock.sleep(Duration::from_millis(20)).await;
            *lock(&late) = true;
        });
        let (waits, rounds) = (Arc::clone(&shown), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&rounds);
        executor.spawn(group, async move {
            while !*lock(&waits) {
                *lock(&counted) += 1;
                tokio::task::yield_now().await;
            }
        });
        executor.run(Time::from_unix_seconds(9), || false);
        assert!(*lock(&shown), "the alarm has come");
        assert!(*lock(&rounds) > 10 * POLLS_A_MILLISECOND);
    }
}
