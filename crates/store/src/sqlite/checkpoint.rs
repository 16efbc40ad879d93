//! Moving what gathers in the write-ahead log into the database file, without holding up the writer.
//!
//! SQLite would do it inside a commit, every few thousand pages: tens of milliseconds in which nobody is
//! answered. Here a thread on a connection of its own moves all that is there while the writer goes on. What
//! the writer added meanwhile is little, and the writer moves that itself between two groups: only when
//! everything is moved can the log be started over.

use base::error::Chain;
use rusqlite::{Connection, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::limits;

/// The writer's side.
pub(super) struct Checkpoints {
    requests: SyncSender<()>,
    moved: Arc<AtomicBool>,
    under_way: bool,
    thread: JoinHandle<()>,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(db: Connection) -> std::io::Result<Checkpoints> {
        let (requests, asked) = sync_channel(1);
        let moved = Arc::new(AtomicBool::new(false));
        let telling = moved.clone();
        let thread = thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || run(&db, &asked, &telling))?;
        Ok(Checkpoints { requests, moved, under_way: false, thread })
    }

    /// To be called between two groups with the writer's connection.
    pub(super) fn after_group(&mut self, db: &Connection) {
        if self.under_way {
            if self.moved.swap(false, Ordering::AcqRel) {
                self.under_way = false;
                move_pages(db);
            }
        } else if gathered(db).is_ok_and(|pages| pages >= limits::WAL_PAGES) {
            self.under_way = self.requests.try_send(()).is_ok();
        }
    }

    /// Ends the thread, and with it its connection.
    pub(super) fn stop(self) {
        drop(self.requests);
        if self.thread.join().is_err() {
            tracing::error!("the store's checkpoint thread had panicked");
        }
    }
}

fn run(db: &Connection, asked: &Receiver<()>, moved: &AtomicBool) {
    while asked.recv().is_ok() {
        move_pages(db);
        moved.store(true, Ordering::Release);
    }
}

/// How many pages are in the log and not yet in the database file.
fn gathered(db: &Connection) -> Result<i64> {
    let mut statement = db.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
    statement.query_row([], |row| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?))
}

/// What cannot be moved stays in the log, where it is as safe; it is tried again when more has gathered.
fn move_pages(db: &Connection) {
    let moved = db
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")
        .and_then(|mut statement| statement.query_row([], |_| Ok(())));
    if let Err(error) = moved {
        tracing::warn!(error = %Chain(&error), "the write-ahead log was not moved into the database");
    }
}
