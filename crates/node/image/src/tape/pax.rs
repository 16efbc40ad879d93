//! Extended headers: PAX records, GNU long names, and what they override.

use base64::Engine as _;

use super::TapeError;
use super::sparse::Fragment;
use crate::limits;

/// What stands before an entry and applies to it alone.
#[derive(Default)]
pub(super) struct Extensions {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Option<(i64, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Sparse,
}

/// The sparse records: versions 0.0 and 0.1 hold the map here, 1.0 at the head of the data.
#[derive(Default)]
pub(super) struct Sparse {
    pub size: Option<u64>,
    version: (u64, u64),
    map: Vec<u64>,
    present: bool,
}

impl Sparse {
    pub fn is_version_1(&self) -> bool {
        self.version == (1, 0)
    }

    pub fn fragments(&self) -> Result<Option<Vec<Fragment>>, TapeError> {
        if !self.present {
            return Ok(None);
        }
        if !self.map.len().is_multiple_of(2) {
            return Err(TapeError::Sparse);
        }
        let pairs = self.map.chunks_exact(2);
        Ok(Some(pairs.map(|pair| Fragment { offset: pair[0], length: pair[1] }).collect()))
    }

    fn push(&mut self, value: u64) -> Result<(), TapeError> {
        if self.map.len() >= 2 * limits::SPARSE_FRAGMENTS {
            return Err(TapeError::TooLarge("a sparse map"));
        }
        self.present = true;
        self.map.push(value);
        Ok(())
    }
}

impl Extensions {
    /// Reads `length key=value\n` records.
    pub fn read_pax(&mut self, mut data: &[u8]) -> Result<(), TapeError> {
        while !data.is_empty() {
            let space = data.iter().position(|byte| *byte == b' ').ok_or(TapeError::Pax("no length"))?;
            let length = decimal(&data[..space]).ok_or(TapeError::Pax("no length"))?;
            let length = usize::try_from(length).map_err(|_| TapeError::Pax("length out of range"))?;
            if length <= space + 1 || length > data.len() || data[length - 1] != b'\n' {
                return Err(TapeError::Pax("wrong length"));
            }
            let record = &data[space + 1..length - 1];
            let equals = record.iter().position(|byte| *byte == b'=').ok_or(TapeError::Pax("no value"))?;
            self.record(&record[..equals], &record[equals + 1..])?;
            data = &data[length..];
        }
        Ok(())
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), TapeError> {
        let bad = || TapeError::Pax("a number that is none");
        // An empty value takes the header's own back.
        let whole =
            |value: &[u8]| if value.is_empty() { Ok(None) } else { decimal(value).map(Some).ok_or_else(bad) };
        let id =
            |value: &[u8]| whole(value).and_then(|id| id.map(u32::try_from).transpose().map_err(|_| bad()));
        match key {
            b"path" | b"GNU.sparse.name" => self.path = path(value)?,
            b"linkpath" => self.link = path(value)?,
            b"size" => self.size = whole(value)?,
            b"uid" => self.uid = id(value)?,
            b"gid" => self.gid = id(value)?,
            b"mtime" => {
                self.mtime = if value.is_empty() { None } else { Some(time(value).ok_or_else(bad)?) };
            }
            b"GNU.sparse.major" => self.sparse.version.0 = whole(value)?.unwrap_or_default(),
            b"GNU.sparse.minor" => self.sparse.version.1 = whole(value)?.unwrap_or_default(),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.size = whole(value)?,
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
                self.sparse.push(decimal(value).ok_or_else(bad)?)?
            }
            b"GNU.sparse.map" => {
                for part in value.split(|byte| *byte == b',').filter(|part| !part.is_empty()) {
                    self.sparse.push(decimal(part).ok_or_else(bad)?)?;
                }
                self.sparse.present = true;
            }
            _ => self.xattr(key, value),
        }
        Ok(())
    }

    fn xattr(&mut self, key: &[u8], value: &[u8]) {
        if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
            self.xattrs.push((name.to_vec(), value.to_vec()));
        } else if let Some(name) = key.strip_prefix(b"LIBARCHIVE.xattr.") {
            // bsdtar writes both; SCHILY's is exact, this one is base64 of the same.
            let known = self.xattrs.iter().any(|(known, _)| known == name);
            let engine = base64::engine::general_purpose::STANDARD_NO_PAD;
            let trimmed = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
            if let (false, Ok(value)) = (known, engine.decode(trimmed)) {
                self.xattrs.push((name.to_vec(), value));
            }
        }
    }
}

fn path(value: &[u8]) -> Result<Option<Vec<u8>>, TapeError> {
    if value.contains(&0) {
        return Err(TapeError::Pax("a path with NUL"));
    }
    Ok((!value.is_empty()).then(|| value.to_vec()))
}

pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `[-]seconds[.fraction]`, the fraction cut to nanoseconds.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (seconds, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &text[..0]),
    };
    let seconds = i64::try_from(decimal(seconds)?).ok()?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |index: usize| fraction.get(index).map_or(0, |digit| u32::from(digit - b'0'));
    let nanos = (0..9).fold(0, |nanos, index| nanos * 10 + digit(index));
    match (negative, nanos) {
        (false, _) => Some((seconds, nanos)),
        (true, 0) => Some((-seconds, 0)),
        (true, _) => Some((-seconds - 1, 1_000_000_000 - nanos)),
    }
}
