//! One connection of an agent: what was read and not yet understood, what is to be sent and not yet taken.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;

use crate::limits::CLIENT_BACKLOG_BYTES_MAX;
use crate::protocol::frame::{Decoder, encode};
use crate::protocol::{Hello, Message, wire};

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) socket: OwnedFd,
    pub(super) decoder: Decoder,
    /// Whether its hello has been heard and was of our version.
    pub(super) greeted: bool,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
}

#[derive(Debug)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
    descriptors: Vec<OwnedFd>,
}

/// The connection is of no more use.
#[derive(Debug)]
pub(super) struct Gone;

impl Client {
    pub(super) fn new(socket: OwnedFd) -> Client {
        Client {
            socket,
            decoder: Decoder::default(),
            greeted: false,
            pending: VecDeque::new(),
            pending_bytes: 0,
        }
    }

    /// Reads what is there.
    pub(super) fn read(&mut self) -> Result<(), Gone> {
        let mut buffer = [0; 64 << 10];
        loop {
            match wire::receive(self.socket.as_fd(), &mut buffer) {
                Ok((0, _)) => return Err(Gone),
                Ok((count, descriptors)) => self.decoder.add(&buffer[..count], descriptors),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(_) => return Err(Gone),
            }
        }
    }

    pub(super) fn greet(&mut self) -> Result<(), Gone> {
        let bytes = encode(&Hello::ours(), 0).map_err(|_| Gone)?;
        self.queue(bytes, Vec::new())
    }

    pub(super) fn send(&mut self, message: &Message, descriptors: Vec<OwnedFd>) -> Result<(), Gone> {
        let bytes = encode(message, descriptors.len()).map_err(|_| Gone)?;
        self.queue(bytes, descriptors)
    }

    fn queue(&mut self, bytes: Vec<u8>, descriptors: Vec<OwnedFd>) -> Result<(), Gone> {
        self.pending_bytes += bytes.len();
        if self.pending_bytes > CLIENT_BACKLOG_BYTES_MAX {
            return Err(Gone);
        }
        self.pending.push_back(Pending { bytes, sent: 0, descriptors });
        self.flush()
    }

    /// Sends what the socket takes now.
    pub(super) fn flush(&mut self) -> Result<(), Gone> {
        while let Some(first) = self.pending.front_mut() {
            let descriptors: Vec<_> = first.descriptors.iter().map(AsFd::as_fd).collect();
            match wire::send(self.socket.as_fd(), &first.bytes[first.sent..], &descriptors) {
                Ok(count) => {
                    first.sent += count;
                    first.descriptors.clear();
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(_) => return Err(Gone),
            }
            if first.sent == first.bytes.len() {
                self.pending_bytes -= first.bytes.len();
                self.pending.pop_front();
            }
        }
        Ok(())
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }
}
