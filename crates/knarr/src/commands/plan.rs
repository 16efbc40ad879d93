//! `knarr plan`: asks the server what would become of the objects of files, by dry run, and `rehearse` what would follow.

mod files;

use std::process::ExitCode;
use std::sync::Arc;

use api_record::{Bytes, Record};
use cli::arguments::{AnswerForm, PlanArguments};
use client::{Resource, Target};
use explain::Named;
use rehearse::compare::changes;
use rehearse::{Applied, Input, Outcome, Verdict, Wanted, rehearse, resources};
use serde_json::Value;

use super::ask::{Cluster, Kind};
use super::output::print;

/// What the process exits with, as `kubectl diff` has it: nothing would change, something would, something is wrong.
const CHANGES: u8 = 1;
const WRONG: u8 = 2;

/// Says what would become of the cluster.
pub async fn run(want: &PlanArguments) -> anyhow::Result<ExitCode> {
    let outcome = match outcome(want).await {
        Ok(outcome) => outcome,
        // One is that something would change.
        Err(error) if super::output::is_closed(&error) => return Err(error),
        Err(error) => {
            super::output::complain(format_args!("{error:#}"));
            return Ok(ExitCode::from(WRONG));
        }
    };
    match want.output {
        None => print(outcome.text(want.all))?,
        Some(AnswerForm::Json) => print(format_args!("{}\n", serde_json::to_string_pretty(&outcome)?))?,
        Some(AnswerForm::Yaml) => print(api_codec::yaml::from_json(&serde_json::to_vec(&outcome)?))?,
    }
    Ok(ExitCode::from(match (outcome.is_refused(), outcome.changes_something()) {
        (true, _) => WRONG,
        (false, true) => CHANGES,
        (false, false) => 0,
    }))
}

async fn outcome(want: &PlanArguments) -> anyhow::Result<Outcome> {
    let cluster = Cluster::of(&want.client)?;
    let documents = files::read(&want.filename, want.recursive)?;
    let mut asked = Asked::default();
    for document in &documents {
        asked.one(&cluster, document).await?;
    }
    let changes_something =
        asked.applied.iter().any(|applied| matches!(applied.verdict, Verdict::Created | Verdict::Changed));
    let mut outcome = match changes_something {
        true => follow(&cluster, std::mem::take(&mut asked.wanted)).await?,
        false => Outcome { settled: true, ..Outcome::default() },
    };
    outcome.applied = asked.applied;
    Ok(outcome)
}

/// What the server says of the objects, one after another.
#[derive(Default)]
struct Asked {
    applied: Vec<Applied>,
    wanted: Vec<Wanted>,
    /// Namespaces that the files make.
    namespaces: Vec<String>,
}

impl Asked {
    async fn one(&mut self, cluster: &Cluster, document: &Value) -> anyhow::Result<()> {
        let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind, name) = (text("/apiVersion"), text("/kind"), text("/metadata/name"));
        anyhow::ensure!(!api_version.is_empty() && !kind.is_empty(), "a document has no apiVersion or kind");
        anyhow::ensure!(!name.is_empty(), "a {kind} has no metadata.name: generateName cannot be applied");
        let kind = cluster
            .owner_kind(api_version, kind)
            .await
            .ok_or_else(|| anyhow::anyhow!("the server has no kind {kind} in {api_version}"))?;
        let namespace = match (kind.namespaced, text("/metadata/namespace")) {
            (false, _) => "",
            (true, "") => &cluster.namespace,
            (true, own) => own,
        };
        let mut document = document.clone();
        if kind.namespaced {
            document["metadata"]["namespace"] = namespace.into();
        }
        let target = Target {
            resource: kind.resource.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: String::new(),
        };
        let body = Bytes::from(serde_json::to_vec(&document)?);
        let named = Named::new(&kind.api_version(), &kind.kind, namespace, name);
        if self.namespaces.iter().any(|made| made == namespace) {
            self.judge_here(&kind, named, target, body);
            return Ok(());
        }
        let before = match cluster.get(&kind, namespace, name).await {
            Ok(read) => Some(read.subject.object),
            Err(status) if status.http_code() == 404 => None,
            Err(status) => anyhow::bail!("{named} cannot be read: {status}"),
        };
        self.ask(cluster, &kind, named, &target, body, before).await;
        if kind.kind == "Namespace" && kind.resource.group.is_empty() {
            self.namespaces.extend(self.made_last(name));
        }
        Ok(())
    }

    fn made_last(&self, name: &str) -> Option<String> {
        self.applied.last().filter(|last| last.verdict == Verdict::Created).map(|_| name.to_owned())
    }

    /// Its namespace is not there yet, so that the server would refuse it now and not then.
    fn judge_here(&mut self, kind: &Kind, object: Named, target: Target, body: Bytes) {
        let mut notes = Vec::new();
        match kind.built_in && resources().contains(&&kind.resource) {
            true => self.wanted.push(Wanted::Asked(target, body)),
            false => notes.push("not checked: its namespace would be made with it".to_owned()),
        }
        self.applied.push(Applied { object, verdict: Verdict::Created, changes: Vec::new(), notes });
    }

    async fn ask(
        &mut self,
        cluster: &Cluster,
        kind: &Kind,
        object: Named,
        target: &Target,
        body: Bytes,
        before: Option<Value>,
    ) {
        let mut notes = Vec::new();
        let mut answer = cluster.dry_run(kind, target, body.clone(), false).await;
        if let Err(status) = &answer
            && status.http_code() == 409
        {
            // Whoever applies has to force it, or leave the fields alone; what would follow if he does is told all the same.
            notes.push(format!("conflicts: {status}"));
            answer = cluster.dry_run(kind, target, body, true).await;
        }
        let applied = match answer {
            Err(status) => {
                notes.push(status.to_string());
                Applied { object, verdict: Verdict::Refused, changes: Vec::new(), notes }
            }
            Ok(answer) => {
                notes.extend(answer.warnings.iter().map(|warning| format!("warning: {warning}")));
                let changes =
                    before.as_ref().map(|before| changes(before, &answer.object)).unwrap_or_default();
                let verdict = match (&before, changes.is_empty()) {
                    (None, _) => Verdict::Created,
                    (Some(_), false) => Verdict::Changed,
                    (Some(_), true) => Verdict::Unchanged,
                };
                self.want(kind, answer.record, verdict);
                Applied { object, verdict, changes, notes }
            }
        };
        self.applied.push(applied);
    }

    fn want(&mut self, kind: &Kind, record: Option<Arc<dyn Record>>, verdict: Verdict) {
        // Other kinds move none of those who act.
        let acts = resources().contains(&&kind.resource) && verdict != Verdict::Unchanged;
        self.wanted
            .extend(record.filter(|_| acts).map(|record| Wanted::Answered(kind.resource.clone(), record)));
    }
}

/// What would follow, on a copy of what the cluster is now.
async fn follow(cluster: &Cluster, wanted: Vec<Wanted>) -> anyhow::Result<Outcome> {
    let lists =
        resources().into_iter().map(|resource| async move { (resource, cluster.list(resource, "").await) });
    let mut objects: Vec<(Resource, Arc<dyn Record>)> = Vec::new();
    for (resource, list) in futures_util::future::join_all(lists).await {
        let list = match list {
            Ok(list) => list,
            // An older server has none of these.
            Err(status) if status.http_code() == 404 => continue,
            // Without one of them what controllers do would be guessed.
            Err(status) => anyhow::bail!("what would follow cannot be told without {resource}: {status}"),
        };
        objects.extend(list.into_iter().map(|object| (resource.clone(), object)));
    }
    let input = Input { objects, wanted, now: cluster.clock.now() };
    let outcome = tokio::task::spawn_blocking(move || rehearse(&input)).await?;
    outcome.map_err(|status| anyhow::anyhow!("{status}"))
}
