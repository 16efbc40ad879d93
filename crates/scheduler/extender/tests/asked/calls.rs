//! What becomes of single calls.

use std::sync::Arc;
use std::time::Duration;

use api_record::Record;
use base::time::{Clock, Sleep, SystemClock, Time};
use bytes::Bytes;
use scheduler::{Passed, Rejected};
use scheduler_config::{Extender, Material, TIMEOUT, Tls};
use scheduler_extender::Client;
use scheduler_shell::Extenders as _;
use serde_json::json;

use crate::api::{node, pod};
use crate::served::{nowhere, said, serve, serve_tls};

fn extender(url: &str) -> Extender {
    Extender {
        url_prefix: url.to_owned(),
        filter_verb: "filter".into(),
        timeout: TIMEOUT * 4,
        is_node_cache_capable: true,
        ..Extender::default()
    }
}

async fn ask(extenders: &[Extender]) -> Result<Passed, String> {
    ask_by(extenders, Arc::new(SystemClock)).await
}

async fn ask_by(extenders: &[Extender], clock: Arc<dyn Clock>) -> Result<Passed, String> {
    let nodes: Vec<Arc<dyn Record>> =
        ["a", "b"].map(|name| Arc::new(node(name, "1")) as Arc<dyn Record>).into();
    Client::new(extenders, clock)?.nodes(&pod("p", "1"), &nodes).await
}

fn passed(nodes: &[(&str, i64)]) -> Result<Passed, String> {
    let nodes = nodes.iter().map(|(name, extra)| ((*name).into(), *extra)).collect();
    Ok(Passed { nodes, ..Passed::default() })
}

/// A clock by which everything is too late that is not there already.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Time {
        Time::EPOCH
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn extenders_are_asked_one_after_another_and_those_who_rate_at_once() {
    let first = serve(|verb, _| match verb {
        "filter" => said(&json!({ "NodeNames": ["a", "b"] })),
        _ => said(&json!([{ "Host": "a", "Score": 1 }, { "Host": "b", "Score": 2 }])),
    });
    let second = serve(|verb, body| match verb {
        "filter" => said(&json!({ "Nodes": { "items": body["Nodes"]["items"] } })),
        _ => said(&json!([{ "host": "b", "score": 10 }, { "host": "unknown", "score": 10 }])),
    });
    let broken = serve(|_, _| Some((200, "<html>".into())));
    let (first, second, broken) = (first.await, second.await, broken.await);
    let rating = |url: &str, weight| Extender { prioritize_verb: "rate".into(), weight, ..extender(url) };
    let whole = Extender { is_node_cache_capable: false, ..rating(&second.url, 3) };
    let only_rates = Extender { filter_verb: String::new(), ..rating(&broken.url, 1) };
    let answer = ask(&[rating(&first.url, 2), whole, only_rates]).await;
    assert_eq!(answer, passed(&[("a", 20), ("b", 340)]));
    for served in [&first, &second] {
        assert_eq!(served.verbs(), ["filter", "rate"]);
    }
    assert_eq!(first.asked()[0].1["NodeNames"], json!(["a", "b"]));
    assert_eq!(second.asked()[1].1["Nodes"]["items"][1]["metadata"]["name"], "b");
    assert_eq!(broken.verbs(), ["rate"], "whoever rates may fail");
}

#[tokio::test]
async fn whoever_rejects_all_ends_it() {
    let first = serve(|_, _| {
        said(&json!({ "FailedNodes": { "a": "full" }, "FailedAndUnresolvableNodes": { "b": "old" } }))
    });
    let (first, second) = (first.await, serve(|_, _| None).await);
    let answer = ask(&[extender(&first.url), extender(&second.url)]).await.unwrap();
    let why = |why: &str, is_final| Rejected { why: why.into(), is_final };
    assert_eq!(answer.rejected, [("a".into(), why("full", false)), ("b".into(), why("old", true))].into());
    assert!(answer.nodes.is_empty() && second.verbs().is_empty());
}

#[tokio::test]
async fn whoever_is_not_interested_is_not_asked() {
    let served = serve(|_, _| None).await;
    let managing = Extender { managed_resources: ["a.b/gpu".into()].into(), ..extender(&served.url) };
    assert_eq!(ask(&[managing]).await, passed(&[("a", 0), ("b", 0)]));
}

#[tokio::test]
async fn failures_are_told_in_upstreams_words_unless_they_may_be_ignored() {
    let served = serve(|_, _| Some((500, "no".into()))).await;
    let nonsense = serve(|_, _| Some((200, "<html>".into()))).await;
    let wrong = serve(|_, _| said(&json!({ "Error": "no licence", "NodeNames": ["a"] }))).await;
    let silent = serve(|_, _| None).await;
    let place = nowhere().await;
    for (url, why) in [
        (served.url.clone(), format!("failed filter with extender at URL {}filter, code 500", served.url)),
        (nonsense.url.clone(), "invalid character '<' looking for beginning of value".into()),
        (wrong.url.clone(), "no licence".into()),
        (
            format!("http://{place}"),
            format!("Post \"http://{place}/filter\": dial tcp {place}: connect: connection refused"),
        ),
        ("ftp://a".into(), "Post \"ftp://a/filter\": unsupported protocol scheme \"ftp\"".into()),
    ] {
        assert_eq!(ask(&[extender(&url)]).await, Err(why), "{url}");
        let may_fail = Extender { is_ignorable: true, ..extender(&url) };
        assert_eq!(ask(&[may_fail]).await, passed(&[("a", 0), ("b", 0)]), "{url}");
    }
    let late = ask_by(&[extender(&silent.url)], Arc::new(Hasty)).await.unwrap_err();
    assert!(
        late.ends_with(
            "filter\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        ),
        "{late}"
    );
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_configuration_vouches_for() {
    let all = json!({ "NodeNames": ["a", "b"] });
    let served = serve_tls("other.example", move |_, _| said(&all)).await;
    let by = |tls: Tls| Extender { tls, ..extender(&served.url) };
    let given = |data: &Bytes| Material { data: data.clone(), ..Material::default() };
    let authority = given(&served.authority);
    let vouched = Tls { authority: authority.clone(), server_name: "other.example".into(), ..Tls::default() };
    assert_eq!(ask(&[by(vouched)]).await, passed(&[("a", 0), ("b", 0)]));
    assert_eq!(ask(&[by(Tls { insecure: true, ..Tls::default() })]).await, passed(&[("a", 0), ("b", 0)]));
    let wrong_name = Tls { authority: authority.clone(), ..Tls::default() };
    let told = ask(&[by(wrong_name)]).await.unwrap_err();
    assert!(told.contains("x509: certificate is valid for other.example, not 127.0.0.1"), "{told}");
    let stranger = serve_tls("other.example", |_, _| None).await;
    let untrusted =
        Tls { authority: given(&stranger.authority), server_name: "other.example".into(), ..Tls::default() };
    let told = ask(&[by(untrusted)]).await.unwrap_err();
    assert!(told.ends_with("x509: certificate signed by unknown authority"), "{told}");
    let both = Tls { insecure: true, authority, ..Tls::default() };
    assert_eq!(
        ask(&[by(both)]).await.unwrap_err(),
        "couldn't build extenders: specifying a root certificates file with the insecure flag is not allowed"
    );
}
