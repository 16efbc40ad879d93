//! The tables, and every statement on them.
//!
//! `log` is the history: a row per change, appended in the order of revisions. A row's id is its revision,
//! its place among the changes of that revision, and whether it is a delete, in one number: so the table
//! itself is sorted by revision, the index on the keys (which ends with the id) is sorted by key and
//! revision, and reading the index alone tells which keys are alive. `previous` is the id of the row that
//! this one superseded: a watch reads the previous value with it, and the compaction removes by it. The value
//! comes last, so that reading past it costs nothing.
//!
//! `expiry` holds the living keys that have an expiry, the first due first. `meta` holds how far the compaction got.

use crate::feed::follow::Replayed;
use crate::{Entry, Event, KeyRange, Revision, limits};
use base::time::Time;
use bytes::Bytes;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params, params_from_iter};

/// The version that this schema is stamped with.
pub(super) const SCHEMA_VERSION: i64 = 1;

pub(super) const SCHEMA: &str = "
    CREATE TABLE log (
        id INTEGER PRIMARY KEY,
        previous INTEGER,
        created INTEGER NOT NULL,
        version INTEGER NOT NULL,
        expires INTEGER,
        key BLOB NOT NULL,
        value BLOB
    ) STRICT;
    CREATE INDEX log_key ON log (key);
    CREATE TABLE expiry (due INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (due, key)) STRICT, WITHOUT ROWID;
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('compacted', 0), ('swept', 0);";

/// The number of a row of `log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowId(pub(super) i64);

const PLACE_BITS: u32 = 7;
const REVISION_SHIFT: u32 = PLACE_BITS + 1;
const _: () =
    assert!(limits::TXN_OPS <= 1 << PLACE_BITS, "a change's place in its revision must fit its row's id");

impl RowId {
    fn new(revision: Revision, place: usize, deleted: bool) -> RowId {
        RowId(RowId::first(revision) | (place as i64) << 1 | i64::from(deleted))
    }

    /// The lowest number of a row of `revision`; saturates at the end of the range, 2^55 revisions away.
    fn first(revision: Revision) -> i64 {
        i64::try_from(u128::from(revision.0) << REVISION_SHIFT).unwrap_or(i64::MAX)
    }

    fn revision(self) -> Revision {
        Revision(self.0.unsigned_abs() >> REVISION_SHIFT)
    }

    fn is_delete(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The latest revision.
pub(super) fn current(db: &Connection) -> Result<Revision> {
    // The compaction never removes the rows of the latest revision, so this needs no record of its own.
    let latest: Option<i64> =
        db.prepare_cached("SELECT max(id) FROM log")?.query_row([], |row| row.get(0))?;
    Ok(latest.map_or(Revision::EMPTY, |id| RowId(id).revision()))
}

/// The revision of the last compaction.
pub(super) fn compacted(db: &Connection) -> Result<Revision> {
    meta(db, "compacted").map(|value| Revision(value.unsigned_abs()))
}

/// The id of the first row that the compaction has not looked at.
pub(super) fn swept(db: &Connection) -> Result<RowId> {
    meta(db, "swept").map(RowId)
}

fn meta(db: &Connection, name: &str) -> Result<i64> {
    db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?.query_row([name], |row| row.get(0))
}

/// Records the revision of a compaction.
pub(super) fn set_compacted(db: &Connection, at: Revision) -> Result<()> {
    set_meta(db, "compacted", at.0 as i64)
}

fn set_meta(db: &Connection, name: &str, value: i64) -> Result<()> {
    db.prepare_cached("UPDATE meta SET value = ?2 WHERE name = ?1")?.execute(params![name, value])?;
    Ok(())
}

/// What a key holds at the latest revision, and in which row.
pub(super) fn latest(db: &Connection, key: &Bytes) -> Result<Option<(RowId, Entry)>> {
    let mut statement = db.prepare_cached(
        "SELECT id, created, version, expires, value FROM log WHERE key = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let found = statement.query_row([&**key], |row| {
        let id = RowId(row.get(0)?);
        if id.is_delete() {
            return Ok(None);
        }
        Ok(Some((id, entry_of(row, id, 1, key.clone())?)))
    });
    found.optional().map(Option::flatten)
}

/// The entry whose creation, version, expiry and value start at column `first`.
fn entry_of(row: &Row<'_>, id: RowId, first: usize, key: Bytes) -> Result<Entry> {
    let expires: Option<i64> = row.get(first + 2)?;
    Ok(Entry {
        key,
        created: Revision(row.get::<_, i64>(first)?.unsigned_abs()),
        modified: id.revision(),
        version: row.get::<_, i64>(first + 1)?.unsigned_abs(),
        expires: expires.map(Time::from_unix_nanos),
        value: Bytes::copy_from_slice(row.get_ref(first + 3)?.as_blob()?),
    })
}

/// Appends a change. `previous` is the row that it supersedes.
pub(super) fn append(db: &Connection, event: &Event, place: usize, previous: Option<RowId>) -> Result<()> {
    let key: &[u8] = event.key();
    let id = RowId::new(event.revision(), place, event.entry().is_none());
    if let Some(due) = event.previous().and_then(|entry| entry.expires) {
        db.prepare_cached("DELETE FROM expiry WHERE due = ?1 AND key = ?2")?
            .execute(params![due.unix_nanos(), key])?;
    }
    let expires = event.entry().and_then(|entry| entry.expires).map(Time::unix_nanos);
    if let Some(due) = expires {
        db.prepare_cached("INSERT INTO expiry VALUES (?1, ?2)")?.execute(params![due, key])?;
    }
    let (created, version, value) = match event.entry() {
        Some(entry) => (entry.created.0 as i64, entry.version as i64, Some(&*entry.value)),
        None => (0, 0, None),
    };
    db.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
        id.0,
        previous.map(|id| id.0),
        created,
        version,
        expires,
        key,
        value
    ])?;
    Ok(())
}

/// The keys that are due at `now`, the longest due first, `most` of them.
pub(super) fn due(db: &Connection, now: Time, most: usize) -> Result<Vec<Bytes>> {
    let mut statement =
        db.prepare_cached("SELECT key FROM expiry WHERE due <= ?1 ORDER BY due, key LIMIT ?2")?;
    let keys = statement.query_map(params![now.unix_nanos(), most as i64], |row| {
        Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?))
    })?;
    keys.collect()
}

/// The condition on `key` that holds in a range, and its parameters.
fn within(keys: &KeyRange) -> (&'static str, Vec<Value>) {
    let start = Value::Blob(keys.start().to_vec());
    match keys.end() {
        Some(end) => ("key >= ?1 AND key < ?2", vec![start, Value::Blob(end.to_vec())]),
        None => ("key >= ?1 AND ?2 IS NULL", vec![start, Value::Null]),
    }
}

/// The rows that the living keys of a range are in as of revision `at`, in the order of the keys.
pub(super) fn living(db: &Connection, keys: &KeyRange, at: Revision, most: usize) -> Result<Vec<RowId>> {
    let (within, mut parameters) = within(keys);
    // SQLite takes a negative limit for none.
    let most = i64::try_from(most).unwrap_or(-1);
    parameters.extend([Value::Integer(RowId::first(at.next())), Value::Integer(most)]);
    let sql = format!(
        "SELECT max(id) FROM log WHERE {within} AND id < ?3
         GROUP BY key HAVING max(id) & 1 = 0 ORDER BY key LIMIT ?4"
    );
    let mut statement = db.prepare_cached(&sql)?;
    statement.query_map(params_from_iter(parameters), |row| row.get(0).map(RowId))?.collect()
}

/// How many keys of a range are alive as of revision `at`.
pub(super) fn count(db: &Connection, keys: &KeyRange, at: Revision) -> Result<u64> {
    let (within, mut parameters) = within(keys);
    parameters.push(Value::Integer(RowId::first(at.next())));
    let sql = format!(
        "SELECT count(*) FROM
         (SELECT 1 FROM log WHERE {within} AND id < ?3 GROUP BY key HAVING max(id) & 1 = 0)"
    );
    let count: i64 = db.prepare_cached(&sql)?.query_row(params_from_iter(parameters), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The entry in a row that [`living`] found.
pub(super) fn entry(db: &Connection, id: RowId) -> Result<Entry> {
    let mut statement =
        db.prepare_cached("SELECT key, created, version, expires, value FROM log WHERE id = ?1")?;
    statement.query_row([id.0], |row| {
        let key = Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?);
        entry_of(row, id, 1, key)
    })
}

/// The events of `keys` from revision `from` up to `through`, or up to an earlier one if they are many.
pub(super) fn replay(
    db: &Connection,
    keys: &KeyRange,
    from: Revision,
    through: Revision,
) -> Result<Replayed> {
    let through = through.min(Revision(from.0 + limits::REPLAY_REVISIONS - 1));
    let (_, mut parameters) = within(keys);
    parameters.extend([RowId::first(from), RowId::first(through.next())].map(Value::Integer));
    // The unary plus keeps SQLite from walking the keys' index instead of this stretch of the log.
    let mut statement = db.prepare_cached(
        "SELECT log.id, log.created, log.version, log.expires, log.value, log.key,
                old.id, old.created, old.version, old.expires, old.value
         FROM log LEFT JOIN log AS old ON old.id = log.previous
         WHERE log.id >= ?3 AND log.id < ?4 AND +log.key >= ?1 AND (?2 IS NULL OR +log.key < ?2)
         ORDER BY log.id",
    )?;
    let mut rows = statement.query(params_from_iter(parameters))?;
    let (mut events, mut size_bytes) = (Vec::<Event>::new(), 0);
    while let Some(row) = rows.next()? {
        let event = event_of(row)?;
        let full = events.len() >= limits::REPLAY_EVENTS || size_bytes >= limits::REPLAY_BYTES;
        if full && events.last().is_some_and(|last| last.revision() < event.revision()) {
            return Ok(Replayed { events, through: event.revision().before() });
        }
        size_bytes += event.size_bytes();
        events.push(event);
    }
    Ok(Replayed { events, through })
}

fn event_of(row: &Row<'_>) -> Result<Event> {
    let id = RowId(row.get(0)?);
    let key = Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?);
    let previous = match row.get::<_, Option<i64>>(6)? {
        Some(old) => Some(entry_of(row, RowId(old), 7, key.clone())?),
        None => None,
    };
    Ok(if id.is_delete() {
        Event::Delete { key, previous, revision: id.revision() }
    } else {
        Event::Put { entry: entry_of(row, id, 1, key)?, previous }
    })
}

/// One step of removing what a compaction at `at` leaves unneeded: looks at `most` rows from `swept` on, and
/// returns where to go on, or `None` if that was all.
///
/// What a change before `at` superseded is unneeded, and so is the change itself if it is a delete: see
/// [`crate::history`]. So the part of the log between two compactions is read once, and never the whole table.
pub(super) fn sweep(db: &Connection, swept: RowId, at: Revision, most: usize) -> Result<Option<RowId>> {
    let end = RowId::first(at);
    let mut statement = db.prepare_cached(
        "SELECT id, previous FROM log WHERE id >= :from AND id < :end ORDER BY id LIMIT :most",
    )?;
    let rows = statement
        .query_map(named_params! {":from": swept.0, ":end": end, ":most": most as i64}, |row| {
            Ok((RowId(row.get(0)?), row.get::<_, Option<i64>>(1)?))
        })?
        .collect::<Result<Vec<_>>>()?;
    let mut delete = db.prepare_cached("DELETE FROM log WHERE id = ?1")?;
    for (id, previous) in &rows {
        if let Some(previous) = previous {
            delete.execute([previous])?;
        }
        if id.is_delete() {
            delete.execute([id.0])?;
        }
    }
    let next = match rows.last() {
        Some((last, _)) if rows.len() == most => RowId(last.0 + 1),
        _ => RowId(end),
    };
    set_meta(db, "swept", next.0)?;
    Ok((next.0 < end).then_some(next))
}
