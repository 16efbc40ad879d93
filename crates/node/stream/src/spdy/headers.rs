//! Header blocks: names and values, compressed with one zlib stream per direction and connection.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::dictionary;
use crate::error::StreamError;
use crate::limits::{HEADERS_MAX_BYTES, HEADERS_MAX_COUNT};

/// The headers of a stream. Names are in small letters, as SPDY wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Headers of the given names, of any case, and values.
    pub fn new(pairs: &[(&str, &str)]) -> Headers {
        Headers(pairs.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect())
    }

    /// The first value of a header, by a name of any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The block, not compressed.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = (self.0.len() as u32).to_be_bytes().to_vec();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            out.extend_from_slice(&(text.len() as u32).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    /// Reads a block that is not compressed.
    ///
    /// # Errors
    /// When it is cut, too large, or its names are not as they must be.
    pub fn decode(block: &[u8]) -> Result<Headers, StreamError> {
        let mut rest = block;
        let count = take_length(&mut rest)?;
        if count > HEADERS_MAX_COUNT {
            return Err(StreamError::Protocol("too many headers"));
        }
        let mut headers = Vec::with_capacity(count);
        for _ in 0..count {
            let name = take_text(&mut rest)?;
            let value = take_text(&mut rest)?;
            if name.is_empty() || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                return Err(StreamError::Protocol("header name is empty or not in lower case"));
            }
            headers.push((name, value));
        }
        if rest.is_empty() {
            Ok(Headers(headers))
        } else {
            Err(StreamError::Protocol("header block is too long"))
        }
    }
}

fn take_length(rest: &mut &[u8]) -> Result<usize, StreamError> {
    let (length, after) =
        rest.split_first_chunk::<4>().ok_or(StreamError::Protocol("header block is cut"))?;
    *rest = after;
    Ok(u32::from_be_bytes(*length) as usize)
}

fn take_text(rest: &mut &[u8]) -> Result<String, StreamError> {
    let length = take_length(rest)?;
    let (text, after) = rest.split_at_checked(length).ok_or(StreamError::Protocol("header block is cut"))?;
    *rest = after;
    // Several values of one name are separated by NUL; Kubernetes never sends any.
    String::from_utf8(text.to_vec()).map_err(|_| StreamError::Protocol("header is not text"))
}

/// Compresses the blocks of one direction, in the order of sending.
#[derive(Debug)]
pub struct Packer(Compress);

impl Default for Packer {
    fn default() -> Packer {
        let mut compress = Compress::new(Compression::best(), true);
        // Fails only in the middle of a stream.
        let _ = compress.set_dictionary(&dictionary::bytes());
        Packer(compress)
    }
}

impl Packer {
    /// The compressed block, complete up to its last byte.
    ///
    /// # Errors
    /// When the compressor is out of order.
    pub fn pack(&mut self, headers: &Headers) -> Result<Vec<u8>, StreamError> {
        let block = headers.encode();
        let mut out = Vec::with_capacity(block.len() + 64);
        let start = self.0.total_in();
        loop {
            let read = (self.0.total_in() - start) as usize;
            let status = self.0.compress_vec(&block[read..], &mut out, FlushCompress::Sync);
            status.map_err(|_| StreamError::Protocol("headers do not compress"))?;
            if out.len() < out.capacity() {
                return Ok(out);
            }
            out.reserve(1024);
        }
    }
}

/// Unpacks the blocks of one direction, in the order of arrival.
#[derive(Debug)]
pub struct Unpacker(Decompress);

impl Default for Unpacker {
    fn default() -> Unpacker {
        Unpacker(Decompress::new(true))
    }
}

impl Unpacker {
    /// The headers of a compressed block.
    ///
    /// # Errors
    /// When it is damaged or unpacks to too much.
    pub fn unpack(&mut self, block: &[u8]) -> Result<Headers, StreamError> {
        let damaged = || StreamError::Protocol("header block is damaged");
        let mut out = Vec::with_capacity(1024);
        let start = self.0.total_in();
        loop {
            let read = (self.0.total_in() - start) as usize;
            let before = out.len();
            match self.0.decompress_vec(&block[read..], &mut out, FlushDecompress::Sync) {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&dictionary::bytes()).map_err(|_| damaged())?;
                    continue;
                }
                Err(_) | Ok(Status::StreamEnd) => return Err(damaged()),
                Ok(_) => {}
            }
            let done = (self.0.total_in() - start) as usize == block.len();
            if done && out.len() < out.capacity() {
                return Headers::decode(&out);
            }
            let stuck = out.len() == before && out.len() < out.capacity();
            if stuck && (self.0.total_in() - start) as usize == read {
                return Err(damaged());
            }
            if out.len() >= HEADERS_MAX_BYTES {
                return Err(StreamError::Protocol("header block is too large"));
            }
            out.reserve(4096);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers() -> Headers {
        Headers::new(&[("streamType", "error"), ("port", "8080"), ("requestID", "0")])
    }

    #[test]
    fn a_block_has_its_bytes() {
        assert_eq!(
            Headers::new(&[("Port", "80")]).encode(),
            b"\x00\x00\x00\x01\x00\x00\x00\x04port\x00\x00\x00\x0280"
        );
    }

    #[test]
    fn compressed_blocks_name_the_dictionary() {
        let packed = Packer::default().pack(&headers()).expect("packed");
        // zlib's header with FDICT, then the dictionary's checksum (RFC 1950); at the end the mark of a sync flush.
        assert_eq!(packed[0], 0x78);
        assert_eq!(packed[1] & 0x20, 0x20);
        assert_eq!(packed[2..6], [0xe3, 0xc6, 0xa7, 0xc2]);
        assert!(packed.ends_with(&[0, 0, 0xff, 0xff]));
    }

    #[test]
    fn blocks_of_a_connection_are_read_in_order() {
        let (mut packer, mut unpacker) = (Packer::default(), Unpacker::default());
        let large = Headers::new(&[("a", &"0123456789abcdef".repeat(2000)), ("b", "")]);
        for want in [headers(), Headers::default(), large, headers()] {
            let packed = packer.pack(&want).expect("packed");
            assert_eq!(unpacker.unpack(&packed).expect("unpacked"), want);
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = Headers::new(&[("a", &"0".repeat(HEADERS_MAX_BYTES * 4))]);
        let packed = Packer::default().pack(&bomb).expect("packed");
        assert!(packed.len() < HEADERS_MAX_BYTES);
        let error = Unpacker::default().unpack(&packed).expect_err("refused");
        assert_eq!(error.to_string(), "protocol error: header block is too large");
    }

    #[test]
    fn damaged_blocks_are_refused() {
        for block in
            [&b""[..], b"\0\0\0\x01", b"\0\0\0\x01\0\0\0\x01A\0\0\0\0", b"\0\0\0\0x", b"\xff\xff\xff\xff"]
        {
            Headers::decode(block).expect_err("refused");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
            let _ = Headers::decode(&bytes);
            let _ = Unpacker::default().unpack(&bytes);
            let mut packed = Packer::default().pack(&headers()).expect("packed");
            let at = at.index(packed.len());
            packed[at] = byte;
            let _ = Unpacker::default().unpack(&packed);
        }

        #[test]
        fn any_headers_survive(pairs in prop::collection::vec(("[a-z-]{1,20}", ".{0,50}"), 0..20)) {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let headers = Headers::new(&pairs);
            let packed = Packer::default().pack(&headers).expect("packed");
            prop_assert_eq!(Unpacker::default().unpack(&packed).expect("unpacked"), headers);
        }
    }
}
