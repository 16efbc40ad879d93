//! What the audit log has of requests to the whole handler.

use std::sync::PoisonError;

use serde_json::{Value, json};
use server_audit::{Auditor, Form, Lines, Metrics, Mode, Options, Policy, Sink, Writer};

use super::rights::{asked, handler};
use super::*;

const READER: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader?pretty=true";

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Lines for Kept {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(lines);
        Ok(())
    }
}

/// The events of one request, and the id that it was answered with.
async fn logged(who: &str, path: &str) -> (Vec<Value>, String) {
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- {level: None, nonResourceURLs: [/readyz]}\n- {level: RequestResponse}";
    let (policy, _) = Policy::read(policy.as_bytes()).expect("a policy");
    let (kept, metrics) = (Kept::default(), Arc::new(Metrics::default()));
    let writer = Arc::new(Writer::to(kept.clone(), Arc::clone(&metrics)).expect("a thread"));
    let options = Options { form: Form::Json, truncate: None, mode: Mode::Blocking };
    let sink = Sink::to(writer, options, Arc::new(SystemClock), Arc::clone(&metrics));
    let auditor = Auditor::new(policy, vec![sink], metrics, Arc::new(SystemClock));
    let handler = Arc::into_inner(handler().await).expect("nobody else has it");
    let handler = Arc::new(handler.with_auditor(Arc::clone(&auditor)));
    let response = asked(&handler, who, "GET", path).await;
    let id = response.headers()["audit-id"].to_str().expect("text").to_owned();
    response.into_body().collect().await.expect("a body");
    auditor.end().await;
    let lines = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (lines.map(|line| serde_json::from_slice(line).expect("an event")).collect(), id)
}

#[tokio::test]
async fn a_request_is_logged_when_it_comes_and_when_it_is_answered() {
    let (events, id) = logged("root", READER).await;
    let [received, complete] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (&received["stage"], &complete["stage"]),
        (&json!("RequestReceived"), &json!("ResponseComplete"))
    );
    for event in [received, complete] {
        assert_eq!((&event["auditID"], &event["verb"]), (&json!(id), &json!("get")));
        assert_eq!(event["requestURI"], READER);
        assert_eq!(event["user"], json!({"username": "root", "groups": ["system:masters"]}));
        let group = "rbac.authorization.k8s.io";
        let object =
            json!({"resource": "clusterroles", "name": "reader", "apiGroup": group, "apiVersion": "v1"});
        assert_eq!(event["objectRef"], object);
    }
    assert_eq!(complete["responseStatus"], json!({"metadata": {}, "code": 200}));
    assert_eq!(complete["responseObject"]["metadata"]["name"], "reader");
    assert_eq!(complete["annotations"]["authorization.k8s.io/decision"], "allow");
}

#[tokio::test]
async fn refusals_are_logged_with_their_reasons() {
    let (events, _) = logged("jane", "/api/v1/namespaces/shop/configmaps/a").await;
    let complete = events.last().expect("an event");
    let status = &complete["responseStatus"];
    assert_eq!((&status["code"], &status["reason"]), (&json!(403), &json!("Forbidden")));
    assert_eq!(complete["responseObject"]["kind"], "Status");
    assert_eq!(complete["annotations"]["authorization.k8s.io/decision"], "forbid");
    let (events, _) = logged("\u{e9}", "/api/v1/nodes").await;
    let [refused] = &events[..] else { panic!("{events:?}") };
    let why = "Authentication failed, no credentials provided";
    assert_eq!(refused["responseStatus"], json!({"metadata": {}, "message": why, "code": 401}));
    assert_eq!((&refused["stage"], &refused["user"]), (&json!("ResponseStarted"), &json!({})));
}

#[tokio::test]
async fn requests_that_a_policy_passes_over_have_an_id_all_the_same() {
    let (events, id) = logged("root", "/readyz").await;
    assert_eq!((events, id.len()), (Vec::new(), 36));
}
