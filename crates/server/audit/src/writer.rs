//! The thread that writes the log: what waits together is written at once.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::budget::Kept;
use crate::limits::BATCHES;
use crate::metrics::{Loss, Metrics};
use crate::sink::{Deliver, Delivery};

/// Where lines end up.
pub trait Lines: Send + 'static {
    /// Appends whole lines.
    ///
    /// # Errors
    /// When they are not written; they are lost then.
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()>;
}

/// The backend of lines. The channel has no bound of its own: events have their places in the budget.
pub struct Writer(mpsc::UnboundedSender<Job>);

/// Events, and who waits for them.
struct Job {
    events: Vec<Kept>,
    written: oneshot::Sender<bool>,
}

impl Writer {
    /// Begins to write to `lines`.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub fn to(mut lines: impl Lines, metrics: Arc<Metrics>) -> std::io::Result<Writer> {
        let (sender, mut receiver) = mpsc::unbounded_channel::<Job>();
        std::thread::Builder::new().name("audit-log".to_owned()).spawn(move || {
            let mut waiting = Vec::with_capacity(BATCHES);
            while receiver.blocking_recv_many(&mut waiting, BATCHES) > 0 {
                let written = write(&mut lines, &waiting, &metrics);
                for Job { events, written: told } in waiting.drain(..) {
                    drop(events);
                    // Whoever waited may have gone away.
                    let _ = told.send(written);
                }
            }
        })?;
        Ok(Writer(sender))
    }
}

impl Deliver for Writer {
    fn deliver(self: Arc<Self>, events: Vec<Kept>) -> Delivery {
        Box::pin(async move {
            let (written, wait) = oneshot::channel();
            // The thread lives as long as the sender does; if it has died, nothing is written.
            self.0.send(Job { events, written }).is_ok() && wait.await.unwrap_or(false)
        })
    }
}

fn write(lines: &mut impl Lines, jobs: &[Job], metrics: &Metrics) -> bool {
    let events = || jobs.iter().flat_map(|job| &job.events);
    let mut text = Vec::with_capacity(events().map(|event| event.text().len()).sum());
    events().for_each(|event| text.extend_from_slice(event.text().as_bytes()));
    let Err(error) = lines.write(&text) else { return true };
    metrics.lost(Loss::Log, events().count());
    // What was acknowledged and cannot be logged is at least said here, as upstream does.
    for event in events() {
        tracing::error!(error = %base::error::Chain(&error), event = event.text(), "audit.not_written");
    }
    false
}
