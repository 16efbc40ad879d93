//! Requests and their events, from the policy to the lines of the log.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use base::metrics::{Source as _, Text};
use base::time::{SystemClock, Time};
use client::Caller;
use serde_json::{Value, json};
use server_authz::Attributes;

use super::*;

/// Lines that are kept, or refused; a gate holds the writer up.
#[derive(Clone, Default)]
struct Kept {
    lines: Arc<Mutex<Vec<u8>>>,
    broken: bool,
    gate: Option<Arc<Mutex<mpsc::Receiver<()>>>>,
}

impl Lines for Kept {
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

impl Kept {
    fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a line is an event")).collect()
    }
}

const HEAD: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";

fn auditor(policy: &str, kept: &Kept, mode: Mode) -> (Arc<Auditor>, Arc<Metrics>) {
    let (policy, _) = Policy::read(format!("{HEAD}{policy}").as_bytes()).expect("a policy");
    let metrics = Arc::new(Metrics::default());
    let queue = Queue::to(kept.clone(), mode, Arc::clone(&metrics)).expect("a thread");
    (Auditor::new(policy, queue, Arc::clone(&metrics), Arc::new(SystemClock)), metrics)
}

fn counted(metrics: &Metrics) -> String {
    let mut text = Text::default();
    metrics.collect(&mut text, Time::default());
    text.into_string()
}

async fn begun(auditor: &Arc<Auditor>, caller: &mut Caller) -> Option<Arc<Record>> {
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
        let kept = Kept::default();
        let (auditor, metrics) =
            auditor(&format!("omitManagedFields: true\nrules: [{{level: {level}}}]"), &kept, Mode::Blocking);
        let mut caller = Caller::new("jane", &[]);
        let record = begun(&auditor, &mut caller).await.expect("it is logged");
        caller.trail.annotate("authorization.k8s.io/decision", "allow");
        record.sent(|| sent.clone());
        record.returned(br#"{"metadata":{"name":"web","managedFields":[]}}"#);
        record.answered(Answered { code: 201, status: None });
        record.reach(Stage::ResponseComplete).await;
        auditor.end().await;
        let events = kept.events();
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
    let kept = Kept::default();
    let (auditor, _) = auditor("rules: [{level: None}]", &kept, Mode::Blocking);
    let mut caller = Caller::new("jane", &[]);
    assert!(begun(&auditor, &mut caller).await.is_none());
    assert!(!caller.trail.is_open(), "nobody asks again");
    auditor.end().await;
    assert_eq!(kept.events(), Vec::<Value>::new());
}

#[tokio::test]
async fn events_that_cannot_be_written_are_counted() {
    let kept = Kept { broken: true, ..Kept::default() };
    let (auditor, metrics) = auditor("rules: [{level: Metadata}]", &kept, Mode::Blocking);
    let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
    record.reach(Stage::ResponseComplete).await;
    auditor.end().await;
    record.reach(Stage::Panic).await;
    let text = counted(&metrics);
    assert!(text.contains("apiserver_audit_error_total{plugin=\"log\"} 2"), "{text}");
    assert!(text.contains("apiserver_audit_error_total{plugin=\"buffered\"} 1"), "after the end: {text}");
}

#[tokio::test]
async fn without_room_an_event_waits_or_is_lost_as_the_mode_says() {
    for (mode, lost) in [(Mode::Batch, true), (Mode::Blocking, false)] {
        let (open, gate) = mpsc::channel();
        let kept = Kept { gate: Some(Arc::new(Mutex::new(gate))), ..Kept::default() };
        let (auditor, metrics) =
            auditor("omitStages: [RequestReceived]\nrules: [{level: Metadata}]", &kept, mode);
        let record = begun(&auditor, &mut Caller::default()).await.expect("it is logged");
        // The writer holds a batch at most; what is beyond that and the queue finds no room.
        let all = limits::QUEUED_EVENTS + limits::BATCH_EVENTS + 1;
        let writing = tokio::spawn(async move {
            for _ in 0..all {
                record.reach(Stage::ResponseComplete).await;
            }
        });
        if mode == Mode::Batch {
            writing.await.expect("nobody waits");
            drop(open);
            auditor.end().await;
            assert!(counted(&metrics).contains("plugin=\"buffered\""), "{lost}");
            continue;
        }
        // Each turn of the gate lets a batch through; all come through in the end.
        for _ in 0..all {
            open.send(()).expect("somebody writes");
        }
        writing.await.expect("all are written");
        auditor.end().await;
        assert_eq!(kept.events().len(), all);
        assert!(!counted(&metrics).contains("plugin="), "{lost}");
    }
}
