//! Measures what the durable store can do: `cargo run --release -p store --example throughput [directory]`.
//!
//! Prints one line per figure. Every write is a create of 1 KiB under its own key, answered after its fsync.
//! The limit of the medium, a bare preallocated log with one fdatasync per write, is measured in the same
//! run; writers share the cores with the store.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time and files")]

use bytes::Bytes;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{KeyRange, Options, Range, Revision, SqliteStore, Store, Txn};

const VALUE_BYTES: usize = 1_024;
const RUN: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = match std::env::args().nth(1) {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    println!("fsync before every answer (WAL, synchronous=FULL); load generator on the same cores");
    bare_log(directory.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let store = Arc::new(SqliteStore::open(&Options::new(directory.path().join("store.db")))?);
    for (round, writers) in [1, 16, 128, 1_024].into_iter().enumerate() {
        runtime.block_on(creates(&store, writers, &format!("/registry/round{round}/")))?;
    }
    runtime.block_on(updates(&store))?;
    runtime.block_on(reads(&store))?;
    bare_log(directory.path())?;
    let bytes = std::fs::metadata(directory.path().join("store.db"))?.len();
    println!("file                      {:>8} MiB", bytes >> 20);
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}

fn bare_log(directory: &Path) -> std::io::Result<()> {
    let file = File::options().create(true).truncate(false).write(true).open(directory.join("bare"))?;
    let (size, record) = (64 << 20, [7; VALUE_BYTES]);
    file.write_all_at(&vec![1; size], 0)?;
    file.sync_all()?;
    let (start, mut count) = (Instant::now(), 0u64);
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all_at(&record, count * VALUE_BYTES as u64 % size as u64)?;
        file.sync_data()?;
        count += 1;
    }
    println!("bare log, 1 writer        {:>8.0} /s", count as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn report(what: &str, start: Instant, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let at = |share: usize| {
        latencies[(latencies.len() * share / 1_000).min(latencies.len() - 1)].as_secs_f64() * 1e3
    };
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    println!(
        "{what:<25} {rate:>8.0} /s  p50 {:.2} ms  p99 {:.2} ms  p99.9 {:.2} ms",
        at(500),
        at(990),
        at(999)
    );
}

async fn creates(
    store: &Arc<SqliteStore>,
    writers: usize,
    prefix: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let value = Bytes::from(vec![42; VALUE_BYTES]);
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let tasks = (0..writers).map(|_| {
        let (store, value, next, prefix) = (store.clone(), value.clone(), next.clone(), prefix.to_owned());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                // Spread over the key space, as names are.
                let number = next.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let begun = Instant::now();
                store.commit(Txn::create(format!("{prefix}default/{number:016x}"), value.clone())).await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, store::CommitError>(latencies)
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await??);
    }
    report(&format!("creates, {writers} writers"), start, latencies);
    Ok(())
}

async fn updates(store: &Arc<SqliteStore>) -> Result<(), Box<dyn std::error::Error>> {
    let value = Bytes::from(vec![43; VALUE_BYTES]);
    let mut feed = store.watch(KeyRange::prefix("/registry/leases/"), Revision::NONE);
    let start = Instant::now();
    let tasks = (0..128).map(|writer| {
        let (store, value) = (store.clone(), value.clone());
        tokio::spawn(async move {
            let key = format!("/registry/leases/{writer}");
            let mut revision = store.commit(Txn::create(key.clone(), value.clone())).await?.revision;
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                let begun = Instant::now();
                revision = store.commit(Txn::update(key.clone(), value.clone(), revision)).await?.revision;
                latencies.push(begun.elapsed());
            }
            Ok::<_, store::CommitError>(latencies)
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await??);
    }
    report("updates, 128 writers", start, latencies);
    let (start, mut events) = (Instant::now(), 0);
    while feed.complete() < store.current_revision() {
        events += feed.next().await?.events.len();
    }
    println!("a lagging watch catches up {:>7.0} events/s", events as f64 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    store.compact(store.current_revision()).await?;
    store.swept().await;
    println!("compaction                {:>8.0} rows/s", events as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

async fn reads(store: &Arc<SqliteStore>) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let page = store.range(Range::of(KeyRange::all())).await?;
    let rate = page.entries.len() as f64 / begun.elapsed().as_secs_f64();
    println!("range of {} entries   {rate:>8.0} entries/s", page.entries.len());
    let keys: Vec<Bytes> =
        page.entries.iter().step_by(11).map(|entry| entry.key.clone()).take(50_000).collect();
    drop(page);
    let (start, mut latencies) = (Instant::now(), Vec::new());
    for key in keys {
        let begun = Instant::now();
        store.get(key).await?;
        latencies.push(begun.elapsed());
    }
    report("gets, one at a time", start, latencies);
    Ok(())
}
