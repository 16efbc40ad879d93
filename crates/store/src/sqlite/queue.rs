//! A bounded queue from async callers to threads.
//!
//! Unlike a channel it can be closed while a caller still waits for a place in it, so that shutting down
//! never depends on somebody else's future being polled.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queue is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed;

pub(super) struct Queue<T> {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting<T>>,
    arrival: Condvar,
}

struct Waiting<T> {
    jobs: VecDeque<(T, OwnedSemaphorePermit)>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(places: u32) -> Queue<T> {
        let waiting = Waiting { jobs: VecDeque::new(), closed: false };
        Queue {
            places: Arc::new(Semaphore::new(places as usize)),
            waiting: Mutex::new(waiting),
            arrival: Condvar::new(),
        }
    }

    /// Puts a job in that takes so many places, waiting for them.
    pub(super) async fn push(&self, job: T, places: u32) -> Result<(), Closed> {
        let place = self.places.clone().acquire_many_owned(places).await.map_err(|_| Closed)?;
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Closed);
        }
        waiting.jobs.push_back((job, place));
        drop(waiting);
        self.arrival.notify_one();
        Ok(())
    }

    /// Takes the next job; `None` once the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            if let Some((job, _place)) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.arrival.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Moves up to `most` jobs that wait now into `jobs`, without waiting for any.
    pub(super) fn pop_waiting(&self, most: usize, jobs: &mut Vec<T>) {
        let mut waiting = self.lock();
        let count = most.min(waiting.jobs.len());
        jobs.extend(waiting.jobs.drain(..count).map(|(job, _place)| job));
    }

    /// Whether it takes no more jobs and has none left.
    pub(super) fn is_finished(&self) -> bool {
        let waiting = self.lock();
        waiting.closed && waiting.jobs.is_empty()
    }

    /// Whether it takes no more jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Takes no more jobs; those that wait are still handed out.
    pub(super) fn close(&self) {
        self.places.close();
        self.lock().closed = true;
        self.arrival.notify_all();
    }

    /// Takes no more jobs and drops those that wait: nobody is left to do them.
    pub(super) fn abandon(&self) {
        self.close();
        self.lock().jobs.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
