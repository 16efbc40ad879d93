//! The node's ledger of what its pods were given, shared by their workers: each tells it of its pod and hears when something was decided.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api_meta::resources::ResourceList;
use api_types::core::v1::Pod;
use base::time::Time;
use node_pod::ledger::{Given, Ledger};
use node_pod::record::Verdict;
use tokio::sync::watch;

/// The ledger, and the number of decisions so far about pods that it had taken in before.
#[derive(Debug, Default)]
pub(crate) struct Allocations {
    ledger: Mutex<Ledger>,
    decided: watch::Sender<u64>,
}

impl Allocations {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the node has for pods.
    pub(crate) fn set_allocatable(&self, allocatable: ResourceList) {
        self.ledger().set_allocatable(allocatable);
    }

    /// Counts a pod that an agent before this one has taken in. All of them come before any other call, or others would get what is theirs.
    pub(crate) fn restore(&self, pod: &Arc<Pod>, given: Given) {
        self.ledger().restore(pod, given);
    }

    /// Takes a new pod in.
    pub(crate) fn admit(&self, pod: &Arc<Pod>) -> Result<(), Verdict> {
        if self.ledger().admit(pod)? {
            self.tell();
        }
        Ok(())
    }

    /// Takes over what the API says of a pod now.
    pub(crate) fn see(&self, pod: &Arc<Pod>, now: Time) {
        let mut ledger = self.ledger();
        if ledger.see(pod) && ledger.retry(now) {
            self.tell();
        }
    }

    /// Forgets a pod of which nothing runs any more, and gives to others what it had.
    pub(crate) fn release(&self, uid: &str, now: Time) {
        let mut ledger = self.ledger();
        if ledger.release(uid) && ledger.retry(now) {
            self.tell();
        }
    }

    /// Looks again whether there is room for those who wait.
    pub(crate) fn retry(&self, now: Time) {
        if self.ledger().retry(now) {
            self.tell();
        }
    }

    /// What was decided about a pod.
    pub(crate) fn given(&self, uid: &str) -> Option<Given> {
        self.ledger().given(uid).cloned()
    }

    /// Changes whenever something was decided about a pod that was there before.
    pub(crate) fn decided(&self) -> watch::Receiver<u64> {
        self.decided.subscribe()
    }

    fn tell(&self) {
        self.decided.send_modify(|count| *count += 1);
    }
}
