//! Images for containers: found or pulled by policy, with kubelet's events and back-off.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use api_types::core::v1::{ObjectReference, Pod};
use base::error::Chain;
use base::time::Time;
use node_image::credentials::Keyring;
use node_image::error::ImageError;
use node_image::pull::Puller;
use node_image::reference::Reference;
use node_image::store::{Image, Store};
use node_pod::backoff::Backoff;
use node_pod::record::Waiting;
use tokio::sync::watch;

use crate::core::{Core, blocking};
use crate::events::Kind;

/// The directory of the image store within the agent's data.
pub const STORE: &str = "store";
/// The directory within the agent's data whose files are loaded as images, named as K3s names it.
pub const DROPPED: &str = "images";

/// A pull's last failure, and how long the next one waits.
#[derive(Clone, Debug, Default)]
struct Failure {
    backoff: Backoff,
    at_nanos: i64,
    message: String,
}

/// The images of this node.
pub(crate) struct Images {
    pub(crate) store: Store,
    puller: Puller,
    failures: Mutex<BTreeMap<(String, String), Failure>>,
    /// Whether what was dropped in before the agent's start has been loaded.
    loaded: watch::Sender<bool>,
}

/// Which image is wanted, when it is pulled, and whom events are about.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) reference: ObjectReference,
}

/// Why there is no image, and when to try again.
#[derive(Debug)]
pub(crate) struct NoImage {
    pub(crate) waiting: Waiting,
    pub(crate) retry: Option<Time>,
}

impl Images {
    pub(crate) fn new(store: Store, puller: Puller) -> Images {
        Images { store, puller, failures: Mutex::default(), loaded: watch::Sender::new(false) }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was dropped in has been loaded: whoever misses an image need not wait any more.
    pub(crate) fn set_loaded(&self) {
        self.loaded.send_replace(true);
    }

    async fn find(&self, name: &str) -> Result<Option<Image>, ImageError> {
        let (store, name) = (self.store.clone(), name.to_owned());
        let found = tokio::task::spawn_blocking(move || store.inspect(&name)).await;
        match found.unwrap_or(Err(ImageError::Interrupted)) {
            Ok(image) => Ok(Some(image)),
            Err(ImageError::NotPresent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An image that is here, or will be as soon as what was dropped in is loaded.
    async fn find_or_wait(&self, name: &str) -> Result<Option<Image>, ImageError> {
        let found = self.find(name).await?;
        if found.is_some() || *self.loaded.borrow() {
            return Ok(found);
        }
        // The sender is a part of this.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
        self.find(name).await
    }

    /// Pulls an image that is not here, without credentials.
    pub(crate) async fn prefetch(&self, name: &str) -> Result<Option<Image>, ImageError> {
        if self.find(name).await?.is_some() {
            return Ok(None);
        }
        let parsed = name.parse::<Reference>();
        let reference = parsed.map_err(|source| ImageError::InvalidName { name: name.to_owned(), source })?;
        let keys = Keyring::default().lookup(&reference);
        self.puller.pull(&reference, &keys, None).await.map(|pulled| Some(pulled.image))
    }

    /// Forgets a pod's failures.
    pub(crate) fn forget(&self, uid: &str) {
        self.failures().retain(|(pod, _), _| pod != uid);
    }
}

impl Core {
    /// The image of one of a pod's containers or volumes, pulled if it must be.
    pub(crate) async fn image(
        &self,
        pod: &Pod,
        wanted: Wanted<'_>,
        keyring: &Keyring,
    ) -> Result<Image, NoImage> {
        let Wanted { name, policy, reference } = wanted;
        let say = |kind, reason: &str, message: String| {
            self.events.record(reference.clone(), kind, reason, message);
        };
        let refused = |error: &ImageError| {
            let reason = error.reason().as_str();
            NoImage {
                waiting: Waiting { reason: reason.to_owned(), message: error.waiting(name) },
                retry: Some(self.clock.now() + node_pod::backoff::FIRST),
            }
        };
        let found = self.images.find_or_wait(name).await.map_err(|error| {
            say(Kind::Warning, "InspectFailed", error.event(name));
            refused(&error)
        })?;
        match found {
            Some(image) if policy != "Always" => {
                let message = format!(
                    "Container image {name:?} already present on machine and can be accessed by the pod"
                );
                say(Kind::Normal, "Pulled", message);
                return Ok(image);
            }
            None if policy == "Never" => {
                let error = ImageError::NotPresent(name.to_owned());
                say(Kind::Warning, "ErrImageNeverPull", error.event(name));
                return Err(refused(&error));
            }
            _ => {}
        }
        self.pull(pod, name, keyring, &say).await
    }

    async fn pull(
        &self,
        pod: &Pod,
        name: &str,
        keyring: &Keyring,
        say: &(dyn Fn(Kind, &str, String) + Sync),
    ) -> Result<Image, NoImage> {
        let key = (pod.metadata.uid.clone(), name.to_owned());
        let before = self.images.failures().get(&key).cloned().unwrap_or_default();
        let begun = self.clock.now();
        if let Some(until) = before.backoff.until(Time::from_unix_nanos(before.at_nanos), begun) {
            let message = format!("Back-off pulling image {name:?}");
            say(Kind::Normal, "BackOff", message.clone());
            let message = format!("{message}: {}", before.message);
            return Err(NoImage {
                waiting: Waiting { reason: "ImagePullBackOff".to_owned(), message },
                retry: Some(until),
            });
        }
        say(Kind::Normal, "Pulling", format!("Pulling image {name:?}"));
        let pulled = match name.parse::<Reference>() {
            Ok(reference) => self.images.puller.pull(&reference, &keyring.lookup(&reference), None).await,
            Err(source) => Err(ImageError::InvalidName { name: name.to_owned(), source }),
        };
        let now = self.clock.now();
        match pulled {
            Ok(pulled) => {
                self.images.failures().remove(&key);
                let took = go_duration(now.since(begun));
                let size = pulled.image.size_bytes;
                let message = format!(
                    "Successfully pulled image {name:?} in {took} ({took} including waiting). Image size: {size} bytes."
                );
                say(Kind::Normal, "Pulled", message);
                Ok(pulled.image)
            }
            Err(error) => {
                say(Kind::Warning, "Failed", error.event(name));
                let reason = error.reason().as_str();
                say(Kind::Warning, "Failed", format!("Error: {reason}"));
                let mut failure = before;
                failure.backoff.next(now, now);
                failure.at_nanos = now.unix_nanos();
                failure.message = format!("{reason}: {}", error.waiting(name));
                let retry = now + failure.backoff.wait();
                self.images.failures().insert(key, failure);
                tracing::debug!(image = name, error = %Chain(&error), "a pull failed");
                let waiting = Waiting { reason: reason.to_owned(), message: error.waiting(name) };
                // Kubelet shows the back-off as soon as it looks again; so the next look comes soon.
                Err(NoImage { waiting, retry: Some(retry.min(now + crate::limits::SYNC_RETRY)) })
            }
        }
    }

    /// Images that no container needs stay: what to remove is decided elsewhere. This lists them for the node's status.
    pub(crate) async fn listed_images(&self) -> Vec<Image> {
        let store = self.images.store.clone();
        blocking(move || Ok(store.list()?)).await.unwrap_or_default()
    }
}

/// A duration rounded to milliseconds, as Go prints it.
fn go_duration(duration: std::time::Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1000 => format!("{millis}ms"),
        millis => {
            let seconds = format!("{}.{:03}", millis / 1000 % 60, millis % 1000);
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.').to_owned();
            match millis / 60_000 {
                0 => format!("{seconds}s"),
                minutes => format!("{minutes}m{seconds}s"),
            }
        }
    }
}
