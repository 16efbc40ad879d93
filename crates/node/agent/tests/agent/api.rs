//! An API in memory: enough of one for a node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_record::{Record, scalar};
use api_types::authentication::v1::TokenRequest;
use api_types::certificates::v1::PodCertificateRequest;
use api_types::core::v1::{Event, Node, Pod};
use api_types::{object_meta, object_meta_mut};
use client::view::{Publisher, channel};
use client::{
    Answer, Api, Body, BoxFuture, Caller, Feed, List, Outcome, RawView, Request, Resource, Revision, Scope,
    Verb,
};

type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Arc<dyn Record>>,
    revision: u64,
    views: Vec<(Scope, Publisher)>,
    /// Pods whose API objects were deleted for good, with the last status that they had.
    gone: Vec<Arc<dyn Record>>,
    /// How many changes of a status are yet to find that somebody else was faster.
    lost_races: usize,
    /// Requests for tokens; the answer to the first one is `token-1`.
    tokens: Vec<TokenRequest>,
}

/// The API.
#[derive(Default)]
pub struct Memory {
    state: Mutex<State>,
    changed: tokio::sync::watch::Sender<u64>,
}

fn in_scope(scope: &Scope, key: &Key, object: &dyn Record) -> bool {
    let pod = object.downcast_ref::<Pod>().map(|pod| &pod.spec.node_name);
    let request = object.downcast_ref::<PodCertificateRequest>().map(|request| &request.spec.node_name);
    let node = pod.or(request).map(String::as_str);
    key.0 == scope.resource.plural
        && (scope.namespace.is_empty() || scope.namespace == key.1)
        && scope.fields.matches(|field| match field {
            "spec.nodeName" => node,
            "metadata.name" => Some(&key.2),
            _ => None,
        })
}

impl State {
    fn put(&mut self, key: Key, mut object: Box<dyn Record>) -> Arc<dyn Record> {
        self.revision += 1;
        let meta = object_meta_mut(&mut *object).unwrap();
        meta.resource_version = self.revision.to_string();
        if meta.uid.is_empty() {
            meta.uid = format!("uid-{}", self.revision);
        }
        let object: Arc<dyn Record> = Arc::from(object);
        for (scope, publisher) in &mut self.views {
            if in_scope(scope, &key, &*object) {
                publisher.put(Arc::clone(&object));
                publisher.advance(Revision(self.revision));
            }
        }
        self.objects.insert(key, Arc::clone(&object));
        object
    }

    fn remove(&mut self, key: &Key) {
        self.revision += 1;
        let Some(object) = self.objects.remove(key) else { return };
        for (scope, publisher) in &mut self.views {
            if in_scope(scope, key, &*object) {
                publisher.delete(&*object);
                publisher.advance(Revision(self.revision));
            }
        }
        if key.0 == "pods" {
            self.gone.push(object);
        }
    }

    fn call(&mut self, request: Request) -> Result<Answer, Status> {
        let target = &request.target;
        let resource = GroupResource { group: &target.resource.group, resource: &target.resource.plural };
        let mut key = (target.resource.plural.to_string(), target.namespace.clone(), target.name.clone());
        let found = self.objects.get(&key).cloned();
        let missing = || Status::not_found(resource, &target.name);
        let outcome = match (request.verb, request.body) {
            (Verb::Get, _) => Outcome::Object(found.ok_or_else(missing)?),
            (Verb::List, _) => Outcome::List(List { revision: Revision(self.revision), ..List::default() }),
            (Verb::Create, Body::Object(object)) if target.subresource == "token" => {
                let mut request = object.downcast_ref::<TokenRequest>().unwrap().clone();
                self.tokens.push(request.clone());
                request.status.token = format!("token-{}", self.tokens.len());
                Outcome::Object(Arc::new(request))
            }
            (Verb::Create, Body::Object(mut object)) => {
                let meta = object_meta_mut(&mut *object).unwrap();
                if meta.name.is_empty() {
                    meta.name = format!("{}{}", meta.generate_name, self.revision);
                }
                key.2.clone_from(&meta.name);
                if self.objects.contains_key(&key) {
                    return Err(Status::already_exists(resource, &key.2));
                }
                Outcome::Object(self.put(key, object))
            }
            (Verb::Update, Body::Object(object)) => {
                let found = found.ok_or_else(missing)?;
                let (old, new) = (object_meta(&*found).unwrap(), object_meta(&*object).unwrap());
                let lost = target.subresource == "status" && self.lost_races > 0;
                self.lost_races -= usize::from(lost);
                if lost || old.resource_version != new.resource_version || old.uid != new.uid {
                    return Err(Status::conflict(resource, &key.2, "the object has been modified"));
                }
                let next = match target.subresource.as_str() {
                    "status" => with_status(&*found, &*object),
                    _ => object,
                };
                Outcome::Object(self.put(key, next))
            }
            (Verb::Delete, _) => {
                let found = found.ok_or_else(missing)?;
                let uid = request.delete.precondition.uid;
                if uid.is_some_and(|uid| uid != object_meta(&*found).unwrap().uid) {
                    return Err(Status::conflict(resource, &key.2, "the uid in the precondition differs"));
                }
                match (found.downcast_ref::<Pod>(), request.delete.grace_seconds) {
                    (Some(pod), seconds) if seconds != Some(0) => {
                        let mut pod = pod.clone();
                        let seconds = seconds.or(pod.spec.termination_grace_period_seconds).unwrap_or(30);
                        pod.metadata.deletion_timestamp = Some(scalar::Time { seconds: 1 });
                        pod.metadata.deletion_grace_period_seconds = Some(seconds);
                        Outcome::Object(self.put(key, Box::new(pod)))
                    }
                    _ => {
                        self.remove(&key);
                        Outcome::Object(found)
                    }
                }
            }
            _ => return Err(Status::bad_request("this API is too small for that")),
        };
        Ok(Answer { outcome, created: false, warnings: Vec::new() })
    }
}

fn with_status(old: &dyn Record, new: &dyn Record) -> Box<dyn Record> {
    if let (Some(old), Some(new)) = (old.downcast_ref::<Pod>(), new.downcast_ref::<Pod>()) {
        return Box::new(Pod { status: new.status.clone(), ..old.clone() });
    }
    if let (Some(old), Some(new)) = (old.downcast_ref::<Node>(), new.downcast_ref::<Node>()) {
        return Box::new(Node { status: new.status.clone(), ..old.clone() });
    }
    new.boxed_clone()
}

impl Api for Memory {
    fn call<'a>(&'a self, _who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        let answer = self.state.lock().unwrap().call(request);
        self.changed.send_modify(|count| *count += 1);
        Box::pin(async move { answer })
    }

    fn watch<'a>(
        &'a self,
        _who: &'a Caller,
        _scope: Scope,
        _from: Revision,
    ) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async { Err(Status::bad_request("this API is too small for that")) })
    }

    fn view<'a>(&'a self, _who: &'a Caller, scope: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        let (mut publisher, view) = channel();
        let mut state = self.state.lock().unwrap();
        let inside = state.objects.iter().filter(|(key, object)| in_scope(&scope, key, &***object));
        let inside: Vec<_> = inside.map(|(_, object)| Arc::clone(object)).collect();
        publisher.replace(inside, Revision(state.revision));
        state.views.push((scope, publisher));
        Box::pin(async move { Ok(view) })
    }
}

impl Memory {
    /// Has the next changes of a status find that somebody else was faster.
    pub fn lose_races(&self, races: usize) {
        self.state.lock().unwrap().lost_races = races;
    }

    /// Puts an object in place, as its owner would.
    pub fn put<T: Record>(&self, resource: &Resource, object: T) {
        let meta = object_meta(&object).unwrap();
        let key = (resource.plural.to_string(), meta.namespace.clone(), meta.name.clone());
        self.state.lock().unwrap().put(key, Box::new(object));
        self.changed.send_modify(|count| *count += 1);
    }

    pub fn get<T: Clone + 'static + Record>(&self, plural: &str, namespace: &str, name: &str) -> Option<T> {
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).and_then(|object| object.downcast_ref::<T>().cloned())
    }

    pub fn pod(&self, name: &str) -> Option<Pod> {
        self.get("pods", "default", name)
    }

    /// The requests for tokens.
    pub fn tokens(&self) -> Vec<TokenRequest> {
        self.state.lock().unwrap().tokens.clone()
    }

    /// The requests for certificates of pods, in the order in which they were made.
    pub fn certificate_requests(&self) -> Vec<PodCertificateRequest> {
        let state = self.state.lock().unwrap();
        let found =
            state.objects.values().filter_map(|object| object.downcast_ref::<PodCertificateRequest>());
        let mut found: Vec<_> = found.cloned().collect();
        found.sort_by_key(|request| request.metadata.resource_version.parse::<u64>().unwrap());
        found
    }

    /// The last that was seen of a pod that was deleted for good.
    pub fn gone(&self, name: &str) -> Option<Pod> {
        let state = self.state.lock().unwrap();
        let mut pods = state.gone.iter().rev().filter_map(|object| object.downcast_ref::<Pod>());
        pods.find(|pod| pod.metadata.name == name).cloned()
    }

    /// The events about an object, as `type reason message`.
    pub fn events(&self, name: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let events = state.objects.values().filter_map(|object| object.downcast_ref::<Event>());
        events
            .filter(|event| event.involved_object.name == name)
            .map(|event| format!("{} {} {}", event.type_, event.reason, event.message))
            .collect()
    }

    /// Waits until something holds.
    pub async fn until<T>(&self, what: &str, check: impl Fn(&Memory) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                if let Some(found) = check(self) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        match base::time::timeout(&base::time::SystemClock, crate::lab::patience(), wait).await {
            Ok(found) => found,
            Err(_) => panic!(
                "in vain for {what}: {:?}",
                self.state.lock().unwrap().objects.values().collect::<Vec<_>>()
            ),
        }
    }
}
