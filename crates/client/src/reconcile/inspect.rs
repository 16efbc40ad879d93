//! Why each key last ran and what came of it, for `/debug`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::time::Time;

/// The state of one controller's queue.
#[derive(Clone, Debug, Default)]
pub struct Explained {
    /// Keys that wait for a worker.
    pub depth: usize,
    /// Keys that are being worked on.
    pub running: usize,
    /// Keys that wait for a point in time.
    pub delayed: usize,
    /// Keys that wait for their own writes to show.
    pub withheld: usize,
    /// How many writes did not show in time.
    pub overdue: u64,
    /// What was done last about each key.
    pub runs: BTreeMap<String, LastRun>,
}

/// The last time that a key was planned.
#[derive(Clone, Debug)]
pub struct LastRun {
    /// When that was.
    pub at: Time,
    /// What had changed.
    pub why: Arc<str>,
    /// What was decided, one line a write.
    pub decided: Vec<String>,
    /// What went wrong.
    pub failure: Option<String>,
}

type Asking = Arc<dyn Fn() -> Explained + Send + Sync>;

/// Where running controllers can be asked.
#[derive(Default)]
pub struct Inspector {
    running: Mutex<BTreeMap<&'static str, Asking>>,
}

impl Inspector {
    pub(super) fn register(&self, name: &'static str, ask: Asking) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(name, ask);
    }

    /// The names of the controllers.
    pub fn names(&self) -> Vec<&'static str> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// The state of a controller.
    pub fn explain(&self, name: &str) -> Option<Explained> {
        let ask = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()?;
        Some(ask())
    }
}
