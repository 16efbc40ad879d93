//! Asking the webhooks of definitions to make one version of another.
//!
//! The registry says what it needs and when ([`server_registry::Convert`]), `api-custom` knows what is asked and what may come back
//! ([`api_custom::conversion`]), `server-webhook` carries it. Nothing is asked twice: whoever reads or writes is told what went wrong.

use std::sync::Arc;

use api_custom::CustomObject;
use api_custom::conversion::Review;
use api_meta::Status;
use base::random::{self, Random};
use client::BoxFuture;
use server_registry::{Convert, Question};
use server_webhook::{Call, Hook, Webhooks};

use crate::limits::{CONVERSION_ANSWER_BYTES, CONVERSION_TIMEOUT};

/// Whoever asks the webhooks of definitions.
pub struct Conversion {
    webhooks: Arc<dyn Webhooks>,
    random: Arc<dyn Random>,
}

impl Conversion {
    /// One that asks through these.
    pub fn new(webhooks: Arc<dyn Webhooks>, random: Arc<dyn Random>) -> Conversion {
        Conversion { webhooks, random }
    }

    async fn ask(&self, question: Question<'_>) -> Result<Vec<CustomObject>, String> {
        let Question { definition, from, to, objects } = question;
        let conversion = definition.spec.conversion.as_deref();
        let webhook = conversion.and_then(|own| own.webhook.as_deref());
        let config = webhook.and_then(|own| own.client_config.as_deref());
        let (Some(webhook), Some(config)) = (webhook, config) else {
            return Err("webhook configuration must have either service or URL".to_owned());
        };
        let kind = format!("{}/{}, Kind={}", from.group, from.version, from.kind);
        let failed = |why: String| format!("conversion webhook for {kind} failed: {why}");
        let uid = random::uuid(&*self.random);
        let version = Review::version(&webhook.conversion_review_versions)?;
        let review = Review { version, uid: &uid, from, to };
        let texts: Vec<&[u8]> = objects.iter().map(|(text, _)| *text).collect();
        let mut config = config.clone();
        // Nothing but space vouches for nobody, as if there were no certificates.
        config.ca_bundle = config.ca_bundle.filter(|bundle| !bundle.trim_ascii().is_empty());
        let call = Call {
            hook: &Hook::try_from(&config).map_err(failed)?,
            body: review.question(&texts).into(),
            timeout: CONVERSION_TIMEOUT,
            answer_bytes: CONVERSION_ANSWER_BYTES,
        };
        let answer = self.webhooks.call(call).await.map_err(|error| failed(error.to_string()))?;
        let originals: Vec<&CustomObject> = objects.iter().map(|(_, object)| *object).collect();
        review.answer(&answer.body, &originals)
    }
}

impl Convert for Conversion {
    fn convert<'a>(&'a self, question: Question<'a>) -> BoxFuture<'a, Result<Vec<CustomObject>, Status>> {
        Box::pin(async move {
            // Upstream answers what it has no reason for.
            self.ask(question).await.map_err(|why| Status::failure(500, "", why, None))
        })
    }
}
