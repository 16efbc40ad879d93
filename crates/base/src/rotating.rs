//! A file that grows to a size and then begins anew, as the log files of Kubernetes' servers do.
//!
//! Used by the audit log. What was written before is kept beside it under a name with the time of its end, up to a number of files and an
//! age. A line is never split. Deliberately absent: compression.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "base touches files for those who may not"
)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How large a file becomes.
    pub bytes: u64,
    /// How many older files are kept; all, if this is zero.
    pub older: usize,
}

/// Times as names of files have them: what sorts by time sorts by text, too, as in `2026-11-30T01-55-16.123`.
#[derive(Clone, Copy, Debug)]
pub struct Stamps<'a> {
    /// Now.
    pub now: &'a str,
    /// Files that ended before are removed; none, if this is empty.
    pub oldest: &'a str,
}

/// The file.
pub struct Rotating {
    path: PathBuf,
    bounds: Bounds,
    file: File,
    bytes: u64,
}

impl Rotating {
    /// Opens a file, or makes it and its folder, for nobody else to read.
    pub fn open(path: &Path, bounds: Bounds) -> io::Result<Rotating> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let file = appended(path)?;
        let bytes = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), bounds, file, bytes })
    }

    /// Appends whole lines, which all go to one file.
    pub fn write(&mut self, lines: &[u8], stamps: Stamps<'_>) -> io::Result<()> {
        let length = lines.len() as u64;
        if self.bytes > 0 && self.bytes + length > self.bounds.bytes {
            self.rotate(stamps)?;
        }
        self.file.write_all(lines)?;
        self.bytes += length;
        Ok(())
    }

    fn rotate(&mut self, stamps: Stamps<'_>) -> io::Result<()> {
        let (stem, ending) = self.parts();
        let aside = self.path.with_file_name(format!("{stem}-{}{ending}", stamps.now));
        fs::rename(&self.path, aside)?;
        self.file = appended(&self.path)?;
        self.bytes = 0;
        let older = self.older(&stem, &ending)?;
        let surplus = match self.bounds.older {
            0 => 0,
            most => older.len().saturating_sub(most),
        };
        let too_old = older.iter().filter(|(stamp, _)| stamp.as_str() < stamps.oldest).count();
        for (_, path) in &older[..surplus.max(too_old)] {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// The older files with the times of their ends, the oldest first.
    fn older(&self, stem: &str, ending: &str) -> io::Result<Vec<(String, PathBuf)>> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut found = Vec::new();
        for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
            let entry = entry?;
            let name = entry.file_name();
            let stamp = name.to_str().and_then(|name| name.strip_prefix(stem)?.strip_prefix('-'));
            if let Some(stamp) =
                stamp.and_then(|rest| rest.strip_suffix(ending)).filter(|stamp| is_stamp(stamp))
            {
                found.push((stamp.to_owned(), entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// The name without its ending, and the ending with its dot.
    fn parts(&self) -> (String, String) {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let ending = self.path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
        (stem, ending.unwrap_or_default())
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// Whether this is a time as [`Stamps`] has it; other files that begin alike are somebody else's.
fn is_stamp(text: &str) -> bool {
    let shape = "0000-00-00T00-00-00.000";
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(own, wanted)| match wanted {
            b'0' => own.is_ascii_digit(),
            other => own == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_full_file_is_put_aside_and_few_are_kept() {
        let folder = std::env::temp_dir().join(format!("knarr-rotating-{}", std::process::id()));
        let path = folder.join("own/audit.log");
        let at = |second: u32| format!("2026-11-30T01-55-{second:02}.000");
        let open = || Rotating::open(&path, Bounds { bytes: 10, older: 2 }).expect("it opens");
        let mut file = open();
        fs::write(folder.join("own/audit-notes.log"), "not ours").expect("written");
        for second in 0..5 {
            // Each line fills the file, a long one more than that.
            let line = if second == 3 { "a line that is long\n" } else { "a line...\n" };
            file.write(line.as_bytes(), Stamps { now: &at(second), oldest: "" }).expect("written");
            if second == 1 {
                file = open();
            }
        }
        let folder_own = folder.join("own");
        let aside = |second| format!("audit-{}.log", at(second));
        let other = "audit-notes.log".to_owned();
        assert_eq!(named(&folder_own), [aside(3), aside(4), other.clone(), "audit.log".to_owned()]);
        assert_eq!(fs::read_to_string(folder_own.join(aside(4))).expect("read"), "a line that is long\n");
        file.write(b"last\n", Stamps { now: &at(6), oldest: &at(4) }).expect("written");
        assert_eq!(named(&folder_own), [aside(4), aside(6), other, "audit.log".to_owned()]);
        fs::remove_dir_all(folder).expect("removed");
    }
}
