//! The log's file.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api_record::scalar::MicroTime;
use base::rotating::{Bounds, Rotating, Stamps};
use base::time::{Clock, Time};

use crate::writer::Lines;

/// A file of events, one a line, which is begun anew when it is large.
pub struct Log {
    file: Rotating,
    kept: Option<Duration>,
    clock: Arc<dyn Clock>,
}

/// How much of the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How old files become, in days; zero for any age.
    pub days: u32,
    /// How many older files there are; zero for any number.
    pub files: u32,
    /// How large a file becomes, in megabytes; zero for any size.
    pub megabytes: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { days: 366, files: 100, megabytes: 100 }
    }
}

impl Log {
    /// Opens the file, or makes it and its folder.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn open(path: &Path, kept: Retention, clock: Arc<dyn Clock>) -> io::Result<Log> {
        let bytes = if kept.megabytes == 0 { u64::MAX } else { u64::from(kept.megabytes) << 20 };
        let bounds = Bounds { bytes, older: kept.files as usize };
        let file = Rotating::open(path, bounds)?;
        let age = Duration::from_secs(u64::from(kept.days) * 24 * 3600);
        Ok(Log { file, kept: Some(age).filter(|age| !age.is_zero()), clock })
    }
}

impl Lines for Log {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let now = self.clock.now();
        let oldest = self.kept.map(|age| stamp(now - age)).unwrap_or_default();
        self.file.write(lines, Stamps { now: &stamp(now), oldest: &oldest })
    }
}

/// A time as names of files have it, to the thousandth of a second.
fn stamp(time: Time) -> String {
    let mut text = MicroTime::from(time).to_string().replace(':', "-");
    text.truncate("2026-11-30T01-55-16.123".len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_the_time_of_their_end() {
        assert_eq!(stamp(Time::from_unix_nanos(1_500_000_000)), "1970-01-01T00-00-01.500");
    }
}
