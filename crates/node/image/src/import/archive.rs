//! Spreading a tar archive of images out in a work directory. Files get names of ours; the archive's are only a table.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::tree::Tree;
use crate::compression::Decoder;
use crate::error::{ImageError, Result};
use crate::limits;
use crate::store::Work;
use crate::tape::{Kind, Tape, TapeError};

pub(super) fn spread(work: &Work, path: &Path, source: impl Read) -> Result<Tree> {
    let unreadable = |message: String| ImageError::Archive { path: path.to_owned(), message };
    let failed = |error: io::Error| ImageError::io(format!("import {}", path.display()), error);
    let decoder = Decoder::new(source).map_err(failed)?;
    let mut tape = Tape::new(decoder);
    let (mut files, mut links) = (BTreeMap::new(), BTreeMap::new());
    let (mut entries, mut bytes) = (0u64, 0u64);
    let mut buffer = vec![0; 128 << 10];
    let broken = |error: TapeError| match error {
        TapeError::Read(error) => failed(error),
        other => unreadable(other.to_string()),
    };
    while let Some(entry) = tape.entry().map_err(broken)? {
        entries += 1;
        if entries > limits::ARCHIVE_ENTRIES {
            return Err(unreadable(format!("more than {} files", limits::ARCHIVE_ENTRIES)));
        }
        let Some(name) = clean(&entry.path) else { continue };
        match entry.kind {
            Kind::File => {
                let target = work.fresh("part");
                let mut file = File::create_new(&target).map_err(failed)?;
                loop {
                    let count = tape.read(&mut buffer).map_err(broken)?;
                    if count == 0 {
                        break;
                    }
                    bytes += count as u64;
                    if bytes > limits::LAYER_UNPACKED_BYTES {
                        return Err(unreadable(format!("more than {} bytes", limits::LAYER_UNPACKED_BYTES)));
                    }
                    file.write_all(&buffer[..count]).map_err(failed)?;
                }
                files.insert(name, target);
            }
            // Docker before 25 wrote a layer that two images share once, and links to it.
            Kind::Symlink => {
                let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                let target = [parent.as_bytes(), entry.link.as_slice()].join(&b'/');
                links.extend(clean(&target).map(|target| (name, target)));
            }
            Kind::HardLink => links.extend(clean(&entry.link).map(|target| (name, target))),
            _ => {}
        }
    }
    // The rest holds the checksum of its compression.
    io::copy(&mut tape.into_inner(), &mut io::sink()).map_err(failed)?;
    Ok(Tree::Spread { files, links })
}

/// A name without `.` and `..`; nothing for one that cannot name a file.
fn clean(path: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(path).ok()?;
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}
