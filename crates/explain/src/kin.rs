//! Whose an object is, and what is its own.

use std::collections::BTreeMap;

use api_meta::owners;
use api_record::Record;
use api_types::core::v1::Pod;
use api_types::object_meta;

use crate::answer::{Branch, Link};
use crate::evidence::{Evidence, Subject};
use crate::finding::Named;
use crate::limits::{GENERATIONS, OWNED};
use crate::{pod, workload};

/// The owners, the nearest first: of several the one that controls, as that one decides.
pub(crate) fn owners(subject: &Subject, evidence: &Evidence) -> Vec<Link> {
    let mut links = Vec::new();
    let mut meta = &subject.meta;
    while links.len() < GENERATIONS {
        let controller = owners::controller_of(meta);
        let Some(reference) = controller.or_else(|| meta.owner_references.first()) else { break };
        let found = evidence.owners.iter().find(|(named, _)| {
            named.kind == reference.kind
                && named.name == reference.name
                && named.api_version == reference.api_version
        });
        let namespace = found.map_or(&*meta.namespace, |(named, _)| &*named.namespace);
        let owner = Named::new(&reference.api_version, &reference.kind, namespace, &reference.name);
        let of = found.and_then(|(_, of)| of.as_ref());
        let unread = evidence.unread.iter().any(|unread| unread.resource == owner.to_string());
        let note = match (found, of) {
            (None, _) => "",
            (Some(_), None) if unread => "could not be read",
            (Some(_), None) => "is not there any more: the garbage collector deletes what it left",
            (_, Some(of)) if of.meta.uid != reference.uid => {
                "was made anew since: the garbage collector deletes what the old one left"
            }
            (_, Some(of)) if of.meta.deletion_timestamp.is_some() => "is being deleted",
            _ => "",
        };
        links.push(Link { owner, controller: controller.is_some(), note: note.to_owned() });
        match of.filter(|of| of.meta.uid == reference.uid) {
            Some(of) => meta = &of.meta,
            None => break,
        }
    }
    links
}

/// What an object owns, by what was read.
pub(crate) fn owned(uid: &str, evidence: &Evidence) -> Vec<Branch> {
    below(uid, evidence, GENERATIONS)
}

fn below(uid: &str, evidence: &Evidence, generations: usize) -> Vec<Branch> {
    if uid.is_empty() || generations == 0 {
        return Vec::new();
    }
    let mut branches = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (resource, object) in evidence.world.dependents_of(uid) {
        let Some(meta) = object_meta(&**object) else { continue };
        let named = Named::of(resource, meta);
        let count = counts.entry(named.kind.clone()).or_default();
        *count += 1;
        if *count > OWNED {
            continue;
        }
        let owned = below(&meta.uid, evidence, generations - 1);
        branches.push(Branch { object: named, state: state(&**object, evidence), owned });
    }
    let left = counts.into_iter().filter(|(_, count)| *count > OWNED);
    branches.extend(left.map(|(kind, count)| Branch {
        object: Named::new("", &kind, "", "…"),
        state: format!("{} more", count - OWNED),
        owned: Vec::new(),
    }));
    branches
}

/// How an object is, in a few words; empty if there is nothing to be said.
fn state(object: &dyn Record, evidence: &Evidence) -> String {
    match object.downcast_ref::<Pod>() {
        Some(pod) => pod::state(pod, evidence),
        None => workload::state(object),
    }
}
