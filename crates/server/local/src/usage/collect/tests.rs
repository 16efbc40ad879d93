//! Nodes that answer and nodes that do not, over time that tokio lets run ahead.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the time is tokio's")]

use std::sync::atomic::AtomicUsize;

use base::time::SystemClock;

use super::super::points::Count;
use super::*;

/// Two nodes, one of which never answers.
#[derive(Default)]
struct Nodes {
    asked: AtomicUsize,
}

impl Sampler for Nodes {
    fn nodes(&self) -> Vec<String> {
        vec!["one".to_owned(), "silent".to_owned()]
    }

    fn sample<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<Sample, String>> {
        Box::pin(async move {
            if node == "silent" {
                std::future::pending::<()>().await;
            }
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) as u64;
            let count = Count { cpu_nanos: asked * 500_000_000, working_set_bytes: 4096 };
            let at = Time::from_unix_seconds(1 + asked as i64);
            Ok(Sample { at, machine: count, pods: Vec::new() })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_before_and_long_after_somebody_wants_to_know() {
    let nodes = Arc::new(Nodes::default());
    let sampler = Arc::clone(&nodes) as Arc<dyn Sampler>;
    let collector = Arc::new(Collector::new(sampler, Arc::new(Stopped::default())));
    tokio::time::sleep(IDLE).await;
    assert_eq!(nodes.asked.load(Ordering::SeqCst), 0);
    let (first, second) = tokio::join!(collector.points(), collector.points());
    assert_eq!(nodes.asked.load(Ordering::SeqCst), 2, "those who ask at once share the answer");
    let used = first.node("one").expect("it answers");
    assert_eq!((used.cpu_nanos_per_second, used.window), (500_000_000, Duration::from_secs(1)));
    assert!(second.node("silent").is_none());
    collector.points().await;
    assert_eq!(nodes.asked.load(Ordering::SeqCst), 2);
    tokio::time::sleep(IDLE * 3).await;
    let before = nodes.asked.load(Ordering::SeqCst);
    assert!(before > 2);
    tokio::time::sleep(IDLE * 3).await;
    assert_eq!(nodes.asked.load(Ordering::SeqCst), before);
    assert!(collector.points().await.node("one").is_some());
}

/// Time that goes as tokio's does, which these tests let run ahead.
struct Stopped {
    begun: tokio::time::Instant,
}

impl Default for Stopped {
    fn default() -> Stopped {
        Stopped { begun: tokio::time::Instant::now() }
    }
}

impl Clock for Stopped {
    fn now(&self) -> Time {
        Time::EPOCH + self.begun.elapsed()
    }

    fn sleep(&self, duration: Duration) -> base::time::Sleep {
        SystemClock.sleep(duration)
    }
}
