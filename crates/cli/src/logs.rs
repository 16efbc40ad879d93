//! `knarr logs`: what a server in the background wrote, unless it is a service (see [`crate::service::journal`]). Also the last lines of it, for errors of `up`.
//!
//! Used by the binary and [`crate::up`]. Following goes on over a log that is put aside and begun anew.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the shell that reads the log")]

use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base::time::Clock;

use crate::config::Place;
use crate::limits;

/// How much of the log to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// Go on as the log grows.
    pub follow: bool,
    /// How many of the last lines to show; all without it.
    pub tail: Option<usize>,
}

/// Why there is no log to show.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// No server ran in the background from this place.
    #[error("there is no log at {0}: only a server that knarr up started writes one")]
    None(PathBuf),
    /// It cannot be read.
    #[error("cannot read {path}{}", crate::privilege::advice(source))]
    Read {
        /// The log.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Copies the log to `out`; with `follow` until `interrupt` completes or `out` is closed.
///
/// # Errors
/// When there is no log, or it cannot be read.
pub async fn logs(
    place: &Place,
    want: Want,
    clock: &dyn Clock,
    interrupt: impl Future<Output = ()>,
    out: &mut (dyn Write + Send),
) -> Result<(), LogsError> {
    let path = place.server_log();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LogsError::None(path.clone()),
        _ => LogsError::Read { path: path.clone(), source },
    };
    let mut file = File::open(&path).map_err(failed)?;
    if let Some(lines) = want.tail {
        skip_to_last(&mut file, lines).map_err(failed)?;
    }
    let mut interrupt = std::pin::pin!(interrupt);
    loop {
        if copy(&mut file, out).map_err(failed)? == Reader::Gone || !want.follow {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = &mut interrupt => return Ok(()),
            () = clock.sleep(limits::LOG_POLL) => {}
        }
        if let Some(new) = replaced(&path, &mut file).map_err(failed)? {
            copy(&mut file, out).map_err(failed)?;
            file = new;
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reader {
    There,
    Gone,
}

fn copy(from: &mut File, out: &mut (dyn Write + Send)) -> io::Result<Reader> {
    let mut buffer = [0u8; 16 << 10];
    loop {
        let length = from.read(&mut buffer)?;
        let written = out.write_all(&buffer[..length]).and_then(|()| out.flush());
        match written {
            Ok(()) if length == 0 => return Ok(Reader::There),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Reader::Gone),
            Err(error) => return Err(error),
        }
    }
}

/// The log that stands at the path now, if it is another file or was emptied.
fn replaced(path: &Path, current: &mut File) -> io::Result<Option<File>> {
    let new = match fs::metadata(path) {
        Ok(new) => new,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (old, at) = (current.metadata()?, current.stream_position()?);
    if (new.dev(), new.ino()) != (old.dev(), old.ino()) || new.len() < at {
        return File::open(path).map(Some);
    }
    Ok(None)
}

/// Moves on to the last lines, reading from the end backwards in blocks.
fn skip_to_last(file: &mut File, lines: usize) -> io::Result<()> {
    const BLOCK: u64 = 16 << 10;
    let length = file.metadata()?.len();
    let (mut at, mut seen) = (length, 0);
    let mut block = Vec::new();
    while at > 0 {
        let start = at.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        io::Read::by_ref(file).take(at - start).read_to_end(&mut block)?;
        for (offset, byte) in block.iter().enumerate().rev() {
            let position = start + offset as u64;
            // A line's own end is not a line more.
            if *byte == b'\n' && position + 1 < length {
                seen += 1;
            }
            if (*byte == b'\n' && seen == lines && position + 1 < length) || lines == 0 {
                let to = if lines == 0 { length } else { position + 1 };
                return file.seek(SeekFrom::Start(to)).map(drop);
            }
        }
        at = start;
    }
    file.seek(SeekFrom::Start(0)).map(drop)
}

/// The last lines of what was written after the first `from` bytes.
pub(crate) fn last_lines(path: &Path, from: u64) -> Vec<String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(from.max(length.saturating_sub(limits::LOG_TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(limits::LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = String::from_utf8_lossy(&read().unwrap_or_default()).into_owned();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[lines.len().saturating_sub(limits::LOG_LINES)..].to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use base::time::{Sleep, Time};

    use super::*;

    fn place(dir: &Path) -> Place {
        let place = Place::new(dir.to_owned(), None);
        fs::create_dir_all(place.server_log().parent().unwrap()).unwrap();
        place
    }

    async fn shown(place: &Place, tail: Option<usize>) -> String {
        let mut out = Vec::new();
        let want = Want { follow: false, tail };
        logs(place, want, &base::time::SystemClock, std::future::pending(), &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }

    #[tokio::test]
    async fn the_last_lines_are_shown() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let missing =
            logs(&place, Want::default(), &base::time::SystemClock, std::future::pending(), &mut Vec::new())
                .await;
        assert!(matches!(missing, Err(LogsError::None(_))));
        let long = format!("{}\nb\nc\n", "a".repeat(40_000));
        for (log, tail, expected) in [
            ("a\nb\nc\n", None, "a\nb\nc\n"),
            ("a\nb\nc\n", Some(2), "b\nc\n"),
            ("a\nb\nc", Some(2), "b\nc"),
            ("a\nb\n", Some(9), "a\nb\n"),
            ("a\nb\n", Some(0), ""),
            ("", Some(3), ""),
            (long.as_str(), Some(2), "b\nc\n"),
            (long.as_str(), Some(3), long.as_str()),
        ] {
            fs::write(place.server_log(), log).unwrap();
            assert_eq!(shown(&place, tail).await, expected, "{tail:?} of {} bytes", log.len());
        }
    }

    /// Each time that is slept, the next thing happens to the log.
    struct Steps<'a>(AtomicUsize, &'a Path, tokio::sync::Notify);

    impl Clock for Steps<'_> {
        fn now(&self) -> Time {
            Time::EPOCH
        }

        fn sleep(&self, _: Duration) -> Sleep {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => fs::write(self.1, "one\ntwo\n").unwrap(),
                1 => {
                    fs::rename(self.1, self.1.with_extension("1")).unwrap();
                    fs::write(self.1, "three\n").unwrap();
                }
                2 => fs::write(self.1, "4\n").unwrap(),
                3 => {}
                _ => {
                    self.2.notify_one();
                    return Box::pin(std::future::pending());
                }
            }
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test]
    async fn following_goes_on_over_a_new_log() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        let log = place.server_log();
        fs::write(&log, "one\n").unwrap();
        let steps = Steps(AtomicUsize::new(0), &log, tokio::sync::Notify::new());
        let mut out = Vec::new();
        let want = Want { follow: true, tail: None };
        logs(&place, want, &steps, steps.2.notified(), &mut out).await.unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "one\ntwo\nthree\n4\n");
    }
}
