//! SPDY/3 frames and their bytes. Headers stay compressed here: their order of compression is the connection's.

use bytes::Bytes;

use crate::error::StreamError;
use crate::limits::{CONTROL_FRAME_MAX_BYTES, DATA_FRAME_MAX_BYTES};

/// The bytes before every frame's payload.
pub const PREFIX_BYTES: usize = 8;

/// The stream was refused before it began.
pub const REFUSED_STREAM: u32 = 3;
/// The stream is not wanted any more.
pub const CANCEL: u32 = 5;
/// More was granted than a window can hold.
pub const FLOW_CONTROL_ERROR: u32 = 7;

const FLAG_FIN: u8 = 1;
const FLAG_UNIDIRECTIONAL: u8 = 2;
const SETTING_INITIAL_WINDOW: u32 = 7;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A piece of a stream.
    Data {
        /// Which stream.
        id: u32,
        /// Whether it is the last one.
        fin: bool,
        /// The piece.
        bytes: Bytes,
    },
    /// A new stream.
    SynStream {
        /// Its id.
        id: u32,
        /// Whether its opener sends nothing.
        fin: bool,
        /// Whether the other side may send nothing.
        unidirectional: bool,
        /// Its headers, compressed.
        block: Bytes,
    },
    /// A stream is accepted.
    SynReply {
        /// Which.
        id: u32,
        /// Whether the accepting side sends nothing.
        fin: bool,
        /// Headers, compressed.
        block: Bytes,
    },
    /// A stream ends at once, both ways.
    RstStream {
        /// Which.
        id: u32,
        /// Why.
        status: u32,
    },
    /// The sender's settings.
    Settings {
        /// The window of new streams, if it is among them.
        initial_window: Option<u32>,
    },
    /// A question whether anybody is there, and its answer.
    Ping {
        /// Its number.
        id: u32,
    },
    /// No new streams from now on.
    GoAway {
        /// The last stream that was accepted.
        last: u32,
        /// Why.
        status: u32,
    },
    /// More headers.
    Headers {
        /// Of which stream.
        id: u32,
        /// Whether the sender sends nothing more.
        fin: bool,
        /// The headers, compressed.
        block: Bytes,
    },
    /// More may be sent.
    WindowUpdate {
        /// In which stream.
        id: u32,
        /// How much.
        delta: u32,
    },
    /// A kind of control frame that is not known, to be skipped.
    Unknown {
        /// Its number.
        kind: u16,
    },
}

/// What a frame's first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    first: u32,
    flags: u8,
    length: usize,
}

impl Prefix {
    /// Reads them.
    ///
    /// # Errors
    /// When the frame is of another version or too large.
    pub fn decode(bytes: [u8; PREFIX_BYTES]) -> Result<Prefix, StreamError> {
        let [a, b, c, d, flags, x, y, z] = bytes;
        let prefix = Prefix {
            first: u32::from_be_bytes([a, b, c, d]),
            flags,
            length: u32::from_be_bytes([0, x, y, z]) as usize,
        };
        if prefix.is_control() && (prefix.first >> 16) & 0x7fff != 3 {
            return Err(StreamError::Protocol("the frame is not of SPDY/3"));
        }
        let most = if prefix.is_control() { CONTROL_FRAME_MAX_BYTES } else { DATA_FRAME_MAX_BYTES };
        if prefix.length > most {
            return Err(StreamError::Protocol("the frame is too large"));
        }
        Ok(prefix)
    }

    /// How much follows.
    pub fn length(self) -> usize {
        self.length
    }

    fn is_control(self) -> bool {
        self.first & 0x8000_0000 != 0
    }
}

impl Frame {
    /// Reads a frame.
    ///
    /// # Errors
    /// When the payload is not of the form that the frame's kind has.
    pub fn decode(prefix: Prefix, payload: Bytes) -> Result<Frame, StreamError> {
        let fin = prefix.flags & FLAG_FIN != 0;
        if !prefix.is_control() {
            let id = prefix.first;
            return if id == 0 {
                Err(StreamError::Protocol("data for stream 0"))
            } else {
                Ok(Frame::Data { id, fin, bytes: payload })
            };
        }
        let number = |at: usize| {
            payload
                .get(at..)
                .and_then(|rest| rest.first_chunk::<4>())
                .map(|bytes| u32::from_be_bytes(*bytes))
                .ok_or(StreamError::Protocol("the frame is cut"))
        };
        let stream = |at: usize| match number(at)? & 0x7fff_ffff {
            0 => Err(StreamError::Protocol("a control frame for stream 0")),
            id => Ok(id),
        };
        let block = |at: usize| {
            if payload.len() < at {
                return Err(StreamError::Protocol("the frame is cut"));
            }
            Ok(payload.slice(at..))
        };
        Ok(match (prefix.first & 0xffff) as u16 {
            1 => Frame::SynStream {
                id: stream(0)?,
                fin,
                unidirectional: prefix.flags & FLAG_UNIDIRECTIONAL != 0,
                block: block(10)?,
            },
            2 => Frame::SynReply { id: stream(0)?, fin, block: block(4)? },
            3 => Frame::RstStream { id: stream(0)?, status: number(4)? },
            4 => Frame::Settings { initial_window: initial_window(&payload)? },
            6 => Frame::Ping { id: number(0)? },
            7 => Frame::GoAway { last: number(0)? & 0x7fff_ffff, status: number(4)? },
            8 => Frame::Headers { id: stream(0)?, fin, block: block(4)? },
            // SPDY/3.1 has a window of the whole connection, stream 0.
            9 => Frame::WindowUpdate { id: number(0)? & 0x7fff_ffff, delta: number(4)? & 0x7fff_ffff },
            kind => Frame::Unknown { kind },
        })
    }

    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let flag = |fin: bool| if fin { FLAG_FIN } else { 0 };
        match self {
            Frame::Data { id, fin, bytes } => assemble(*id, flag(*fin), &[], bytes),
            Frame::SynStream { id, fin, unidirectional, block } => {
                let flags = flag(*fin) | if *unidirectional { FLAG_UNIDIRECTIONAL } else { 0 };
                control(1, flags, &[*id, 0], &[&[0, 0], block.as_ref()].concat())
            }
            Frame::SynReply { id, fin, block } => control(2, flag(*fin), &[*id], block),
            Frame::RstStream { id, status } => control(3, 0, &[*id, *status], &[]),
            Frame::Settings { initial_window: None } => control(4, 0, &[0], &[]),
            Frame::Settings { initial_window: Some(bytes) } => {
                control(4, 0, &[1, SETTING_INITIAL_WINDOW, *bytes], &[])
            }
            Frame::Ping { id } => control(6, 0, &[*id], &[]),
            Frame::GoAway { last, status } => control(7, 0, &[*last, *status], &[]),
            Frame::Headers { id, fin, block } => control(8, flag(*fin), &[*id], block),
            Frame::WindowUpdate { id, delta } => control(9, 0, &[*id, *delta], &[]),
            Frame::Unknown { kind } => control(*kind, 0, &[], &[]),
        }
    }
}

fn initial_window(payload: &[u8]) -> Result<Option<u32>, StreamError> {
    let cut = StreamError::Protocol("the settings are cut");
    let Some((count, entries)) = payload.split_first_chunk::<4>() else { return Err(cut) };
    if entries.len() != (u32::from_be_bytes(*count) as usize).saturating_mul(8) {
        return Err(cut);
    }
    Ok(entries.chunks_exact(8).find_map(|entry| {
        let id = u32::from_be_bytes([0, entry[1], entry[2], entry[3]]);
        let value = u32::from_be_bytes([entry[4], entry[5], entry[6], entry[7]]);
        (id == SETTING_INITIAL_WINDOW).then_some(value & 0x7fff_ffff)
    }))
}

fn control(kind: u16, flags: u8, numbers: &[u32], rest: &[u8]) -> Vec<u8> {
    assemble(0x8003_0000 | u32::from(kind), flags, numbers, rest)
}

fn assemble(first: u32, flags: u8, numbers: &[u32], rest: &[u8]) -> Vec<u8> {
    let length = numbers.len() * 4 + rest.len();
    let mut out = Vec::with_capacity(PREFIX_BYTES + length);
    out.extend_from_slice(&first.to_be_bytes());
    out.extend_from_slice(&((u32::from(flags) << 24) | length as u32).to_be_bytes());
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Frame, StreamError> {
        let (prefix, payload) = bytes.split_first_chunk::<8>().expect("a prefix");
        let prefix = Prefix::decode(*prefix)?;
        assert_eq!(prefix.length(), payload.len());
        Frame::decode(prefix, Bytes::copy_from_slice(payload))
    }

    #[test]
    fn frames_have_their_bytes() {
        let block = Bytes::from_static(b"hb");
        let cases: &[(Frame, &[u8])] = &[
            (Frame::Data { id: 1, fin: true, bytes: Bytes::from_static(b"hi") }, b"\0\0\0\x01\x01\0\0\x02hi"),
            (
                Frame::SynStream { id: 1, fin: false, unidirectional: false, block: block.clone() },
                b"\x80\x03\0\x01\0\0\0\x0c\0\0\0\x01\0\0\0\0\0\0hb",
            ),
            (
                Frame::SynReply { id: 1, fin: false, block: block.clone() },
                b"\x80\x03\0\x02\0\0\0\x06\0\0\0\x01hb",
            ),
            (Frame::RstStream { id: 3, status: CANCEL }, b"\x80\x03\0\x03\0\0\0\x08\0\0\0\x03\0\0\0\x05"),
            (
                Frame::Settings { initial_window: Some(65536) },
                b"\x80\x03\0\x04\0\0\0\x0c\0\0\0\x01\0\0\0\x07\0\x01\0\0",
            ),
            (Frame::Settings { initial_window: None }, b"\x80\x03\0\x04\0\0\0\x04\0\0\0\0"),
            (Frame::Ping { id: 7 }, b"\x80\x03\0\x06\0\0\0\x04\0\0\0\x07"),
            (Frame::GoAway { last: 5, status: 0 }, b"\x80\x03\0\x07\0\0\0\x08\0\0\0\x05\0\0\0\0"),
            (Frame::Headers { id: 1, fin: true, block }, b"\x80\x03\0\x08\x01\0\0\x06\0\0\0\x01hb"),
            (Frame::WindowUpdate { id: 1, delta: 256 }, b"\x80\x03\0\x09\0\0\0\x08\0\0\0\x01\0\0\x01\0"),
        ];
        for (frame, bytes) in cases {
            assert_eq!(frame.encode(), *bytes, "{frame:?}");
            assert_eq!(&read(bytes).expect("a frame"), frame);
        }
    }

    #[test]
    fn malformed_frames_are_refused() {
        for bytes in [
            &b"\0\0\0\0\0\0\0\0"[..],
            b"\x80\x02\0\x01\0\0\0\0",
            b"\x80\x03\0\x01\0\0\0\x04\0\0\0\x01",
            b"\x80\x03\0\x03\0\0\0\x08\0\0\0\0\0\0\0\0",
            b"\x80\x03\0\x04\0\0\0\x04\xff\xff\xff\xff",
            b"\x80\x03\0\x06\0\0\0\0",
        ] {
            read(bytes).expect_err("refused");
        }
        Prefix::decode(*b"\x80\x03\0\x01\0\xff\xff\xff").expect_err("too large");
        Prefix::decode(*b"\0\0\0\x01\0\xff\xff\xff").expect_err("too large");
        assert_eq!(read(b"\x80\x03\0\x63\0\0\0\x01x").expect("skipped"), Frame::Unknown { kind: 0x63 });
    }

    proptest! {
        #[test]
        fn garbage_never_panics(prefix: [u8; 8], payload: Vec<u8>) {
            if let Ok(prefix) = Prefix::decode(prefix) {
                let _ = Frame::decode(prefix, Bytes::from(payload));
            }
        }
    }
}
