//! Figure 6: durable writes of 1 KiB through the API, by 1, 16 and 128 clients.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::task::LocalSet;

use crate::access::Access;
use crate::client::{Client, PROTOBUF};
use crate::cluster::Cluster;
use crate::objects::{CONFIG_MAPS, config_map};
use crate::report::{Figure, Times, count};
use crate::{limit, machine};

/// How long a cluster is loaded before it counts.
pub const WARM_UP: Duration = Duration::from_secs(1);
/// How long it counts.
pub const RUN: Duration = Duration::from_secs(5);

/// Clients, and six times what stock Kubernetes did on this kind of machine.
const ROUNDS: [(usize, f64); 3] = [(1, 2_040.0), (16, 6_054.0), (128, 6_240.0)];

/// Prints the figures.
pub fn run() -> Result<()> {
    println!(
        "  fsync before every answer (SQLite, WAL, synchronous=FULL); protobuf over HTTP/2 and TLS, a connection a client"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut cluster = Cluster::start(false)?;
        let access = cluster.ready().await?;
        for (clients, goal) in ROUNDS {
            let bare = limit::log(&cluster.database(), clients)?;
            load(&access, clients, Kind::Create, WARM_UP).await?;
            let (read, _) = load(&access, clients, Kind::Nothing, RUN).await?;
            let used = machine::cpu(cluster.pid())?;
            let (rate, times) = load(&access, clients, Kind::Create, RUN).await?;
            let used =
                machine::cpu(cluster.pid())?.saturating_sub(used).as_secs_f64() * 1e3 / times.len() as f64;
            let plural = if clients == 1 { "client" } else { "clients" };
            Figure::new(
                6,
                format!("durable creates of 1 KiB, {clients} {plural}"),
                format!(
                    "{}/s, {}; {used:.2} ms of the server's processor time each",
                    count(rate),
                    times.shown()
                ),
            )
            .goal(format!("{}/s", count(goal)), rate >= goal)
            .limit(format!(
                "a bare log with an fdatasync every {clients} KiB {}/s; requests that touch no object {}/s",
                count(bare),
                count(read)
            ))
            .print();
        }
        Ok(())
    })
}

/// What is asked for.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `GET /version`, which is answered from memory.
    Nothing,
    /// A ConfigMap.
    Create,
}

/// Answers a second, and how long each took.
pub async fn load(access: &Access, clients: usize, kind: Kind, long: Duration) -> Result<(f64, Times)> {
    thread_local! {
        static NAMES: Cell<u64> = const { Cell::new(0) };
    }
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Client::connect(access).await?);
    }
    let begun = Instant::now();
    let done = Rc::new(Cell::new(Duration::ZERO));
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|client| {
            let done = Rc::clone(&done);
            tokio::task::spawn_local(async move {
                let mut times = Vec::new();
                while begun.elapsed() < long {
                    let number = NAMES.replace(NAMES.get() + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let body = match kind {
                        Kind::Nothing => Bytes::new(),
                        Kind::Create => config_map(&format!("c{number:016x}")),
                    };
                    let (method, path, wanted) = match kind {
                        Kind::Nothing => (Method::GET, "/version", StatusCode::OK),
                        Kind::Create => (Method::POST, CONFIG_MAPS, StatusCode::CREATED),
                    };
                    let asked = Instant::now();
                    let (status, answer) = client.ask(method, path, PROTOBUF, body).await?;
                    times.push(asked.elapsed());
                    anyhow::ensure!(status == wanted, "{status}: {}", String::from_utf8_lossy(&answer));
                    done.set(begun.elapsed());
                }
                Ok(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    Ok((times.len() as f64 / done.get().as_secs_f64(), Times::of(times)))
}
