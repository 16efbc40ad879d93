//! `knarr dns`: the process that answers. One thread; it ends at SIGTERM and otherwise never.
//!
//! Says `ready` on standard output once it answers, or in one line what is wrong; standard output is its starter's pipe and is not
//! used again. Log lines go to standard error.

use std::ffi::OsString;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use base::drain;
use base::error::Chain;
use base::random::SystemRandom;
use base::time::SystemClock;
use cli::instance::Lifetime;
use net_dns::follow::Follow;
use net_dns::records::Records;
use net_dns::server::{Server, Serving};
use net_dns::snapshot;
use net_dns::upstream::Upstreams;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Job, Record, return_address, take_address};

/// Where DNS is asked.
const PORT: u16 = 53;

/// What the process says once it answers.
pub(super) const READY: &str = "ready";

/// Serves what the one word describes.
pub fn run(words: &[OsString]) -> anyhow::Result<()> {
    let job = match words {
        [word] => word.to_str().and_then(|text| serde_json::from_str::<Job>(text).ok()),
        _ => None,
    };
    let job = job.context("this is started by knarr itself, not by hand")?;
    // The terminal and signals of whoever started the agent are none of its business. One that leads a session stays in it.
    let _ = cli::up::detach();
    base::telemetry::init("info").map_err(|error| anyhow::anyhow!("logging: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = runtime.block_on(serve(&job));
    if let Err(error) = &served {
        say(&format!("{error:#}"));
    }
    served
}

/// Whoever started this may be gone.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn serve(job: &Job) -> anyhow::Result<()> {
    let terminated = signal(SignalKind::terminate())?;
    // Before anything that it speaks for: whoever finds it dead knows what there is to take away.
    Record { lifetime: Lifetime::own(), job: job.clone() }.write()?;
    let served = answer(job, terminated).await;
    std::fs::remove_file(&job.record).with_context(|| format!("removing {}", job.record.display()))?;
    served
}

async fn answer(job: &Job, terminated: Signal) -> anyhow::Result<()> {
    let taken = take_address(job.address)?;
    // Listening begins before reading, so that no change is missed.
    let changes = (follow(&job.snapshot), follow(&job.resolv_conf));
    let records = records(job).unwrap_or_else(|| own(job, Records::default()));
    let upstreams = upstreams(job);
    let serving = Arc::new(Serving::new(&records, upstreams, Arc::new(SystemClock), Arc::new(SystemRandom)));
    let socket = SocketAddr::new(job.address, PORT);
    let server = Server::bind(socket, Arc::clone(&serving)).await;
    if server.is_err() && taken {
        return_address(job.address)?;
    }
    // Whoever listens there already, another cluster's perhaps, keeps the address.
    let server = server.with_context(|| {
        format!("the cluster's DNS cannot be served at {socket}: does another DNS server of this machine listen on all addresses (ss -lnptu 'sport = :53')?")
    })?;
    let (stop, watch) = drain::channel();
    let answering = tokio::spawn(server.run(watch));
    say(READY);
    tracing::info!(%socket, domain = job.domain, "dns.serving");
    keep_current(job, &serving, changes, terminated).await;
    tracing::info!("dns.stopping");
    stop.drain().await;
    answering.await?;
    return_address(job.address)
}

/// Takes in what changes until it is asked to end.
async fn keep_current(
    job: &Job,
    serving: &Serving,
    (mut snapshot, mut resolvers): (Option<Follow>, Option<Follow>),
    mut terminated: Signal,
) {
    loop {
        tokio::select! {
            _ = terminated.recv() => return,
            () = changed(&mut snapshot) => {
                if let Some(records) = records(job) {
                    serving.set_records(&records);
                }
            }
            () = changed(&mut resolvers) => {
                // A link may lead elsewhere now.
                resolvers = follow(&job.resolv_conf);
                serving.set_upstreams(upstreams(job));
            }
        }
    }
}

fn follow(path: &Path) -> Option<Follow> {
    Follow::new(path)
        .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "dns.follow: changes go unseen"))
        .ok()
}

/// Completes when the file has changed; never, when it cannot be followed.
async fn changed(followed: &mut Option<Follow>) {
    if let Some(follow) = followed {
        match follow.changed().await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "dns.follow: further changes go unseen"),
        }
    }
    *followed = None;
    std::future::pending().await
}

/// The snapshot; `None` when there is none, or none that makes sense: what is known stays then.
fn records(job: &Job) -> Option<Records> {
    match snapshot::load(&job.snapshot) {
        Ok(records) => records.map(|records| own(job, records)),
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "dns.snapshot");
            None
        }
    }
}

/// A snapshot may be older than the domain and address that this process was given.
fn own(job: &Job, records: Records) -> Records {
    Records { domain: job.domain.clone(), dns_ips: vec![job.address], ..records }
}

fn upstreams(job: &Job) -> Upstreams {
    let text = std::fs::read_to_string(&job.resolv_conf).unwrap_or_default();
    Upstreams::from_resolv_conf(&text, &[job.address])
}
