//! Compression, told by the first bytes and never by a name. Pure; used by layers, archives and builds.

use std::io::{self, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

use crate::limits;

/// How content is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// What every runtime reads.
    #[default]
    Gzip,
    /// Smaller and faster, for runtimes since 2020.
    Zstd,
}

impl Compression {
    /// By the first bytes of the content.
    pub fn sniff(head: &[u8]) -> Compression {
        if head.starts_with(&[0x1f, 0x8b, 0x08]) {
            Compression::Gzip
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_skippable_frame(head) {
            Compression::Zstd
        } else {
            Compression::None
        }
    }
}

/// zstd:chunked and seekable zstd may begin with a skippable frame.
fn is_skippable_frame(head: &[u8]) -> bool {
    head.len() >= 4 && (0x50..=0x5f).contains(&head[0]) && head[1..4] == [0x2a, 0x4d, 0x18]
}

/// What is decoded: the first bytes, which were looked at, then the rest.
type Source<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Content without its compression. Reads to the end also check the checksums within.
pub enum Decoder<R: Read> {
    /// As it is.
    Plain(Source<R>),
    /// Any number of gzip members, as pigz and eStargz write them.
    Gzip(Box<MultiGzDecoder<Source<R>>>),
    /// Any number of frames.
    Zstd(Box<zstd::stream::read::Decoder<'static, Source<R>>>),
}

impl<R: Read> Decoder<R> {
    /// Looks at the first bytes and decodes accordingly.
    ///
    /// # Errors
    /// When reading fails.
    pub fn new(reader: R) -> io::Result<Decoder<R>> {
        let mut reader = reader;
        let mut head = Vec::with_capacity(4);
        reader.by_ref().take(4).read_to_end(&mut head)?;
        let compression = Compression::sniff(&head);
        let reader = BufReader::with_capacity(128 << 10, Cursor::new(head).chain(reader));
        Ok(match compression {
            Compression::None => Decoder::Plain(reader),
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(reader))),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
                decoder.window_log_max(limits::ZSTD_WINDOW_LOG)?;
                Decoder::Zstd(Box::new(decoder))
            }
        })
    }

    /// What it reads from, for what follows the compressed content.
    pub fn into_inner(self) -> R {
        let source = match self {
            Decoder::Plain(reader) => reader,
            Decoder::Gzip(decoder) => decoder.into_inner(),
            Decoder::Zstd(decoder) => decoder.finish(),
        };
        source.into_inner().into_inner().1
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(reader) => reader.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn each_compression_is_recognised_and_members_are_joined() {
        let gzip = |text: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd(b"ab")].concat();
        for (name, content) in [
            ("plain", b"ab".to_vec()),
            ("gzip", [gzip(b"a"), gzip(b"b")].concat()),
            ("zstd", [zstd(b"a"), zstd(b"b")].concat()),
            ("skippable", skippable),
        ] {
            let mut text = Vec::new();
            Decoder::new(&content[..]).unwrap().read_to_end(&mut text).unwrap();
            assert_eq!(text, b"ab", "{name}");
        }
    }
}
