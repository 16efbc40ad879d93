//! Processes in memory, for simulations and tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use super::{Identity, Processes};

/// A machine's processes, simulated: each with the signals it was sent.
#[derive(Debug, Default)]
pub struct SimProcesses {
    running: Mutex<BTreeMap<i32, (Identity, Vec<i32>)>>,
}

impl SimProcesses {
    /// Starts (or replaces) the process that has `identity`'s id.
    pub fn start(&self, identity: Identity) {
        self.lock().insert(identity.pid, (identity, Vec::new()));
    }

    /// Ends a process.
    pub fn end(&self, pid: i32) {
        self.lock().remove(&pid);
    }

    /// The signals that the process with this id was sent.
    pub fn signals(&self, pid: i32) -> Vec<i32> {
        self.lock().get(&pid).map(|(_, signals)| signals.clone()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, (Identity, Vec<i32>)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Processes for SimProcesses {
    fn identify(&self, pid: i32) -> Option<Identity> {
        self.lock().get(&pid).map(|(identity, _)| *identity)
    }

    fn signal(&self, process: Identity, signal: i32) -> Result<bool, Errno> {
        let mut running = self.lock();
        let Some((_, signals)) = running.get_mut(&process.pid).filter(|(identity, _)| *identity == process)
        else {
            return Ok(false);
        };
        signals.push(signal);
        Ok(true)
    }
}
