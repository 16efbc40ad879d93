//! Asking the nodes: every [`RESOLUTION`], for as long as somebody wants to know.
//!
//! metrics-server asks all the time, since it cannot know who will ask it. Here whoever asks first after a while waits for two samples that are
//! a second apart; from then on samples are taken as metrics-server takes them, until nobody has asked for [`IDLE`]. A cluster that nobody
//! looks at costs nothing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use base::time::{Clock, Time, timeout};
use client::BoxFuture;
use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::points::{Points, Sample};

/// How often the nodes are asked (metrics-server's `--metric-resolution`).
pub const RESOLUTION: Duration = Duration::from_secs(15);

/// How long they are asked on when nobody wants to know.
pub const IDLE: Duration = Duration::from_secs(300);

/// The time between the first two samples, for which whoever asks first waits.
pub const FIRST: Duration = Duration::from_secs(1);

/// How long a node may take to answer (metrics-server's, of its usual resolution); of the first samples, for which somebody waits, a part.
pub const ANSWER: Duration = Duration::from_secs(10);
const FIRST_ANSWER: Duration = Duration::from_secs(3);

/// Whoever can ask the nodes.
pub trait Sampler: Send + Sync {
    /// The names of all nodes.
    fn nodes(&self) -> Vec<String>;

    /// What a node and its pods have used.
    ///
    /// # Errors
    /// Why it does not say.
    fn sample<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<Sample, String>>;
}

/// What nodes and pods use, for whoever wants to know.
pub struct Collector {
    sampler: Arc<dyn Sampler>,
    clock: Arc<dyn Clock>,
    points: ArcSwap<Points>,
    /// When somebody last asked, in nanoseconds since the Unix epoch.
    asked: AtomicI64,
    running: Mutex<bool>,
}

impl Collector {
    /// One that asks nobody yet.
    pub fn new(sampler: Arc<dyn Sampler>, clock: Arc<dyn Clock>) -> Collector {
        let (points, asked, running) = (ArcSwap::default(), AtomicI64::new(0), Mutex::new(false));
        Collector { sampler, clock, points, asked, running }
    }

    /// What is known now.
    pub async fn points(self: &Arc<Self>) -> Arc<Points> {
        self.asked.store(self.clock.now().unix_nanos(), Ordering::Release);
        // Those who ask meanwhile wait for the same samples.
        let mut running = self.running.lock().await;
        if !*running {
            self.points.store(Arc::default());
            self.collect(FIRST_ANSWER).await;
            self.clock.sleep(FIRST).await;
            self.collect(FIRST_ANSWER).await;
            *running = true;
            tokio::spawn(again(Arc::downgrade(self), Arc::clone(&self.clock)));
        }
        self.points.load_full()
    }

    async fn collect(&self, limit: Duration) {
        let nodes = self.sampler.nodes();
        let samples = join_all(nodes.into_iter().map(|node| async move {
            match timeout(&*self.clock, limit, self.sampler.sample(&node)).await {
                Ok(Ok(sample)) => Some((node, sample)),
                Ok(Err(why)) => {
                    tracing::debug!(%node, %why, "usage.sample");
                    None
                }
                Err(_) => {
                    tracing::debug!(%node, why = "it does not answer", "usage.sample");
                    None
                }
            }
        }));
        let samples = samples.await.into_iter().flatten().collect();
        self.points.store(Arc::new(self.points.load().after(samples, RESOLUTION)));
    }

    fn is_idle(&self, now: Time) -> bool {
        now.since(Time::from_unix_nanos(self.asked.load(Ordering::Acquire))) >= IDLE
    }
}

/// Asks on, until nobody wants to know, or there is nobody to know for.
async fn again(collector: Weak<Collector>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(RESOLUTION).await;
        let Some(own) = collector.upgrade() else { return };
        let mut running = own.running.lock().await;
        if own.is_idle(clock.now()) {
            *running = false;
            return;
        }
        drop(running);
        own.collect(ANSWER).await;
    }
}

#[cfg(test)]
mod tests;
