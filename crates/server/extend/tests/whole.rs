//! Definitions over the pipeline and a store in memory: made, served, changed, deleted.

#[path = "whole/conversion.rs"]
mod conversion;

use std::sync::Arc;
use std::time::Duration;

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_custom::CustomObject;
use api_record::Record;
use api_types::apiextensions::v1::CustomResourceDefinition;
use api_types::authentication::v1::TokenRequest;
use api_types::autoscaling::v1::Scale;
use api_types::core::v1::ServiceAccount;
use api_types::{GroupVersionKind, object_meta};
use base::drain;
use base::random::SystemRandom;
use base::time::{Clock, SystemClock};
use client::reconcile::Inspector;
use client::{
    Api as _, Body, BoxFuture, Caller, Event, List, Outcome, PatchKind, Request, Resource, Revision, Scope,
    Status, Target, Verb,
};
use futures_util::StreamExt as _;
use server_extend::aggregation::Aggregation;
use server_local::{Direct, Local, Policy, TokenIssuer};
use server_registry::admit::Everything;
use server_registry::{Catalog, Registry, Shared};
use store::MemoryStore;

struct NoTokens;

impl TokenIssuer for NoTokens {
    fn issue<'a>(
        &'a self,
        _: &'a Direct,
        _: &'a Caller,
        _: &'a ServiceAccount,
        _: TokenRequest,
    ) -> BoxFuture<'a, Result<TokenRequest, Status>> {
        Box::pin(async { Err(Status::bad_request("no tokens")) })
    }
}

const DEFINITIONS: Resource = Resource::of("apiextensions.k8s.io", "v1", "customresourcedefinitions");
const THINGS: Resource = Resource::of("example.com", "v1", "things");

const DEFINITION: &str = "
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, kind: Thing, shortNames: [th], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1}
              color: {type: string, default: red, enum: [red, blue]}
          status:
            type: object
            properties:
              size: {type: integer}
              selector: {type: string}
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size, labelSelectorPath: .status.selector}
    selectableFields: [{jsonPath: .spec.color}]
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
  - name: v2
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

/// A server without HTTP.
struct World {
    local: Local,
    _signal: drain::Signal,
}

fn administrator() -> Caller {
    Caller::new("admin", &["system:masters"])
}

impl World {
    async fn new() -> World {
        World::with(|registry| registry).await
    }

    /// One whose definitions' webhooks are these.
    async fn asking(webhooks: Arc<dyn server_webhook::Webhooks>) -> World {
        let conversion = Arc::new(server_extend::Conversion::new(webhooks, Arc::new(SystemRandom)));
        World::with(|registry| registry.with_conversion(conversion)).await
    }

    async fn with(change: impl FnOnce(Registry) -> Registry) -> World {
        let shared = Shared {
            store: Arc::new(MemoryStore::new()),
            catalog: Catalog::new(),
            gates: api_kind::Gates::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let registry = change(Registry::new(Arc::new(shared), Arc::new(Everything)));
        let direct =
            Direct::new(registry, Arc::new(Policy::default()), Arc::new(NoTokens), Arc::new(SystemClock));
        let local = Local::new(direct);
        local.follow().await;
        server_extend::follow(&local).await;
        let (signal, watch) = drain::channel();
        let inspector = Arc::new(Inspector::default());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let aggregation = Aggregation::new(&local, None, Arc::clone(&clock));
        tokio::spawn(server_extend::run(local.clone(), aggregation, clock, inspector, watch));
        World { local, _signal: signal }
    }

    async fn ask(&self, verb: Verb, target: Target, body: Body) -> Result<client::Answer, Status> {
        let mut request = Request::new(verb, target);
        request.body = body;
        // Authorization has its own tests; nobody has rules here.
        self.local.direct().call(&administrator(), request).await
    }

    async fn object(&self, verb: Verb, target: Target, body: Body) -> Result<Arc<dyn Record>, Status> {
        match self.ask(verb, target, body).await?.outcome {
            Outcome::Object(object) => Ok(object),
            _ => panic!("an object was asked for"),
        }
    }

    async fn list(&self, resource: Resource, fields: &str) -> Result<List, Status> {
        let mut request = Request::new(Verb::List, at(resource, "", "", ""));
        request.list.fields = fields.to_owned();
        match self.local.direct().call(&administrator(), request).await?.outcome {
            Outcome::List(list) => Ok(list),
            _ => panic!("a list was asked for"),
        }
    }

    /// Makes a definition, and waits until it is established.
    async fn define(&self, text: &str) {
        let object = Body::Object(read(text, Box::new(CustomResourceDefinition::default())));
        self.object(Verb::Create, at(DEFINITIONS, "", "", ""), object).await.expect("a definition");
        self.until(|definition| definition.is_some_and(|own| is_true(own, "Established"))).await;
    }

    /// Waits until the definition of things is as wanted.
    async fn until(&self, wanted: impl Fn(Option<&CustomResourceDefinition>) -> bool) {
        let view = self.local.shared_view(Scope::all(DEFINITIONS));
        let mut changed = view.changed();
        let wait = async {
            loop {
                let snapshot = view.snapshot();
                let found = snapshot.get("", "things.example.com");
                if wanted(found.and_then(|own| own.downcast_ref())) {
                    return;
                }
                changed.changed().await.expect("the view is kept");
            }
        };
        within(wait).await.expect("it comes to that");
    }

    async fn thing(&self, text: &str) -> Result<Arc<dyn Record>, Status> {
        let object = read(text, Box::new(CustomObject::default()));
        self.object(Verb::Create, at(THINGS, "default", "", ""), Body::Object(object)).await
    }
}

fn is_true(definition: &CustomResourceDefinition, type_: &str) -> bool {
    definition.status.conditions.iter().any(|own| own.type_ == type_ && own.status == "True")
}

/// What a future comes to, which must be soon.
async fn within<T>(future: impl Future<Output = T>) -> Result<T, impl std::fmt::Debug> {
    base::time::timeout(&SystemClock, Duration::from_secs(30), future).await
}

fn at(resource: Resource, namespace: &str, name: &str, subresource: &str) -> Target {
    Target {
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
    }
}

fn read(text: &str, mut object: Box<dyn Record>) -> Box<dyn Record> {
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("the test's text is YAML");
    json::decode(&text, &mut *object, None, Limits::REQUEST).expect("the test's text is an object");
    object
}

/// The JSON of an object without its metadata.
fn body(object: &dyn Record) -> String {
    let mut text = Vec::new();
    let kind = GroupVersionKind { group: "example.com", version: "v1", kind: "Thing" };
    let mut object = object.boxed_clone();
    *api_types::object_meta_mut(&mut *object).expect("metadata") = Default::default();
    json::encode(&*object, Some(&kind), &mut text);
    let text = String::from_utf8(text).expect("JSON");
    text.replace(r#""kind":"Thing","apiVersion":"example.com/v1","metadata":{},"#, "")
}

fn merge(text: &'static str) -> Body {
    Body::Patch(PatchKind::Merge, text.as_bytes().into())
}

#[tokio::test]
async fn objects_are_filled_judged_and_kept_as_their_definition_says() {
    let world = World::new().await;
    world.define(DEFINITION).await;
    let made = world.thing("{metadata: {name: a}, spec: {size: 2}, status: {size: 9}}").await.expect("made");
    assert_eq!(body(&*made), r#"{"spec":{"color":"red","size":2}}"#);
    let refused = world.thing("{metadata: {name: b}, spec: {size: 0, color: green}}").await.expect_err("bad");
    assert_eq!(
        refused.message,
        r#"Thing.example.com "b" is invalid: [spec.color: Unsupported value: "green": supported values: "red", "blue", spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1]"#
    );
    let refused = world.thing("{metadata: {name: b}, spec: {}}").await.expect_err("bad");
    assert_eq!(refused.message, r#"Thing.example.com "b" is invalid: spec.size: Required value"#);
    let red = world.list(THINGS, "spec.color=red").await.expect("a list");
    let blue = world.list(THINGS, "spec.color=blue").await.expect("a list");
    assert_eq!((red.items.len(), blue.items.len()), (1, 0));
    let unknown = world.list(THINGS, "spec.size=2").await.err().expect("not selectable");
    assert_eq!(unknown.message, "field label not supported: spec.size");
}

#[tokio::test]
async fn generation_counts_all_but_the_metadata_and_the_status() {
    let world = World::new().await;
    world.define(DEFINITION).await;
    world.thing("{metadata: {name: a}, spec: {size: 2}}").await.expect("made");
    let thing = |part: &str| at(THINGS, "default", "a", part);
    let generation = |object: &dyn Record| object_meta(object).map(|meta| meta.generation);
    let patch = r#"{"metadata":{"labels":{"x":"y"}},"status":{"size":5},"unknown":1}"#;
    let same = world.object(Verb::Patch, thing(""), merge(patch)).await.expect("patched");
    assert_eq!(
        (generation(&*same), body(&*same)),
        (Some(1), r#"{"spec":{"color":"red","size":2}}"#.to_owned())
    );
    let status =
        r#"{"metadata":{"labels":{"x":"z"}},"status":{"size":5,"selector":"a=b"},"spec":{"size":7}}"#;
    let status = world.object(Verb::Patch, thing("status"), merge(status)).await.expect("patched");
    assert_eq!(generation(&*status), Some(1));
    assert_eq!(body(&*status), r#"{"spec":{"color":"red","size":2},"status":{"selector":"a=b","size":5}}"#);
    assert_eq!(object_meta(&*status).map(|meta| meta.labels["x"].as_str()), Some("y"));
    let scale = world.object(Verb::Get, thing("scale"), Body::Empty).await.expect("a scale");
    let scale: &Scale = scale.downcast_ref().expect("a scale");
    assert_eq!((scale.spec.replicas, scale.status.replicas), (2, 5));
    assert_eq!(scale.status.selector, "a=b");
    world.object(Verb::Patch, thing("scale"), merge(r#"{"spec":{"replicas":4}}"#)).await.expect("scaled");
    let scaled = world.object(Verb::Get, thing(""), Body::Empty).await.expect("there");
    assert_eq!(generation(&*scaled), Some(2));
    assert!(body(&*scaled).contains(r#""size":4"#));
    let strategic = Body::Patch(PatchKind::Strategic, b"{}".as_slice().into());
    let refused = world.object(Verb::Patch, thing(""), strategic).await.expect_err("refused");
    assert_eq!(refused.code, 415);
}

#[tokio::test]
async fn each_version_shows_the_same_objects_by_its_own_schema() {
    let world = World::new().await;
    world.define(DEFINITION).await;
    world.thing("{metadata: {name: a}, spec: {size: 2}}").await.expect("made");
    let second = Resource::of("example.com", "v2", "things");
    let text = r#"{"spec":{"more":{"a":[1,null,0.5]}}}"#;
    let patched = world.object(Verb::Patch, at(second.clone(), "default", "a", ""), merge(text)).await;
    assert_eq!(
        body(&*patched.expect("patched")),
        r#"{"spec":{"color":"red","more":{"a":[1,null,0.5]},"size":2}}"#
    );
    let first = world.object(Verb::Get, at(THINGS, "default", "a", ""), Body::Empty).await.expect("there");
    assert_eq!(body(&*first), r#"{"spec":{"color":"red","size":2}}"#);
}

#[tokio::test]
async fn a_default_that_comes_later_is_seen_in_what_was_stored_before() {
    let world = World::new().await;
    world.define(DEFINITION).await;
    world.thing("{metadata: {name: a}, spec: {size: 2}}").await.expect("made");
    let text = r#"[{"op":"add","path":"/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/shape","value":{"type":"string","default":"round"}}]"#;
    let patch = Body::Patch(PatchKind::Json, text.as_bytes().into());
    let target = at(DEFINITIONS, "", "things.example.com", "");
    world.object(Verb::Patch, target, patch).await.expect("patched");
    world.until(|own| own.is_some_and(|own| own.metadata.generation == 2)).await;
    let shown = async {
        loop {
            let target = at(THINGS, "default", "a", "");
            let object = world.object(Verb::Get, target, Body::Empty).await.expect("there");
            if body(&*object).contains(r#""shape":"round""#) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(shown).await.expect("it is shown");
}

#[tokio::test]
async fn a_definition_goes_after_its_objects_and_ends_their_watches() {
    let world = World::new().await;
    world.define(DEFINITION).await;
    world.thing("{metadata: {name: a}, spec: {size: 2}}").await.expect("made");
    let who = administrator();
    let direct = world.local.direct();
    let mut feed = direct.watch(&who, Scope::all(THINGS), Revision(0)).await.expect("a watch");
    assert!(matches!(feed.next().await, Some(Ok(Event::Added(_)))));
    world.ask(Verb::Delete, at(DEFINITIONS, "", "things.example.com", ""), Body::Empty).await.expect("asked");
    let refused = async {
        loop {
            match world.thing("{metadata: {generateName: b}, spec: {size: 2}}").await {
                Ok(_) => tokio::task::yield_now().await,
                Err(status) => return status.code,
            }
        }
    };
    let code = within(refused).await.expect("it is refused");
    assert!(code == 405 || code == 404, "{code}");
    world.until(|own| own.is_none()).await;
    let told = async {
        let mut told = Vec::new();
        while let Some(Ok(event)) = feed.next().await {
            told.push(matches!(event, Event::Deleted(_)));
        }
        told
    };
    let told = within(told).await.expect("the watch ends");
    assert_eq!(told.last(), Some(&true), "the last that it tells is a deletion");
    let gone = async {
        while world.list(THINGS, "").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    within(gone).await.expect("it is served no more");
    world.define(DEFINITION).await;
    assert_eq!(world.list(THINGS, "").await.expect("a list").items.len(), 0);
}

#[tokio::test]
async fn a_refused_name_keeps_a_definition_from_being_served() {
    let world = World::new().await;
    world.define(DEFINITION).await;
    let other = DEFINITION.replace("things", "others").replace("[th]", "[ot]");
    let object = Body::Object(read(&other, Box::new(CustomResourceDefinition::default())));
    world.object(Verb::Create, at(DEFINITIONS, "", "", ""), object).await.expect("a definition");
    let view = world.local.shared_view(Scope::all(DEFINITIONS));
    let mut changed = view.changed();
    loop {
        let snapshot = view.snapshot();
        let own = snapshot.get("", "others.example.com").and_then(|own| {
            let own: &CustomResourceDefinition = own.downcast_ref()?;
            own.status.conditions.iter().find(|own| own.type_ == "NamesAccepted").cloned()
        });
        if let Some(condition) = own {
            assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "ListKindConflict"));
            break;
        }
        changed.changed().await.expect("the view is kept");
    }
    let others = Resource::of("example.com", "v1", "others");
    assert_eq!(world.list(others, "").await.err().map(|status| status.code), Some(404));
}
