//! Opening a database file: is it ours, is it free, is it whole?

use super::faults::fault;
use super::lock::Lock;
use super::reader::span;
use super::rows::{SCHEMA, SCHEMA_VERSION};
use crate::history::Span;
use crate::{Fault, KeyRange, limits};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// "KNRR", in the file's header: what makes a database file ours.
const APPLICATION_ID: i64 = 0x4b4e_5252;

/// Where the store is, and how to reach it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; it is made if it does not exist. SQLite keeps `-wal` and `-shm` beside it, and
    /// `.lock` marks who has it open.
    pub path: PathBuf,
    /// The name of a registered SQLite VFS to go through instead of the system's. Tests lose power with it.
    pub vfs: Option<String>,
    /// Keys whose values are not kept in memory: they are read from the file each time.
    pub apart: Vec<KeyRange>,
    /// Bytes of past changes that are kept in memory, for reading as of a revision of late; what is older is read from the file.
    pub recent_bytes: usize,
}

impl Options {
    /// The file at `path`, as the system offers it.
    pub fn new(path: impl Into<PathBuf>) -> Options {
        Options { path: path.into(), vfs: None, apart: Vec::new(), recent_bytes: limits::RECENT_BYTES }
    }
}

/// A store was not opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// A server has it open already.
    #[error("{} is in use by another server; stop it first", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The file is none of ours.
    #[error("{} is not a database of Knarr; move it away or choose another data directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer Knarr wrote it.
    #[error(
        "{} has schema version {found}, and this Knarr knows up to {supported}; start a newer one",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The highest version that can be read.
        supported: i64,
    },
    /// The file could not be read or made.
    #[error("the store cannot be opened")]
    Fault(#[source] Fault),
}

/// An open database.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) checkpointer: Connection,
    pub(super) readers: Vec<Connection>,
    pub(super) span: Span,
    pub(super) lock: Lock,
}

pub(super) fn open(options: &Options) -> Result<Opened, OpenError> {
    let path = &options.path;
    let failed = |error| OpenError::Fault(fault(path, error));
    let lock = Lock::take(path)?;
    let writer = connect(options).map_err(failed)?;
    claim(&writer, path)?;
    writer
        .pragma_update(None, "cache_size", -limits::WRITER_CACHE_KIB)
        .and_then(|()| writer.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| writer.pragma_update(None, "wal_autocheckpoint", 0))
        .and_then(|()| {
            writer.pragma_update_and_check(None, "journal_size_limit", limits::WAL_FILE_BYTES, |_| Ok(()))
        })
        .map_err(failed)?;
    let span = span(&writer).map_err(failed)?;
    let checkpointer = connect(options).map_err(failed)?;
    checkpointer.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    let readers = (0..limits::READERS).map(|_| {
        let reader = connect(options)?;
        reader.pragma_update(None, "cache_size", -limits::READER_CACHE_KIB)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    });
    let readers = readers.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(Opened { writer, checkpointer, readers, span, lock })
}

fn connect(options: &Options) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(&options.path, flags, vfs.as_str())?,
        None => Connection::open_with_flags(&options.path, flags)?,
    };
    db.busy_timeout(Duration::from_millis(limits::BUSY_MILLIS))?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Makes sure that the file is a database of ours, and makes one of an empty file.
fn claim(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let foreign = || OpenError::Foreign { path: path.to_owned() };
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(),
        _ => OpenError::Fault(fault(path, error)),
    };
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed);
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    match (number("application_id")?, number("user_version")?) {
        (0, 0) if tables == 0 => create(db, path),
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            Err(OpenError::Newer { path: path.to_owned(), found, supported: SCHEMA_VERSION })
        }
        _ => Err(foreign()),
    }
}

fn create(db: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::Fault(fault(path, error));
    let mode: String =
        db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        let source =
            std::io::Error::other(format!("write-ahead logging is not possible there, only {mode:?}"));
        return Err(OpenError::Fault(Fault::Io { path: path.to_owned(), source: Arc::new(source) }));
    }
    db.execute_batch(&format!(
        "PRAGMA synchronous = FULL; BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
    ))
    .map_err(failed)?;
    // SQLite syncs the directory for its logs only, and a database file whose name is lost is lost.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|source| {
        OpenError::Fault(Fault::Io { path: directory.to_owned(), source: Arc::new(source) })
    })
}
