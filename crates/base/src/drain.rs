//! The whole vocabulary of shutdown: a [`Signal`] asks, a [`Watch`] hears, and the asker waits until every hearer is done.

use tokio::sync::watch;

/// Asks everything that holds a [`Watch`] to finish.
#[derive(Debug)]
pub struct Signal {
    sender: watch::Sender<bool>,
}

/// Hears the request to finish. Hold it as long as there is work to finish: dropping it says that it is done.
#[derive(Clone, Debug)]
pub struct Watch {
    receiver: watch::Receiver<bool>,
}

/// A connected pair.
pub fn channel() -> (Signal, Watch) {
    let (sender, receiver) = watch::channel(false);
    (Signal { sender }, Watch { receiver })
}

impl Signal {
    /// Asks all to finish and waits until every [`Watch`] has been dropped.
    pub async fn drain(self) {
        self.sender.send_replace(true);
        self.sender.closed().await;
    }
}

impl Watch {
    /// Completes when the request to finish has come, or when nobody is left who could send it.
    pub async fn signaled(&mut self) {
        let _ = self.receiver.wait_for(|asked| *asked).await;
    }

    /// Whether the request to finish has come.
    pub fn is_signaled(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn drain_returns_once_every_watch_is_gone() {
        let (signal, mut watch) = channel();
        let worker = tokio::spawn(async move { watch.signaled().await });
        signal.drain().await;
        worker.await.expect("the worker does not panic");
    }

    #[tokio::test]
    async fn a_lost_signal_counts_as_a_request() {
        let (signal, mut watch) = channel();
        assert!(!watch.is_signaled());
        drop(signal);
        watch.signaled().await;
        assert!(watch.is_signaled());
    }
}
