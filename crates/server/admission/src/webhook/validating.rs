//! Webhooks that refuse objects: asked all at once; the first refusal, in their order, is what the caller is told.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use client::{BoxFuture, RawView, Resource};
use futures_util::future::join_all;
use server_registry::admit::Attributes;

use super::configured::Configured;
use super::exchange::{Objects, Turn};
use super::metrics::Step;
use super::{Asking, follow};
use crate::Plugin;
use crate::matching::is_exempt;

/// Refuses as webhooks say.
pub struct ValidatingWebhooks {
    asking: Asking,
    configured: Configured,
}

impl ValidatingWebhooks {
    /// Without any webhook yet: [`ValidatingWebhooks::follow`] brings them.
    pub fn new(asking: Asking) -> ValidatingWebhooks {
        ValidatingWebhooks { asking, configured: Configured::default() }
    }

    /// Follows [`super::VALIDATING`] until the view ends. What it shows counts from the call on.
    pub fn follow(self: Arc<Self>, view: RawView) -> impl Future<Output = ()> + Send {
        let first = view.changed();
        self.configured.update(&view.snapshot());
        async move { follow(first, view, |snapshot| self.configured.update(snapshot)).await }
    }

    #[cfg(test)]
    pub(super) fn update(&self, snapshot: &client::view::Snapshot) {
        self.configured.update(snapshot);
    }

    async fn judge(
        &self,
        attributes: &Attributes<'_>,
        object: Option<&dyn Record>,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        let webhooks = self.configured.webhooks();
        if webhooks.is_empty() || is_exempt(attributes) {
            return Ok(());
        }
        let subject = self.asking.subject(attributes, object, old);
        let mut versions: Vec<(Resource, Objects)> = Vec::new();
        let mut asked = Vec::new();
        for hook in webhooks.iter() {
            let Some(seen) = self.asking.seen(Step::Validate, hook, &subject).await? else { continue };
            if !versions.iter().any(|(known, _)| *known == seen) {
                versions.push((seen.clone(), Objects::of(&subject, &seen)?));
            }
            asked.push((hook, seen));
        }
        let calls = asked.iter().enumerate().map(|(index, (hook, seen))| {
            let turn = Turn { step: Step::Validate, second: false, index };
            let known = versions.iter().find(|(known, _)| known == seen);
            let objects = known.map(|(_, objects)| objects.clone()).unwrap_or_default();
            let subject = &subject;
            async move {
                let asked = self.asking.ask(turn, hook, subject, seen, objects).await;
                asked.map(drop).map_err(|failure| failure.status(hook))
            }
        });
        join_all(calls).await.into_iter().collect()
    }
}

impl Plugin for ValidatingWebhooks {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.judge(attributes, object, old))
    }
}
