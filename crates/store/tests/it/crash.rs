//! The process is killed at random moments: what it acknowledged is there when the file is opened again.
//!
//! The child is this test binary again, running `writes_until_killed` alone.

use crate::driver::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use store::{KeyRange, Options, Range, Revision, SqliteStore, Store, Txn};

const DIRECTORY: &str = "STORE_CRASH_DIRECTORY";
const ACKNOWLEDGED: &str = "acknowledged ";

/// The child's side; nothing to do when it is run as a test.
#[test]
fn writes_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Arc::new(SqliteStore::open(&Options::new(Path::new(&directory).join("store.db"))).unwrap());
    let start = store.current_revision();
    let output = Arc::new(Mutex::new(std::io::stdout()));
    let writers = (0..6).map(|writer| {
        let (store, output) = (store.clone(), output.clone());
        thread::spawn(move || {
            for number in 0.. {
                let key = format!("{start}/{writer}/{number}");
                let mut txn =
                    Txn::create(key.clone(), vec![writer; 700]).put(format!("over/{writer}"), key.clone());
                if number > 0 && number % 3 == 0 {
                    txn = txn.delete(format!("{start}/{writer}/{}", number - 1));
                }
                let revision = wait(store.commit(txn)).unwrap().revision;
                if number % 50 == 49 {
                    // Another writer may have compacted further meanwhile.
                    let _ = wait(store.compact(Revision(revision.0 - 20)));
                }
                let mut output = output.lock().unwrap();
                writeln!(output, "{ACKNOWLEDGED}{revision} {key}").unwrap();
                output.flush().unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.join().unwrap();
    }
}

/// Ends the child also when the test fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(Revision, String)> = Vec::new();
    // Where in its work a child is killed depends on how long its acknowledgements take to get here: at
    // random, that is.
    for patience in [1, 3, 10, 40, 150, 151, 400, 2, 77, 600] {
        let acknowledged_before = acknowledged.len();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writes_until_killed", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut child = Killed(child);
        let mut output = BufReader::new(child.0.stdout.take().unwrap());
        let mut line = String::new();
        while output.read_line(&mut line).unwrap() > 0 {
            // The test harness talks too, and does not always end its line first; a line cut off by the kill
            // does not count.
            let said = line.split(ACKNOWLEDGED).nth(1).and_then(|said| said.strip_suffix('\n'));
            if let Some((revision, key)) = said.and_then(|said| said.split_once(' ')) {
                acknowledged.push((Revision(revision.parse().unwrap()), key.to_owned()));
            }
            if acknowledged.len() - acknowledged_before == patience {
                kill_process(Pid::from_child(&child.0), Signal::KILL).unwrap();
            }
            line.clear();
        }
        drop(child);
        assert!(acknowledged.len() - acknowledged_before >= patience, "the child ended by itself");
        check(directory.path(), &acknowledged);
    }
}

fn check(directory: &Path, acknowledged: &[(Revision, String)]) {
    let path = directory.join("store.db");
    let store = SqliteStore::open(&Options::new(&path)).unwrap();
    let page = wait(store.range(Range::of(KeyRange::all()))).unwrap();
    let there: BTreeSet<&str> =
        page.entries.iter().map(|entry| std::str::from_utf8(&entry.key).unwrap()).collect();
    for (revision, key) in acknowledged {
        assert!(*revision <= page.revision, "{revision} of {key} is lost");
        let (rest, number) = key.rsplit_once('/').unwrap();
        let number: u64 = number.parse().unwrap();
        // The write after this one may have deleted it, acknowledged or not.
        let deleted = number % 3 == 2 && there.contains(&*format!("{rest}/{}", number + 1));
        assert!(there.contains(&**key) || deleted, "{key} is lost");
    }
    drop(store);
    let db = rusqlite::Connection::open(&path).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}
