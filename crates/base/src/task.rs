//! Tasks as something handed in: the async runtime's for real runs, the simulator's own in simulations.
//!
//! A shell that spawns takes [`Tasks`], and keeps what it has spawned in a [`Set`]. What runs once and for ever in the binary
//! need not bother.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::{AbortHandle, Abortable};
use tokio::sync::mpsc;

/// A future that runs by itself.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs tasks.
pub trait Spawn: Send + Sync {
    /// Runs a task to its end, whoever waits for it.
    fn spawn(&self, task: Task);
}

/// Whoever spawns holds one. By default, tokio's runtime runs them.
#[derive(Clone)]
pub struct Tasks(Arc<dyn Spawn>);

struct Tokio;

impl Spawn for Tokio {
    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Tasks(Arc::new(Tokio))
    }
}

impl Tasks {
    /// Tasks that `spawn` runs.
    pub fn new(spawn: impl Spawn + 'static) -> Tasks {
        Tasks(Arc::new(spawn))
    }

    /// Runs a task to its end.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(Box::pin(task));
    }
}

/// A task has panicked, or what runs tasks has dropped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died;

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task has died")
    }
}

impl std::error::Error for Died {}

/// Tasks whose ends are waited for. Dropping it ends them where they are.
pub struct Set<T> {
    tasks: Tasks,
    running: BTreeMap<u64, AbortHandle>,
    spawned: u64,
    sender: mpsc::UnboundedSender<(u64, Result<T, Died>)>,
    ended: mpsc::UnboundedReceiver<(u64, Result<T, Died>)>,
}

impl<T: Send + 'static> Set<T> {
    /// An empty set of what `tasks` runs.
    pub fn new(tasks: Tasks) -> Set<T> {
        let (sender, ended) = mpsc::unbounded_channel();
        Set { tasks, running: BTreeMap::new(), spawned: 0, sender, ended }
    }

    /// Runs one more.
    pub fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        let number = self.spawned;
        self.spawned += 1;
        let (handle, registration) = AbortHandle::new_pair();
        self.running.insert(number, handle);
        let mut report = Report { number, sender: Some(self.sender.clone()) };
        self.tasks.spawn(async move {
            if let Ok(outcome) = Abortable::new(task, registration).await {
                report.send(Ok(outcome));
            }
        });
    }

    /// Whether all have ended and been heard of.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// The next end, as soon as there is one; `None` if the set is empty.
    pub async fn join_next(&mut self) -> Option<Result<T, Died>> {
        if self.is_empty() {
            return None;
        }
        let (number, outcome) = self.ended.recv().await?;
        self.running.remove(&number);
        Some(outcome)
    }

    /// An end that has been reached already.
    pub fn try_join_next(&mut self) -> Option<Result<T, Died>> {
        let (number, outcome) = self.ended.try_recv().ok()?;
        self.running.remove(&number);
        Some(outcome)
    }
}

impl<T> Drop for Set<T> {
    fn drop(&mut self) {
        for handle in self.running.values() {
            handle.abort();
        }
    }
}

/// Says how a task ended, also if it dies.
struct Report<T> {
    number: u64,
    sender: Option<mpsc::UnboundedSender<(u64, Result<T, Died>)>>,
}

impl<T> Report<T> {
    fn send(&mut self, outcome: Result<T, Died>) {
        if let Some(sender) = self.sender.take() {
            // Nobody listens any more once the set is dropped.
            let _ = sender.send((self.number, outcome));
        }
    }
}

impl<T> Drop for Report<T> {
    fn drop(&mut self) {
        self.send(Err(Died));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_end_is_heard_of_a_death_too() {
        let mut set = Set::new(Tasks::default());
        assert!(set.join_next().await.is_none());
        set.spawn(async { 1 });
        set.spawn(async { panic!("as the test wants it") });
        let mut ends = vec![set.join_next().await, set.join_next().await];
        ends.sort_by_key(|end| matches!(end, Some(Err(Died))));
        assert_eq!(ends, [Some(Ok(1)), Some(Err(Died))]);
        assert!(set.is_empty());
    }

    #[tokio::test]
    async fn a_dropped_set_ends_its_tasks() {
        let mut set = Set::new(Tasks::default());
        let (held, watch) = crate::drain::channel();
        set.spawn(async move {
            let _held = watch;
            std::future::pending::<()>().await;
        });
        drop(set);
        held.drain().await;
    }
}
