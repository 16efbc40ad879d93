//! What Knarr's scheduler makes of a cluster and a pod that a node is looked for.

use api_codec::json;
use api_codec::limits::Limits;
use api_kind::{Ctx, Gates, Verb};
use api_record::Record;
use api_types::core::v1::{Namespace, Node, Pod, Service};
use api_types::policy::v1::PodDisruptionBudget;
use base::time::Time;
use scheduler::{Config, Event, Judgement, Scheduler, Survey};
use serde_json::{Map, Value, json};

use crate::oracle::question::{Answer, Question};

/// The scheduler sees all that is there, then the pod, and says what it makes of each node.
pub fn schedule(question: &Question) -> Answer {
    match placed(&question.object) {
        Ok(placed) => Answer { object: Some(placed), ..Answer::default() },
        Err(error) => Answer::error(&error),
    }
}

fn placed(told: &Value) -> Result<Value, String> {
    let config = match &told["configuration"] {
        Value::Null => Config::default(),
        said => {
            let read = scheduler_config::read(said.to_string().as_bytes());
            read.map_err(|error| error.to_string())?.scheduler
        }
    };
    let mut scheduler = Scheduler::new(config);
    let now = Time::from_unix_seconds(0);
    let mut names: Vec<String> = Vec::new();
    for namespace in objects::<Namespace>(told, "namespaces", "namespaces")? {
        scheduler.step(Event::Namespace(&namespace), now);
    }
    for node in objects::<Node>(told, "nodes", "nodes")? {
        names.push(node.metadata.name.clone());
        scheduler.step(Event::Node(&node), now);
    }
    for service in objects::<Service>(told, "services", "services")? {
        scheduler.step(Event::Service(&service), now);
    }
    for budget in objects::<PodDisruptionBudget>(told, "budgets", "poddisruptionbudgets")? {
        scheduler.step(Event::Budget(&budget), now);
    }
    for pod in objects::<Pod>(told, "pods", "pods")? {
        scheduler.step(Event::Pod(&with_uid(pod)), now);
    }
    let pod = with_uid(object::<Pod>(&told["pod"], "pods")?);
    scheduler.step(Event::Pod(&pod), now);
    let survey = scheduler.survey(&pod.metadata.uid).ok_or("no profile is the pod's")?;
    Ok(shown(&survey, &names))
}

fn with_uid(mut pod: Pod) -> Pod {
    pod.metadata.uid = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
    pod
}

fn objects<T: Record + Default>(told: &Value, list: &str, plural: &str) -> Result<Vec<T>, String> {
    told[list].as_array().into_iter().flatten().map(|value| object(value, plural)).collect()
}

/// An object as an API server stores it.
fn object<T: Record + Default>(value: &Value, plural: &str) -> Result<T, String> {
    let mut object = T::default();
    json::decode(value.to_string().as_bytes(), &mut object, None, Limits::RESPONSE)
        .map_err(|error| error.to_string())?;
    let group = if plural == "poddisruptionbudgets" { "policy" } else { "" };
    let gates = Gates::default();
    let ctx = Ctx { gates: &gates, verb: Verb::Create, subresource: "", group };
    let row = api_kinds_all::row(group, plural).ok_or("no such resource")?;
    api_kind::default(row, &ctx, &mut object);
    Ok(object)
}

fn shown(survey: &Survey, names: &[String]) -> Value {
    let nodes: Vec<Value> =
        names.iter().filter_map(|name| survey.nodes.get(name.as_str())).map(judgement_shown).collect();
    let mut shown = Map::new();
    if !survey.message.is_empty() {
        shown.insert("message".into(), survey.message.as_str().into());
    }
    shown.insert("nodes".into(), if nodes.is_empty() { Value::Null } else { nodes.into() });
    shown.into()
}

fn judgement_shown(judgement: &Judgement) -> Value {
    let mut shown = Map::new();
    if let Some(plugin) = judgement.plugin {
        shown.insert("plugin".into(), plugin.into());
    }
    if !judgement.reasons.is_empty() {
        let mut reasons = judgement.reasons.clone();
        reasons.sort_unstable();
        shown.insert("reasons".into(), reasons.into());
    }
    if !judgement.scores.is_empty() {
        let given = judgement.scores.iter().filter(|(_, value)| **value != 0);
        let mut scores: Map<String, Value> =
            given.map(|(score, value)| (score.name().to_owned(), (*value).into())).collect();
        scores.insert("total".into(), judgement.scores.values().sum::<i64>().into());
        shown.insert("scores".into(), scores.into());
    }
    if !judgement.victims.is_empty() {
        let mut victims: Vec<String> =
            judgement.victims.iter().map(|victim| format!("{}/{}", victim.namespace, victim.name)).collect();
        victims.sort_unstable();
        shown.insert("victims".into(), json!(victims));
    }
    if judgement.violations > 0 {
        shown.insert("violations".into(), judgement.violations.into());
    }
    for (name, holds) in [("final", judgement.is_final), ("best", judgement.is_best)] {
        if holds {
            shown.insert(name.into(), true.into());
        }
    }
    shown.into()
}
