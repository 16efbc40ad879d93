//! Events on their way to the log: a bounded queue, and the thread that writes what is in it.
//!
//! Requests do not wait for the disk. What waits together is written at once; when there is no room, whoever brings an event waits for some
//! ([`Mode::Blocking`], the default of upstream's log), or the event is lost ([`Mode::Batch`]). What is lost is counted and said.

use std::sync::{Arc, Mutex, PoisonError};

use base::time::{self, Clock};
use tokio::sync::{mpsc, oneshot};

use crate::limits::{BATCH_EVENTS, END, QUEUED_EVENTS};
use crate::metrics::{Loss, Metrics};

/// What happens to an event that there is no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It waits.
    #[default]
    Blocking,
    /// It is lost.
    Batch,
}

/// Where lines end up.
pub trait Lines: Send + 'static {
    /// Appends whole lines.
    ///
    /// # Errors
    /// When they are not written; they are lost then.
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()>;
}

/// The way to the log.
pub struct Queue {
    mode: Mode,
    sender: Mutex<Option<mpsc::Sender<String>>>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Begins to write to `lines`.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn to(mut lines: impl Lines, mode: Mode, metrics: Arc<Metrics>) -> std::io::Result<Queue> {
        let (sender, mut receiver) = mpsc::channel::<String>(QUEUED_EVENTS);
        let (end, ended) = oneshot::channel();
        let counted = Arc::clone(&metrics);
        std::thread::Builder::new().name("audit-log".to_owned()).spawn(move || {
            let mut waiting = Vec::with_capacity(BATCH_EVENTS);
            while receiver.blocking_recv_many(&mut waiting, BATCH_EVENTS) > 0 {
                write(&mut lines, &waiting, &counted);
                waiting.clear();
            }
            // Nobody may wait for the end any more.
            let _ = end.send(());
        })?;
        let (sender, ended) = (Mutex::new(Some(sender)), Mutex::new(Some(ended)));
        Ok(Queue { mode, sender, ended, metrics })
    }

    pub(crate) async fn put(&self, event: String) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(sender) = sender.filter(|_| self.mode == Mode::Blocking) else {
            return self.put_now(event);
        };
        if let Err(refused) = sender.send(event).await {
            self.lose(&refused.0);
        }
    }

    pub(crate) fn put_now(&self, event: String) {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = match &*sender {
            Some(sender) => sender.try_send(event).err().map(|refused| match refused {
                mpsc::error::TrySendError::Full(event) | mpsc::error::TrySendError::Closed(event) => event,
            }),
            None => Some(event),
        };
        drop(sender);
        if let Some(event) = lost {
            self.lose(&event);
        }
    }

    fn lose(&self, event: &str) {
        self.metrics.lost(Loss::Buffered, 1);
        tracing::error!(event, "audit.no_room");
    }

    /// Takes no more, and waits until all is written.
    pub(crate) async fn end(&self, clock: &dyn Clock) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended
            && time::timeout(clock, END, ended).await.is_err()
        {
            tracing::error!("audit.end_not_written");
        }
    }
}

fn write(lines: &mut impl Lines, events: &[String], metrics: &Metrics) {
    let mut text = Vec::with_capacity(events.iter().map(|event| event.len() + 1).sum());
    for event in events {
        text.extend_from_slice(event.as_bytes());
        text.push(b'\n');
    }
    if let Err(error) = lines.write(&text) {
        metrics.lost(Loss::Log, events.len());
        // What was acknowledged and cannot be logged is at least said here, as upstream does.
        for event in events {
            tracing::error!(error = %base::error::Chain(&error), event, "audit.not_written");
        }
    }
}
