//! `knarr why`: reads what the answer needs, and prints it. `explain` says what is needed, and what the answer is.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::owners;
use api_record::Record;
use api_types::object_meta;
use cli::arguments::{AnswerForm, WhyArguments};
use client::{Resource, Revision, Snapshot};
use explain::reading::{self, Need};
use explain::{Evidence, Named, Subject, Unread};

use super::ask::{Cluster, Kind, Read};
use super::output::print;

/// How many owners are followed upwards.
const GENERATIONS: usize = explain::limits::GENERATIONS;

/// Answers why an object is as it is.
pub async fn run(want: &WhyArguments) -> anyhow::Result<()> {
    let cluster = Cluster::of(&want.client)?;
    let (word, name) = words(&want.object)?;
    let kind = cluster.kind(word).await?;
    let read =
        cluster.get(&kind, &cluster.namespace, name).await.map_err(|status| anyhow::anyhow!("{status}"))?;
    let evidence = gather(&cluster, &kind, &read).await;
    let answer = explain::why(&read.subject, &evidence);
    match want.output {
        None => print(answer.text(evidence.now, want.all))?,
        Some(AnswerForm::Json) => print(format_args!("{}\n", serde_json::to_string_pretty(&answer)?))?,
        Some(AnswerForm::Yaml) => print(api_codec::yaml::from_json(&serde_json::to_vec(&answer)?))?,
    }
    Ok(())
}

/// Type and name of what is asked about.
fn words(object: &[String]) -> anyhow::Result<(&str, &str)> {
    let parts = match object {
        [one] => one.split_once('/'),
        [word, name] => Some((word.as_str(), name.as_str())),
        _ => None,
    };
    match parts {
        Some((word, name)) if !word.is_empty() && !name.is_empty() && !name.contains('/') => Ok((word, name)),
        _ => anyhow::bail!("{:?} names no object: say TYPE/NAME, such as pod/web-1", object.join(" ")),
    }
}

/// Reads what is needed, and notes what cannot be read.
async fn gather(cluster: &Cluster, kind: &Kind, read: &Read) -> Evidence {
    let mut gathered = Gathered {
        subject: read.record.clone().map(|record| (kind.resource.clone(), record)),
        ..Gathered::default()
    };
    gathered.read(cluster, reading::first(&read.subject)).await;
    let mut evidence = gathered.evidence(cluster);
    let more = reading::then(&read.subject, &evidence);
    if !more.is_empty() {
        gathered.read(cluster, more).await;
        evidence = gathered.evidence(cluster);
    }
    ancestors(cluster, &read.subject, &mut evidence).await;
    evidence
}

/// The lists that were read.
#[derive(Default)]
struct Gathered {
    subject: Option<(Resource, Arc<dyn Record>)>,
    /// By resource: of which namespace, empty for all, and the objects.
    lists: BTreeMap<Resource, (String, Vec<Arc<dyn Record>>)>,
    unread: Vec<Unread>,
}

impl Gathered {
    async fn read(&mut self, cluster: &Cluster, needs: Vec<Need>) {
        let has = |need: &Need| {
            self.lists.get(need.resource).is_some_and(|(of, _)| of.is_empty() || *of == need.namespace)
        };
        let needs: Vec<Need> = needs.into_iter().filter(|need| !has(need)).collect();
        let lists = needs.iter().map(|need| cluster.list(need.resource, &need.namespace));
        let lists = futures_util::future::join_all(lists).await;
        for (need, list) in needs.into_iter().zip(lists) {
            match list {
                Ok(items) => drop(self.lists.insert(need.resource.clone(), (need.namespace, items))),
                Err(status) => {
                    let unread = Unread { resource: need.resource.to_string(), why: status.to_string() };
                    if !self.unread.contains(&unread) {
                        self.unread.push(unread);
                    }
                }
            }
        }
    }

    fn evidence(&self, cluster: &Cluster) -> Evidence {
        let mut evidence =
            Evidence { now: cluster.clock.now(), unread: self.unread.clone(), ..Evidence::default() };
        let mut lists = self.lists.clone();
        if let Some((resource, record)) = &self.subject {
            let (_, items) = lists.entry(resource.clone()).or_insert_with(|| ("-".to_owned(), Vec::new()));
            let key = |record: &dyn Record| {
                object_meta(record).map(|meta| (meta.namespace.clone(), meta.name.clone()))
            };
            let own = key(&**record);
            // The object is shown as it was when it was asked about.
            items.retain(|item| key(&**item) != own);
            items.push(Arc::clone(record));
        }
        for (resource, (namespace, items)) in lists {
            if !namespace.is_empty() {
                evidence.partial.insert(resource.clone());
            }
            evidence.world.show(resource, Arc::new(Snapshot::of(items, Revision(1))));
        }
        evidence
    }
}

/// Reads the owners, one above the other.
async fn ancestors(cluster: &Cluster, subject: &Subject, evidence: &mut Evidence) {
    let mut meta = subject.meta.clone();
    while evidence.owners.len() < GENERATIONS {
        let Some(owner) = owners::controller_of(&meta).or_else(|| meta.owner_references.first()) else {
            return;
        };
        let mut named = Named::new(&owner.api_version, &owner.kind, "", &owner.name);
        let read = match cluster.owner_kind(&owner.api_version, &owner.kind).await {
            Some(kind) => {
                if kind.namespaced {
                    named.namespace.clone_from(&meta.namespace);
                }
                cluster
                    .get(&kind, &meta.namespace, &owner.name)
                    .await
                    .map_err(|status| (status.http_code() == 404, status.to_string()))
            }
            None => Err((false, "its kind is not served".to_owned())),
        };
        match read {
            Ok(read) => {
                meta = read.subject.meta.clone();
                evidence.owners.push((named, Some(read.subject)));
            }
            Err((is_absent, why)) => {
                if !is_absent {
                    evidence.unread.push(Unread { resource: named.to_string(), why });
                }
                evidence.owners.push((named, None));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_has_them() {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        for (given, wanted) in [
            (&["pod/web-1"][..], Some(("pod", "web-1"))),
            (&["pod", "web-1"], Some(("pod", "web-1"))),
            (&["widgets.example.com/big"], Some(("widgets.example.com", "big"))),
            (&["pod"], None),
            (&["pod/"], None),
            (&["pod/a/b"], None),
            (&["pod", "a/b"], None),
        ] {
            let given = of(given);
            assert_eq!(words(&given).ok(), wanted, "{given:?}");
        }
    }
}
