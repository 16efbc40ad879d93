//! A webhook that events are sent to: an `EventList` a batch, again and again if it is not taken. (`apiserver/plugin/pkg/audit/webhook`.)

use std::sync::Arc;
use std::time::Duration;

use base::random::Random;
use base::time::Clock;
use bytes::Bytes;
use client::BoxFuture;

use crate::budget::Kept;
use crate::limits::TRIES;
use crate::metrics::{Loss, Metrics};
use crate::sink::{Deliver, Delivery};

/// Who takes what is sent.
pub trait Receiver: Send + Sync + 'static {
    /// Sends JSON once.
    ///
    /// # Errors
    /// When it is not taken, with the reason.
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<(), String>>;
}

/// The backend.
pub struct Webhook {
    receiver: Arc<dyn Receiver>,
    first_wait: Duration,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Arc<Metrics>,
}

impl Webhook {
    /// Sends to a receiver, and waits so long after the first time that it does not take something.
    pub fn new(
        receiver: Arc<dyn Receiver>,
        first_wait: Duration,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        metrics: Arc<Metrics>,
    ) -> Webhook {
        Webhook { receiver, first_wait, clock, random, metrics }
    }

    async fn send(&self, events: &[Kept]) -> Result<(), String> {
        let body = list(events);
        let mut wait = self.first_wait;
        for _ in 1..TRIES {
            let Err(why) = self.receiver.post(body.clone()).await else { return Ok(()) };
            tracing::debug!(why, events = events.len(), "audit.not_sent");
            self.clock.sleep(jittered(wait, &*self.random)).await;
            wait = wait.mul_f64(1.5);
        }
        self.receiver.post(body).await
    }
}

impl Deliver for Webhook {
    fn deliver(self: Arc<Self>, events: Vec<Kept>) -> Delivery {
        Box::pin(async move {
            let Err(error) = self.send(&events).await else { return true };
            self.metrics.lost(Loss::Webhook, events.len());
            for event in &events {
                tracing::error!(error, event = event.text(), "audit.not_sent");
            }
            false
        })
    }
}

/// Longer by up to a fifth, so that servers that failed together do not come again together.
fn jittered(wait: Duration, random: &dyn Random) -> Duration {
    let mut bytes = [0; 2];
    random.fill(&mut bytes);
    wait + wait * u32::from(u16::from_le_bytes(bytes)) / u32::from(u16::MAX) / 5
}

fn list(events: &[Kept]) -> Bytes {
    let head = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;
    let mut body =
        Vec::with_capacity(head.len() + events.iter().map(|event| event.text().len() + 1).sum::<usize>() + 2);
    body.extend_from_slice(head.as_bytes());
    for (at, event) in events.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(event.text().as_bytes());
    }
    body.extend_from_slice(b"]}\n");
    Bytes::from(body)
}
