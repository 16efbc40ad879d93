//! The scheduler with extenders, on an API.

use std::sync::Arc;

use base::drain;
use base::task::Tasks;
use base::time::SystemClock;
use scheduler_config::{Extender, TIMEOUT};
use scheduler_extender::Client;
use scheduler_shell::{Company, run_with};
use serde_json::{Value, json};

use crate::api::{Memory, node, pod};
use crate::served::{Reply, nowhere, said, serve};

fn extender(url: &str) -> Extender {
    Extender { url_prefix: url.to_owned(), weight: 1, timeout: TIMEOUT * 4, ..Extender::default() }
}

/// A scheduler; it works until the signal goes.
fn run(api: &Arc<Memory>, extenders: &[Extender]) -> drain::Signal {
    let client = Client::new(extenders, Arc::new(SystemClock)).unwrap();
    let company = Company { extenders: Some(Arc::new(client)), ..Company::default() };
    let (signal, watch) = drain::channel();
    let (api, config) = (Arc::clone(api), scheduler::Config::default());
    tokio::spawn(run_with(api, Arc::new(SystemClock), Tasks::default(), config, company, watch));
    signal
}

fn two_nodes() -> Arc<Memory> {
    let api = Arc::new(Memory::default());
    api.put_node(node("n1", "2"));
    api.put_node(node("n2", "2"));
    api
}

#[tokio::test]
async fn a_pod_goes_where_extenders_want_it_and_one_of_them_binds_it() {
    let api = two_nodes();
    api.put_pod(pod("p", "1"));
    let binds = Arc::clone(&api);
    let served = serve(move |verb, body| match verb {
        "filter" => said(&json!({ "NodeNames": body["NodeNames"] })),
        "prioritize" => said(&json!([{ "Host": "n2", "Score": 10 }])),
        _ => {
            binds.bind(body["PodName"].as_str().unwrap(), body["Node"].as_str().unwrap());
            said(&json!({}))
        }
    });
    let served = served.await;
    let all = Extender {
        filter_verb: "filter".into(),
        prioritize_verb: "prioritize".into(),
        bind_verb: "bind".into(),
        is_node_cache_capable: true,
        ..extender(&served.url)
    };
    let _signal = run(&api, &[all]);
    assert_eq!(api.wait_for("Scheduled").await, "Scheduled: Successfully assigned default/p to n2");
    assert_eq!(served.verbs(), ["filter", "prioritize", "bind"]);
    assert_eq!(served.asked()[2].1["PodUID"], "uid-p");
    assert!(!api.written().iter().any(|own| own.starts_with("binding")), "{:?}", api.written());
}

#[tokio::test]
async fn what_extenders_say_is_told_of_the_pod() {
    let api = two_nodes();
    api.put_pod(pod("p", "1"));
    let served =
        serve(|_, _| said(&json!({ "FailedNodes": { "n1": "no licence", "n2": "no licence" } }))).await;
    let filters = Extender { filter_verb: "filter".into(), ..extender(&served.url) };
    let _signal = run(&api, &[filters]);
    assert_eq!(
        api.wait_for("FailedScheduling").await,
        "FailedScheduling: 0/2 nodes are available: 2 no licence. preemption: 0/2 nodes are available: \
         2 No preemption victims found for incoming pod."
    );
    api.wait_for("p: \"PodScheduled\" \"Unschedulable\"").await;
}

#[tokio::test]
async fn an_extender_that_is_away_stops_a_pod_unless_it_may_be_ignored() {
    let place = nowhere().await;
    let away = |is_ignorable| Extender {
        filter_verb: "filter".into(),
        bind_verb: "bind".into(),
        is_ignorable,
        ..extender(&format!("http://{place}"))
    };
    let api = two_nodes();
    api.put_pod(pod("p", "1"));
    let signal = run(&api, &[away(false)]);
    assert_eq!(
        api.wait_for("FailedScheduling").await,
        format!(
            "FailedScheduling: Post \"http://{place}/filter\": dial tcp {place}: connect: connection refused"
        )
    );
    api.wait_for("p: \"PodScheduled\" \"SchedulerError\"").await;
    drop(signal);
    let api = two_nodes();
    api.put_pod(pod("p", "1"));
    let _signal = run(&api, &[away(true)]);
    api.wait_for("binding of p").await;
}

#[tokio::test]
async fn a_binding_that_an_extender_refuses_is_told_of_as_its_own() {
    let api = two_nodes();
    api.put_pod(pod("p", "1"));
    let served = serve(|_, _| said(&json!({ "Error": "not today" }))).await;
    let _signal = run(&api, &[Extender { bind_verb: "bind".into(), ..extender(&served.url) }]);
    assert_eq!(api.wait_for("FailedScheduling").await, "FailedScheduling: not today");
}

/// What comes of preemption if an extender answers so about whom to evict.
async fn preempted(answer: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> (Vec<String>, Value) {
    let api = two_nodes();
    for (name, node, priority) in [("low", "n1", 1), ("middle", "n2", 2)] {
        let mut there = pod(name, "2");
        (there.spec.node_name, there.spec.priority) = (node.into(), Some(priority));
        api.put_pod(there);
    }
    let mut high = pod("high", "2");
    high.spec.priority = Some(10);
    api.put_pod(high);
    let served = serve(move |_, body| answer(body)).await;
    let signal = run(&api, &[Extender { preempt_verb: "preempt".into(), ..extender(&served.url) }]);
    let told = api.wait_for("FailedScheduling").await;
    api.wait_for("high: \"PodScheduled\"").await;
    if told.contains("potential placement") {
        api.wait_for("Preempted").await;
    }
    drop(signal);
    (api.written(), served.asked()[0].1.clone())
}

#[tokio::test]
async fn extenders_say_whom_to_evict() {
    let (written, asked) = preempted(|_| {
        said(&json!({ "NodeNameToMetaVictims": { "n2": { "Pods": [{ "UID": "uid-middle" }] } } }))
    })
    .await;
    let victims = &asked["NodeNameToVictims"];
    assert_eq!(victims["n1"]["Pods"][0]["metadata"]["name"], "low");
    assert_eq!(victims["n2"]["Pods"][0]["spec"]["nodeName"], "n2");
    assert!(written.contains(&"deletion of middle".to_owned()), "{written:?}");
    assert!(!written.contains(&"deletion of low".to_owned()), "{written:?}");
}

#[tokio::test]
async fn nobody_is_evicted_against_an_extenders_will() {
    for (answer, why) in [
        (json!({}), "no candidate node for preemption"),
        (
            json!({ "NodeNameToMetaVictims": { "n1": { "Pods": [] } } }),
            "expected at least one victim pod on node \"n1\"",
        ),
    ] {
        let (written, _) = preempted(move |_| said(&answer)).await;
        let told =
            format!("FailedScheduling: 0/2 nodes are available: 2 Insufficient cpu. preemption: {why}");
        assert!(written.contains(&told), "{written:?}");
        assert!(!written.iter().any(|own| own.starts_with("deletion")), "{written:?}");
    }
}
