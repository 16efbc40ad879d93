//! A document that has been made: kept compressed, told apart by a hash of what it says.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha512};

/// A document in one form.
#[derive(Clone, Debug)]
pub struct Document {
    hash: String,
    gzip: Bytes,
    length: usize,
}

impl Document {
    /// Hashes and compresses a document.
    pub(crate) fn new(text: &[u8]) -> Document {
        let hash = Sha512::digest(text).iter().map(|byte| format!("{byte:02X}")).collect();
        Document::with_hash(text, hash)
    }

    /// Compresses a document that goes by another's hash: the same in another form.
    pub(crate) fn with_hash(text: &[u8], hash: String) -> Document {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let packed = encoder.write_all(text).and_then(|()| encoder.finish());
        let gzip = packed.expect("writing to memory does not fail").into();
        Document { hash, gzip, length: text.len() }
    }

    /// The hash of its JSON form: SHA-512 in capital hexadecimal digits, as upstream's.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The header `Etag`: the hash in quotes. It goes with `Vary: Accept`, as the forms of a document share it.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.hash)
    }

    /// The document compressed, for `Content-Encoding: gzip`.
    pub fn gzip(&self) -> Bytes {
        self.gzip.clone()
    }

    /// The document itself; unpacked at each call.
    pub fn bytes(&self) -> Bytes {
        let mut text = Vec::with_capacity(self.length);
        let read = GzDecoder::new(&*self.gzip).read_to_end(&mut text);
        read.expect("what was compressed here can be unpacked");
        text.into()
    }

    /// How long the document is when it is not compressed.
    pub fn length(&self) -> usize {
        self.length
    }
}
