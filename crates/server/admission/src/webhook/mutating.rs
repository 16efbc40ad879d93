//! Webhooks that change objects: one after the other, each with what those before it made of the object.

use std::sync::Arc;

use api_meta::Status;
use api_patch::{Document, PatchError};
use api_record::Record;
use client::trail::Level;
use client::{BoxFuture, RawView, Resource};
use server_registry::admit::{Attributes, Operation};

use super::configured::{Configured, Webhook};
use super::exchange::{Failure, Objects, Turn};
use super::metrics::Step;
use super::review::{self, Verdict};
use super::{Asking, follow};
use crate::Plugin;
use crate::matching::is_exempt;
use crate::reinvocation::Reinvocation;

/// By which its state of a request is found.
const NAME: &str = "MutatingAdmissionWebhook";

/// Changes objects as webhooks say.
pub struct MutatingWebhooks {
    asking: Asking,
    configured: Configured,
}

impl MutatingWebhooks {
    /// Without any webhook yet: [`MutatingWebhooks::follow`] brings them.
    pub fn new(asking: Asking) -> MutatingWebhooks {
        MutatingWebhooks { asking, configured: Configured::default() }
    }

    /// Follows [`super::MUTATING`] until the view ends. What it shows counts from the call on.
    pub fn follow(self: Arc<Self>, view: RawView) -> impl Future<Output = ()> + Send {
        let first = view.changed();
        self.configured.update(&view.snapshot());
        async move { follow(first, view, |snapshot| self.configured.update(snapshot)).await }
    }

    #[cfg(test)]
    pub(super) fn update(&self, snapshot: &client::view::Snapshot) {
        self.configured.update(snapshot);
    }

    async fn dispatch(
        &self,
        attributes: &Attributes<'_>,
        mut object: Option<&mut dyn Record>,
        old: Option<&dyn Record>,
        rounds: &mut Reinvocation,
    ) -> Result<(), Status> {
        let webhooks = self.configured.webhooks();
        if webhooks.is_empty() || is_exempt(attributes) {
            return Ok(());
        }
        let second = rounds.is_second();
        if second {
            rounds.of(NAME).resume(object.as_deref());
        }
        for (index, hook) in webhooks.iter().enumerate() {
            let turn = Turn { step: Step::Admit, second, index };
            let subject = self.asking.subject(attributes, object.as_deref(), old);
            let Some(seen) = self.asking.seen(Step::Admit, hook, &subject).await? else { continue };
            if second && !rounds.of(NAME).is_asked_again(&hook.uid) {
                continue;
            }
            let objects = Objects::of(&subject, &seen)?;
            let shown = objects.object.clone();
            let asked = self.asking.ask(turn, hook, &subject, &seen, objects).await;
            let patched = asked.and_then(|verdict| match verdict {
                Some(verdict) => {
                    let patched = self.patched(attributes, hook, &seen, shown.as_deref(), &verdict)?;
                    Ok(patched.inspect(|_| note_patch(attributes, turn, hook, &verdict)))
                }
                None => Ok(None),
            });
            let taken = patched.map(|new| match (new, object.as_deref_mut()) {
                (Some(new), Some(object)) => self.take(attributes, &seen, object, new),
                _ => false,
            });
            note_mutation(attributes, turn, hook, matches!(taken, Ok(true)));
            let changed = taken.map_err(|failure| failure.status(hook))?;
            if changed {
                rounds.of(NAME).ask_again();
                rounds.want();
            }
            if hook.again {
                rounds.of(NAME).asked(&hook.uid);
            }
        }
        rounds.of(NAME).end(object.as_deref());
        Ok(())
    }

    /// The object as a verdict's patch leaves it, if there is one.
    fn patched(
        &self,
        attributes: &Attributes<'_>,
        hook: &Webhook,
        seen: &Resource,
        shown: Option<&[u8]>,
        verdict: &Verdict,
    ) -> Result<Option<Box<dyn Record>>, Failure> {
        let Some(patch) = &verdict.patch else { return Ok(None) };
        let own = |error: String| Failure::Own(Status::internal_error(error));
        let calling = |why: String, status: &str| {
            if hook.ignores_failure {
                tracing::warn!(webhook = hook.name, why, "webhook.failed_open");
                return Ok(None);
            }
            Err(Failure::Calling(why, Status::service_unavailable(status)))
        };
        let bytes = match review::json_patch(patch) {
            Ok(bytes) => bytes,
            Err(why) => return calling(why, "error decoding patch in webhook response"),
        };
        let undecodable = |error: &PatchError| {
            let why = format!("received undecodable patch in webhook response: {error}");
            calling(why, "error decoding patch in webhook response")
        };
        match Document::parse(bytes) {
            Err(error) => return undecodable(&error),
            Ok(document) if document.tree.as_array().is_some_and(Vec::is_empty) => return Ok(None),
            Ok(_) => {}
        }
        let Some(shown) = shown else {
            let name = api_meta::quote::go(&hook.name);
            return Err(own(format!(
                "admission webhook {name} attempted to modify the object, which is not supported for this operation"
            )));
        };
        let tree = serde_json::from_slice(shown).map_err(|error| own(error.to_string()))?;
        let patched = match api_patch::json_patch(tree, bytes) {
            Ok(patched) => patched,
            Err(PatchError::Operation(why)) => return Err(own(why)),
            Err(error) => return undecodable(&error),
        };
        let text = patched.tree.to_string();
        let read = self.asking.versions.read(seen, attributes.subresource, text.as_bytes());
        read.map(Some).map_err(own)
    }

    /// Puts the patched object in the place of the one that there was, with defaults; answers whether it is another.
    fn take(
        &self,
        attributes: &Attributes<'_>,
        seen: &Resource,
        object: &mut dyn Record,
        mut new: Box<dyn Record>,
    ) -> bool {
        let changed = *new != *object;
        self.asking.versions.fill(seen, attributes.subresource, &mut *new);
        object.assign(&*new);
        changed
    }
}

/// Notes whether a webhook has changed the object.
fn note_mutation(attributes: &Attributes<'_>, turn: Turn, hook: &Webhook, mutated: bool) {
    let trail = &attributes.caller.trail;
    if trail.level() > Level::None {
        let Webhook { configuration, name, .. } = hook;
        let value =
            serde_json::json!({ "configuration": configuration, "webhook": name, "mutated": mutated });
        trail.annotate(turn.key("mutation.webhook.admission.k8s.io"), value.to_string());
    }
}

/// Notes how, where so much is logged.
fn note_patch(attributes: &Attributes<'_>, turn: Turn, hook: &Webhook, verdict: &Verdict) {
    let trail = &attributes.caller.trail;
    if trail.level() < Level::Request {
        return;
    }
    let patch = verdict.patch.as_ref().and_then(|(patch, _)| serde_json::from_slice(patch).ok());
    if let Some::<serde_json::Value>(patch) = patch {
        let Webhook { configuration, name, .. } = hook;
        let value = serde_json::json!({
            "configuration": configuration, "webhook": name, "patch": patch, "patchType": "JSONPatch",
        });
        trail.annotate(turn.key("patch.webhook.admission.k8s.io"), value.to_string());
    }
}

impl Plugin for MutatingWebhooks {
    fn mutate_again<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
        rounds: &'a mut Reinvocation,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.dispatch(attributes, Some(object), old, rounds))
    }

    /// What is deleted cannot be changed, but they are asked all the same: the only plugin that changes objects and has a say in this.
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if attributes.operation != Operation::Delete || object.is_some() {
                return Ok(());
            }
            self.dispatch(attributes, None, old, &mut Reinvocation::default()).await
        })
    }
}
