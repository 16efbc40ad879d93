//! Frames to bytes and back, without I/O: whoever reads and writes the socket brings bytes and descriptors, in the order they came.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{FRAME_BYTES_MAX, FRAME_DESCRIPTORS_MAX};

/// Why a peer's bytes are no frame. The connection is then of no more use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Too long.
    #[error("a frame of {bytes} bytes is longer than {FRAME_BYTES_MAX}")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// Not JSON of the expected shape.
    #[error("a frame cannot be understood")]
    Malformed(#[source] serde_json::Error),
    /// Fewer descriptors than the frame says.
    #[error("a frame's descriptors are missing")]
    Descriptors,
}

#[derive(serde::Deserialize, Serialize)]
struct Envelope<T> {
    #[serde(default, skip_serializing_if = "is_zero")]
    fds: usize,
    #[serde(flatten)]
    message: T,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[derive(serde::Deserialize, Serialize)]
struct Body<T> {
    m: T,
}

/// The bytes of a frame that `descriptors` travel beside.
///
/// # Errors
/// When it would be too long.
pub fn encode<T: Serialize>(message: &T, descriptors: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, &Envelope { fds: descriptors, message: Body { m: message } })
        .map_err(FrameError::Malformed)?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: length });
    }
    if descriptors > FRAME_DESCRIPTORS_MAX {
        return Err(FrameError::Descriptors);
    }
    let prefix = u32::try_from(length).map_err(|_| FrameError::TooLong { bytes: length })?;
    bytes[..4].copy_from_slice(&prefix.to_le_bytes());
    Ok(bytes)
}

/// Puts frames together from what a stream brings.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
}

impl Decoder {
    /// Adds what was read.
    pub fn add(&mut self, bytes: &[u8], descriptors: impl IntoIterator<Item = OwnedFd>) {
        self.bytes.extend_from_slice(bytes);
        self.descriptors.extend(descriptors);
    }

    /// The next whole frame and its descriptors.
    ///
    /// # Errors
    /// When the bytes are no frame.
    pub fn frame<T: DeserializeOwned>(&mut self) -> Result<Option<(T, Vec<OwnedFd>)>, FrameError> {
        let Some(prefix) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong { bytes: length });
        }
        let Some(frame) = self.bytes.get(4..4 + length) else { return Ok(None) };
        let envelope: Envelope<Body<T>> = serde_json::from_slice(frame).map_err(FrameError::Malformed)?;
        if envelope.fds > self.descriptors.len() {
            return Err(FrameError::Descriptors);
        }
        self.bytes.drain(..4 + length);
        if self.bytes.is_empty() {
            // One long frame must not cost its memory for ever.
            self.bytes = Vec::new();
        }
        Ok(Some((envelope.message.m, self.descriptors.drain(..envelope.fds).collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_survive_any_cutting(texts in prop::collection::vec(".*", 0..5), cut in 1usize..40) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| encode(text, 0).expect("short")).collect();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.add(piece, []);
                while let Some((text, _)) = decoder.frame::<String>().expect("frames") {
                    seen.push(text);
                }
            }
            prop_assert_eq!(seen, texts);
        }

        #[test]
        fn any_bytes_are_a_frame_an_error_or_too_few(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            decoder.add(&bytes, []);
            let _ = decoder.frame::<String>();
        }
    }

    #[test]
    fn descriptors_go_with_their_frame() {
        let mut decoder = Decoder::default();
        let (read, write) = nix::unistd::pipe().expect("a pipe");
        decoder.add(&encode(&"none", 0).expect("short"), []);
        decoder.add(&encode(&"two", 2).expect("short"), [read, write]);
        let first = decoder.frame::<String>().expect("a frame").expect("whole");
        assert!(first.1.is_empty());
        let second = decoder.frame::<String>().expect("a frame").expect("whole");
        assert_eq!((second.0.as_str(), second.1.len()), ("two", 2));
        decoder.add(&encode(&"missing", 1).expect("short"), []);
        assert!(matches!(decoder.frame::<String>(), Err(FrameError::Descriptors)));
    }
}
