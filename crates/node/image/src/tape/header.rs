//! The 512-byte header block of a tar entry.

use super::sparse::Fragment;
use super::{Entry, Kind, TapeError};
use crate::limits;

pub(super) const BLOCK: usize = 512;

/// A header, its numbers read.
pub(super) struct Header {
    pub flag: u8,
    /// Bytes of data that follow.
    pub stored: u64,
    block: [u8; BLOCK],
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
    device: (u32, u32),
}

/// The map of an old GNU sparse file, which may continue in further blocks.
pub(super) struct GnuSparse {
    pub size: u64,
    pub fragments: Vec<Fragment>,
    pub continues: bool,
}

impl Header {
    pub fn parse(block: &[u8; BLOCK]) -> Result<Header, TapeError> {
        check_sum(block)?;
        let flag = block[156];
        let small = |bytes: &[u8]| number(bytes).and_then(|n| u32::try_from(n).map_err(|_| OUT_OF_RANGE));
        let is_device = matches!(flag, b'3' | b'4');
        let device = if is_device { (small(&block[329..337])?, small(&block[337..345])?) } else { (0, 0) };
        let stored = u64::try_from(number(&block[124..136])?).map_err(|_| OUT_OF_RANGE)?;
        Ok(Header {
            flag,
            stored: if matches!(flag, b'1'..=b'6') { 0 } else { stored },
            mode: (number(&block[100..108])? & 0o7777) as u32,
            uid: small(&block[108..116])?,
            gid: small(&block[116..124])?,
            mtime: number(&block[136..148])?,
            device,
            block: *block,
        })
    }

    /// The entry that this header describes by itself, without extensions.
    pub fn entry(&self) -> Entry {
        let mut path = text(&self.block[..100]);
        // Only POSIX' own format has a prefix: GNU's keeps times in its place.
        if &self.block[257..263] == b"ustar\0" {
            let prefix = text(&self.block[345..500]);
            if !prefix.is_empty() {
                path = [prefix, path].join(&b'/');
            }
        }
        let kind = match self.flag {
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::Char,
            b'4' => Kind::Block,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            b'g' | b'V' => Kind::Note,
            other => Kind::Other(other),
        };
        Entry {
            path,
            kind,
            link: text(&self.block[157..257]),
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: (self.mtime, 0),
            device: self.device,
            xattrs: Vec::new(),
            size: 0,
            fragments: Vec::new(),
        }
    }

    pub fn gnu_sparse(&self) -> Result<GnuSparse, TapeError> {
        let size = u64::try_from(number(&self.block[483..495])?).map_err(|_| OUT_OF_RANGE)?;
        let mut map = GnuSparse { size, fragments: Vec::new(), continues: self.block[482] != 0 };
        map.read(&self.block[386..482])?;
        Ok(map)
    }
}

impl GnuSparse {
    pub fn extend(&mut self, block: &[u8; BLOCK]) -> Result<(), TapeError> {
        self.continues = block[504] != 0;
        self.read(&block[..504])
    }

    fn read(&mut self, pairs: &[u8]) -> Result<(), TapeError> {
        for pair in pairs.chunks_exact(24) {
            if pair[0] == 0 {
                break;
            }
            if self.fragments.len() == limits::SPARSE_FRAGMENTS {
                return Err(TapeError::TooLarge("a sparse map"));
            }
            let (offset, length) = (number(&pair[..12])?, number(&pair[12..])?);
            self.fragments.push(Fragment {
                offset: u64::try_from(offset).map_err(|_| TapeError::Sparse)?,
                length: u64::try_from(length).map_err(|_| TapeError::Sparse)?,
            });
        }
        Ok(())
    }
}

const OUT_OF_RANGE: TapeError = TapeError::Header("a number out of range");

/// The sum is of all bytes with the sum's own place blank; old writers summed signed bytes.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), TapeError> {
    let expected = number(&block[148..156])?;
    let (mut unsigned, mut signed) = (0i64, 0i64);
    for (index, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&index) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte as i8);
    }
    if expected == unsigned || expected == signed { Ok(()) } else { Err(TapeError::Header("wrong checksum")) }
}

/// Octal text, or GNU's big-endian binary where the first bit is set.
pub(super) fn number(field: &[u8]) -> Result<i64, TapeError> {
    if let Some(first) = field.first().filter(|byte| **byte & 0x80 != 0) {
        let negative = first & 0x40 != 0;
        let mut value: i64 = if negative { -1 } else { 0 };
        for (index, byte) in field.iter().enumerate() {
            let byte = match (index, negative) {
                (0, true) => *byte | 0x80,
                (0, false) => *byte & 0x7f,
                _ => *byte,
            };
            value = value.checked_mul(256).ok_or(OUT_OF_RANGE)? | i64::from(byte);
        }
        return Ok(value);
    }
    let digits: &[u8] = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    if digits[end..].iter().any(|byte| !matches!(byte, 0 | b' ')) {
        return Err(TapeError::Header("a number that is none"));
    }
    digits[..end].iter().try_fold(0i64, |value, digit| match digit {
        b'0'..=b'7' => value
            .checked_mul(8)
            .and_then(|value| value.checked_add(i64::from(digit - b'0')))
            .ok_or(OUT_OF_RANGE),
        _ => Err(TapeError::Header("a number that is none")),
    })
}

fn text(field: &[u8]) -> Vec<u8> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    field[..end].to_vec()
}
