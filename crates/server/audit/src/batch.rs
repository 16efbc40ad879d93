//! Events that nobody waits for: they gather, and go to the backend many at a time. (`apiserver/plugin/pkg/audit/buffered`.)

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::time::Clock;
use tokio::sync::mpsc;

use crate::budget::{Budget, Kept};
use crate::metrics::Metrics;
use crate::sink::Deliver;
use crate::throttle::{Rate, Throttle};

/// How events gather.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// How many wait; what comes when there is no room is lost.
    pub buffer: usize,
    /// How many go at once.
    pub most: usize,
    /// How long the first of a batch waits for the last.
    pub wait: Duration,
    /// How often batches go; as often as they can, if there is no rate.
    pub rate: Option<Rate>,
    /// Whether a batch goes while others are on their way.
    pub alongside: bool,
}

/// The way of events to a backend, a batch at a time.
pub(crate) struct Batches {
    sender: Mutex<Option<mpsc::Sender<Kept>>>,
    metrics: Arc<Metrics>,
}

impl Batches {
    /// Begins to hand on what is put here. `bytes` bounds a batch.
    pub(crate) fn to(
        backend: Arc<dyn Deliver>,
        batch: Batch,
        bytes: usize,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Batches {
        let (sender, receiver) = mpsc::channel(batch.buffer.max(1));
        tokio::spawn(run(receiver, backend, batch, bytes, clock));
        Batches { sender: Mutex::new(Some(sender)), metrics }
    }

    pub(crate) fn put(&self, text: String, budget: &Budget) {
        let Some(event) = budget.keep_now(text) else { return };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = match &*sender {
            Some(sender) => sender.try_send(event).err().map(mpsc::error::TrySendError::into_inner),
            None => Some(event),
        };
        drop(sender);
        if let Some(event) = lost {
            self.metrics.no_room(event.text());
        }
    }

    /// Takes no more.
    pub(crate) fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

async fn run(
    mut receiver: mpsc::Receiver<Kept>,
    backend: Arc<dyn Deliver>,
    batch: Batch,
    bytes: usize,
    clock: Arc<dyn Clock>,
) {
    let mut throttle = batch.rate.map(|rate| Throttle::new(rate, clock.now()));
    loop {
        let (events, open) = gather(&mut receiver, &batch, &*clock).await;
        for events in split(events, bytes) {
            let wait = throttle.as_mut().map(|throttle| throttle.turn(clock.now())).unwrap_or_default();
            if !wait.is_zero() {
                clock.sleep(wait).await;
            }
            let delivered = Arc::clone(&backend).deliver(events);
            if batch.alongside {
                tokio::spawn(delivered);
            } else {
                delivered.await;
            }
        }
        if !open {
            return;
        }
    }
}

/// The next batch, and whether others may follow.
async fn gather(receiver: &mut mpsc::Receiver<Kept>, batch: &Batch, clock: &dyn Clock) -> (Vec<Kept>, bool) {
    let mut events = Vec::new();
    // Where a batch is one event, nobody waits for a second.
    if batch.most <= 1 {
        let open = receiver.recv_many(&mut events, 1).await > 0;
        return (events, open);
    }
    let mut late = clock.sleep(batch.wait);
    while events.len() < batch.most {
        tokio::select! {
            biased;
            event = receiver.recv() => match event {
                Some(event) => events.push(event),
                None => return (events, false),
            },
            () = &mut late => break,
        }
    }
    (events, true)
}

/// Parts of at most so many bytes, of which each holds an event at least.
fn split(events: Vec<Kept>, bytes: usize) -> Vec<Vec<Kept>> {
    let mut parts: Vec<Vec<Kept>> = Vec::new();
    let mut room = 0;
    for event in events {
        let own = event.text().len();
        match parts.last_mut().filter(|_| own <= room) {
            Some(part) => part.push(event),
            None => {
                room = bytes;
                parts.push(vec![event]);
            }
        }
        room = room.saturating_sub(own);
    }
    parts
}
