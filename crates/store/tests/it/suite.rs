//! The behaviour that every backend must show.

use crate::driver::{collect, wait};
use base::time::Time;
use bytes::Bytes;
use futures_util::future::join_all;
use store::{
    CommitError, CompactError, Compare, Event, KeyRange, MemoryStore, Options, Range, ReadError, Revision,
    SqliteStore, Store, Txn, WatchError, limits,
};

type Case = (&'static str, fn(&dyn Store));

const CASES: &[Case] = &[
    ("an empty store is at revision 1", empty),
    ("a key's life: created, modified, version", life),
    ("conflicts return what is there", conflicts),
    ("a transaction is one revision, or nothing", transactions),
    ("malformed transactions are refused", malformed),
    ("deleting nothing uses up no revision", deleting_nothing),
    ("ranges: prefixes, limits, counts", ranges),
    ("ranges as of a revision", past_ranges),
    ("a watch from the past goes over into the present", watch_past),
    ("a watch from the future waits", watch_future),
    ("a watch is complete although others' keys change", watch_progress),
    ("a slow watcher loses nothing", watch_slow),
    ("compaction refuses what is gone, and keeps what is not", compaction),
    ("deletes at the compaction's revision are kept", compaction_keeps_deletes),
    ("a watch that fell behind a compaction is told", compaction_overtakes),
    ("keys expire with a revision each", expiry),
    ("a put renews or ends the expiry", expiry_renewed),
    ("many keys expire", expiry_many),
    ("keys and values are any bytes", bytes),
];

#[test]
fn memory() {
    for (name, case) in CASES {
        println!("{name}");
        case(&MemoryStore::new());
    }
}

#[test]
fn sqlite() {
    for (name, case) in CASES {
        println!("{name}");
        let directory = tempfile::tempdir().unwrap();
        case(&SqliteStore::open(&Options::new(directory.path().join("store.db"))).unwrap());
    }
}

fn put(store: &dyn Store, key: &'static str, value: &'static str) -> Revision {
    commit(store, Txn::default().put(key, value))
}

fn commit(store: &dyn Store, txn: Txn) -> Revision {
    wait(store.commit(txn)).unwrap().revision
}

fn value(store: &dyn Store, key: &'static str) -> Option<Bytes> {
    wait(store.get(key.into())).unwrap().map(|entry| entry.value)
}

fn keys(store: &dyn Store, range: Range) -> Vec<String> {
    let page = wait(store.range(range)).unwrap();
    page.entries.iter().map(|entry| String::from_utf8(entry.key.to_vec()).unwrap()).collect()
}

fn at(second: i64) -> Time {
    Time::from_unix_seconds(second)
}

fn empty(store: &dyn Store) {
    assert_eq!(store.current_revision(), Revision(1));
    let page = wait(store.range(Range::of(KeyRange::all()))).unwrap();
    assert_eq!((page.entries.len(), page.revision, page.more), (0, Revision(1), false));
    assert_eq!(wait(store.get("a".into())).unwrap(), None);
}

fn life(store: &dyn Store) {
    let life = |expected: (u64, u64, u64)| {
        let entry = wait(store.get("a".into())).unwrap().unwrap();
        assert_eq!((entry.created.0, entry.modified.0, entry.version), expected);
    };
    put(store, "a", "1");
    life((2, 2, 1));
    put(store, "b", "1");
    put(store, "a", "2");
    life((2, 4, 2));
    assert_eq!(commit(store, Txn::default().delete("a")), Revision(5));
    assert_eq!(value(store, "a"), None);
    put(store, "a", "3");
    life((6, 6, 1));
    assert_eq!(store.current_revision(), Revision(6));
}

fn conflicts(store: &dyn Store) {
    let first = commit(store, Txn::create("a", "1"));
    let conflict = |txn: Txn| match wait(store.commit(txn)) {
        Err(CommitError::Conflict { compare, current }) => (compare, current.map(|entry| entry.value)),
        other => panic!("no conflict: {other:?}"),
    };
    assert_eq!(conflict(Txn::create("a", "2")), (0, Some("1".into())));
    assert_eq!(conflict(Txn::update("a", "2", first.next())), (0, Some("1".into())));
    assert_eq!(conflict(Txn::update("b", "2", first)), (0, None));
    assert_eq!(conflict(Txn::remove("a", Revision(1))), (0, Some("1".into())));
    let present = Txn::default().when(Compare::Present("a".into())).when(Compare::Present("b".into()));
    assert_eq!(conflict(present.put("c", "1")), (1, None));
    assert_eq!(store.current_revision(), first);
    let second = commit(store, Txn::update("a", "2", first));
    assert_eq!(value(store, "a"), Some("2".into()));
    commit(store, Txn::remove("a", second));
    assert_eq!(conflict(Txn::update("a", "3", second)), (0, None));
}

fn transactions(store: &dyn Store) {
    put(store, "old", "1");
    let all = Txn::create("a", "1").put("b", "1").delete("old").when(Compare::Present("old".into()));
    let revision = commit(store, all);
    assert_eq!(revision, Revision(3));
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["a", "b"]);
    let none = Txn::default().when(Compare::Absent("a".into())).put("c", "1").delete("b");
    assert!(wait(store.commit(none)).is_err());
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["a", "b"]);
    let events = collect(&mut store.watch(KeyRange::all(), revision), revision).unwrap();
    let seen: Vec<_> = events.iter().map(|event| (&**event.key(), event.entry().is_some())).collect();
    assert_eq!(seen, [(&b"a"[..], true), (b"b", true), (b"old", false)]);
    assert!(events.iter().all(|event| event.revision() == revision));
}

fn malformed(store: &dyn Store) {
    let twice = wait(store.commit(Txn::default().put("a", "1").delete("a")));
    assert!(matches!(twice, Err(CommitError::DuplicateKey { key }) if key == "a"));
    let many = (0..=limits::TXN_OPS).fold(Txn::default(), |txn, number| txn.put(number.to_string(), "1"));
    assert!(
        matches!(wait(store.commit(many)), Err(CommitError::TooManyOps { count }) if count == limits::TXN_OPS + 1)
    );
    let large = Txn::default().put("a", vec![0; limits::TXN_BYTES]);
    assert!(matches!(wait(store.commit(large)), Err(CommitError::TooLarge { .. })));
    let most = (0..limits::TXN_OPS).fold(Txn::default(), |txn, number| txn.put(number.to_string(), "1"));
    assert_eq!(commit(store, most), Revision(2));
    commit(store, Txn::default().put("a", vec![0; limits::TXN_BYTES - 1]));
}

fn deleting_nothing(store: &dyn Store) {
    put(store, "a", "1");
    assert_eq!(commit(store, Txn::default().delete("b")), Revision(2));
    assert_eq!(commit(store, Txn::default()), Revision(2));
    assert_eq!(put(store, "a", "2"), Revision(3));
}

fn ranges(store: &dyn Store) {
    for key in ["/pods/a/1", "/pods/a/2", "/pods/b/1", "/podsx", "/nodes/1", "/pods/a/3"] {
        put(store, key, "1");
    }
    commit(store, Txn::default().delete("/pods/a/2"));
    put(store, "/pods/a/3", "2");
    assert_eq!(keys(store, Range::of(KeyRange::prefix("/pods/"))), ["/pods/a/1", "/pods/a/3", "/pods/b/1"]);
    assert_eq!(keys(store, Range::of(KeyRange::between("/nodes/1", "/pods/a/3"))), ["/nodes/1", "/pods/a/1"]);
    assert_eq!(keys(store, Range::of(KeyRange::between("/z", "/a"))), [""; 0]);
    assert_eq!(keys(store, Range::of(KeyRange::key("/podsx"))), ["/podsx"]);
    assert_eq!(keys(store, Range::of(KeyRange::all())).len(), 5);

    let page = |range: Range| {
        let page = wait(store.range(range)).unwrap();
        (page.entries.len(), page.more, page.remaining)
    };
    let pods = || Range::of(KeyRange::prefix("/pods/"));
    assert_eq!(page(pods().limit(2)), (2, true, None));
    assert_eq!(page(pods().limit(2).counted()), (2, true, Some(1)));
    assert_eq!(page(pods().limit(3).counted()), (3, false, Some(0)));
    assert_eq!(page(pods().limit(0).counted()), (0, true, Some(3)));
    assert_eq!(page(pods().counted()), (3, false, Some(0)));
    let rest = Range::of(KeyRange::prefix("/pods/").from("/pods/a/1\0"));
    assert_eq!(keys(store, rest), ["/pods/a/3", "/pods/b/1"]);

    put(store, "/pods/b/2", "0123456789");
    for (bytes, wanted) in [
        (0, (1, true, Some(3))),
        (2, (2, true, Some(2))),
        (12, (3, true, Some(1))),
        (13, (4, false, Some(0))),
    ] {
        assert_eq!(page(pods().bytes(bytes).counted()), wanted, "{bytes}");
    }
    let large = Range::of(KeyRange::key("/pods/b/2")).bytes(5);
    assert_eq!(keys(store, large), ["/pods/b/2"], "one comes however large it is");
}

fn past_ranges(store: &dyn Store) {
    put(store, "a", "1");
    put(store, "b", "1");
    put(store, "a", "2");
    commit(store, Txn::default().delete("b"));
    let past = |revision: u64| {
        let page = wait(store.range(Range::of(KeyRange::all()).at(Revision(revision)).counted())).unwrap();
        assert_eq!(page.revision, Revision(5));
        page.entries.into_iter().map(|entry| (entry.key, entry.value)).collect::<Vec<_>>()
    };
    let entry = |key: &'static str, value: &'static str| (Bytes::from(key), Bytes::from(value));
    assert_eq!(past(1), []);
    assert_eq!(past(2), [entry("a", "1")]);
    assert_eq!(past(3), [entry("a", "1"), entry("b", "1")]);
    assert_eq!(past(4), [entry("a", "2"), entry("b", "1")]);
    assert_eq!(past(5), [entry("a", "2")]);
    let future = wait(store.range(Range::of(KeyRange::all()).at(Revision(6))));
    let expected = (Revision(6), Revision(5));
    assert!(matches!(future, Err(ReadError::Future { asked, current }) if (asked, current) == expected));
}

fn watch_past(store: &dyn Store) {
    put(store, "p/a", "1");
    put(store, "q/a", "1");
    put(store, "p/a", "2");
    let mut feed = store.watch(KeyRange::prefix("p/"), Revision(2));
    commit(store, Txn::default().delete("p/a"));
    let last = put(store, "p/a", "3");
    let events = collect(&mut feed, last).unwrap();
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            let values =
                [event.entry(), event.previous()].map(|entry| entry.map(|entry| entry.value.clone()));
            (event.revision().0, values)
        })
        .collect();
    let value = |value: &'static str| Some(Bytes::from(value));
    assert_eq!(
        seen,
        [
            (2, [value("1"), None]),
            (4, [value("2"), value("1")]),
            (5, [None, value("2")]),
            (6, [value("3"), None]),
        ]
    );
    assert!(matches!(events[2], Event::Delete { .. }));
    assert_eq!(events[1].previous().unwrap().modified, Revision(2));
}

fn watch_future(store: &dyn Store) {
    put(store, "a", "1");
    let mut fresh = store.watch(KeyRange::all(), Revision::NONE);
    let mut future = store.watch(KeyRange::all(), Revision(5));
    for value in ["2", "3", "4", "5"] {
        put(store, "a", value);
    }
    let revisions = |feed| {
        let events = collect(feed, Revision(6)).unwrap();
        events.iter().map(|event| event.revision().0).collect::<Vec<_>>()
    };
    assert_eq!(revisions(&mut fresh), [3, 4, 5, 6]);
    assert_eq!(revisions(&mut future), [5, 6]);
}

fn watch_progress(store: &dyn Store) {
    let mut feed = store.watch(KeyRange::prefix("p/"), Revision::NONE);
    let other = put(store, "q/a", "1");
    assert!(feed.try_next().unwrap().is_none());
    assert_eq!(feed.complete(), other);
    put(store, "p/a", "1");
    let last = put(store, "q/a", "2");
    assert_eq!(feed.complete(), other, "an event that was not taken yet holds the progress back");
    assert_eq!(collect(&mut feed, last).unwrap().len(), 1);
    assert_eq!(feed.complete(), last);
}

fn watch_slow(store: &dyn Store) {
    let mut feed = store.watch(KeyRange::prefix("p/"), Revision::NONE);
    let count = limits::FEED_EVENTS * 2 + limits::REPLAY_EVENTS + 7;
    let write =
        |number| store.commit(Txn::default().put(format!("p/{number}"), "1").put(format!("q/{number}"), "1"));
    for outcome in wait(join_all((0..count / 2).map(write))) {
        outcome.unwrap();
    }
    let first = wait(feed.next()).unwrap();
    for outcome in wait(join_all((count / 2..count).map(write))) {
        outcome.unwrap();
    }
    let mut events = first.events;
    events.extend(collect(&mut feed, store.current_revision()).unwrap());
    let revisions: Vec<u64> = events.iter().map(|event| event.revision().0).collect();
    assert_eq!(revisions, (2..2 + count as u64).collect::<Vec<_>>());
    let last = put(store, "p/last", "1");
    assert_eq!(collect(&mut feed, last).unwrap().len(), 1, "it is up to date again");
}

fn compaction(store: &dyn Store) {
    put(store, "a", "1");
    put(store, "b", "1");
    put(store, "a", "2");
    commit(store, Txn::default().delete("b"));
    put(store, "c", "1");
    wait(store.compact(Revision(4))).unwrap();
    assert!(matches!(
        wait(store.range(Range::of(KeyRange::all()).at(Revision(3)))),
        Err(ReadError::Compacted { at: Revision(4) })
    ));
    assert_eq!(keys(store, Range::of(KeyRange::all()).at(Revision(4))), ["a", "b"]);
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["a", "c"]);
    let gone = collect(&mut store.watch(KeyRange::all(), Revision(3)), Revision(6));
    assert!(matches!(gone, Err(WatchError::Compacted { at: Revision(4) })));
    let events = collect(&mut store.watch(KeyRange::all(), Revision(4)), Revision(6)).unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(
        events[0].previous().unwrap().modified,
        Revision(2),
        "the previous value outlives its revision"
    );
    assert!(matches!(wait(store.compact(Revision(4))), Err(CompactError::Compacted { at: Revision(4) })));
    assert!(matches!(
        wait(store.compact(Revision(7))),
        Err(CompactError::Future { current: Revision(6), .. })
    ));
    wait(store.compact(Revision(6))).unwrap();
    assert_eq!(value(store, "a"), Some("2".into()));
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["a", "c"]);
    assert_eq!(put(store, "b", "2"), Revision(7));
}

fn compaction_keeps_deletes(store: &dyn Store) {
    put(store, "a", "1");
    let deleted = commit(store, Txn::default().delete("a"));
    wait(store.compact(deleted)).unwrap();
    let events = collect(&mut store.watch(KeyRange::all(), deleted), deleted).unwrap();
    assert!(matches!(&events[..], [Event::Delete { previous: Some(entry), .. }] if entry.value == "1"));
    assert_eq!(store.current_revision(), deleted);
}

fn compaction_overtakes(store: &dyn Store) {
    put(store, "a", "1");
    let mut feed = store.watch(KeyRange::all(), Revision(2));
    put(store, "a", "2");
    wait(store.compact(Revision(3))).unwrap();
    assert!(matches!(collect(&mut feed, Revision(3)), Err(WatchError::Compacted { at: Revision(3) })));
    assert!(wait(feed.next()).is_err(), "it stays ended");
}

fn expiry(store: &dyn Store) {
    commit(store, Txn::create("a", "1").put("b", "1").expiring(at(60)));
    commit(store, Txn::create("c", "1").expiring(at(30)));
    put(store, "d", "1");
    assert_eq!(wait(store.get("a".into())).unwrap().unwrap().expires, Some(at(60)));
    assert_eq!(wait(store.expire(at(29))).unwrap(), 0);
    assert_eq!(store.current_revision(), Revision(4));
    assert_eq!(wait(store.expire(at(60))).unwrap(), 3);
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["d"]);
    let events = collect(&mut store.watch(KeyRange::all(), Revision(5)), Revision(7)).unwrap();
    let deleted: Vec<_> = events.iter().map(|event| (&**event.key(), event.revision().0)).collect();
    assert_eq!(deleted, [(&b"c"[..], 5), (b"a", 6), (b"b", 7)]);
    assert!(events.iter().all(|event| event.entry().is_none() && event.previous().is_some()));
    assert_eq!(wait(store.expire(at(600))).unwrap(), 0);
}

fn expiry_renewed(store: &dyn Store) {
    for key in ["deleted", "kept", "renewed", "shortened"] {
        commit(store, Txn::create(key, "1").expiring(at(10)));
    }
    put(store, "kept", "2");
    commit(store, Txn::default().put("renewed", "2").expiring(at(20)));
    commit(store, Txn::default().put("shortened", "2").expiring(at(5)));
    commit(store, Txn::default().delete("deleted"));
    assert_eq!(wait(store.expire(at(9))).unwrap(), 1);
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["kept", "renewed"]);
    assert_eq!(wait(store.expire(at(19))).unwrap(), 0);
    assert_eq!(wait(store.expire(at(20))).unwrap(), 1);
    assert_eq!(keys(store, Range::of(KeyRange::all())), ["kept"]);
}

fn expiry_many(store: &dyn Store) {
    let count = limits::EXPIRE_KEYS as u64 * 2 + 1;
    let write = |number| store.commit(Txn::create(format!("{number}"), "1").expiring(at(1)));
    assert!(wait(join_all((0..count).map(write))).iter().all(Result::is_ok));
    assert_eq!(wait(store.expire(at(1))).unwrap(), count);
    assert_eq!(store.current_revision(), Revision(1 + 2 * count));
}

fn bytes(store: &dyn Store) {
    let strange: [&'static [u8]; 4] = [b"\0", b"\0\0", b"\xff", b"\xff\xff\0"];
    for key in strange {
        commit(store, Txn::create(key, key));
    }
    commit(store, Txn::create("empty", ""));
    let page = wait(store.range(Range::of(KeyRange::prefix(&b"\xff"[..])))).unwrap();
    let found: Vec<_> = page.entries.iter().map(|entry| &*entry.value).collect();
    assert_eq!(found, [&b"\xff"[..], b"\xff\xff\0"]);
    assert_eq!(value(store, "empty"), Some(Bytes::new()));
    assert_eq!(wait(store.range(Range::of(KeyRange::all()).limit(4).counted())).unwrap().remaining, Some(1));
}
