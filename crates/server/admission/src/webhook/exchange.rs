//! Whether a webhook is to be asked of a request, asking it, and what follows when it cannot be.

use api_meta::gvk::GroupResource;
use api_meta::{Status, names, quote};
use api_record::Bytes;
use api_record::scalar::RawJson;
use base::random;
use client::Resource;
use server_registry::admit::Attributes;
use server_webhook::{Call, CallError};

use super::Asking;
use super::configured::Webhook;
use super::metrics::{Cause, Step};
use super::review::{self, Invalid, Verdict};
use crate::expression::{About, Values};
use crate::limits::REVIEW_BYTES;
use crate::matching::{Rules, Subject, operation};

/// Why a webhook does not let a request pass.
pub(super) enum Failure {
    /// It could not be asked, or answered nothing of use; what that is for those who count.
    Calling(String, Status),
    /// It says no.
    Denied(Status),
    /// The server itself cannot go on.
    Own(Status),
}

/// Where among all webhooks one is that is asked, as annotations for the audit log name it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) step: Step,
    pub(super) second: bool,
    pub(super) index: usize,
}

impl Turn {
    /// The key of an annotation: a prefix, and the turn.
    pub(super) fn key(self, prefix: &str) -> String {
        format!("{prefix}/round_{}_index_{}", usize::from(self.second), self.index)
    }

    fn failed_open(self) -> String {
        self.key(match self.step {
            Step::Admit => "failed-open.mutation.webhook.admission.k8s.io",
            Step::Validate => "failed-open.validating.webhook.admission.k8s.io",
        })
    }
}

/// The object and the old one, as a webhook sees them.
#[derive(Clone, Default)]
pub(super) struct Objects {
    pub(super) object: Option<Bytes>,
    pub(super) old: Option<Bytes>,
}

impl Objects {
    /// Those of a request in a version.
    pub(super) fn of(subject: &Subject<'_>, seen: &Resource) -> Result<Objects, Status> {
        let part = subject.attributes.subresource;
        let text =
            |object: Option<&dyn api_record::Record>| match object {
                None => Ok(None),
                Some(object) => subject.versions.text(seen, part, object).map(Some).ok_or_else(|| {
                    Status::internal_error(format!("unable to convert to {seen}: unknown kind"))
                }),
            };
        Ok(Objects { object: text(subject.object)?, old: text(subject.old)? })
    }
}

impl Asking {
    pub(super) fn subject<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn api_record::Record>,
        old: Option<&'a dyn api_record::Record>,
    ) -> Subject<'a> {
        Subject { attributes, object, old, lookup: &*self.lookup, versions: &*self.versions }
    }

    /// The version in which a webhook looks at a request, if it is to be asked (`ShouldCallHook`).
    pub(super) async fn seen(
        &self,
        step: Step,
        hook: &Webhook,
        subject: &Subject<'_>,
    ) -> Result<Option<Resource>, Status> {
        let rules: Rules<'_> = hook.rules.iter().map(|rule| (rule, &[][..])).collect();
        let Some(seen) = subject.rules(&rules, hook.exact) else { return Ok(None) };
        if !subject.object_matches(hook.objects.as_ref())?
            || !subject.namespace_matches(hook.namespaces.as_ref()).await?
        {
            return Ok(None);
        }
        if hook.own_conditions.is_empty() {
            return Ok(Some(seen));
        }
        let about = About {
            name: &hook.name,
            kind: "webhook",
            step: step.name(),
            operation: operation(subject.attributes.operation),
        };
        let held = match &hook.conditions {
            Ok(programs) => {
                let none = api_cel::Value::Null;
                let values = Values::of(
                    subject,
                    &seen,
                    none,
                    None,
                    &self.authorizer,
                    std::collections::BTreeMap::new(),
                );
                self.metrics.conditions.hold(about, &*self.clock, programs, &hook.own_conditions, &values)
            }
            Err(why) => Err(why.clone()),
        };
        match held {
            Ok(true) => Ok(Some(seen)),
            Ok(false) => {
                self.metrics.conditions.exclude(about);
                Ok(None)
            }
            Err(_) if hook.ignores_failure => {
                self.metrics.conditions.exclude(about);
                Ok(None)
            }
            Err(why) => {
                let own = &subject.attributes.resource;
                let resource = GroupResource { group: &own.group, resource: &own.plural };
                Err(Status::forbidden(resource, subject.attributes.name, why))
            }
        }
    }

    /// Asks a webhook, and counts it. `None` for a failure that the webhook says is none.
    pub(super) async fn ask(
        &self,
        turn: Turn,
        hook: &Webhook,
        subject: &Subject<'_>,
        seen: &Resource,
        objects: Objects,
    ) -> Result<Option<Verdict>, Failure> {
        let step = turn.step;
        let begun = self.clock.now();
        let asked = self.exchange(step, hook, subject, seen, objects).await;
        let took = self.clock.now().since(begun);
        let asked = asked.and_then(|verdict| match verdict.allowed {
            true => Ok(verdict),
            false => Err(Failure::Denied(review::denial(&hook.name, verdict.result))),
        });
        let operation = operation(subject.attributes.operation);
        let refused = |cause, code| self.metrics.rejection(&hook.name, step, operation, cause, code);
        let (code, rejected) = match &asked {
            Ok(_) => (200, false),
            Err(Failure::Calling(_, status)) => {
                if !hook.ignores_failure {
                    refused(Cause::Calling, status.code);
                }
                (status.code, !hook.ignores_failure)
            }
            Err(Failure::Denied(status)) => {
                refused(Cause::None, status.code);
                (status.code, true)
            }
            Err(Failure::Own(_)) => {
                refused(Cause::Internal, 0);
                (0, true)
            }
        };
        self.metrics.call(&hook.name, step, operation, rejected, code, took);
        match asked {
            Ok(verdict) => Ok(Some(verdict)),
            Err(Failure::Calling(why, _)) if hook.ignores_failure => {
                tracing::warn!(webhook = hook.name, why, "webhook.failed_open");
                self.metrics.fail_open(&hook.name, step);
                subject.attributes.caller.trail.annotate(turn.failed_open(), hook.name.as_str());
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn exchange(
        &self,
        step: Step,
        hook: &Webhook,
        subject: &Subject<'_>,
        seen: &Resource,
        objects: Objects,
    ) -> Result<Verdict, Failure> {
        let quiet = matches!(hook.side_effects.as_deref(), Some("None" | "NoneOnDryRun"));
        if subject.attributes.dry_run && !quiet {
            let why = format!("admission webhook {} does not support dry run", quote::go(&hook.name));
            return Err(Failure::Own(Status::bad_request(why)));
        }
        let version = review::version(&hook.reviews).map_err(|why| {
            let status = Status::bad_request("error creating admission objects");
            Failure::Calling(format!("could not create admission objects: {why}"), status)
        })?;
        let unusable = |why: &str| {
            Failure::Calling(format!("could not get REST client: {why}"), Status::internal_error(why))
        };
        let target = hook.hook.as_ref().map_err(|why| unusable(why))?;
        let mut request = crate::request::request(subject, seen);
        request.uid = random::uuid(&*self.random);
        let uid = request.uid.clone();
        (request.object, request.old_object) = (RawJson(objects.object), RawJson(objects.old));
        let body = review::question(version, request);
        let call = Call { hook: target, body, timeout: hook.timeout, answer_bytes: REVIEW_BYTES };
        let failed = |why: &str, status| Failure::Calling(format!("failed to call webhook: {why}"), status);
        let answer = self.webhooks.call(call).await.map_err(|error| match &error {
            CallError::Unusable(why) => unusable(why),
            _ => failed(&error.to_string(), error.status()),
        })?;
        let verdict = review::verdict(version, &uid, step == Step::Admit, &answer);
        let verdict = verdict.map_err(|invalid| match invalid {
            Invalid::Unreadable(why) => failed(&why, Status::service_unavailable("error calling webhook")),
            Invalid::Refused(why) => Failure::Calling(
                format!("received invalid webhook response: {why}"),
                Status::service_unavailable("error validating webhook response"),
            ),
        })?;
        verdict.warnings.iter().for_each(|warning| subject.attributes.notes.warn(warning.clone()));
        for (key, value) in &verdict.annotations {
            note(subject.attributes, &hook.name, key, value);
        }
        Ok(verdict)
    }
}

/// Notes what a webhook or a policy of a name has to say, unless no annotation can be called so (`checkKeyFormat`).
pub(crate) fn note(attributes: &Attributes<'_>, of: &str, key: &str, value: &str) {
    let name = format!("{of}/{key}");
    if key.contains('/') || !names::is_label_key(&name).is_empty() {
        tracing::warn!(annotation = name, "audit.annotation_refused");
        return;
    }
    attributes.caller.trail.annotate(name, value);
}

impl Failure {
    /// What the caller is told.
    pub(super) fn status(self, hook: &Webhook) -> Status {
        match self {
            Failure::Calling(why, _) => {
                tracing::warn!(webhook = hook.name, why, "webhook.failed");
                Status::internal_error(format!("failed calling webhook {}: {why}", quote::go(&hook.name)))
            }
            Failure::Denied(status) | Failure::Own(status) => status,
        }
    }
}
