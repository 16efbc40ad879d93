//! Containers' logs: files in the format of the container runtime interface, as kubelet reads them.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "logs are files on disk")]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_record::scalar::parse_moment;
use base::time::Time;
use bytes::Bytes;
use client::Status;
use node_pod::container::{log_directory, log_file};
use node_pod::record::State;
use node_runtime::PodHandle;
use tokio::sync::mpsc;

use super::{Local, LogOptions, LogStream, Place};
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::limits;

pub(super) fn open(node: &Local, place: &Place, options: LogOptions) -> Result<LogStream, Status> {
    let (entry, name) = node.container(place)?;
    let known = &entry.record.containers[&name];
    let attempt = match (options.previous, &known.state) {
        (true, _) if known.attempt == 0 => {
            let text = format!("previous terminated container {name:?} in pod {:?} not found", place.pod);
            return Err(Status::bad_request(text));
        }
        (true, _) => known.attempt - 1,
        (false, State::Absent) => {
            let reason = known.waiting.as_ref().map_or("ContainerCreating", |waiting| &waiting.reason);
            let text = format!("container {name:?} in pod {:?} is waiting to start: {reason}", place.pod);
            return Err(Status::bad_request(text));
        }
        (false, State::Starting) => known.attempt.saturating_sub(1),
        (false, _) => known.attempt,
    };
    let record = &entry.record;
    let directory = log_directory(&record.namespace, &record.name, &record.uid);
    let path = node.0.config.log_dir.join(directory).join(log_file(&name, attempt));
    let live = entry.handle.filter(|_| options.follow && !options.previous);
    let (sender, receiver) = mpsc::channel(limits::LOG_CHUNKS);
    let reader = Reader {
        core: Arc::clone(&node.0),
        path,
        live: live.map(|handle| (handle, known.id.clone())),
        left: options.limit_bytes.unwrap_or(u64::MAX),
        options,
        sender,
        partial: false,
    };
    tokio::spawn(reader.run());
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|bytes| (bytes, receiver))
    });
    Ok(Box::pin(stream))
}

struct Reader {
    core: Arc<Core>,
    path: PathBuf,
    live: Option<(PodHandle, String)>,
    options: LogOptions,
    left: u64,
    sender: mpsc::Sender<Bytes>,
    /// The line before was not whole.
    partial: bool,
}

/// An open log, and what was read of a line that is not complete yet.
struct Open {
    file: BufReader<File>,
    inode: u64,
    rest: Vec<u8>,
}

fn open_file(path: &Path) -> Result<Open, AgentError> {
    let file = File::open(path).map_err(AgentError::file("open", path))?;
    let inode = file.metadata().map_err(AgentError::file("inspect", path))?.ino();
    Ok(Open { file: BufReader::new(file), inode, rest: Vec::new() })
}

/// The next lines, at most so many.
fn read_lines(mut open: Open, most: usize) -> Result<(Open, Vec<Vec<u8>>), AgentError> {
    let mut lines = Vec::new();
    while lines.len() < most {
        let count = open.file.read_until(b'\n', &mut open.rest);
        let count = count.map_err(AgentError::file("read", Path::new("a log")))?;
        if count == 0 || open.rest.last() != Some(&b'\n') {
            break;
        }
        lines.push(std::mem::take(&mut open.rest));
    }
    Ok((open, lines))
}

impl Reader {
    async fn run(mut self) {
        if let Err(error) = self.read().await {
            tracing::debug!(error = %base::error::Chain(&error), "a log cannot be read");
        }
    }

    async fn read(&mut self) -> Result<(), AgentError> {
        let path = self.path.clone();
        let mut open = blocking(move || open_file(&path)).await?;
        if let Some(count) = self.options.tail_lines {
            open = self.tail(open, count).await?;
        }
        loop {
            // Asked before reading: what was written before the end is then read.
            let ended = self.has_ended();
            let (next, lines) = blocking(move || read_lines(open, limits::LOG_LINES)).await?;
            open = next;
            let progressed = !lines.is_empty();
            for line in lines {
                if !self.send(&line).await {
                    return Ok(());
                }
            }
            if progressed {
                continue;
            }
            let (path, inode) = (self.path.clone(), open.inode);
            let moved =
                blocking(move || Ok(std::fs::metadata(&path).is_ok_and(|found| found.ino() != inode)));
            if moved.await? {
                let path = self.path.clone();
                open = blocking(move || open_file(&path)).await?;
            } else if ended {
                return Ok(());
            } else {
                tokio::select! {
                    () = self.core.clock.sleep(limits::LOG_POLL) => {}
                    () = self.sender.closed() => return Ok(()),
                }
            }
        }
    }

    fn has_ended(&self) -> bool {
        match &self.live {
            Some((handle, id)) => handle.status(id).is_none_or(|status| status.exit.is_some()),
            None => true,
        }
    }

    /// Sends the last lines of what is there.
    async fn tail(&mut self, mut open: Open, count: u64) -> Result<Open, AgentError> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut last: VecDeque<Vec<u8>> = VecDeque::new();
        loop {
            let (next, lines) = blocking(move || read_lines(open, limits::LOG_LINES)).await?;
            open = next;
            if lines.is_empty() {
                break;
            }
            last.extend(lines);
            while last.len() > count {
                last.pop_front();
            }
        }
        for line in last {
            if !self.send(&line).await {
                break;
            }
        }
        Ok(open)
    }

    /// Sends a line of the file; `false` when no more is wanted.
    async fn send(&mut self, line: &[u8]) -> bool {
        let Some((time, whole, content)) = parse(line) else { return true };
        if self.options.since.is_some_and(|since| is_before(time, since)) {
            return true;
        }
        let mut out = Vec::with_capacity(line.len());
        if self.options.timestamps && !self.partial {
            out.extend_from_slice(time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(content);
        if whole {
            out.push(b'\n');
        }
        self.partial = !whole;
        let length = u64::try_from(out.len()).unwrap_or(u64::MAX);
        if length > self.left {
            out.truncate(usize::try_from(self.left).unwrap_or(0));
        }
        self.left = self.left.saturating_sub(length);
        (out.is_empty() || self.sender.send(out.into()).await.is_ok()) && self.left > 0
    }
}

/// Whether a line's time is before another. A time that nobody can read is not.
fn is_before(time: &str, since: Time) -> bool {
    parse_moment(time).is_ok_and(|time| time < since)
}

/// A line's time, whether it is whole, and its content.
fn parse(line: &[u8]) -> Option<(&str, bool, &[u8])> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let _stream = parts.next()?;
    let whole = !parts.next()?.starts_with(b"P");
    Some((time, whole, parts.next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nine_decimals_or_fewer() {
        let since = parse_moment("2026-11-29T06:58:20.5Z").expect("a time");
        for (time, before) in [
            ("2026-11-29T06:58:18.842896712Z", true),
            ("2026-11-29T06:58:20.499999999Z", true),
            ("2026-11-29T07:58:20.499+01:00", true),
            ("2026-11-29T06:58:20.500000000Z", false),
            ("2026-11-29T06:58:21Z", false),
            ("", false),
        ] {
            assert_eq!(is_before(time, since), before, "{time}");
        }
    }

    #[test]
    fn lines_are_taken_apart() {
        let cases: &[(&str, Option<(bool, &str)>)] = &[
            ("2026-11-21T10:00:00.0Z stdout F two words\n", Some((true, "two words"))),
            ("2026-11-21T10:00:00.0Z stderr P part\n", Some((false, "part"))),
            ("2026-11-21T10:00:00.0Z stdout F \n", Some((true, ""))),
            ("broken", None),
        ];
        for (line, want) in cases {
            let got = parse(line.as_bytes()).map(|(_, whole, content)| (whole, content));
            assert_eq!(got, want.map(|(whole, content)| (whole, content.as_bytes())), "{line:?}");
        }
    }
}
