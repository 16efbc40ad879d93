//! The streams of execs and attachments: pipes and terminals as async readers and writers.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;

use super::connection::watched;
use crate::error::RuntimeError;

/// Where to write what a process reads. Dropping it ends a pipe; a terminal has no end.
pub type Input = Box<dyn AsyncWrite + Send + Unpin>;
/// Where to read what a process writes, until its end.
pub type Output = Box<dyn AsyncRead + Send + Unpin>;

/// The far side of a process's terminal.
#[derive(Clone, Debug)]
pub(super) struct Terminal(Arc<AsyncFd<OwnedFd>>);

impl Terminal {
    pub(super) fn new(master: OwnedFd) -> Result<Terminal, RuntimeError> {
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))
            .map_err(RuntimeError::errno("use a terminal"))?;
        Ok(Terminal(Arc::new(watched(master).map_err(RuntimeError::io("watch a terminal"))?)))
    }

    #[allow(unsafe_code)]
    pub(super) fn resize(&self, columns: u16, rows: u16) -> Result<(), RuntimeError> {
        let size = nix::libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is open and the kernel only reads `size`, which outlives the call.
        let result = unsafe { nix::libc::ioctl(self.0.as_raw_fd(), nix::libc::TIOCSWINSZ, &raw const size) };
        Errno::result(result).map(drop).map_err(RuntimeError::errno("resize a terminal"))
    }
}

impl AsyncRead for Terminal {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            match nix::unistd::read(self.0.as_fd(), buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                // How a terminal says that nobody has it open any more.
                Err(Errno::EIO) => return Poll::Ready(Ok(())),
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match nix::unistd::write(self.0.as_fd(), bytes) {
                Ok(count) => return Poll::Ready(Ok(count)),
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Poll::Ready(Err(errno.into())),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn make_pipe() -> Result<(OwnedFd, OwnedFd), RuntimeError> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(RuntimeError::errno("make a pipe"))
}

fn unblock(descriptor: &OwnedFd) -> Result<(), RuntimeError> {
    fcntl(descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map(drop)
        .map_err(RuntimeError::errno("use a pipe"))
}

/// A pipe into a process: the process's end, and ours.
pub(super) fn input() -> Result<(OwnedFd, Input), RuntimeError> {
    let (theirs, ours) = make_pipe()?;
    Ok((theirs, input_from(ours)?))
}

/// Our end of a pipe into a process.
pub(super) fn input_from(ours: OwnedFd) -> Result<Input, RuntimeError> {
    unblock(&ours)?;
    Ok(Box::new(pipe::Sender::from_owned_fd(ours).map_err(RuntimeError::io("use a pipe"))?))
}

/// A pipe out of a process: the process's end, and ours.
pub(super) fn output() -> Result<(OwnedFd, Output), RuntimeError> {
    let (ours, theirs) = make_pipe()?;
    unblock(&ours)?;
    Ok((theirs, Box::new(pipe::Receiver::from_owned_fd(ours).map_err(RuntimeError::io("use a pipe"))?)))
}
