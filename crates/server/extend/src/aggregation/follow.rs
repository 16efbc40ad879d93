//! Following the APIServices, and asking each server in turn what it serves: one task a server, so that none waits for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::backoff::Backoff;
use base::random::SystemRandom;
use client::{RawView, Revision, Scope};
use serde_json::Value;
use server_local::Local;
use tokio::task::JoinHandle;

use super::ask::{Answered, Question, ask};
use super::discovery::{self, Discovered};
use super::route::{Backend, GroupVersion, Route, Routes};
use super::{API_SERVICES, Aggregation, Known, openapi};
use crate::limits;

impl Aggregation {
    /// Starts following the APIServices, and completes when it knows where to send which request. What the other servers have is
    /// found out after that, so that none of them can hold up the start.
    pub async fn follow(&self, local: &Local) {
        let view = local.shared_view(Scope::all(API_SERVICES));
        for view in [&view, &self.0.services, &self.0.slices] {
            view.reached(Revision(0)).await;
        }
        let mut polls = Polls { aggregation: self.clone(), running: BTreeMap::new() };
        let mut changed = view.changed();
        changed.mark_unchanged();
        polls.update(&view);
        tokio::spawn(async move {
            while changed.changed().await.is_ok() {
                polls.update(&view);
            }
        });
    }
}

/// The servers that are asked.
struct Polls {
    aggregation: Aggregation,
    running: BTreeMap<Backend, Poll>,
}

/// A server that is asked, until this is dropped.
struct Poll {
    routes: Vec<Arc<Route>>,
    task: JoinHandle<()>,
}

impl Drop for Poll {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Polls {
    fn update(&mut self, view: &RawView) {
        let aggregation = &self.aggregation;
        let routes = Routes::of(&view.snapshot(), aggregation.shown(), &aggregation.routes());
        let mut wanted: BTreeMap<Backend, Vec<Arc<Route>>> = BTreeMap::new();
        for route in routes.remote() {
            wanted.entry(route.backend.clone()).or_default().push(Arc::clone(route));
        }
        aggregation.set_routes(routes);
        let gone: Vec<Backend> =
            self.running.keys().filter(|backend| !wanted.contains_key(backend)).cloned().collect();
        for backend in gone {
            self.running.remove(&backend);
            aggregation.learn(&backend, None);
        }
        for (backend, routes) in wanted {
            if self.running.get(&backend).is_some_and(|poll| poll.routes == routes) {
                continue;
            }
            // What is being asked rests on what was.
            self.running.remove(&backend);
            let task = tokio::spawn(poll(aggregation.clone(), backend.clone(), routes.clone()));
            self.running.insert(backend, Poll { routes, task });
        }
    }
}

/// Asks a server again and again.
async fn poll(aggregation: Aggregation, backend: Backend, routes: Vec<Arc<Route>>) {
    let Some(first) = routes.first().cloned() else { return };
    let before = aggregation.known().get(&backend).map(|known| Known::clone(known));
    let mut server =
        Server { aggregation, route: first, known: before.unwrap_or_default(), tags: Tags::default() };
    let first = Backoff::new(limits::DISCOVERY_FIRST, limits::DISCOVERY_AGAIN);
    let mut backoff = first;
    loop {
        let wait = match server.ask_all(&backend, &routes).await {
            Ok(()) => {
                backoff = first;
                limits::DISCOVERY_AGAIN
            }
            Err(why) => {
                let Backend { namespace, name, .. } = &backend;
                tracing::debug!(%namespace, %name, %why, "aggregation.discovery");
                backoff.wait(&SystemRandom)
            }
        };
        server.aggregation.clock().sleep(wait).await;
    }
}

/// Asks a server once.
#[cfg(test)]
pub(super) async fn once(
    aggregation: &Aggregation,
    backend: &Backend,
    routes: &[Arc<Route>],
) -> Result<(), String> {
    let route = Arc::clone(&routes[0]);
    let (known, tags) = (Known::default(), Tags::default());
    let mut server = Server { aggregation: aggregation.clone(), route, known, tags };
    server.ask_all(backend, routes).await
}

/// What marks the documents that are known.
#[derive(Default)]
struct Tags {
    discovery: String,
    v3: String,
    v2: String,
}

/// A server that is asked.
struct Server {
    aggregation: Aggregation,
    route: Arc<Route>,
    known: Known,
    tags: Tags,
}

impl Server {
    async fn ask(&self, question: Question<'_>) -> Result<Answered, String> {
        let address = self.aggregation.resolve(&self.route)?;
        ask(self.aggregation.clock(), &self.route, &address, question).await
    }

    /// Finds out all that there is to know, and makes it known.
    async fn ask_all(&mut self, backend: &Backend, routes: &[Arc<Route>]) -> Result<(), String> {
        let answered = self.discover(routes).await;
        self.tell(backend, routes, answered.is_ok());
        answered?;
        self.describe(routes).await;
        self.tell(backend, routes, true);
        Ok(())
    }

    /// Finds out what it serves.
    async fn discover(&mut self, routes: &[Arc<Route>]) -> Result<(), String> {
        let known = self.tags.discovery.clone();
        let question = Question {
            path: "/apis",
            accept: discovery::ACCEPT,
            known: &known,
            limit: limits::DISCOVERY,
            ..Question::default()
        };
        let answered = self.ask(question).await?;
        match answered.status {
            304 if !known.is_empty() => return Ok(()),
            503 => return Err("503 Service Unavailable".to_owned()),
            200 if discovery::is_aggregated(answered.header("content-type")) => {
                let all = discovery::aggregated(&answered.body)
                    .ok_or_else(|| "what it serves cannot be read".to_owned())?;
                self.known.discovered = all
                    .into_iter()
                    .map(|(key, resources)| (key, Discovered { resources, fresh: true }))
                    .collect();
                answered.header("etag").clone_into(&mut self.tags.discovery);
                return Ok(());
            }
            _ => {}
        }
        // It knows the old form only, which has a document for each group and version.
        self.tags.discovery.clear();
        let mut failure = None;
        for route in routes {
            match self.list(route).await {
                Ok(resources) => {
                    let key = (route.group.clone(), route.version.clone());
                    self.known.discovered.insert(key, Discovered { resources, fresh: true });
                }
                Err(why) => failure = Some(why),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn list(&self, route: &Route) -> Result<Vec<Value>, String> {
        let path = route.root();
        let question = Question {
            path: &path,
            accept: "application/json",
            limit: limits::DISCOVERY,
            ..Question::default()
        };
        let answered = self.ask(question).await?;
        let key: GroupVersion = (route.group.clone(), route.version.clone());
        let list = discovery::listed(&answered.body, &key).filter(|_| answered.status == 200);
        list.ok_or_else(|| format!("failed to download legacy discovery for {path}: {}", answered.status))
    }

    /// Finds out how it describes what it serves. What it does not, nobody misses.
    async fn describe(&mut self, routes: &[Arc<Route>]) {
        let tag = self.tags.v3.clone();
        let json = "application/json";
        let question = Question {
            path: "/openapi/v3",
            accept: json,
            known: &tag,
            limit: limits::OPENAPI,
            ..Question::default()
        };
        match self.ask(question).await {
            Ok(answered) if answered.status == 304 => {}
            Ok(answered) if answered.status == 200 => {
                answered.header("etag").clone_into(&mut self.tags.v3);
                self.known.v3 = openapi::index(&answered.body, routes);
                self.known.without_v3 = false;
            }
            answered => {
                self.known.v3.clear();
                // Anything else may pass, and is no reason to show less than the server has.
                self.known.without_v3 = answered.is_ok_and(|answered| answered.status == 404);
            }
        }
        let tag = self.tags.v2.clone();
        let question = Question {
            path: "/openapi/v2",
            accept: json,
            known: &tag,
            limit: limits::OPENAPI,
            ..Question::default()
        };
        match self.ask(question).await {
            Ok(answered) if answered.status == 304 => {}
            Ok(answered) if answered.status == 200 => {
                answered.header("etag").clone_into(&mut self.tags.v2);
                // It may be long, and those who answer requests must not wait for it to be read.
                let (body, routes) = (answered.body, routes.to_vec());
                let read = tokio::task::spawn_blocking(move || openapi::of_routes(&body, &routes));
                let next = read.await.unwrap_or_default();
                // The same document is the same value, so that nobody makes anything of it anew.
                if next.as_ref() != self.known.v2.as_deref() {
                    self.known.v2 = next.map(Arc::new);
                }
            }
            _ => self.known.v2 = None,
        }
    }

    /// Makes it known, as far as it is asked for.
    fn tell(&mut self, backend: &Backend, routes: &[Arc<Route>], fresh: bool) {
        let mut discovered = BTreeMap::new();
        for route in routes {
            let key = (route.group.clone(), route.version.clone());
            let mut own = self.known.discovered.get(&key).cloned().unwrap_or_default();
            own.fresh = fresh;
            discovered.insert(key, own);
        }
        let Known { v3, without_v3, v2, .. } = self.known.clone();
        let next = Known { discovered, v3, without_v3, v2 };
        self.aggregation.learn(backend, Some(next));
    }
}
