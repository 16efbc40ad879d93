//! What the API server asks of the node: logs and commands.

use api_types::core::v1::Container;
use base::time::SystemClock;
use futures_util::StreamExt as _;
use node_agent::node_api::{LogOptions, Place};
use node_stream::negotiate::ExecProtocol;
use node_stream::outcome::Outcome;
use node_stream::session::{Client, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

#[tokio::test(flavor = "multi_thread")]
async fn attaching_reaches_the_containers_own_streams() {
    let lab = Lab::new();
    let agent = lab.start().await;
    let main = Container {
        stdin: true,
        stdin_once: true,
        ..container("main", "echo before; while read line; do echo got $line; done; echo end >&2; exit 3")
    };
    lab.run(pod("talk", "Never", vec![main]));
    let running = |api: &Memory| api.pod("talk").filter(|pod| pod.status.phase == "Running");
    lab.api.until("a running pod", running).await;
    let options = Options::new(true, true, true, false).unwrap();
    let serve = agent.node.attach(place("talk"), options).unwrap();
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(serve(Box::new(far), ExecProtocol::Spdy(4)));
    let mut client = Client::start(near, ExecProtocol::Spdy(4), options).await.unwrap();
    let mut input = client.stdin.take().unwrap();
    let mut output = client.stdout.take().unwrap();
    let mut heard = [0; 12];
    for word in ["one", "two"] {
        input.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        output.read_exact(&mut heard[..8]).await.unwrap();
        assert_eq!(&heard[..8], format!("got {word}\n").as_bytes(), "as it is said, not only at the end");
    }
    // With the only client's input the container's ends, and with it the container.
    drop(input);
    let (mut rest, mut errors) = (String::new(), String::new());
    output.read_to_string(&mut rest).await.unwrap();
    client.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    assert_eq!((rest.as_str(), errors.as_str()), ("", "end\n"));
    assert_eq!(client.ending.outcome(&SystemClock).await, Outcome::Exited(0), "attaching itself went well");
    let failed = |api: &Memory| api.pod("talk").filter(|pod| pod.status.phase == "Failed");
    let seen = lab.api.until("the container's end", failed).await;
    let end = seen.status.container_statuses[0].state.terminated.clone().unwrap();
    assert_eq!(end.exit_code, 3);
    assert_eq!(lab.log(&seen, "main", 0), ["before", "got one", "got two", "end"], "its log has all of it");
    let error = agent.node.attach(place("talk"), options).err().expect("it has ended");
    assert!(error.message.contains("container not found (\"main\")"), "{error}");
    lab.delete("talk").await;
    lab.api.until("its deletion", |api| api.gone("talk")).await;
    agent.stop().await;
    lab.assert_nothing_left();
}
