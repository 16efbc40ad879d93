//! What the API server asks of the node: logs and commands.

use base::time::SystemClock;
use futures_util::StreamExt as _;
use node_agent::node_api::{LogOptions, Place};
use node_stream::negotiate::ExecProtocol;
use node_stream::outcome::Outcome;
use node_stream::session::{Client, Options};
use tokio::io::AsyncReadExt;

use crate::api::Memory;
use crate::lab::{Lab, container, pod};

fn place(pod: &str) -> Place {
    Place { namespace: "default".into(), pod: pod.into(), container: String::new() }
}

async fn log(running: &crate::lab::Running, pod: &str, options: LogOptions) -> String {
    let mut stream = running.node.logs(place(pod), options).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        all.extend_from_slice(&bytes);
    }
    String::from_utf8(all).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_commands() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let script =
        "trap 'echo three; exit 0' TERM; echo one; echo two; touch /up; while :; do sleep 0.05; done";
    lab.run(pod("web", "Always", vec![container("main", script)]));
    let running = |api: &Memory| api.pod("web").filter(|pod| pod.status.phase == "Running");
    lab.api.until("a running pod", running).await;
    let follow = LogOptions { follow: true, ..LogOptions::default() };
    let mut live = agent.node.logs(place("web"), follow).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < 8 {
        heard.extend_from_slice(&live.next().await.unwrap());
    }
    assert_eq!(heard, b"one\ntwo\n");
    let tail = LogOptions { tail_lines: Some(1), ..LogOptions::default() };
    assert_eq!(log(&agent, "web", tail).await, "two\n");
    let limited = LogOptions { limit_bytes: Some(5), ..LogOptions::default() };
    assert_eq!(log(&agent, "web", limited).await, "one\nt");
    let timed = LogOptions { timestamps: true, ..LogOptions::default() };
    assert!(log(&agent, "web", timed).await.lines().all(|line| line.split_once("Z ").is_some()));
    assert!(agent.node.logs(place("none"), LogOptions::default()).await.is_err());
    let previous = LogOptions { previous: true, ..LogOptions::default() };
    assert!(agent.node.logs(place("web"), previous).await.is_err());

    let options = Options::new(false, true, true, false).unwrap();
    let command = ["/bin/sh", "-c", "echo hi; exit 7"].map(str::to_owned).to_vec();
    let serve = agent.node.exec(place("web"), command, options).unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(serve(Box::new(far), ExecProtocol::Spdy(4)));
    let mut client = Client::start(near, ExecProtocol::Spdy(4), options).await.unwrap();
    let mut out = String::new();
    client.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    assert_eq!(out, "hi\n");
    assert_eq!(client.ending.outcome(&SystemClock).await, Outcome::Exited(7));

    lab.delete("web").await;
    let mut rest = Vec::new();
    while let Some(bytes) = live.next().await {
        rest.extend_from_slice(&bytes);
    }
    assert_eq!(rest, b"three\n", "a followed log ends with its container");
    lab.api.until("its deletion", |api| api.gone("web")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}
