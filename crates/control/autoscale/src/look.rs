//! Asking for the scale of a target, and for what is measured of it.

use std::sync::Arc;

use api_meta::gvk::{GroupResource, GroupVersion};
use api_meta::labels::Selector;
use api_meta::status::reason;
use api_types::autoscaling::v1::Scale;
use api_types::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, MetricIdentifier, MetricSpec,
};
use api_types::meta::v1::LabelSelector;
use base::time::{Clock, Time, timeout};
use client::{Api, Caller, Outcome, Request, Resource, Status, Target, Verb};
use futures_util::future::join_all;
use serde_json::Value;

use crate::decide::needs_metrics;
use crate::limits::ANSWER;
use crate::meters::{Meters, Narrowed};
use crate::metric::Answer;
use crate::reading;
use crate::target::Kinds;

const PODS: Resource = Resource::of("metrics.k8s.io", "v1beta1", "pods");
const CUSTOM: &str = "custom.metrics.k8s.io";
/// The versions of custom metrics that are understood.
const CUSTOM_VERSIONS: [&str; 2] = ["v1beta2", "v1beta1"];
const EXTERNAL: Resource = Resource::of("external.metrics.k8s.io", "v1beta1", "");

/// What is to be asked for an autoscaler.
pub(crate) struct Look {
    own: HorizontalPodAutoscaler,
    /// The resources that the target can be of.
    candidates: Result<Vec<Resource>, String>,
    /// One for each metric: nothing if the metric itself is wrong.
    questions: Vec<Result<Question, String>>,
}

/// What was answered.
pub(crate) struct Seen {
    /// The autoscaler that it was asked for, by its uid and generation.
    pub(crate) of: (String, i64),
    pub(crate) at: Time,
    pub(crate) scale: Result<Found, String>,
    /// One for each metric; none if they need not be known.
    pub(crate) answers: Vec<Answer>,
}

/// A target's scale, and what the target is.
pub(crate) struct Found {
    pub(crate) resource: Resource,
    pub(crate) scale: Scale,
}

/// What is to be asked for a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Question {
    /// The use of a resource, by pods or by their containers of a name.
    Usage(String, String),
    /// A metric of the pods, and which.
    OfPods(String, Narrowed),
    /// A metric of one object: the plural, the name and the subresource of its path.
    OfObject([String; 3], Narrowed),
    /// A metric of something else.
    External(String, Narrowed),
}

impl Look {
    /// What is to be asked for this autoscaler.
    pub(crate) fn new(own: &HorizontalPodAutoscaler, kinds: &Kinds<'_>) -> Look {
        let reference = &own.spec.scale_target_ref;
        let candidates = GroupVersion::parse(&reference.api_version)
            .map_err(|why| why.to_string())
            .and_then(|version| kinds.find(version.group, &reference.kind));
        let questions = own.spec.metrics.iter().map(|spec| question(spec, &own.metadata.namespace, kinds));
        Look { own: own.clone(), candidates, questions: questions.collect() }
    }

    /// Asks: for the scale first, then for all metrics at once.
    pub(crate) async fn carry_out(
        &self,
        api: &dyn Api,
        meters: &dyn Meters,
        clock: &Arc<dyn Clock>,
        who: &Caller,
    ) -> Seen {
        let meta = &self.own.metadata;
        let found = self.scale(api, clock, who).await;
        let needed = found.as_ref().ok().filter(|found| needs_metrics(&self.own, &found.scale));
        let answers = match needed {
            Some(found) => {
                let asked = Asked { meters, clock, who, namespace: &meta.namespace };
                let pods = &found.scale.status.selector;
                join_all(self.questions.iter().map(|question| asked.answer(question, pods))).await
            }
            None => Vec::new(),
        };
        Seen { of: (meta.uid.clone(), meta.generation), at: clock.now(), scale: found, answers }
    }

    /// The first resource of the target's kind that has the target, or why the first of all has not.
    async fn scale(&self, api: &dyn Api, clock: &Arc<dyn Clock>, who: &Caller) -> Result<Found, String> {
        let mut first = None;
        for resource in self.candidates.clone()? {
            let target = Target {
                resource: resource.clone(),
                namespace: self.own.metadata.namespace.clone(),
                name: self.own.spec.scale_target_ref.name.clone(),
                subresource: "scale".to_owned(),
            };
            let asked = in_time(clock, api.call(who, Request::new(Verb::Get, target))).await;
            match asked.map(|answer| answer.outcome) {
                Ok(Outcome::Object(ref object)) if let Some(scale) = object.downcast_ref::<Scale>() => {
                    return Ok(Found { resource, scale: scale.clone() });
                }
                Ok(_) => drop(first.get_or_insert_with(|| "the answer is no Scale".to_owned())),
                Err(why) => drop(first.get_or_insert_with(|| why.message.clone())),
            }
        }
        Err(first.unwrap_or_else(|| "unrecognized resource".to_owned()))
    }
}

/// What comes of a request, if it comes in time.
async fn in_time<T>(
    clock: &Arc<dyn Clock>,
    asked: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let late = || Err(Status::failure(504, reason::TIMEOUT, "context deadline exceeded", None));
    timeout(&**clock, ANSWER, asked).await.unwrap_or_else(|_| late())
}

fn question(spec: &MetricSpec, namespace: &str, kinds: &Kinds<'_>) -> Result<Question, String> {
    let narrowed = |metric: &MetricIdentifier| {
        let metric_labels = selected(metric.selector.as_deref())?;
        Ok::<_, String>(Narrowed { labels: String::new(), metric_labels })
    };
    if let Some(own) = &spec.resource {
        return Ok(Question::Usage(own.name.clone(), String::new()));
    }
    if let Some(own) = &spec.container_resource {
        return Ok(Question::Usage(own.name.clone(), own.container.clone()));
    }
    if let Some(own) = &spec.pods {
        return Ok(Question::OfPods(own.metric.name.clone(), narrowed(&own.metric)?));
    }
    if let Some(own) = &spec.object {
        let path = path(&own.described_object, &own.metric.name, namespace, kinds)?;
        return Ok(Question::OfObject(path, narrowed(&own.metric)?));
    }
    if let Some(own) = &spec.external {
        let labels = selected(own.metric.selector.as_deref())?;
        let narrowed = Narrowed { labels, metric_labels: String::new() };
        return Ok(Question::External(own.metric.name.clone(), narrowed));
    }
    Err("the metric names nothing".to_owned())
}

/// A metric's selector in text. None selects whatever there is: the metric has no parts to choose from.
fn selected(selector: Option<&LabelSelector>) -> Result<String, String> {
    match selector {
        None => Ok(String::new()),
        Some(own) => Selector::from_api(Some(own)).map(|own| own.to_string()).map_err(|why| why.to_string()),
    }
}

/// Where the metric of an object is: the namespace itself has a place of its own.
fn path(
    described: &CrossVersionObjectReference,
    metric: &str,
    namespace: &str,
    kinds: &Kinds<'_>,
) -> Result<[String; 3], String> {
    let group = GroupVersion::parse(&described.api_version).map_or("", |version| version.group);
    let kind = &described.kind;
    if group.is_empty() && kind == "Namespace" {
        return Ok(["metrics".to_owned(), metric.to_owned(), String::new()]);
    }
    let found = kinds.find(group, kind).map_err(|why| {
        let kind = api_meta::gvk::GroupKind { group, kind };
        let why = format!("unable to map kind {kind} to resource: {why}");
        format!("unable to fetch metrics from custom metrics API: {why}")
    })?;
    let Some(resource) = found.first() else { return Err(format!("{namespace} has no {kind}")) };
    let resource = GroupResource::new(&resource.group, &resource.plural).to_string();
    Ok([resource, described.name.clone(), metric.to_owned()])
}

/// Whom to ask, as whom, and in which namespace.
struct Asked<'a> {
    meters: &'a dyn Meters,
    clock: &'a Arc<dyn Clock>,
    who: &'a Caller,
    namespace: &'a str,
}

impl Asked<'_> {
    async fn answer(&self, question: &Result<Question, String>, pods: &str) -> Answer {
        match question.as_ref().map_err(Clone::clone)? {
            Question::Usage(resource, container) => {
                let narrowed = Narrowed { labels: pods.to_owned(), ..Narrowed::default() };
                let document = self.read("resource", PODS, ["", ""], &narrowed).await?;
                reading::usage(&document, resource, container)
            }
            Question::OfPods(metric, narrowed) => {
                let narrowed = Narrowed { labels: pods.to_owned(), ..narrowed.clone() };
                let resource = self.custom("pods").await?;
                reading::of_pods(&self.read("custom", resource, ["*", metric], &narrowed).await?)
            }
            Question::OfObject([plural, name, part], narrowed) => {
                let resource = self.custom(plural).await?;
                reading::of_object(&self.read("custom", resource, [name, part], narrowed).await?)
            }
            Question::External(metric, narrowed) => {
                let resource = Resource { plural: metric.clone().into(), ..EXTERNAL };
                reading::external(&self.read("external", resource, ["", ""], narrowed).await?)
            }
        }
    }

    /// A resource of custom metrics, in the version of them that is served.
    async fn custom(&self, plural: &str) -> Result<Resource, String> {
        let versions = in_time(self.clock, self.meters.versions(self.who, CUSTOM)).await;
        let unable = |why: String| format!("unable to fetch metrics from custom metrics API: {why}");
        let versions = versions.map_err(|why| unable(why.message.clone()))?;
        if versions.is_empty() {
            return Err(unable(format!("no custom metrics API ({CUSTOM}) registered")));
        }
        let known = versions.into_iter().find(|version| CUSTOM_VERSIONS.contains(&version.as_str()));
        let version = known.ok_or_else(|| unable("no known available metric versions found".to_owned()))?;
        Ok(Resource { group: CUSTOM.into(), version: version.into(), plural: plural.to_owned().into() })
    }

    async fn read(
        &self,
        api: &str,
        resource: Resource,
        [name, subresource]: [&str; 2],
        narrowed: &Narrowed,
    ) -> Result<Value, String> {
        let target = Target {
            resource,
            namespace: self.namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
        };
        let read = in_time(self.clock, self.meters.read(self.who, &target, narrowed)).await;
        read.map_err(|why| format!("unable to fetch metrics from {api} metrics API: {}", why.message))
    }
}
