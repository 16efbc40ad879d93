//! An event of a request, and its form in the log: an `Event` of `audit.k8s.io/v1`.

use std::collections::BTreeMap;

use api_meta::quote;
use api_record::scalar::MicroTime;
use base::time::Time;
use client::Caller;
use client::trail::Level;
use serde_json::{Map, Value, json};

use crate::limits::USER_AGENT_BYTES;
use crate::policy::Stage;
use crate::sink::Form;

/// What a request asks for, as its events repeat it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Identifies the request, for the caller as well.
    pub id: String,
    /// What the client asked for, as it wrote it.
    pub uri: String,
    /// The verb of authorization.
    pub verb: String,
    /// Who asks, before acting as somebody else.
    pub user: Caller,
    /// From where, the farthest first.
    pub source_ips: Vec<String>,
    /// What the client calls itself.
    pub user_agent: String,
    /// What it is about, unless it is about a path.
    pub object: Option<Reference>,
    /// When it came.
    pub received: Time,
}

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The resource.
    pub resource: String,
    /// The namespace, or empty.
    pub namespace: String,
    /// The name, or empty.
    pub name: String,
    /// The uid that was sent, or empty.
    pub uid: String,
    /// The group, empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The resource version that was sent, or empty.
    pub resource_version: String,
    /// The subresource, or empty.
    pub subresource: String,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// The HTTP code.
    pub code: u16,
    /// The Status that was answered, if it was one, without its metadata.
    pub status: Option<Value>,
}

/// What is known of a request so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) level: Level,
    pub(crate) asked: Asked,
    /// As whom it went on.
    pub(crate) impersonated: Option<(Caller, String)>,
    pub(crate) answered: Option<Answered>,
    pub(crate) request_object: Option<Value>,
    pub(crate) response_object: Option<Value>,
}

impl Known {
    /// The event of a stage.
    pub(crate) fn event(&self, stage: Stage, at: Time, annotations: &BTreeMap<String, String>) -> Event {
        let asked = &self.asked;
        let mut event = Map::new();
        let mut put = |key: &str, value: Value| {
            event.insert(key.to_owned(), value);
        };
        put("level", json!(self.level.name()));
        put("auditID", json!(asked.id));
        put("stage", json!(stage.name()));
        put("requestURI", json!(asked.uri));
        put("verb", json!(asked.verb));
        put("user", user(&asked.user));
        if let Some((as_whom, constraint)) = &self.impersonated {
            put("impersonatedUser", user(as_whom));
            if !constraint.is_empty() {
                put("authenticationMetadata", json!({ "impersonationConstraint": constraint }));
            }
        }
        if !asked.source_ips.is_empty() {
            put("sourceIPs", json!(asked.source_ips));
        }
        if !asked.user_agent.is_empty() {
            put("userAgent", json!(cut(&asked.user_agent)));
        }
        if let Some(object) = &asked.object {
            put("objectRef", reference(object));
        }
        if let Some(answered) = &self.answered {
            put("responseStatus", status(answered));
        }
        for (key, object) in
            [("requestObject", &self.request_object), ("responseObject", &self.response_object)]
        {
            if let Some(object) = object {
                put(key, object.clone());
            }
        }
        put("requestReceivedTimestamp", time(asked.received));
        put("stageTimestamp", time(if stage == Stage::RequestReceived { asked.received } else { at }));
        if !annotations.is_empty() {
            put("annotations", json!(annotations));
        }
        Event(event)
    }
}

/// An event, without its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event(Map<String, Value>);

impl Event {
    /// As a backend has it; lines with their ends.
    pub(crate) fn text(&self, form: Form) -> String {
        match form {
            Form::Item => self.json(),
            Form::Json => {
                let own = self.json();
                format!("{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",{}\n", &own[1..])
            }
            Form::Legacy => self.legacy(),
        }
    }

    fn json(&self) -> String {
        // Maps of text and trees have no keys that JSON could not have.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The same without objects, which says so.
    pub(crate) fn truncated(&self) -> Event {
        let kept =
            self.0.iter().filter(|(key, _)| !matches!(key.as_str(), "requestObject" | "responseObject"));
        let mut event: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
        let annotations = event.remove("annotations");
        let mut annotations: BTreeMap<String, Value> =
            annotations.and_then(|own| serde_json::from_value(own).ok()).unwrap_or_default();
        annotations.insert("audit.k8s.io/truncated".to_owned(), json!("true"));
        event.insert("annotations".to_owned(), json!(annotations));
        Event(event)
    }

    /// Upstream's `EventString`.
    fn legacy(&self) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = |key: &str| self.0.get(key).unwrap_or(&Value::Null);
        let or = |value: &Value, other: &str| if value.is_string() { text(value) } else { other.to_owned() };
        let listed = |value: &Value, other: &str| match value.as_array() {
            Some(all) => all.iter().map(|one| quote::go(&text(one))).collect::<Vec<_>>().join(","),
            None => other.to_owned(),
        };
        let (user, other) = (own("user"), own("impersonatedUser"));
        let as_user = if other.is_null() { "<self>".to_owned() } else { text(&other["username"]) };
        let received = text(own("requestReceivedTimestamp"));
        let received = received.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
        let response = own("responseStatus")["code"].as_u64();
        let named = [
            ("id", text(own("auditID"))),
            ("stage", text(own("stage"))),
            ("ip", or(&own("sourceIPs")[0], "<unknown>")),
            ("method", text(own("verb"))),
            ("user", or(&user["username"], "<none>")),
            ("groups", listed(&user["groups"], "<none>")),
            ("as", as_user),
            ("asgroups", listed(&other["groups"], "<lookup>")),
            ("user-agent", text(own("userAgent"))),
            ("namespace", or(&own("objectRef")["namespace"], "<none>")),
            ("uri", text(own("requestURI"))),
        ];
        let mut line = format!("{received}Z AUDIT:");
        for (name, value) in named {
            line.push_str(&format!(" {name}={}", quote::go(&value)));
        }
        let response = response.map_or_else(|| "<deferred>".to_owned(), |code| code.to_string());
        line.push_str(&format!(" response=\"{response}\"\n"));
        line
    }
}

fn time(time: Time) -> Value {
    json!(MicroTime::from(time).to_string())
}

/// Adds what is there.
fn put_text(object: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        object.insert(key.to_owned(), json!(text));
    }
}

fn user(caller: &Caller) -> Value {
    let mut user = Map::new();
    put_text(&mut user, "username", &caller.name);
    put_text(&mut user, "uid", &caller.uid);
    if !caller.groups.is_empty() {
        user.insert("groups".to_owned(), json!(caller.groups));
    }
    if !caller.extra.is_empty() {
        user.insert("extra".to_owned(), json!(caller.extra));
    }
    Value::Object(user)
}

fn reference(own: &Reference) -> Value {
    let mut object = Map::new();
    for (key, text) in [
        ("resource", &own.resource),
        ("namespace", &own.namespace),
        ("name", &own.name),
        ("uid", &own.uid),
        ("apiGroup", &own.group),
        ("apiVersion", &own.version),
        ("resourceVersion", &own.resource_version),
        ("subresource", &own.subresource),
    ] {
        put_text(&mut object, key, text);
    }
    Value::Object(object)
}

/// Of a Status, those fields that are bounded.
fn status(answered: &Answered) -> Value {
    let mut out = Map::new();
    out.insert("metadata".to_owned(), json!({}));
    for key in ["status", "message", "reason", "details"] {
        if let Some(value) = answered.status.as_ref().and_then(|own| own.get(key)) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    out.insert("code".to_owned(), json!(answered.code));
    Value::Object(out)
}

/// Of what a client calls itself, not all that it may say.
fn cut(user_agent: &str) -> String {
    if user_agent.len() <= USER_AGENT_BYTES {
        return user_agent.to_owned();
    }
    let end = (0..=USER_AGENT_BYTES).rev().find(|end| user_agent.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...TRUNCATED", &user_agent[..end])
}

/// Leaves the managed fields out of an object, a list or a table.
pub(crate) fn drop_managed_fields(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    for (list, inner) in [("items", ""), ("rows", "object")] {
        for item in object.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let own = if inner.is_empty() { Some(item) } else { item.get_mut(inner) };
            let meta = own.and_then(|own| own.get_mut("metadata")).and_then(Value::as_object_mut);
            meta.map(|meta| meta.remove("managedFields"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_as_upstream_writes_it() {
        let mut user = Caller::new("jane", &["dev"]);
        user.extra.insert("scopes".to_owned(), vec!["a".to_owned()]);
        let object = Reference {
            resource: "pods".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            version: "v1".to_owned(),
            ..Reference::default()
        };
        let asked = Asked {
            id: "7".to_owned(),
            uri: "/api/v1/namespaces/shop/pods/web".to_owned(),
            verb: "get".to_owned(),
            user,
            source_ips: vec!["10.0.0.1".to_owned()],
            user_agent: "kubectl".to_owned(),
            object: Some(object),
            received: Time::from_unix_seconds(1),
        };
        let status =
            json!({"metadata": {}, "status": "Failure", "message": "no", "reason": "NotFound", "code": 404});
        let known = Known {
            level: Level::Metadata,
            asked,
            impersonated: Some((Caller::new("joe", &[]), "impersonate-on:user-info:get".to_owned())),
            answered: Some(Answered { code: 404, status: Some(status) }),
            ..Known::default()
        };
        let annotations = BTreeMap::from([("authorization.k8s.io/decision".to_owned(), "allow".to_owned())]);
        let at = Time::from_unix_nanos(1_000_000_500_000 / 1000 * 1000 + 1_500_000);
        let complete =
            known.event(Stage::ResponseComplete, Time::from_unix_nanos(2_000_001_000), &annotations);
        assert_eq!(
            complete.text(Form::Json),
            concat!(
                r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"7","stage":"ResponseComplete","#,
                r#""requestURI":"/api/v1/namespaces/shop/pods/web","verb":"get","#,
                r#""user":{"username":"jane","groups":["dev"],"extra":{"scopes":["a"]}},"impersonatedUser":{"username":"joe"},"#,
                r#""authenticationMetadata":{"impersonationConstraint":"impersonate-on:user-info:get"},"#,
                r#""sourceIPs":["10.0.0.1"],"userAgent":"kubectl","#,
                r#""objectRef":{"resource":"pods","namespace":"shop","name":"web","apiVersion":"v1"},"#,
                r#""responseStatus":{"metadata":{},"status":"Failure","message":"no","reason":"NotFound","code":404},"#,
                r#""requestReceivedTimestamp":"1970-01-01T00:00:01.000000Z","stageTimestamp":"1970-01-01T00:00:02.000001Z","#,
                r#""annotations":{"authorization.k8s.io/decision":"allow"}}"#,
                "\n",
            )
        );
        assert!(complete.text(Form::Item).starts_with(r#"{"level":"Metadata","#));
        assert_eq!(
            complete.text(Form::Legacy),
            concat!(
                r#"1970-01-01T00:00:01Z AUDIT: id="7" stage="ResponseComplete" ip="10.0.0.1" method="get" user="jane" groups="\"dev\"" "#,
                r#"as="joe" asgroups="<lookup>" user-agent="kubectl" namespace="shop" uri="/api/v1/namespaces/shop/pods/web" response="404""#,
                "\n",
            )
        );
        let first = known.event(Stage::RequestReceived, at, &BTreeMap::new()).text(Form::Item);
        assert!(first.ends_with(r#""stageTimestamp":"1970-01-01T00:00:01.000000Z"}"#), "{first}");
        let bare = Known::default().event(Stage::RequestReceived, at, &BTreeMap::new()).text(Form::Legacy);
        let unknown = r#"ip="<unknown>" method="" user="<none>" groups="<none>" as="<self>" asgroups="<lookup>" user-agent="" namespace="<none>" uri="" response="<deferred>""#;
        assert!(bare.contains(unknown), "{bare}");
    }

    #[test]
    fn managed_fields_are_left_out_of_objects_lists_and_tables() {
        let own = json!({"metadata": {"name": "a", "managedFields": [1]}});
        let bare = json!({"metadata": {"name": "a"}});
        for (given, wanted) in [
            (own.clone(), bare.clone()),
            (json!({"metadata": {}, "items": [own]}), json!({"metadata": {}, "items": [bare]})),
            (
                json!({"rows": [{"object": own}, {"object": null}]}),
                json!({"rows": [{"object": bare}, {"object": null}]}),
            ),
            (json!([{"op": "add"}]), json!([{"op": "add"}])),
        ] {
            let mut object = given;
            drop_managed_fields(&mut object);
            assert_eq!(object, wanted);
        }
    }

    #[test]
    fn a_long_name_of_a_client_is_cut() {
        let long = "é".repeat(USER_AGENT_BYTES);
        let cut = cut(&long);
        assert!(cut.len() <= USER_AGENT_BYTES + "...TRUNCATED".len() && cut.ends_with("é...TRUNCATED"));
    }
}
