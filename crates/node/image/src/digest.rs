//! Content digests: parsing as go-digest does, and hashing readers and writers. Pure; used by the whole crate.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// A hash function that OCI registers. SHA-384 is not registered but go-digest, and so kubelet, takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// What everybody uses.
    Sha256,
    /// Accepted as go-digest accepts it.
    Sha384,
    /// Registered by OCI, rare.
    Sha512,
}

impl Algorithm {
    /// The prefix of a digest.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        }
    }

    const fn hex_length(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha384 => 96,
            Algorithm::Sha512 => 128,
        }
    }
}

/// Why a text is no digest, worded as go-digest words it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not `algorithm:hex`.
    #[error("invalid checksum digest format")]
    Format,
    /// The hex part has the wrong length for its algorithm.
    #[error("invalid checksum digest length")]
    Length,
    /// No known algorithm.
    #[error("unsupported digest algorithm")]
    Unsupported,
}

/// The digest of some content, such as `sha256:9f86d0…`. Its hex part is lower case and safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

impl Digest {
    /// The SHA-256 digest of `content`.
    pub fn of(content: &[u8]) -> Digest {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(content);
        hasher.finish()
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash, in lower-case hex.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let (name, hex) = text.split_once(':').ok_or(DigestError::Format)?;
        if name.is_empty() || hex.is_empty() {
            return Err(DigestError::Format);
        }
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ if is_algorithm(name) && hex.bytes().all(is_encoded) => return Err(DigestError::Unsupported),
            _ => return Err(DigestError::Format),
        };
        if hex.len() != algorithm.hex_length() {
            return Err(DigestError::Length);
        }
        if !hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(DigestError::Format);
        }
        Ok(Digest { algorithm, hex: hex.to_owned() })
    }
}

fn is_algorithm(name: &str) -> bool {
    name.split(['+', '.', '_', '-'])
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-')
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|error| serde::de::Error::custom(format_args!("{text:?}: {error}")))
    }
}

/// A hash that is being computed.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-384.
    Sha384(sha2::Sha384),
    /// SHA-512.
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Starts a hash.
    pub fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => Hasher::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => Hasher::Sha512(sha2::Sha512::new()),
        }
    }

    /// Adds content.
    pub fn update(&mut self, content: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(content),
            Hasher::Sha384(hasher) => hasher.update(content),
            Hasher::Sha512(hasher) => hasher.update(content),
        }
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        fn hex(bytes: &[u8]) -> String {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        }
        let (algorithm, hex) = match self {
            Hasher::Sha256(hasher) => (Algorithm::Sha256, hex(&hasher.finalize())),
            Hasher::Sha384(hasher) => (Algorithm::Sha384, hex(&hasher.finalize())),
            Hasher::Sha512(hasher) => (Algorithm::Sha512, hex(&hasher.finalize())),
        };
        Digest { algorithm, hex }
    }
}

/// Hashes and counts what passes through it, in either direction.
pub(crate) struct Hashing<T> {
    inner: T,
    hasher: Hasher,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T, algorithm: Algorithm) -> Hashing<T> {
        Hashing { inner, hasher: Hasher::new(algorithm), bytes: 0 }
    }

    pub(crate) fn finish(self) -> (T, Digest, u64) {
        (self.inner, self.hasher.finish(), self.bytes)
    }

    fn pass(&mut self, content: &[u8]) {
        self.hasher.update(content);
        self.bytes += content.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.pass(&buffer[..count]);
        Ok(count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.pass(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_parse_as_go_digest_parses_them() {
        let hex = "a".repeat(64);
        let cases: [(String, Result<(), DigestError>); 9] = [
            (format!("sha256:{hex}"), Ok(())),
            (format!("sha512:{}", "0".repeat(128)), Ok(())),
            (format!("sha384:{}", "0".repeat(96)), Ok(())),
            (format!("sha256:{}", "A".repeat(64)), Err(DigestError::Format)),
            ("sha256:abc".into(), Err(DigestError::Length)),
            (format!("sha1:{hex}"), Err(DigestError::Unsupported)),
            (format!("sha256+b64:{hex}"), Err(DigestError::Unsupported)),
            (hex.clone(), Err(DigestError::Format)),
            (format!("SHA256:{hex}"), Err(DigestError::Format)),
        ];
        for (text, expected) in cases {
            let parsed = text.parse::<Digest>();
            assert_eq!(parsed.as_ref().map(|_| ()).map_err(|e| *e), expected, "{text}");
            if let Ok(digest) = parsed {
                assert_eq!(digest.to_string(), text);
            }
        }
    }

    #[test]
    fn the_empty_content_has_its_well_known_digest() {
        let digest = Digest::of(b"").to_string();
        assert_eq!(digest, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
