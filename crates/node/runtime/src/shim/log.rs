//! A container's log: lines in the format of the container runtime interface, and files set aside when they are full.
//!
//! `<RFC 3339 time with nanoseconds> <stdout|stderr> <F|P> <text>`; a line of more than 16 KiB comes in parts tagged `P`, the last `F`; a last line
//! without its end is such a part.
//! Rotated files are named as kubelet names them, `<path>.<YYYYMMDD-HHMMSS>`. Nothing here may stop the container: what cannot be
//! written is dropped and counted.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a shim owns its containers' log files"
)]

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base::time::Time;

use crate::limits::LOG_LINE_BYTES_MAX;
use crate::spec::Log;

/// Cuts one stream into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Formats what `bytes` completes, for the stream `name`.
    pub(super) fn add(&mut self, bytes: &[u8], name: &str, now: Time, out: &mut Vec<u8>) {
        let stamp = timestamp(now);
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            // A full part is held back until its next byte, so that a line of exactly this length is whole.
            if self.partial.len() == LOG_LINE_BYTES_MAX && *first != b'\n' {
                line(out, &stamp, name, 'P', &[&self.partial]);
                self.partial.clear();
            }
            let room = LOG_LINE_BYTES_MAX - self.partial.len();
            let window = &rest[..rest.len().min(room + 1)];
            if let Some(end) = window.iter().position(|byte| *byte == b'\n') {
                line(out, &stamp, name, 'F', &[&self.partial, &rest[..end]]);
                self.partial.clear();
                rest = &rest[end + 1..];
            } else {
                let (part, later) = rest.split_at(rest.len().min(room));
                self.partial.extend_from_slice(part);
                rest = later;
            }
        }
    }

    /// Formats what is left when the stream ends: a last line without its newline stays a part, as containerd has it, so that whoever
    /// reads it adds none.
    pub(super) fn finish(&mut self, name: &str, now: Time, out: &mut Vec<u8>) {
        if !self.partial.is_empty() {
            line(out, &timestamp(now), name, 'P', &[&self.partial]);
            self.partial = Vec::new();
        }
    }
}

fn line(out: &mut Vec<u8>, stamp: &str, name: &str, tag: char, parts: &[&[u8]]) {
    out.extend_from_slice(stamp.as_bytes());
    out.extend_from_slice(format!(" {name} {tag} ").as_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out.push(b'\n');
}

/// Year, month, day, hour, minute, second in UTC. Days to dates after Howard Hinnant's `civil_from_days`.
fn civil(seconds: i64) -> (i64, i64, i64, i64, i64, i64) {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day, second / 3600, second / 60 % 60, second % 60)
}

fn timestamp(now: Time) -> String {
    let (year, month, day, hour, minute, second) = civil(now.unix_seconds());
    let nanos = now.unix_nanos().rem_euclid(1_000_000_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
}

/// The file that lines go to.
#[derive(Debug)]
pub(super) struct LogFile {
    target: Log,
    file: Option<File>,
    written: u64,
    dropped: u64,
}

impl LogFile {
    /// Opens (or goes on with) the file, and makes its directory.
    pub(super) fn open(target: Log) -> io::Result<LogFile> {
        if let Some(parent) = target.path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut log = LogFile { target, file: None, written: 0, dropped: 0 };
        log.reopen()?;
        Ok(log)
    }

    fn reopen(&mut self) -> io::Result<()> {
        let file = fs::OpenOptions::new().append(true).create(true).mode(0o640).open(&self.target.path)?;
        self.written = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }

    /// Writes whole lines, and sets the file aside once it is full.
    pub(super) fn write(&mut self, lines: &[u8], now: Time) {
        if lines.is_empty() {
            return;
        }
        if self.file.is_none() && self.reopen().is_err() {
            self.dropped += 1;
            return;
        }
        match self.file.as_mut().map(|file| file.write_all(lines)) {
            Some(Ok(())) => self.written += u64::try_from(lines.len()).unwrap_or(u64::MAX),
            _ => {
                self.dropped += 1;
                self.file = None;
            }
        }
        if self.target.file_bytes_max > 0 && self.written >= self.target.file_bytes_max {
            self.rotate(now);
        }
    }

    /// Sets the file aside and goes on with an empty one; files beyond the bound are removed, oldest first.
    pub(super) fn rotate(&mut self, now: Time) {
        let (year, month, day, hour, minute, second) = civil(now.unix_seconds());
        let stamp = format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}");
        let path = &self.target.path;
        let aside = (0..1000)
            .map(|n| if n == 0 { suffixed(path, &stamp) } else { suffixed(path, &format!("{stamp}.{n:03}")) })
            .find(|aside| !aside.exists());
        if let Some(aside) = aside
            && fs::rename(path, aside).is_ok()
        {
            self.file = None;
            self.written = 0;
            self.remove_oldest();
        }
    }

    fn remove_oldest(&self) {
        let path = &self.target.path;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
        else {
            return;
        };
        let prefix = format!("{name}.");
        let Ok(entries) = fs::read_dir(parent) else { return };
        let mut aside: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&prefix))
            })
            .collect();
        aside.sort();
        let keep = usize::try_from(self.target.files_max.max(1) - 1).unwrap_or(0);
        for old in aside.iter().take(aside.len().saturating_sub(keep)) {
            let _ = fs::remove_file(old);
        }
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        let now = Time::from_unix_nanos(1_700_000_000_000_000_005);
        for piece in pieces {
            lines.add(piece, "stdout", now, &mut out);
        }
        lines.finish("stdout", now, &mut out);
        let text = String::from_utf8(out).expect("text");
        text.lines()
            .map(|line| {
                line.strip_prefix("2023-11-14T22:13:20.000000005Z stdout ").expect("the stamp").to_owned()
            })
            .collect()
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        assert_eq!(formatted(&[b"a\nb", b"c\n", b"\n", b"end"]), ["F a", "F bc", "F ", "P end"]);
        assert!(formatted(&[]).is_empty());
    }

    #[test]
    fn long_lines_come_in_parts() {
        let long = vec![b'x'; LOG_LINE_BYTES_MAX];
        let part = String::from_utf8(long.clone()).expect("text");
        let lines =
            |lines: Vec<String>| lines.into_iter().map(|line| line.replace(&part, "16k")).collect::<Vec<_>>();
        assert_eq!(lines(formatted(&[&long, b"\n"])), ["F 16k"], "exactly full is one line");
        assert_eq!(lines(formatted(&[&long, b"yz\n"])), ["P 16k", "F yz"]);
        let mut both = long.clone();
        both.extend_from_slice(b"yz\n");
        assert_eq!(lines(formatted(&[&both])), ["P 16k", "F yz"]);
        let twice = [long.clone(), long].concat();
        assert_eq!(lines(formatted(&[&twice])), ["P 16k", "P 16k"]);
    }

    #[test]
    fn full_files_are_set_aside_and_the_oldest_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pod/0.log");
        let mut log =
            LogFile::open(Log { path: path.clone(), file_bytes_max: 9, files_max: 3 }).expect("open");
        for second in 0..5 {
            log.write(format!("line {second} x\n").as_bytes(), Time::from_unix_seconds(second));
        }
        log.write(b"now\n", Time::from_unix_seconds(9));
        let mut names: Vec<String> = fs::read_dir(directory.path().join("pod"))
            .expect("list")
            .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        assert_eq!(names, ["0.log", "0.log.19700101-000003", "0.log.19700101-000004"]);
        assert_eq!(fs::read(&path).expect("read"), b"now\n");
    }
}
