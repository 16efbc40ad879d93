//! Versions that a webhook makes of each other: what is kept is of one, what is shown of another.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use server_webhook::{Answer, Call, CallError, Webhooks};

use super::*;

const CONVERTED: &str = "
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: things, kind: Thing}
  conversion:
    strategy: Webhook
    webhook: {conversionReviewVersions: [v1], clientConfig: {url: 'https://hook.example/convert'}}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {hostPort: {type: string}}}}}
  - {name: v2, served: true, storage: false, schema: {openAPIV3Schema: {type: object, properties: {host: {type: string}, port: {type: string}}}}}
";

const SECOND: Resource = Resource::of("example.com", "v2", "things");

/// Makes `hostPort` of `host` and `port`, and back; counts what it is asked.
#[derive(Default)]
struct Hook {
    fails: AtomicBool,
    calls: AtomicUsize,
    sizes: Mutex<Vec<usize>>,
}

impl Hook {
    fn converted(mut object: serde_json::Value, to: &str) -> serde_json::Value {
        object["apiVersion"] = to.into();
        let fields = object.as_object_mut().expect("an object");
        let text = |value: Option<serde_json::Value>| value.and_then(|own| own.as_str().map(str::to_owned));
        if to.ends_with("/v2") {
            if let Some(both) = text(fields.shift_remove("hostPort")) {
                let (host, port) = both.split_once(':').expect("a host and a port");
                fields.insert("host".into(), host.into());
                fields.insert("port".into(), port.into());
            }
        } else if let (Some(host), Some(port)) =
            (text(fields.shift_remove("host")), text(fields.shift_remove("port")))
        {
            fields.insert("hostPort".into(), format!("{host}:{port}").into());
        }
        object["metadata"]["annotations"]["converted"] = to.into();
        object
    }
}

impl Webhooks for Hook {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer, CallError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if self.fails.load(Ordering::Relaxed) {
                let why = "Post \"https://hook.example/convert?timeout=30s\": dial tcp: connection refused";
                return Err(CallError::Unanswered(why.to_owned()));
            }
            let review: serde_json::Value = serde_json::from_slice(&call.body).expect("a review");
            let to = review["request"]["desiredAPIVersion"].as_str().expect("a version");
            let objects = review["request"]["objects"].as_array().expect("objects");
            self.sizes.lock().expect("nobody panics with it").push(objects.len());
            let objects: Vec<_> = objects.iter().map(|own| Hook::converted(own.clone(), to)).collect();
            let answer = serde_json::json!({
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "ConversionReview",
                "response": { "uid": review["request"]["uid"], "result": { "status": "Success" }, "convertedObjects": objects },
            });
            Ok(Answer { type_meta: Default::default(), body: answer.to_string().into() })
        })
    }
}

async fn thing(world: &World, version: &Resource, name: &str, fields: &str) -> Result<String, Status> {
    let object =
        read(&format!("{{metadata: {{name: {name}}}, {fields}}}"), Box::new(CustomObject::default()));
    let made =
        world.object(Verb::Create, at(version.clone(), "default", "", ""), Body::Object(object)).await?;
    Ok(body(&*made))
}

async fn shown(world: &World, version: &Resource, name: &str) -> Result<String, Status> {
    let found = world.object(Verb::Get, at(version.clone(), "default", name, ""), Body::Empty).await?;
    Ok(body(&*found))
}

#[tokio::test]
async fn each_version_is_made_of_what_is_kept() {
    let hook = Arc::new(Hook::default());
    let world = World::asking(hook.clone()).await;
    world.define(CONVERTED).await;
    let (first, second) = (r#"{"hostPort":"h:1"}"#, r#"{"host":"h","port":"1"}"#);
    assert_eq!(thing(&world, &THINGS, "a", "hostPort: 'h:1'").await.as_deref(), Ok(first));
    assert_eq!(hook.calls.load(Ordering::Relaxed), 0, "what is stored as it came is not converted");
    assert_eq!(shown(&world, &SECOND, "a").await.as_deref(), Ok(second));
    assert_eq!(shown(&world, &SECOND, "a").await.as_deref(), Ok(second));
    assert_eq!(hook.calls.load(Ordering::Relaxed), 1, "what was converted is remembered");
    // Written in the other version: made of the stored one for the change, and the stored one of it.
    assert_eq!(
        thing(&world, &SECOND, "b", "host: w, port: '2'").await.as_deref(),
        Ok(r#"{"host":"w","port":"2"}"#)
    );
    assert_eq!(shown(&world, &THINGS, "b").await.as_deref(), Ok(r#"{"hostPort":"w:2"}"#));
    let patched = world.object(Verb::Patch, at(SECOND, "default", "a", ""), merge(r#"{"port":"3"}"#)).await;
    assert_eq!(body(&*patched.expect("patched")), r#"{"host":"h","port":"3"}"#);
    let found = world.object(Verb::Get, at(THINGS, "default", "a", ""), Body::Empty).await.expect("there");
    assert_eq!(body(&*found), r#"{"hostPort":"h:3"}"#);
    let meta = object_meta(&*found).expect("metadata");
    assert_eq!(meta.annotations.get("converted").map(String::as_str), Some("example.com/v1"));
    assert!(!meta.uid.is_empty() && meta.creation_timestamp.is_some());
}

#[tokio::test]
async fn a_list_is_converted_at_once_and_what_is_stored_may_be_mixed() {
    let hook = Arc::new(Hook::default());
    let world = World::asking(hook.clone()).await;
    world.define(CONVERTED).await;
    for name in ["a", "b"] {
        thing(&world, &THINGS, name, "hostPort: 'h:1'").await.expect("made");
    }
    let text = r#"[{"op":"replace","path":"/spec/versions/0/storage","value":false},{"op":"replace","path":"/spec/versions/1/storage","value":true}]"#;
    let target = at(DEFINITIONS, "", "things.example.com", "");
    let patch = Body::Patch(PatchKind::Json, text.as_bytes().into());
    let definition = world.object(Verb::Patch, target, patch).await.expect("patched");
    let stored =
        definition.downcast_ref::<CustomResourceDefinition>().map(|own| own.status.stored_versions.to_vec());
    assert_eq!(stored, Some(vec!["v1".to_owned(), "v2".to_owned()]));
    let served = async {
        let registry = world.local.direct().registry().clone();
        while registry
            .catalog()
            .find_custom("example.com", "v1", "things")
            .is_none_or(|own| &*own.hub.kind.version != "v2")
        {
            tokio::task::yield_now().await;
        }
    };
    within(served).await.expect("it is served as it is stored");
    thing(&world, &THINGS, "c", "hostPort: 'h:1'").await.expect("made");
    hook.sizes.lock().expect("nobody panics with it").clear();
    for (version, wanted, asked) in
        [(&THINGS, r#"{"hostPort":"h:1"}"#, 1), (&SECOND, r#"{"host":"h","port":"1"}"#, 2)]
    {
        let list = world.list(version.clone(), "").await.expect("a list");
        assert_eq!(list.items.iter().map(|own| body(&**own)).collect::<Vec<_>>(), [wanted; 3]);
        let sizes = std::mem::take(&mut *hook.sizes.lock().expect("nobody panics with it"));
        assert_eq!(sizes, [asked], "only those of another version are asked for, at once");
    }
    // A write that changes nothing migrates what is kept in an older version, and then nothing more.
    let version = |object: &dyn Record| object_meta(object).map(|meta| meta.resource_version.clone());
    let target = || at(THINGS, "default", "a", "");
    let before = world.object(Verb::Get, target(), Body::Empty).await.expect("there");
    let migrated = world.object(Verb::Patch, target(), merge("{}")).await.expect("patched");
    assert_ne!(version(&*before), version(&*migrated));
    let again = world.object(Verb::Patch, target(), merge("{}")).await.expect("patched");
    assert_eq!(version(&*migrated), version(&*again));
}

#[tokio::test]
async fn watches_show_their_version_and_end_when_it_cannot_be_made() {
    let hook = Arc::new(Hook::default());
    let world = World::asking(hook.clone()).await;
    world.define(CONVERTED).await;
    thing(&world, &THINGS, "a", "hostPort: 'h:1'").await.expect("made");
    let list = world.list(SECOND, "").await.expect("a list");
    let (who, direct) = (administrator(), world.local.direct());
    let mut feed = direct.watch(&who, Scope::all(SECOND), list.revision).await.expect("a watch");
    thing(&world, &THINGS, "b", "hostPort: 'w:2'").await.expect("made");
    match within(feed.next()).await.expect("an event") {
        Some(Ok(Event::Added(object))) => assert_eq!(body(&*object), r#"{"host":"w","port":"2"}"#),
        other => panic!("not what was made: {}", other.is_some()),
    }
    hook.fails.store(true, Ordering::Relaxed);
    thing(&world, &THINGS, "c", "hostPort: 'w:3'").await.expect("made");
    let why = "conversion webhook for example.com/v1, Kind=Thing failed: Post \"https://hook.example/convert?timeout=30s\": dial tcp: connection refused";
    match within(feed.next()).await.expect("an event") {
        Some(Err(status)) => assert_eq!((status.code, status.message.as_str()), (500, why)),
        other => panic!("not an error: {}", other.is_some()),
    }
    assert!(within(feed.next()).await.expect("the end").is_none());
    for refused in [
        shown(&world, &SECOND, "c").await.expect_err("not read"),
        thing(&world, &SECOND, "d", "host: w, port: '2'").await.expect_err("not written"),
        world.list(SECOND, "").await.err().expect("not listed"),
    ] {
        assert_eq!(refused.code, 500);
        assert!(refused.message.contains("failed: Post"), "{}", refused.message);
    }
    assert_eq!(shown(&world, &THINGS, "d").await.expect_err("nothing was written").code, 404);
    assert_eq!(shown(&world, &THINGS, "c").await.as_deref(), Ok(r#"{"hostPort":"w:3"}"#));
}
