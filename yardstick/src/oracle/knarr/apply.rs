//! What becomes of an object when configurations are applied to it, and who owns what then.

use api_codec::json;
use api_kind::{Ctx, Gates, Verb};
use api_patch::apply::{self, Config, Request, Versions};
use api_record::Record;
use api_record::scalar::Time;
use api_types::object_meta_mut;

use super::super::question::{Answer, Question};
use super::{NOT_SERVED, Served, defaulted, object_type};

/// Only the question's own version is asked about.
struct Only<'a>(&'a Question);

impl Only<'_> {
    fn name(&self) -> String {
        match self.0.group.as_str() {
            "" => self.0.version.clone(),
            group => format!("{group}/{}", self.0.version),
        }
    }
}

impl Versions for Only<'_> {
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>> {
        let object = object_type(self.0).filter(|_| api_version == self.name())?;
        Some((object.new)())
    }

    fn convert(&self, object: &dyn Record, from: &str, to: &str) -> Option<Box<dyn Record>> {
        (from == to).then(|| object.boxed_clone())
    }
}

/// As the registry makes an object and applies to it, but for admission, preparation and storing.
pub(super) fn apply(question: &Question) -> Answer {
    let gates = Gates::default();
    let ctx = Ctx { gates: &gates, verb: Verb::Create, subresource: "", group: &question.group };
    let (served, object) = match defaulted(question, &ctx) {
        Ok(found) => found,
        Err(answer) => return *answer,
    };
    let versions = Only(question);
    let (Some(empty), name) = (versions.empty(&versions.name()), versions.name()) else {
        return Answer::unanswered(NOT_SERVED);
    };
    let request = |manager| Request {
        manager,
        api_version: &name,
        kind: &question.kind,
        subresource: "",
        reset: api_kind::reset(served.row, ""),
        now: Time { seconds: 0 },
        versions: &versions,
    };
    let mut live = served.shown(object);
    apply::track(&request("creator"), &*empty, &mut *live);
    for (index, configuration) in question.configurations.iter().enumerate() {
        let mut configuration = configuration.clone();
        configuration["apiVersion"] = name.clone().into();
        configuration["kind"] = question.kind.clone().into();
        let force = question.force && index + 1 == question.configurations.len();
        let applied = Config::parse(configuration.to_string().as_bytes())
            .and_then(|config| apply::apply(&request("applier"), &*live, &config, force));
        live = match applied {
            Ok(applied) => redefaulted(&served, &ctx, applied),
            Err(status) => return Answer::error(&status.message),
        };
    }
    for entry in object_meta_mut(&mut *live).into_iter().flat_map(|meta| &mut meta.managed_fields) {
        entry.time = None;
    }
    let mut text = Vec::new();
    json::encode(&*live, None, &mut text);
    Answer { object: serde_json::from_slice(&text).ok(), ..Answer::default() }
}

fn redefaulted(served: &Served, ctx: &Ctx<'_>, object: Box<dyn Record>) -> Box<dyn Record> {
    let mut hub = served.to_hub(object);
    api_kind::default(served.row, ctx, &mut *hub);
    served.shown(hub)
}
