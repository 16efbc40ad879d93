//! Knarr's answers: from the engines and rows that its server runs.

mod apply;
mod schedule;

use std::panic::{AssertUnwindSafe, catch_unwind};

use api_codec::limits::Limits;
use api_codec::{DecodeError, Strictness, json, proto};
use api_kind::{AnyKind, Ctx, Gates, Verb, Version};
use api_record::Record;
use api_types::{GroupVersionKind, ObjectType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::question::{Answer, Op, Question};

/// What Knarr says. It panics at nothing: where it does, that is its answer, and differs from any of upstream's.
pub fn answer(question: &Question) -> Answer {
    let answer = || match question.op {
        Op::Encode => encode(question),
        Op::Default => default(question),
        Op::Convert => convert(question),
        Op::Validate => validate(question),
        Op::StrategicMerge => merge(question),
        Op::Apply => apply::apply(question),
        Op::Schedule => schedule::schedule(question),
    };
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_| Answer::unanswered(PANIC))
}

/// The answer where Knarr panics.
pub const PANIC: &str = "panic";

/// What is said of versions of a kind that Knarr does not serve.
pub const NOT_SERVED: &str = "not served";

fn object_type(question: &Question) -> Option<&'static ObjectType> {
    api_types::object_type(&question.group, &question.version, &question.kind)
}

fn decode(question: &Question, strict: Option<&mut Strictness>) -> Result<Box<dyn Record>, DecodeError> {
    let object = object_type(question).map(|object| (object.new)());
    let mut object = object.ok_or_else(|| DecodeError::Syntax(NOT_SERVED.to_owned()))?;
    json::decode(question.object.to_string().as_bytes(), &mut *object, strict, Limits::RESPONSE)?;
    Ok(object)
}

fn encode(question: &Question) -> Answer {
    let mut strict = Strictness::default();
    let object = match decode(question, Some(&mut strict)) {
        Ok(object) => object,
        Err(error) => return Answer::error(&error),
    };
    let kind = GroupVersionKind { group: &question.group, version: &question.version, kind: &question.kind };
    let mut text = Vec::new();
    json::encode(&*object, Some(&kind), &mut text);
    Answer {
        strict: strict.errors().to_vec(),
        text: String::from_utf8_lossy(&text).into_owned(),
        proto: STANDARD.encode(proto::encode(&*object, &kind)),
        ..Answer::default()
    }
}

/// A resource in a version, as the registry has it.
struct Served {
    row: &'static dyn AnyKind,
    version: Option<&'static Version>,
}

impl Served {
    fn find(group: &str, version: &str, plural: &str) -> Option<Served> {
        let row = api_kinds_all::row(group, plural)?;
        let (hub_group, hub_version, _) = row.resource();
        if (hub_group, hub_version) == (group, version) {
            return Some(Served { row, version: None });
        }
        let version = row.versions().iter().find(|v| (v.group, v.version) == (group, version))?;
        Some(Served { row, version: Some(version) })
    }

    fn to_hub(&self, object: Box<dyn Record>) -> Box<dyn Record> {
        match self.version {
            Some(version) => (version.to_hub)(object),
            None => object,
        }
    }

    fn shown(&self, object: Box<dyn Record>) -> Box<dyn Record> {
        match self.version {
            Some(version) => (version.from_hub)(&*object),
            None => object,
        }
    }

    fn show(&self, object: Box<dyn Record>) -> Option<Value> {
        let object = self.shown(object);
        let mut text = Vec::new();
        json::show(&*object, None, &mut text);
        serde_json::from_slice(&text).ok()
    }
}

/// The hub's object, defaulted, and how it is served.
fn defaulted(question: &Question, ctx: &Ctx<'_>) -> Result<(Served, Box<dyn Record>), Box<Answer>> {
    let served = Served::find(&question.group, &question.version, &question.resource);
    let served = served.ok_or_else(|| Box::new(Answer::unanswered(NOT_SERVED)))?;
    let object = decode(question, None).map_err(|error| Box::new(Answer::error(&error)))?;
    let mut object = served.to_hub(object);
    api_kind::default(served.row, ctx, &mut *object);
    Ok((served, object))
}

fn default(question: &Question) -> Answer {
    let gates = Gates::default();
    match defaulted(
        question,
        &Ctx { gates: &gates, verb: Verb::Create, subresource: "", group: &question.group },
    ) {
        Ok((served, object)) => Answer { object: served.show(object), ..Answer::default() },
        Err(answer) => *answer,
    }
}

fn convert(question: &Question) -> Answer {
    let gates = Gates::default();
    let ctx = Ctx { gates: &gates, verb: Verb::Create, subresource: "", group: &question.group };
    let Some(target) = Served::find(&question.to_group, &question.to_version, &question.resource) else {
        return Answer::unanswered(NOT_SERVED);
    };
    match defaulted(question, &ctx) {
        Ok((_, object)) => Answer { object: target.show(object), ..Answer::default() },
        Err(answer) => *answer,
    }
}

fn validate(question: &Question) -> Answer {
    let gates = Gates::default();
    let ctx = Ctx { gates: &gates, verb: Verb::Create, subresource: "", group: &question.group };
    let (served, mut object) = match defaulted(question, &ctx) {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    let namespaced = api_types::resources().iter().any(|row| {
        row.namespaced
            && (row.kind.group, row.kind.version, row.plural)
                == (&*question.group, &*question.version, &*question.resource)
    });
    api_kind::prepare(served.row, &ctx, &mut *object, None);
    let errors = api_kind::validate(served.row, &ctx, namespaced, &*object, None);
    let warnings = if errors.is_empty() { served.row.warnings(&ctx, &*object, None) } else { Vec::new() };
    let errors = errors.iter().map(ToString::to_string).collect();
    Answer { object: served.show(object), errors, warnings, ..Answer::default() }
}

fn merge(question: &Question) -> Answer {
    let Some(object) = object_type(question) else { return Answer::unanswered(NOT_SERVED) };
    let patch = question.patch.clone().unwrap_or_default().to_string();
    match api_patch::strategic_merge_patch(question.object.clone(), patch.as_bytes(), object.schema) {
        Ok(patched) => Answer { object: Some(patched.tree), ..Answer::default() },
        Err(error) => Answer::error(&error),
    }
}
