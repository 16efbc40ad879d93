//! What the audit log has of requests to the whole handler.

use serde_json::{Value, json};
use server_audit::{Auditor, Form, Lines, Metrics, Mode, Options, Policy, Sink, Writer};

use super::rights::{asked, handler};
use super::*;

const READER: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/reader?pretty=true";

/// A log that hands on what is written.
struct Heard(mpsc::UnboundedSender<Vec<u8>>);

impl Lines for Heard {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        self.0.send(lines.to_vec()).map_err(std::io::Error::other)
    }
}

/// A handler with a log, and what is written to that.
struct Logging {
    handler: Arc<Handler>,
    auditor: Arc<Auditor>,
    written: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Logging {
    async fn begin() -> Logging {
        let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- {level: None, nonResourceURLs: [/readyz]}\n- {level: RequestResponse}";
        let (policy, _) = Policy::read(policy.as_bytes()).expect("a policy");
        let (heard, written) = mpsc::unbounded_channel();
        let metrics = Arc::new(Metrics::default());
        let writer = Arc::new(Writer::to(Heard(heard), Arc::clone(&metrics)).expect("a thread"));
        let options = Options { form: Form::Json, truncate: None, mode: Mode::Blocking };
        let sink = Sink::to(writer, options, Arc::new(SystemClock), Arc::clone(&metrics));
        let auditor = Auditor::new(policy, vec![sink], metrics, Arc::new(SystemClock));
        let handler = Arc::into_inner(handler().await).expect("nobody else has it");
        let handler = Arc::new(handler.with_auditor(Arc::clone(&auditor)));
        Logging { handler, auditor, written }
    }

    /// The next event, once there is one.
    async fn next(&mut self) -> Value {
        serde_json::from_slice(&self.written.recv().await.expect("the log goes on")).expect("an event a line")
    }

    /// All events that were not asked for.
    async fn end(mut self) -> Vec<Value> {
        self.auditor.end().await;
        let lines = std::iter::from_fn(|| self.written.try_recv().ok()).collect::<Vec<_>>().concat();
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("an event")).collect()
    }
}

/// The events of one request, and the id that it was answered with.
async fn logged(who: &str, path: &str) -> (Vec<Value>, String) {
    let logging = Logging::begin().await;
    let response = asked(&logging.handler, who, "GET", path).await;
    let id = response.headers()["audit-id"].to_str().expect("text").to_owned();
    response.into_body().collect().await.expect("a body");
    (logging.end().await, id)
}

#[tokio::test]
async fn a_watch_is_logged_when_it_begins_and_once_when_its_client_has_gone() {
    let mut logging = Logging::begin().await;
    let response = asked(&logging.handler, "root", "GET", "/api/v1/configmaps?watch=true").await;
    let id = json!(response.headers()["audit-id"].to_str().expect("text"));
    for stage in ["RequestReceived", "ResponseStarted"] {
        let event = logging.next().await;
        assert_eq!(
            (&event["auditID"], &event["stage"], &event["verb"]),
            (&id, &json!(stage), &json!("watch"))
        );
    }
    assert!(logging.written.try_recv().is_err(), "it goes on");
    drop(response);
    let last = logging.next().await;
    assert_eq!((&last["auditID"], &last["stage"]), (&id, &json!("ResponseComplete")));
    assert_eq!(last["responseStatus"], json!({"metadata": {}, "code": 200}));
    assert_eq!(logging.end().await, [Value::Null; 0]);
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
