//! An API in memory: enough of one for a scheduler. It notes what is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Binding, Node, Pod};
use api_types::object_meta;
use base::time::{SystemClock, timeout};
use client::view::{Publisher, channel};
use client::{
    Answer, Api, Body, BoxFuture, Caller, Feed, List, Outcome, RawView, Request, Revision, Scope, Verb,
};

#[derive(Default)]
struct State {
    /// By resource, then by name; all is in one namespace.
    objects: BTreeMap<(String, String), Arc<dyn Record>>,
    views: Vec<(String, Publisher)>,
    revision: u64,
    written: Vec<String>,
}

/// The API.
#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
    changed: tokio::sync::watch::Sender<u64>,
}

impl State {
    fn put(&mut self, plural: &str, object: Arc<dyn Record>) {
        self.revision += 1;
        let name = object_meta(&*object).unwrap().name.clone();
        for (_, publisher) in self.views.iter_mut().filter(|(of, _)| of == plural) {
            publisher.put(Arc::clone(&object));
            publisher.advance(Revision(self.revision));
        }
        self.objects.insert((plural.to_owned(), name), object);
    }

    fn bind(&mut self, name: &str, node: &str) {
        let found = self.objects.get(&("pods".to_owned(), name.to_owned()));
        let mut pod = found.and_then(|pod| pod.downcast_ref::<Pod>()).unwrap().clone();
        pod.spec.node_name = node.to_owned();
        self.put("pods", Arc::new(pod));
    }

    fn remove(&mut self, name: &str) -> Arc<dyn Record> {
        self.revision += 1;
        let object = self.objects.remove(&("pods".to_owned(), name.to_owned())).unwrap();
        for (_, publisher) in self.views.iter_mut().filter(|(of, _)| of == "pods") {
            publisher.delete(&*object);
            publisher.advance(Revision(self.revision));
        }
        object
    }

    fn call(&mut self, request: Request) -> Answer {
        let (plural, name) = (request.target.resource.plural.to_string(), request.target.name.clone());
        let mut outcome = Outcome::List(List::default());
        match (request.verb, request.body) {
            (Verb::Create, Body::Object(object)) if plural == "pods" => {
                let node = object.downcast_ref::<Binding>().unwrap().target.name.clone();
                self.written.push(format!("binding of {name} to {node}"));
                self.bind(&name, &node);
                outcome = Outcome::Object(Arc::from(object));
            }
            (Verb::Create, Body::Object(object)) => {
                let mut text = Vec::new();
                api_codec::json::encode(&*object, None, &mut text);
                let event: serde_json::Value = serde_json::from_slice(&text).unwrap();
                let note = event["note"].as_str().or(event["message"].as_str()).unwrap_or_default();
                self.written.push(format!("{}: {note}", event["reason"].as_str().unwrap_or_default()));
                outcome = Outcome::Object(Arc::from(object));
            }
            (Verb::Patch, Body::Patch(_, patch)) if plural == "pods" => {
                let patch: serde_json::Value = serde_json::from_slice(&patch).unwrap();
                let condition = &patch["status"]["conditions"][0];
                self.written.push(format!("{name}: {} {}", condition["type"], condition["reason"]));
                let found = self.objects.get(&(plural, name)).cloned();
                outcome = Outcome::Object(found.unwrap());
            }
            (Verb::Delete, _) => {
                self.written.push(format!("deletion of {name}"));
                outcome = Outcome::Object(self.remove(&name));
            }
            _ => {}
        }
        Answer { outcome, created: false, warnings: Vec::new() }
    }
}

impl Api for Memory {
    fn call<'a>(&'a self, _: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        let answer = self.state.lock().unwrap().call(request);
        self.changed.send_modify(|count| *count += 1);
        Box::pin(async move { Ok(answer) })
    }

    fn watch<'a>(&'a self, _: &'a Caller, _: Scope, _: Revision) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async { Err(Status::bad_request("there are no watches")) })
    }

    fn view<'a>(&'a self, _: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        let (mut publisher, view) = channel();
        let mut state = self.state.lock().unwrap();
        let plural = scope.resource.plural.to_string();
        let inside = state.objects.iter().filter(|((of, _), _)| *of == plural);
        let inside: Vec<_> = inside.map(|(_, object)| Arc::clone(object)).collect();
        publisher.replace(inside, Revision(state.revision));
        state.views.push((plural, publisher));
        Box::pin(async move { Ok(view) })
    }
}

impl Memory {
    pub fn put_node(&self, node: Node) {
        self.state.lock().unwrap().put("nodes", Arc::new(node));
    }

    pub fn put_pod(&self, pod: Pod) {
        self.state.lock().unwrap().put("pods", Arc::new(pod));
    }

    /// Binds a pod, as an extender would.
    pub fn bind(&self, name: &str, node: &str) {
        self.state.lock().unwrap().bind(name, node);
    }

    /// What was written so far.
    pub fn written(&self) -> Vec<String> {
        self.state.lock().unwrap().written.clone()
    }

    /// Waits until something was written that begins so; all of it.
    pub async fn wait_for(&self, beginning: &str) -> String {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                let written = self.written();
                if let Some(found) = written.into_iter().find(|own| own.starts_with(beginning)) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        let found = timeout(&SystemClock, std::time::Duration::from_secs(60), wait).await;
        found.unwrap_or_else(|_| panic!("in vain for {beginning}: {:?}", self.written()))
    }
}

pub fn node(name: &str, cpu: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    let amounts = [("cpu", cpu), ("memory", "64Gi"), ("pods", "10")];
    node.status.allocatable = amounts.map(|(name, amount)| (name.into(), amount.parse().unwrap())).into();
    node
}

pub fn pod(name: &str, cpu: &str) -> Pod {
    let mut pod = Pod::default();
    (pod.metadata.name, pod.metadata.namespace) = (name.into(), "default".into());
    pod.metadata.uid = format!("uid-{name}");
    pod.spec.scheduler_name = "default-scheduler".into();
    let mut container = api_types::core::v1::Container { name: "main".into(), ..Default::default() };
    container.resources.requests = [("cpu".to_owned(), cpu.parse().unwrap())].into();
    pod.spec.containers = vec![container].into();
    pod
}
