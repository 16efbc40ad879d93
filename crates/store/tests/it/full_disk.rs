//! No space left: the write fails and says so, nothing of it is seen, and the store goes on.

use crate::driver::{collect, wait};
use crate::vfs::Disk;
use futures_util::future::join_all;
use store::{CommitError, CompactError, Fault, KeyRange, Options, Revision, SqliteStore, Store, Txn};

#[test]
fn a_full_disk_fails_the_write_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::register("filling");
    let path = directory.path().join("store.db");
    let options = Options { vfs: Some("filling".into()), ..Options::new(path.clone()) };
    let store = SqliteStore::open(&options).unwrap();
    let mut feed = store.watch(KeyRange::all(), Revision::NONE);
    assert_eq!(wait(store.commit(Txn::create("a", "1"))).unwrap().revision, Revision(2));

    disk.set_full(true);
    // Several at once, one of which is a conflict: it must not be told of what was never kept.
    let group = ["b", "c", "b"].map(|key| store.commit(Txn::create(key, vec![0; 9_000])));
    for outcome in wait(join_all(group)) {
        let error = outcome.unwrap_err();
        assert!(
            matches!(&error, CommitError::Fault(Fault::Full { path: named }) if *named == path),
            "{error:?}"
        );
    }
    assert!(matches!(wait(store.compact(Revision(2))), Err(CompactError::Fault(Fault::Full { .. }))));
    assert_eq!(store.current_revision(), Revision(2));
    assert_eq!(wait(store.get("a".into())).unwrap().unwrap().value, "1");
    assert_eq!(wait(store.get("b".into())).unwrap(), None);

    disk.set_full(false);
    assert_eq!(wait(store.commit(Txn::create("b", "2"))).unwrap().revision, Revision(3));
    wait(store.compact(Revision(2))).unwrap();
    let events = collect(&mut feed, Revision(3)).unwrap();
    let keys: Vec<_> = events.iter().map(|event| event.key().clone()).collect();
    assert_eq!(keys, ["a", "b"]);
    drop(store);

    let store = SqliteStore::open(&options).unwrap();
    assert_eq!(store.current_revision(), Revision(3));
    assert_eq!(wait(store.get("c".into())).unwrap(), None);
}
