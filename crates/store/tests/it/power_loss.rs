//! Power loss at every moment: whatever of the unsynced writes reached the disk, nothing acknowledged is lost.
//!
//! A run of the store is recorded write by write. Then each image that the disk may have shown after losing
//! power is built and opened: what was synced, plus the unsynced writes up to each of them, or torn in its
//! middle, or all but one of them. Each must open as a sound database whose history is a beginning of the
//! real one, not shorter than what was answered.

use crate::driver::{collect, wait};
use crate::vfs::{Change, Disk, Note, Step};
use base::time::Time;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::path::Path;
use store::history::Ledger;
use store::{Entry, KeyRange, Options, Range, Revision, SqliteStore, Store, Txn};

type Files = BTreeMap<String, Vec<u8>>;

/// What the disk surely holds and what it may hold, at one moment of the run.
#[derive(Default)]
struct Moment {
    synced: Files,
    unsynced: Vec<(String, Change)>,
    answered: u64,
    compacting: u64,
}

/// The run: its writes, and what the store holds at each revision.
struct Run {
    steps: Vec<Step>,
    states: BTreeMap<Revision, Vec<Entry>>,
    ledger: Ledger,
}

#[test]
fn nothing_acknowledged_is_lost_whatever_the_disk_kept() {
    let run = record();
    let mut moment = Moment::default();
    let mut images = 0;
    for step in &run.steps {
        match step {
            Step::Change(file, change) => moment.unsynced.push((file.clone(), change.clone())),
            Step::Note(Note::Answered(revision)) => moment.answered = *revision,
            Step::Note(Note::Compacting(revision)) => moment.compacting = *revision,
            Step::Sync(file) => {
                images += lose_power(&run, &moment);
                moment.sync(file);
            }
            Step::SyncDirectory => {
                images += lose_power(&run, &moment);
                moment.sync_directory();
            }
        }
    }
    images += lose_power(&run, &moment);
    assert!(images > 500, "only {images} images were tried");
}

/// A hundred or so revisions: creates, updates, deletes, groups, expiry, compaction, checkpoints and a restart.
fn record() -> Run {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::register("recording");
    let options =
        Options { vfs: Some("recording".into()), ..Options::new(directory.path().join("store.db")) };
    let mut run = Run { steps: Vec::new(), states: BTreeMap::new(), ledger: Ledger::new() };
    for life in 0..2 {
        let store = SqliteStore::open(&options).unwrap();
        for round in 0..12 {
            let txns = txns(life * 12 + round);
            let commits = join_all(txns.iter().map(|txn| store.commit(txn.clone())));
            assert!(wait(commits).iter().all(Result::is_ok));
            for txn in txns {
                run.commit(txn);
            }
            disk.note(Note::Answered(store.current_revision().0));
            if round == 6 {
                expire(&store, &mut run);
                compact(&store, disk, &mut run);
                checkpoint(&options.path);
            }
        }
    }
    run.steps = disk.log();
    run
}

/// The transactions of one round: one alone, or several that share a commit.
fn txns(round: usize) -> Vec<Txn> {
    let value = |number: usize| vec![number as u8; 900];
    let create = |number: usize| Txn::create(format!("new/{round}/{number}"), value(number));
    let over = Txn::default().put("over", value(round)).put(format!("also/{}", round % 3), "x");
    match round % 4 {
        0 => vec![create(0)],
        1 => vec![over, create(0), create(1).expiring(Time::from_unix_seconds(1)), create(2)],
        2 => vec![Txn::default().delete(format!("new/{}/0", round - 1)), over],
        _ => vec![over],
    }
}

fn expire(store: &SqliteStore, run: &mut Run) {
    let now = Time::from_unix_seconds(1);
    let due: Vec<_> = run.ledger.due(now).cloned().collect();
    assert_eq!(wait(store.expire(now)).unwrap(), due.len() as u64);
    for key in due {
        run.commit(Txn::default().delete(key));
    }
}

fn compact(store: &SqliteStore, disk: &Disk, run: &mut Run) {
    let at = Revision(store.current_revision().0 - 2);
    disk.note(Note::Compacting(at.0));
    wait(store.compact(at)).unwrap();
    wait(store.swept());
    // The run's own ledger keeps everything: what a watch is owed from `at` on is the same.
    assert!(run.ledger.span().current > at);
}

/// Moves the log into the database, so that the next write starts the log over.
fn checkpoint(path: &Path) {
    let flags = rusqlite::OpenFlags::default();
    let db = rusqlite::Connection::open_with_flags_and_vfs(path, flags, "recording").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())).unwrap();
}

impl Run {
    fn commit(&mut self, txn: Txn) {
        self.ledger.commit(txn).unwrap();
        let state = self.ledger.range(&Range::of(KeyRange::all())).unwrap().entries;
        self.states.insert(self.ledger.span().current, state);
    }
}

impl Moment {
    /// Deletes are on the disk once their directory is synced, and not before.
    fn sync_directory(&mut self) {
        let is_delete = |change: &Change| matches!(change, Change::Delete);
        let deleted: Vec<String> =
            self.unsynced.iter().filter(|(_, c)| is_delete(c)).map(|(f, _)| f.clone()).collect();
        for file in deleted {
            let gone = self.unsynced.iter().rposition(|(name, change)| *name == file && is_delete(change));
            let after = gone.map_or(0, |gone| gone + 1);
            let later = self.unsynced.split_off(after);
            self.unsynced.retain(|(name, _)| *name != file);
            self.unsynced.extend(later);
            self.synced.remove(&file);
        }
    }

    fn sync(&mut self, file: &str) {
        let (synced, unsynced) =
            std::mem::take(&mut self.unsynced).into_iter().partition(|(name, _)| name == file);
        self.unsynced = unsynced;
        let synced: Vec<_> = synced;
        synced.iter().for_each(|(name, change)| apply(&mut self.synced, name, change));
    }
}

fn apply(files: &mut Files, name: &str, change: &Change) {
    let content = files.entry(name.to_owned()).or_default();
    match change {
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(data);
        }
        Change::Truncate(size) => content.resize(*size, 0),
        Change::Delete => drop(files.remove(name)),
    }
}

/// Tries every image that this moment may leave behind, and says how many.
fn lose_power(run: &Run, moment: &Moment) -> usize {
    let unsynced = &moment.unsynced;
    let mut image = moment.synced.clone();
    check(run, moment, &image, "nothing unsynced was kept");
    let mut images = 1;
    for (number, (name, change)) in unsynced.iter().enumerate() {
        if let Change::Write(offset, data) = change {
            let mut torn = image.clone();
            apply(&mut torn, name, &Change::Write(*offset, data[..data.len() / 2].to_vec()));
            check(run, moment, &torn, &format!("unsynced write {number} of {} was torn", unsynced.len()));
            images += 1;
        }
        apply(&mut image, name, change);
        check(
            run,
            moment,
            &image,
            &format!("{} of {} unsynced writes were kept", number + 1, unsynced.len()),
        );
        images += 1;
    }
    for lost in 0..unsynced.len().saturating_sub(1) {
        let mut image = moment.synced.clone();
        let kept = unsynced.iter().enumerate().filter(|(number, _)| *number != lost);
        kept.for_each(|(_, (name, change))| apply(&mut image, name, change));
        check(run, moment, &image, &format!("unsynced write {lost} of {} was lost", unsynced.len()));
        images += 1;
    }
    images
}

fn check(run: &Run, moment: &Moment, image: &Files, how: &str) {
    // In memory where there is such a file system: thousands of images need no disk.
    let parent = Path::new("/dev/shm");
    let directory = if parent.is_dir() { tempfile::tempdir_in(parent) } else { tempfile::tempdir() }.unwrap();
    for (name, content) in image {
        std::fs::write(directory.path().join(name), content).unwrap();
    }
    let path = directory.path().join("store.db");
    let store = SqliteStore::open(&Options::new(&path)).unwrap_or_else(|error| panic!("{how}: {error:?}"));
    let revision = store.current_revision();
    let answered = Revision(moment.answered);
    assert!(revision >= answered, "{how}: answered up to {answered}, and kept up to {revision}");
    let page = wait(store.range(Range::of(KeyRange::all()))).unwrap();
    let expected = run.states.get(&revision);
    assert_eq!(page.entries, expected.cloned().unwrap_or_default(), "{how}: the state at {revision}");
    let from = Revision(moment.compacting.max(1));
    let events = collect(&mut store.watch(KeyRange::all(), from), revision).unwrap();
    let expected = run.ledger.replay(&KeyRange::all(), from, revision).unwrap();
    assert_eq!(events, expected, "{how}: the history up to {revision}");
    drop(store);
    let db = rusqlite::Connection::open(&path).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok", "{how}");
}
