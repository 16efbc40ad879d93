//! Many at once: increments are never lost, and watches opened under way are projections of one history.

use crate::driver::{collect, wait};
use std::sync::Arc;
use std::thread;
use store::{CommitError, Event, KeyRange, MemoryStore, Options, Range, Revision, SqliteStore, Store, Txn};

const WRITERS: u64 = 4;
const INCREMENTS: u64 = 200;

#[test]
fn memory() {
    run(Arc::new(MemoryStore::new()));
}

#[test]
fn sqlite() {
    let directory = tempfile::tempdir().unwrap();
    run(Arc::new(SqliteStore::open(&Options::new(directory.path().join("store.db"))).unwrap()));
}

fn run(store: Arc<dyn Store>) {
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        thread::spawn(move || (0..INCREMENTS).for_each(|number| increment(&*store, writer, number)))
    });
    let writers: Vec<_> = writers.collect();
    let watchers = (0..3u8).flat_map(|count| ["n/", "w/0/", "w/1/1"].map(|prefix| (count, prefix)));
    let watchers = watchers.map(|(count, prefix)| {
        let store = store.clone();
        thread::spawn(move || {
            // Each starts from where the store is by then, or a little before, so that some have to catch up.
            let from = Revision(store.current_revision().0.saturating_sub(u64::from(count) * 40).max(2));
            let keys = KeyRange::prefix(prefix);
            let mut feed = store.watch(keys.clone(), from);
            let mut seen = Vec::new();
            for _ in 0..50 {
                seen.extend(collect(&mut feed, store.current_revision()).unwrap());
            }
            (keys, from, feed, seen)
        })
    });
    let watchers: Vec<_> = watchers.collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());

    let last = Revision(1 + WRITERS * INCREMENTS);
    assert_eq!(store.current_revision(), last);
    let counter = wait(store.get("n/counter".into())).unwrap().unwrap();
    assert_eq!(&*counter.value, (WRITERS * INCREMENTS).to_be_bytes());
    assert_eq!(counter.version, WRITERS * INCREMENTS);
    let page = wait(store.range(Range::of(KeyRange::prefix("w/")))).unwrap();
    assert_eq!(page.entries.len() as u64, WRITERS * INCREMENTS);
    let history = collect(&mut store.watch(KeyRange::all(), Revision(2)), last).unwrap();
    for watcher in watchers {
        let (keys, from, mut feed, mut seen) = watcher.join().unwrap();
        seen.extend(collect(&mut feed, last).unwrap());
        let owed = history.iter().filter(|event| event.revision() >= from && keys.contains(event.key()));
        assert_eq!(seen, owed.cloned().collect::<Vec<Event>>());
    }
}

/// Adds one to a counter that all writers share, by comparing and swapping, and leaves a key of its own.
fn increment(store: &dyn Store, writer: u64, number: u64) {
    let mut current = None;
    loop {
        let txn = match &current {
            None => Txn::create("n/counter", 1u64.to_be_bytes().to_vec()),
            Some((value, modified)) => {
                Txn::update("n/counter", u64::to_be_bytes(value + 1).to_vec(), *modified)
            }
        };
        match wait(store.commit(txn.put(format!("w/{writer}/{number}"), "1"))) {
            Ok(_) => return,
            Err(CommitError::Conflict { current: found, .. }) => {
                current = found
                    .map(|entry| (u64::from_be_bytes((&*entry.value).try_into().unwrap()), entry.modified));
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}
