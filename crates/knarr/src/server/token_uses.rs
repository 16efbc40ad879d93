//! When tokens that lie in Secrets were used last: a label on the Secret says the day, for people and for the controller that takes away
//! what nobody uses.
//!
//! Upstream: `pkg/serviceaccount/legacy.go`. There the request waits until the label is written; here it does not, and a label that
//! could not be written is written with the next use.

use std::sync::Arc;
use std::time::Duration;

use api_record::scalar;
use api_types::core::v1::Secret;
use base::drain;
use base::error::Chain;
use base::time::Time;
use client::{Api, Body, Caller, PatchKind, Request, Resource, Status, Target, Verb};
use serde_json::json;
use server_local::Local;
use tokio::sync::mpsc;

const SECRETS: Resource = Resource::of("", "v1", "secrets");
const LABEL: &str = "kubernetes.io/legacy-token-last-used";

/// How many uses wait to be written at most; more are forgotten until they come again.
const WAITING: usize = 64;

/// Whoever hears of uses.
#[derive(Clone)]
pub struct Uses(mpsc::Sender<Use>);

/// A use that no label tells of yet.
pub struct Use {
    namespace: String,
    name: String,
    uid: String,
    day: String,
}

impl Uses {
    /// One who hears, and what was heard.
    pub fn channel() -> (Uses, mpsc::Receiver<Use>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Uses(sender), receiver)
    }

    /// Notes that a Secret's token was shown, unless its label says so.
    pub fn note(&self, secret: &Secret, now: Time) {
        if let Some(used) = unwritten(secret, now) {
            // Whoever comes next finds the label as it is.
            let _ = self.0.try_send(used);
        }
    }
}

fn unwritten(secret: &Secret, now: Time) -> Option<Use> {
    let meta = &secret.metadata;
    let (today, tomorrow) = (day(now), day(now + Duration::from_secs(24 * 3600)));
    // Another server's clock may be ahead by midnight.
    let is_written = meta.labels.get(LABEL).is_some_and(|used| *used == today || *used == tomorrow);
    (!is_written).then(|| Use {
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        uid: meta.uid.clone(),
        day: today,
    })
}

fn day(time: Time) -> String {
    let mut text = scalar::Time::from(time).to_string();
    text.truncate("2006-01-02".len());
    text
}

/// Writes down what is heard, until asked to finish.
pub async fn run(local: Local, mut uses: mpsc::Receiver<Use>, mut drain: drain::Watch) {
    let mut last: Option<(String, String)> = None;
    loop {
        let used = tokio::select! {
            () = drain.signaled() => return,
            used = uses.recv() => match used {
                Some(used) => used,
                None => return,
            },
        };
        // A client that asks a lot is heard of several times before the label shows.
        let this = Some((used.uid.clone(), used.day.clone()));
        if last == this {
            continue;
        }
        match label(&local, &used).await {
            Ok(()) => last = this,
            Err(status) => {
                let Use { namespace, name, .. } = &used;
                tracing::warn!(namespace, name, error = %Chain(&status), "token_use.label");
            }
        }
    }
}

async fn label(local: &Local, used: &Use) -> Result<(), Status> {
    let target = Target {
        resource: SECRETS,
        namespace: used.namespace.clone(),
        name: used.name.clone(),
        subresource: String::new(),
    };
    let patch = json!({"metadata": {"uid": used.uid, "labels": {LABEL: used.day}}});
    let mut request = Request::new(Verb::Patch, target);
    request.body = Body::Patch(PatchKind::Merge, patch.to_string().into_bytes().into());
    let server = Caller::new("system:apiserver", &["system:masters", "system:authenticated"]);
    let api: Arc<dyn Api> = Arc::new(local.clone());
    api.call(&server, request).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_once_a_day() {
        // 2023-11-14.
        let now = Time::from_unix_seconds(1_700_000_000);
        for (label, expected) in [
            (None, Some("2023-11-14")),
            (Some("2023-11-13"), Some("2023-11-14")),
            (Some("2023-11-14"), None),
            (Some("2023-11-15"), None),
            (Some("lately"), Some("2023-11-14")),
        ] {
            let mut secret = Secret::default();
            secret.metadata.labels.extend(label.map(|day: &str| (LABEL.to_owned(), day.to_owned())));
            assert_eq!(unwritten(&secret, now).map(|used| used.day).as_deref(), expected, "{label:?}");
        }
    }
}
