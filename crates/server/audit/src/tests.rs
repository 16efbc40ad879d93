//! Requests and their events, from the policy to the lines of the log.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use base::metrics::{Source as _, Text};
use base::random::SystemRandom;
use base::time::{Clock as _, SystemClock, Time};
use bytes::Bytes;
use client::{BoxFuture, Caller};
use serde_json::{Value, json};
use server_authz::Attributes;

use super::*;

/// Lines that are kept, or refused; a gate holds the writer up.
#[derive(Clone, Default)]
struct Written {
    lines: Arc<Mutex<Vec<u8>>>,
    broken: bool,
    gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
}

impl Lines for Written {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if let Some(gate) = &self.gate {
            gate.lock().unwrap_or_else(PoisonError::into_inner).recv().map_err(io::Error::other)?;
        }
        if self.broken {
            return Err(io::Error::other("the disk is full"));
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(lines);
        Ok(())
    }
}

impl Written {
    fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a line is an event")).collect()
    }
}

/// A webhook that fails so many times, or never answers, and keeps what it takes.
struct Hook {
    failures: Mutex<usize>,
    silent: bool,
    taken: Mutex<Vec<Value>>,
}

impl Hook {
    fn new(failures: usize, silent: bool) -> Arc<Hook> {
        Arc::new(Hook { failures: Mutex::new(failures), silent, taken: Mutex::default() })
    }

    fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Receiver for Hook {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            if self.silent {
                std::future::pending::<()>().await;
            }
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            if *failures > 0 {
                *failures -= 1;
                return Err("connection refused".to_owned());
            }
            let list = serde_json::from_slice(&body).expect("a list");
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(list);
            Ok(())
        })
    }
}

const HEAD: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";

/// As upstream has the log by its defaults.
fn blocking() -> Options {
    Options { form: Form::Json, truncate: None, mode: Mode::Blocking }
}

fn batches(buffer: usize, most: usize) -> Options {
    let wait = Duration::from_secs(30);
    let batch = Batch { buffer, most, wait, rate: None, alongside: true };
    Options { form: Form::Item, truncate: None, mode: Mode::Batch(batch) }
}

fn logger(policy: &str, written: &Written, options: Options) -> (Arc<Auditor>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let writer = Writer::to(written.clone(), Arc::clone(&metrics)).expect("a thread");
    auditor(policy, Arc::new(writer), options, metrics)
}

fn sender(policy: &str, hook: &Arc<Hook>, options: Options) -> (Arc<Auditor>, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    let (receiver, first) = (Arc::clone(hook) as Arc<dyn Receiver>, Duration::from_secs(10));
    let webhook =
        Webhook::new(receiver, first, Arc::new(SystemClock), Arc::new(SystemRandom), Arc::clone(&metrics));
    auditor(policy, Arc::new(webhook), options, metrics)
}

fn auditor(
    policy: &str,
    backend: Arc<dyn Deliver>,
    options: Options,
    metrics: Arc<Metrics>,
) -> (Arc<Auditor>, Arc<Metrics>) {
    let (policy, _) = Policy::read(format!("{HEAD}{policy}").as_bytes()).expect("a policy");
    let sink = Sink::to(backend, options, Arc::new(SystemClock), Arc::clone(&metrics));
    (Auditor::new(policy, vec![sink], Arc::clone(&metrics), Arc::new(SystemClock)), metrics)
}

fn counted(metrics: &Metrics) -> String {
    let mut text = Text::default();
    metrics.collect(&mut text, Time::default());
    text.into_string()
}

async fn begun(auditor: &Arc<Auditor>, caller: &mut Caller) -> Option<Arc<Record>> {
    attempted(auditor, caller).await.expect("the request goes on")
}

async fn attempted(auditor: &Arc<Auditor>, caller: &mut Caller) -> Result<Option<Arc<Record>>, Unlogged> {
    let groups = Vec::new();
    let request = Attributes::of("jane", &groups).on("create", "", "pods");
    let object = Reference { resource: "pods".to_owned(), ..Reference::default() };
    let asked = Asked { object: Some(object), received: Time::from_unix_seconds(5), ..Asked::default() };
    auditor.begin(caller, &request, asked).await
}

#[tokio::test]
async fn a_request_leaves_what_its_level_says() {
    let sent = json!({"metadata": {"name": "web", "uid": "u", "managedFields": []}});
    for (level, request, response) in
        [("Metadata", false, false), ("Request", true, false), ("RequestResponse", true, true)]
    {
        let written = Written::default();
        let (auditor, metrics) =
            logger(&format!("omitManagedFields: true\nrules: [{{level: {level}}}]"), &written, blocking());
        let mut caller = Caller::new("jane", &[]);
        let record = begun(&auditor, &mut caller).await.expect("it is logged");
        caller.trail.annotate("authorization.k8s.io/decision", "allow");
        record.sent(|| sent.clone());
        record.returned(br#"{"metadata":{"name":"web","managedFields":[]}}"#);
        record.answered(Answered { code: 201, status: None });
        record.reach(Stage::ResponseComplete).await;
        auditor.end().await;
        let events = written.events();
        let [received, complete] = &events[..] else { panic!("{events:?}") };
        assert_eq!(
            (&received["stage"], &received["responseStatus"]),
            (&json!("RequestReceived"), &Value::Null)
        );
        assert_eq!(complete["responseStatus"], json!({"metadata": {}, "code": 201}));
        assert_eq!(complete["annotations"], json!({"authorization.k8s.io/decision": "allow"}));
        assert_eq!(complete["objectRef"], json!({"resource": "pods", "name": "web", "uid": "u"}));
        let bare = json!({"metadata": {"name": "web", "uid": "u"}});
        assert_eq!(complete.get("requestObject"), Some(&bare).filter(|_| request), "{level}");
        let bare = json!({"metadata": {"name": "web"}});
        assert_eq!(complete.get("responseObject"), Some(&bare).filter(|_| response), "{level}");
        let text = counted(&metrics);
        assert!(text.contains("apiserver_audit_event_total 2"), "{text}");
        assert!(text.contains(&format!("apiserver_audit_level_total{{level=\"{level}\"}} 1")), "{text}");
    }
}

#[tokio::test]
async fn a_request_that_nothing_is_logged_of_leaves_nothing() {
    let written = Written::default();
    let (auditor, _) = logger("rules: [{level: None}]", &written, blocking());
    let mut caller = Caller::new("jane", &[]);
    assert!(begun(&auditor, &mut caller).await.is_none());
    assert!(!caller.trail.is_open(), "nobody asks again");
    auditor.end().await;
    assert_eq!(written.events(), Vec::<Value>::new());
}

#[tokio::test]
async fn events_that_cannot_be_written_are_counted() {
    let written = Written { broken: true, ..Written::default() };
    let (auditor, metrics) = logger("rules: [{level: Metadata}]", &written, blocking());
    let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
    record.reach(Stage::ResponseComplete).await;
    auditor.end().await;
    record.reach(Stage::Panic).await;
    let text = counted(&metrics);
    assert!(text.contains("apiserver_audit_error_total{plugin=\"log\"} 2"), "{text}");
    assert!(text.contains("apiserver_audit_error_total{plugin=\"buffered\"} 1"), "after the end: {text}");
    assert!(text.contains("apiserver_audit_requests_rejected_total 0"), "{text}");
}

#[tokio::test]
async fn a_strict_log_has_requests_refused_whose_beginning_it_misses() {
    let written = Written { broken: true, ..Written::default() };
    let strict = Options { mode: Mode::BlockingStrict, ..blocking() };
    let (auditor, metrics) = logger("rules: [{level: Metadata}]", &written, strict);
    let refused = attempted(&auditor, &mut Caller::default()).await.err().expect("it is refused");
    assert_eq!(refused.to_string(), "failed to store audit event");
    let text = counted(&metrics);
    assert!(text.contains("apiserver_audit_requests_rejected_total 1"), "{text}");
}

#[tokio::test]
async fn whoever_blocks_waits_until_it_is_written() {
    let (open, gate) = mpsc::channel();
    let written = Written { gate: Some(Arc::new(Mutex::new(gate))), ..Written::default() };
    let (auditor, metrics) =
        logger("omitStages: [RequestReceived]\nrules: [{level: Metadata}]", &written, blocking());
    let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
    let waiting = tokio::spawn(async move { record.reach(Stage::ResponseComplete).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    open.send(()).expect("somebody writes");
    waiting.await.expect("it is written");
    assert_eq!(written.events().len(), 1);
    assert!(!counted(&metrics).contains("plugin="));
}

#[tokio::test]
async fn an_event_arrives_although_its_client_goes_away() {
    let (open, gate) = mpsc::channel();
    let written = Written { gate: Some(Arc::new(Mutex::new(gate))), ..Written::default() };
    let (auditor, _) = logger("rules: [{level: Metadata}]", &written, blocking());
    let own = Arc::clone(&auditor);
    let request = tokio::spawn(async move { begun(&own, &mut Caller::default()).await });
    tokio::task::yield_now().await;
    request.abort();
    open.send(()).expect("somebody writes");
    auditor.end().await;
    assert_eq!(written.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_for_a_webhook_gather_by_number_and_by_time() {
    let hook = Hook::new(0, false);
    let (auditor, metrics) =
        sender("omitStages: [RequestReceived]\nrules: [{level: Metadata}]", &hook, batches(100, 2));
    let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
    for _ in 0..3 {
        record.reach(Stage::ResponseComplete).await;
    }
    // The third has half a minute for company.
    SystemClock.sleep(Duration::from_secs(29)).await;
    assert_eq!(hook.taken().len(), 1);
    SystemClock.sleep(Duration::from_secs(2)).await;
    let taken = hook.taken();
    let [two, one] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!((&two["kind"], &two["apiVersion"]), (&json!("EventList"), &json!("audit.k8s.io/v1")));
    assert_eq!(two["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(one["items"][0]["stage"], "ResponseComplete");
    assert_eq!(one["items"][0].get("kind"), None);
    record.reach(Stage::Panic).await;
    auditor.end().await;
    assert_eq!(hook.taken().len(), 3, "the last are sent at the end");
    assert!(!counted(&metrics).contains("plugin="));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_is_asked_five_times() {
    for (failures, arrives) in [(4, true), (5, false)] {
        let hook = Hook::new(failures, false);
        let (auditor, metrics) =
            sender("rules: [{level: Metadata}]", &hook, Options { form: Form::Item, ..blocking() });
        begun(&auditor, &mut Caller::default()).await.expect("it is logged");
        assert_eq!(hook.taken().len(), usize::from(arrives), "{failures}");
        let lost = counted(&metrics).contains("apiserver_audit_error_total{plugin=\"webhook\"} 1");
        assert_eq!(lost, !arrives, "{failures}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_webhook_holds_nobody_up_and_what_waits_for_it_is_bounded() {
    let hook = Hook::new(0, true);
    let (auditor, metrics) = sender("rules: [{level: RequestResponse}]", &hook, batches(100_000, 10));
    // Each event is a sixteenth of what may wait.
    let large = json!({ "data": "x".repeat(limits::WAITING_BYTES / 16) });
    for _ in 0..20 {
        let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
        record.sent(|| large.clone());
        record.reach(Stage::ResponseComplete).await;
        tokio::task::yield_now().await;
    }
    let text = counted(&metrics);
    let lost =
        text.lines().find_map(|line| line.strip_prefix("apiserver_audit_error_total{plugin=\"buffered\"} "));
    assert_eq!(lost, Some("5"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn without_room_among_what_gathers_events_are_lost() {
    let hook = Hook::new(0, false);
    let (auditor, metrics) =
        sender("omitStages: [RequestReceived]\nrules: [{level: Metadata}]", &hook, batches(3, 100));
    let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
    for _ in 0..5 {
        record.reach_now(Stage::ResponseComplete);
    }
    assert!(counted(&metrics).contains("apiserver_audit_error_total{plugin=\"buffered\"} 2"));
    auditor.end().await;
    assert_eq!(hook.taken()[0]["items"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(start_paused = true)]
async fn large_events_lose_their_objects_and_larger_ones_are_lost() {
    let (event_bytes, batch_bytes) = (1000, 1500);
    for (sent, uri, wanted) in [(10, 10, Some(false)), (1000, 10, Some(true)), (10, 1000, None)] {
        let hook = Hook::new(0, false);
        let truncate = Some(Truncate { event_bytes, batch_bytes });
        let (auditor, metrics) =
            sender("rules: [{level: Request}]", &hook, Options { truncate, form: Form::Item, ..blocking() });
        let asked = Asked { uri: "u".repeat(uri), ..Asked::default() };
        let request = Attributes::of("jane", &[]).at("get", "/version");
        let record = auditor.open(&mut Caller::default(), &request, asked).expect("it is logged");
        record.sent(|| json!({ "data": "x".repeat(sent) }));
        record.reach(Stage::ResponseComplete).await;
        let cut = hook.taken().first().map(|list| {
            let event = &list["items"][0];
            assert_eq!(event["requestObject"].is_null(), !event["annotations"].is_null(), "{event}");
            event["annotations"]["audit.k8s.io/truncated"] == "true"
        });
        assert_eq!(cut, wanted, "{sent} {uri}");
        let lost = counted(&metrics).contains("apiserver_audit_error_total{plugin=\"truncate\"} 1");
        assert_eq!(lost, wanted.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn batches_are_split_where_they_would_be_too_large() {
    let hook = Hook::new(0, false);
    let truncate = Some(Truncate { event_bytes: 1000, batch_bytes: 1000 });
    let (auditor, _) = sender("rules: [{level: Metadata}]", &hook, Options { truncate, ..batches(100, 10) });
    for _ in 0..10 {
        begun(&auditor, &mut Caller::default()).await.expect("it is logged");
    }
    auditor.end().await;
    let taken = hook.taken();
    let sizes = taken.iter().map(|list| list["items"].as_array().map_or(0, Vec::len));
    assert!(taken.len() > 1 && sizes.sum::<usize>() == 10, "{taken:?}");
    let whole = |list: &Value| list["items"].to_string().len();
    assert!(taken.iter().all(|list| whole(list) < 1100), "{taken:?}");
}
