//! The one thread that writes.
//!
//! All transactions that wait are carried out one after the other inside one SQLite transaction and share its
//! commit: one fsync for all of them. Only after it are their events published and their callers answered, in
//! that order. Between the groups runs the clean-up after a compaction, a bounded step at a time.

use super::cache::Cache;
use super::checkpoint::Checkpoints;
use super::faults::fault;
use super::queue::Queue;
use super::rows::{self, RowId};
use crate::feed::fanout::Fanout;
use crate::history::{Span, decide};
use crate::{CommitError, Committed, CompactError, Event, Fault, Revision, Txn, limits};
use base::error::Chain;
use base::time::Time;
use bytes::Bytes;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use std::task::Waker;
use tokio::sync::oneshot;

/// What is asked of the writer.
pub(super) enum Job {
    Commit(Txn, Reply<Committed, CommitError>),
    Expire(Time, Reply<Expired, Fault>),
    Compact(Revision, Reply<(), CompactError>),
    /// To be told once no clean-up is under way.
    Swept(oneshot::Sender<()>),
}

pub(super) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// How many keys were deleted, and whether more are due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expired {
    pub(super) count: u64,
    pub(super) more: bool,
}

/// What a caller is told once its group is on the disk. (A caller that went away is not told; that is its right.)
enum Answer {
    Commit(Reply<Committed, CommitError>, Result<Committed, CommitError>),
    Expire(Reply<Expired, Fault>, Expired),
    Compact(Reply<(), CompactError>, Result<(), CompactError>),
}

impl Answer {
    fn give(self) {
        match self {
            Answer::Commit(reply, outcome) => drop(reply.send(outcome)),
            Answer::Expire(reply, outcome) => drop(reply.send(Ok(outcome))),
            Answer::Compact(reply, outcome) => drop(reply.send(outcome)),
        }
    }

    fn refuse(self, fault: Fault) {
        match self {
            Answer::Commit(reply, _) => drop(reply.send(Err(CommitError::Fault(fault)))),
            Answer::Expire(reply, _) => drop(reply.send(Err(fault))),
            Answer::Compact(reply, _) => drop(reply.send(Err(CompactError::Fault(fault)))),
        }
    }
}

pub(super) struct Writer {
    db: Connection,
    checkpoints: Checkpoints,
    path: PathBuf,
    cache: Arc<Cache>,
    fanout: Arc<Fanout>,
    span: Span,
    /// Whether rows before the last compaction are still to be looked at.
    sweeping: bool,
    awaiting_sweep: Vec<oneshot::Sender<()>>,
}

/// What a group has come to so far.
struct Group {
    span: Span,
    events: Vec<Event>,
    answers: Vec<Answer>,
    fault: Option<Fault>,
}

impl Writer {
    pub(super) fn new(
        db: Connection,
        checkpoints: Checkpoints,
        path: PathBuf,
        cache: Arc<Cache>,
        fanout: Arc<Fanout>,
        span: Span,
    ) -> Writer {
        Writer { db, checkpoints, path, cache, fanout, span, sweeping: true, awaiting_sweep: Vec::new() }
    }

    /// Works until the queue is closed and empty. A clean-up that is under way then goes on after the next start.
    pub(super) fn run(mut self, queue: &Queue<Job>) {
        let mut jobs = Vec::new();
        while self.gather(queue, &mut jobs) {
            let rows = if jobs.is_empty() { limits::SWEEP_ROWS_IDLE } else { limits::SWEEP_ROWS_BUSY };
            if !jobs.is_empty() {
                self.carry_out(jobs.drain(..));
            }
            if self.sweeping {
                self.sweep(rows);
            }
            self.checkpoints.after_group(&self.db);
        }
        self.checkpoints.stop();
    }

    /// Takes all jobs that wait, and waits for one only if there is nothing else to do. False once it is time to end.
    fn gather(&self, queue: &Queue<Job>, jobs: &mut Vec<Job>) -> bool {
        if self.sweeping {
            if queue.is_finished() {
                return false;
            }
        } else {
            let Some(job) = queue.pop() else { return false };
            jobs.push(job);
        }
        queue.pop_waiting(limits::GROUP_TXNS - jobs.len(), jobs);
        true
    }

    fn carry_out(&mut self, jobs: impl Iterator<Item = Job>) {
        let mut group = Group { span: self.span, events: Vec::new(), answers: Vec::new(), fault: None };
        group.fault = self.execute("BEGIN IMMEDIATE").err();
        for job in jobs {
            self.take_on(job, &mut group);
        }
        if group.fault.is_none() {
            group.fault = self.execute("COMMIT").err();
        }
        let Group { span, events, answers, fault } = group;
        if let Some(fault) = fault {
            tracing::warn!(error = %Chain(&fault), "a group of {} writes failed", answers.len());
            self.roll_back();
            answers.into_iter().for_each(|answer| answer.refuse(fault.clone()));
            return;
        }
        if self.span.compacted < span.compacted {
            self.sweeping = true;
            self.cache.compact(span.compacted);
        }
        self.span = span;
        if !events.is_empty() {
            self.cache.publish(&events, span.current);
            self.fanout.publish(&events, span.current).into_iter().for_each(Waker::wake);
        }
        answers.into_iter().for_each(Answer::give);
    }

    fn take_on(&mut self, job: Job, group: &mut Group) {
        let answer = match job {
            Job::Swept(reply) => {
                self.awaiting_sweep.push(reply);
                // A step that finds nothing to do answers.
                self.sweeping = true;
                return;
            }
            Job::Commit(txn, reply) => {
                let outcome = self.commit(txn, group);
                if let Err(CommitError::Fault(fault)) = &outcome {
                    group.fault.get_or_insert_with(|| fault.clone());
                }
                Answer::Commit(reply, outcome)
            }
            Job::Expire(now, reply) => {
                let outcome = self.expire(now, group).unwrap_or_else(|fault| {
                    group.fault.get_or_insert(fault);
                    Expired { count: 0, more: false }
                });
                Answer::Expire(reply, outcome)
            }
            Job::Compact(at, reply) => {
                let outcome = self.compact(at, group);
                if let Err(CompactError::Fault(fault)) = &outcome {
                    group.fault.get_or_insert_with(|| fault.clone());
                }
                Answer::Compact(reply, outcome)
            }
        };
        group.answers.push(answer);
    }

    fn commit(&self, txn: Txn, group: &mut Group) -> Result<Committed, CommitError> {
        if let Some(fault) = &group.fault {
            return Err(CommitError::Fault(fault.clone()));
        }
        let revision = group.span.current.next();
        let mut superseded: Vec<(Bytes, RowId)> = Vec::new();
        let events = decide(txn, revision, |key| {
            let found = rows::latest(&self.db, key).map_err(|error| fault(&self.path, error))?;
            Ok(found.map(|(id, entry)| {
                superseded.push((key.clone(), id));
                entry
            }))
        })?;
        for (place, event) in events.iter().enumerate() {
            let previous = superseded.iter().find(|(key, _)| key == event.key()).map(|(_, id)| *id);
            rows::append(&self.db, event, place, previous)
                .map_err(|error| CommitError::Fault(fault(&self.path, error)))?;
        }
        if !events.is_empty() {
            group.span.current = revision;
            group.events.extend(events);
        }
        Ok(Committed { revision: group.span.current })
    }

    fn expire(&self, now: Time, group: &mut Group) -> Result<Expired, Fault> {
        if let Some(fault) = &group.fault {
            return Err(fault.clone());
        }
        let most = limits::EXPIRE_KEYS;
        let due = rows::due(&self.db, now, most).map_err(|error| fault(&self.path, error))?;
        let more = due.len() == most;
        let mut count = 0;
        for key in due {
            match self.commit(Txn::default().delete(key), group) {
                Ok(_) => count += 1,
                Err(CommitError::Fault(fault)) => return Err(fault),
                Err(other) => tracing::warn!(error = %Chain(&other), "an expired key was not deleted"),
            }
        }
        Ok(Expired { count, more })
    }

    fn compact(&self, at: Revision, group: &mut Group) -> Result<(), CompactError> {
        if let Some(fault) = &group.fault {
            return Err(CompactError::Fault(fault.clone()));
        }
        let span = group.span.compact(at)?;
        rows::set_compacted(&self.db, at).map_err(|error| CompactError::Fault(fault(&self.path, error)))?;
        group.span = span;
        Ok(())
    }

    fn sweep(&mut self, most: usize) {
        let step = || -> Result<bool, Fault> {
            let swept = rows::swept(&self.db).map_err(|error| fault(&self.path, error))?;
            self.execute("BEGIN IMMEDIATE")?;
            let next = rows::sweep(&self.db, swept, self.span.compacted, most)
                .map_err(|error| fault(&self.path, error))?;
            self.execute("COMMIT")?;
            Ok(next.is_some())
        };
        self.sweeping = step().unwrap_or_else(|fault| {
            tracing::warn!(error = %Chain(&fault), "the compaction's clean-up waits for the next compaction");
            self.roll_back();
            false
        });
        if !self.sweeping {
            for waiter in self.awaiting_sweep.drain(..) {
                let _ = waiter.send(());
            }
        }
    }

    fn execute(&self, sql: &str) -> Result<(), Fault> {
        let executed = self.db.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        executed.map(drop).map_err(|error| fault(&self.path, error))
    }

    /// SQLite has rolled back on its own after some failures.
    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(fault) = self.execute("ROLLBACK")
        {
            tracing::error!(error = %Chain(&fault), "a failed group of writes was not rolled back");
        }
    }
}
