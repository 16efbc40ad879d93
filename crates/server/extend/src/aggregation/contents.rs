//! What other API servers keep in a namespace, for the end of namespaces.
//!
//! Follows `pkg/controller/namespace/deletion`, which asks for these objects as for any others. Nothing is said to be gone that could not be
//! asked for.

use client::{Caller, Resource};
use serde_json::Value;

use super::Aggregation;
use super::ask::{Answered, Question, ask};
use super::route::{GroupVersion, Route};
use crate::limits::CONTENTS;

/// The objects of a resource that are left in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The resource.
    pub resource: Resource,
    /// How many.
    pub count: usize,
}

impl Aggregation {
    /// The groups and versions of which nobody can say what they have now.
    pub fn unknown(&self) -> Vec<GroupVersion> {
        let (routes, known) = (self.routes(), self.known());
        let unknown = routes.remote().filter(|route| {
            let key = (route.group.clone(), route.version.clone());
            let own = known.get(&route.backend).and_then(|own| own.discovered.get(&key));
            own.is_none_or(|own| !own.fresh)
        });
        unknown.map(|route| (route.group.clone(), route.version.clone())).collect()
    }

    /// Whether other API servers serve anything.
    pub fn is_used(&self) -> bool {
        self.routes().remote().next().is_some()
    }

    /// Deletes what other API servers keep in a namespace, as `who`, and answers what is left.
    ///
    /// # Errors
    /// Why something could not be deleted, or asked for.
    pub async fn empty(&self, who: &Caller, namespace: &str) -> Result<Vec<Left>, String> {
        let (routes, known) = (self.routes(), self.known());
        let mut left = Vec::new();
        for route in routes.remote() {
            let key = (route.group.clone(), route.version.clone());
            let own = known.get(&route.backend).and_then(|own| own.discovered.get(&key));
            for resource in own.iter().flat_map(|own| &own.resources) {
                let can = |verb: &str| {
                    resource["verbs"].as_array().is_some_and(|own| own.iter().any(|own| own == verb))
                };
                let Some(plural) = resource["resource"].as_str() else { continue };
                if resource["scope"] != "Namespaced" || !can("delete") || !can("list") {
                    continue;
                }
                let path = format!("{}/namespaces/{namespace}/{plural}", route.root());
                let count = self.empty_one(who, route, &path, can("deletecollection")).await?;
                if count > 0 {
                    let [group, version, plural] = [&route.group, &route.version, plural].map(str::to_owned);
                    let resource =
                        Resource { group: group.into(), version: version.into(), plural: plural.into() };
                    left.push(Left { resource, count });
                }
            }
        }
        Ok(left)
    }

    /// How many objects are left at a path.
    async fn empty_one(
        &self,
        who: &Caller,
        route: &Route,
        path: &str,
        at_once: bool,
    ) -> Result<usize, String> {
        if at_once {
            self.exchange(who, route, path, true).await?;
        } else {
            for name in names(&self.exchange(who, route, path, false).await?) {
                self.exchange(who, route, &format!("{path}/{name}"), true).await?;
            }
        }
        Ok(names(&self.exchange(who, route, path, false).await?).len())
    }

    async fn exchange(
        &self,
        who: &Caller,
        route: &Route,
        path: &str,
        deletes: bool,
    ) -> Result<Answered, String> {
        let address = self.resolve(route)?;
        let (accept, who) = ("application/json", Some(who));
        let question = Question { path, accept, who, deletes, limit: CONTENTS, known: "" };
        let answered = ask(self.clock(), route, &address, question).await?;
        match answered.status {
            200..300 => Ok(answered),
            // It is gone already.
            404 if deletes => Ok(answered),
            status => Err(format!("{path} is answered with {status}")),
        }
    }
}

/// The names of the objects of a list.
fn names(list: &Answered) -> Vec<String> {
    let list: Value = serde_json::from_slice(&list.body).unwrap_or_default();
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned)).collect()
}
