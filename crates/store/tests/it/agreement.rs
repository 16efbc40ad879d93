//! Whatever is done to both backends, they agree, and every watch is the projection of the history.

use crate::driver::{collect, wait};
use base::time::Time;
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use store::{
    Compare, Event, Feed, KeyRange, MemoryStore, Op, Options, Range, Revision, SqliteStore, Store, Txn,
    WatchError,
};

#[derive(Clone, Debug)]
enum Step {
    Commit(Txn),
    Expire(Time),
    /// Revisions are chosen as shares of the current one, so that they hit past, present and future.
    Compact(u8),
    /// A range at a share of history, with limits to its entries and bytes, counted or not.
    Read(KeyRange, Option<u8>, [Option<usize>; 2], bool),
    Watch(KeyRange, u8),
    /// Lets a watch catch up now; all do at the end.
    Drain(usize),
    Reopen,
}

fn key() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["a/1", "a/2", "a/2x", "b", "b/1", "c"]).prop_map(Bytes::from)
}

fn key_range() -> impl Strategy<Value = KeyRange> {
    prop_oneof![
        Just(KeyRange::all()),
        prop::sample::select(vec!["a/", "b", "a/2"]).prop_map(KeyRange::prefix),
        key().prop_map(KeyRange::key),
        (key(), key()).prop_map(|(start, end)| KeyRange::between(start, end)),
    ]
}

fn due() -> impl Strategy<Value = Time> {
    (0i64..20).prop_map(Time::from_unix_seconds)
}

fn txn() -> impl Strategy<Value = Txn> {
    let compare = prop_oneof![
        key().prop_map(Compare::Absent),
        key().prop_map(Compare::Present),
        (key(), 2u64..12).prop_map(|(key, revision)| Compare::Modified(key, Revision(revision))),
    ];
    let value = vec(any::<u8>(), 0..4).prop_map(Bytes::from);
    let op = prop_oneof![
        3 => (key(), value, prop::option::weighted(0.3, due()))
            .prop_map(|(key, value, expires)| Op::Put { key, value, expires }),
        1 => key().prop_map(|key| Op::Delete { key }),
    ];
    // Mostly unconditional, or hardly anything would happen.
    (prop_oneof![3 => Just(Vec::new()), 1 => vec(compare, 1..3)], vec(op, 1..4))
        .prop_map(|(compares, ops)| Txn { compares, ops })
}

fn limits() -> impl Strategy<Value = [Option<usize>; 2]> {
    (prop::option::of(0usize..4), prop::option::of(0usize..40)).prop_map(|(entries, bytes)| [entries, bytes])
}

fn step() -> impl Strategy<Value = Step> {
    let share = any::<u8>;
    prop_oneof![
        12 => txn().prop_map(Step::Commit),
        1 => due().prop_map(Step::Expire),
        1 => share().prop_map(Step::Compact),
        3 => (key_range(), prop::option::of(share()), limits(), any::<bool>())
            .prop_map(|(keys, at, limits, count)| Step::Read(keys, at, limits, count)),
        2 => (key_range(), share()).prop_map(|(keys, from)| Step::Watch(keys, from)),
        2 => any::<usize>().prop_map(Step::Drain),
        1 => Just(Step::Reopen),
    ]
}

struct Watched {
    keys: KeyRange,
    from: Revision,
    memory: Feed,
    sqlite: Feed,
    seen: Vec<Event>,
    ended: bool,
}

struct Both {
    _directory: tempfile::TempDir,
    options: Options,
    memory: MemoryStore,
    sqlite: Option<SqliteStore>,
    watched: Vec<Watched>,
    history: Feed,
}

impl Both {
    /// With so many bytes of recent history in memory, and perhaps keys that are not.
    fn new(recent_bytes: usize, apart: Option<&'static str>) -> Both {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::new(directory.path().join("store.db"));
        options.recent_bytes = recent_bytes;
        options.apart = apart.into_iter().map(KeyRange::prefix).collect();
        let memory = MemoryStore::new();
        let history = memory.watch(KeyRange::all(), Revision::NONE);
        let sqlite = Some(SqliteStore::open(&options).unwrap());
        Both { _directory: directory, options, memory, sqlite, watched: Vec::new(), history }
    }

    fn sqlite(&self) -> &SqliteStore {
        self.sqlite.as_ref().expect("it is open between the steps")
    }

    /// A share of 200 is the present.
    fn revision(&self, share: u8) -> Revision {
        Revision(self.memory.current_revision().0 * u64::from(share) / 200)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Commit(txn) => {
                let outcomes = [wait(self.sqlite().commit(txn.clone())), self.memory.commit_now(txn)];
                same(outcomes);
            }
            Step::Expire(now) => {
                assert_eq!(wait(self.sqlite().expire(now)).unwrap(), self.memory.expire_now(now));
            }
            Step::Compact(share) => {
                let at = self.revision(share);
                same([wait(self.sqlite().compact(at)), self.memory.compact_now(at)]);
            }
            Step::Read(keys, share, [limit, bytes], count) => {
                let range = Range { keys, at: share.map(|share| self.revision(share)), limit, bytes, count };
                same([wait(self.sqlite().range(range.clone())), self.memory.range_now(&range)]);
            }
            Step::Watch(keys, share) => {
                let from = self.revision(share).next();
                let memory = self.memory.watch(keys.clone(), from);
                let sqlite = self.sqlite().watch(keys.clone(), from);
                self.watched.push(Watched { keys, from, memory, sqlite, seen: Vec::new(), ended: false });
            }
            Step::Drain(which) => {
                let count = self.watched.len().max(1);
                if let Some(watched) = self.watched.get_mut(which % count) {
                    watched.drain(self.memory.current_revision());
                }
            }
            Step::Reopen => {
                // Watches end with the process. Those here have seen all before it does.
                self.drain_all();
                self.watched.clear();
                self.sqlite = None;
                self.sqlite = Some(SqliteStore::open(&self.options).unwrap());
            }
        }
        assert_eq!(self.sqlite().current_revision(), self.memory.current_revision());
    }

    fn drain_all(&mut self) {
        let now = self.memory.current_revision();
        self.watched.iter_mut().for_each(|watched| watched.drain(now));
    }
}

impl Watched {
    fn drain(&mut self, until: Revision) {
        if self.ended {
            return;
        }
        let [memory, sqlite] = [&mut self.memory, &mut self.sqlite].map(|feed| collect(feed, until));
        match (memory, sqlite) {
            (Ok(memory), Ok(sqlite)) => {
                assert_eq!(memory, sqlite);
                self.seen.extend(memory);
            }
            (Err(WatchError::Compacted { at }), Err(WatchError::Compacted { at: also })) => {
                assert_eq!(at, also);
                self.ended = true;
            }
            differing => panic!("the feeds differ: {differing:?}"),
        }
    }
}

fn same<T: std::fmt::Debug, E: std::fmt::Debug>([left, right]: [Result<T, E>; 2]) {
    assert_eq!(format!("{left:?}"), format!("{right:?}"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn backends_agree_and_watches_are_projections(
        recent_bytes in prop::sample::select(vec![0, 1_000, 1 << 20]),
        apart in prop::sample::select(vec![None, Some("a/2"), Some("b")]),
        steps in vec(step(), 1..80),
    ) {
        let mut both = Both::new(recent_bytes, apart);
        for step in steps {
            both.take(step);
        }
        both.drain_all();
        let now = both.memory.current_revision();
        let history = collect(&mut both.history, now).unwrap();
        for watched in &both.watched {
            if watched.ended {
                continue;
            }
            let owed: Vec<&Event> = history
                .iter()
                .filter(|event| event.revision() >= watched.from && watched.keys.contains(event.key()))
                .collect();
            prop_assert_eq!(watched.seen.iter().collect::<Vec<_>>(), owed);
        }
        wait(both.sqlite().swept());
        same([
            wait(both.sqlite().range(Range::of(KeyRange::all()).counted())),
            both.memory.range_now(&Range::of(KeyRange::all()).counted()),
        ]);
    }
}
