//! A blocking netlink socket: one request, its answers, done. It belongs to the namespace of the thread that opened it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeVal;

/// The length of `struct nlmsghdr`.
pub(super) const HEADER_BYTES: usize = 16;
/// `NLM_F_REQUEST`.
pub(super) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(super) const ACK: u16 = 0x4;
/// `NLM_F_REPLACE`.
pub(super) const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`.
pub(super) const EXCL: u16 = 0x200;
/// `NLM_F_CREATE`.
pub(super) const CREATE: u16 = 0x400;
/// `NLM_F_DUMP`.
pub(super) const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// The kernel writes dumps in pieces of at most 32 KiB.
const RECEIVE_BYTES: usize = 64 * 1024;
/// The kernel answers in microseconds; this only keeps a bug from hanging a thread for good.
const PATIENCE_SECONDS: i64 = 10;

/// One message of the kernel: its type and what follows its header.
pub(super) struct Answer {
    pub(super) kind: u16,
    pub(super) payload: Vec<u8>,
}

pub(super) struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    pub(super) fn open(protocol: SockProtocol) -> io::Result<Socket> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(PATIENCE_SECONDS, 0))?;
        Ok(Socket { fd, sequence: 0 })
    }

    /// Sends one request and collects the answers up to the end of the dump or the acknowledgement. An error of the
    /// kernel comes back with its errno.
    pub(super) fn call(&mut self, kind: u16, flags: u16, payload: &[u8]) -> io::Result<Vec<Answer>> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER_BYTES + payload.len()).map_err(io::Error::other)?;
        let mut message = Vec::with_capacity(HEADER_BYTES + payload.len());
        message.extend_from_slice(&length.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
        message.extend_from_slice(&self.sequence.to_ne_bytes());
        message.extend_from_slice(&0u32.to_ne_bytes());
        message.extend_from_slice(payload);
        send(self.fd.as_raw_fd(), &message, MsgFlags::empty())?;
        let mut answers = Vec::new();
        let mut buffer = vec![0u8; RECEIVE_BYTES];
        loop {
            let count = recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            if self.read(&buffer[..count], &mut answers)? {
                return Ok(answers);
            }
        }
    }

    /// Takes the messages out of one datagram; true when the last one has come.
    fn read(&self, mut bytes: &[u8], answers: &mut Vec<Answer>) -> io::Result<bool> {
        while bytes.len() >= HEADER_BYTES {
            let length = usize::try_from(number32(bytes, 0)).unwrap_or(usize::MAX);
            if length < HEADER_BYTES || length > bytes.len() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink message is cut off"));
            }
            let (kind, sequence) = (number16(bytes, 4), number32(bytes, 8));
            let payload = &bytes[HEADER_BYTES..length];
            bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
            if sequence != self.sequence {
                continue;
            }
            match kind {
                DONE => return Ok(true),
                ERROR => {
                    let code = if payload.len() < 4 { 0 } else { i32::from_ne_bytes(array(payload, 0)) };
                    return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(-code)) };
                }
                _ => answers.push(Answer { kind, payload: payload.to_vec() }),
            }
        }
        Ok(false)
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0u8; N];
    if let Some(part) = bytes.get(at..at + N) {
        out.copy_from_slice(part);
    }
    out
}

fn number32(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(array(bytes, at))
}

fn number16(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(array(bytes, at))
}
