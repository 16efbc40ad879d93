//! Files that cannot be opened, files that can be opened again, and files that do not grow.

use crate::driver::{collect, wait};
use base::error::Chain;
use base::time::Time;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use store::{
    Event, Fault, KeyRange, OpenError, Options, Range, ReadError, Revision, SqliteStore, Store, Txn,
    WatchError, limits,
};

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&Options::new(path))
}

fn refused(path: &Path) -> (OpenError, String) {
    let error = open(path).err().expect("it must not open");
    let text = Chain(&error).to_string();
    assert!(text.contains(&*path.to_string_lossy()), "{text:?} does not name the file");
    (error, text)
}

#[test]
fn a_second_server_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let first = open(&path).unwrap();
    assert!(matches!(refused(&path).0, OpenError::InUse { .. }));
    wait(first.commit(Txn::create("a", "1"))).unwrap();
    drop(first);
    open(&path).unwrap();
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("text");
    std::fs::write(&text, "not a database at all, but long enough to look like something\n".repeat(99))
        .unwrap();
    let other = directory.path().join("other");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for path in [text, other] {
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(refused(&path).0, OpenError::Foreign { .. }));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    drop(open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let (error, text) = refused(&path);
    assert!(matches!(error, OpenError::Newer { found: 2, supported: 1, .. }));
    assert!(text.contains("schema version 2"), "{text}");
}

#[test]
fn damage_is_named_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).unwrap();
    for number in 0..64 {
        wait(store.commit(Txn::create(format!("{number}"), vec![7; 3_000]))).unwrap();
    }
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[4_096..].fill(0xa5);
    std::fs::write(&path, damaged).unwrap();
    let (error, text) = refused(&path);
    assert!(matches!(error, OpenError::Fault(Fault::Damaged { .. })), "{text}");

    // Damage that shows only when its page is read: the store opens, and that reading fails.
    let leaf = whole.len() / 4_096 - 1;
    let mut damaged = whole;
    damaged[leaf / 2 * 4_096..][..8 * 4_096].fill(0xa5);
    std::fs::write(&path, damaged).unwrap();
    let store = open(&path).unwrap();
    let error = wait(store.range(Range::of(KeyRange::all()))).unwrap_err();
    assert!(matches!(error, ReadError::Fault(Fault::Damaged { .. })), "{error:?}");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    refused(&directory.path().join("missing/store.db"));
}

#[test]
fn everything_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).unwrap();
    wait(store.commit(Txn::create("a", "1"))).unwrap();
    wait(store.commit(Txn::default().put("a", "2"))).unwrap();
    wait(store.commit(Txn::create("b", "1").expiring(Time::from_unix_seconds(9)))).unwrap();
    wait(store.compact(Revision(3))).unwrap();
    let before = wait(store.range(Range::of(KeyRange::all()))).unwrap();
    drop(store);
    let store = open(&path).unwrap();
    assert_eq!(store.current_revision(), Revision(4));
    assert_eq!(wait(store.range(Range::of(KeyRange::all()))).unwrap(), before);
    let events = collect(&mut store.watch(KeyRange::all(), Revision(3)), Revision(4)).unwrap();
    assert!(matches!(&events[0], Event::Put { previous: Some(old), .. } if old.value == "1"));
    assert!(collect(&mut store.watch(KeyRange::all(), Revision(2)), Revision(4)).is_err());
    assert_eq!(wait(store.expire(Time::from_unix_seconds(9))).unwrap(), 1);
}

#[test]
fn compaction_frees_what_it_forgets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).unwrap();
    for round in 0..3_000 {
        wait(store.commit(Txn::default().put(format!("{}", round % 7), vec![1; 512]))).unwrap();
    }
    for key in 0..5 {
        wait(store.commit(Txn::default().delete(format!("{key}")))).unwrap();
    }
    let now = store.current_revision();
    wait(store.compact(now)).unwrap();
    wait(store.swept());
    drop(store);
    let rows: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2 + 2, "two living keys, and the last delete with what it deleted");
    let store = open(&path).unwrap();
    assert_eq!(store.current_revision(), now);
    assert_eq!(wait(store.range(Range::of(KeyRange::all()))).unwrap().entries.len(), 2);
}

#[test]
fn the_log_is_moved_into_the_database_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).unwrap();
    let size = |name: &str| std::fs::metadata(directory.path().join(name)).unwrap().len();
    let page_bytes = 4_096;
    let moves_at = limits::WAL_PAGES as u64 * page_bytes;
    for round in 0..3 {
        let before = size("store.db");
        let mut number = 0;
        // What is moved, and when, is up to another thread: write on until it has.
        while size("store.db") < before + moves_at / 2 {
            wait(store.commit(Txn::create(format!("{round}/{number}"), vec![7; 1 << 20]))).unwrap();
            number += 1;
            assert!(number < 400, "nothing was moved in {number} MiB");
        }
    }
    assert!(size("store.db-wal") < 400 << 20);
    let entries = wait(store.range(Range::of(KeyRange::prefix("0/")))).unwrap().entries;
    assert!(entries.iter().all(|entry| entry.value.len() == 1 << 20));
}

#[test]
fn shutting_down_ends_watches_and_refuses_what_comes_later() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(open(&directory.path().join("store.db")).unwrap());
    let mut live = store.watch(KeyRange::all(), Revision::NONE);
    wait(store.commit(Txn::create("a", "1"))).unwrap();
    let mut past = store.watch(KeyRange::all(), Revision(2));
    drop(store);
    assert_eq!(wait(live.next()).unwrap().events.len(), 1, "what was published is still delivered");
    assert!(matches!(wait(live.next()), Err(WatchError::Fault(Fault::Closed))));
    assert!(matches!(wait(past.next()), Err(WatchError::Fault(Fault::Closed))));
}
