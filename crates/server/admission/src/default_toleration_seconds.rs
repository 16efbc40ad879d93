//! DefaultTolerationSeconds: a pod stays for a while on a node that fails.

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Pod, Toleration};
use client::BoxFuture;
use server_registry::admit::Attributes;

use crate::Plugin;
use crate::plugin::is_about;

/// Gives pods that say nothing about it tolerations for failing nodes.
#[derive(Clone, Copy, Debug)]
pub struct DefaultTolerationSeconds {
    /// How long pods stay on a node that is not ready.
    pub not_ready_seconds: i64,
    /// How long pods stay on a node that cannot be reached.
    pub unreachable_seconds: i64,
}

impl Default for DefaultTolerationSeconds {
    fn default() -> Self {
        DefaultTolerationSeconds { not_ready_seconds: 300, unreachable_seconds: 300 }
    }
}

impl Plugin for DefaultTolerationSeconds {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        let about = is_about(attributes, "", "pods") && attributes.subresource.is_empty();
        if let Some(pod) = object.downcast_mut::<Pod>()
            && about
        {
            let wanted = [
                ("node.kubernetes.io/not-ready", self.not_ready_seconds),
                ("node.kubernetes.io/unreachable", self.unreachable_seconds),
            ];
            let missing = wanted.map(|(key, seconds)| (!tolerates(pod, key)).then(|| stay(key, seconds)));
            pod.spec.tolerations.extend(missing.into_iter().flatten());
        }
        Box::pin(async { Ok(()) })
    }
}

/// Whether the pod says itself what to do about the taint: a key or an effect left empty stands for every one.
fn tolerates(pod: &Pod, key: &str) -> bool {
    pod.spec.tolerations.iter().any(|toleration| {
        (toleration.key.is_empty() || toleration.key == key)
            && matches!(toleration.effect.as_str(), "" | "NoExecute")
    })
}

fn stay(key: &str, seconds: i64) -> Toleration {
    Toleration {
        key: key.to_owned(),
        operator: "Exists".to_owned(),
        effect: "NoExecute".to_owned(),
        toleration_seconds: Some(seconds),
        ..Toleration::default()
    }
}
