//! What commands print, to a reader who may go away: after `knarr status | head -1` a command ends silently, as those do that die of
//! SIGPIPE. That signal itself stays ignored: a connection that a peer closes would raise it too.

use std::fmt;
use std::io::{self, ErrorKind, Write};

/// What a shell says of a program that SIGPIPE ended.
pub const CLOSED: u8 = 128 + 13;

/// Standard output.
pub struct Out;

/// Marks that it was standard output that nobody reads any more, and not some connection.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for Closed {}

fn marked(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::BrokenPipe { io::Error::new(ErrorKind::BrokenPipe, Closed) } else { error }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).map_err(marked)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().map_err(marked)
    }
}

/// Prints text as it is.
///
/// # Errors
/// When it cannot be printed.
pub fn print(text: impl fmt::Display) -> io::Result<()> {
    write!(Out, "{text}")?;
    Out.flush()
}

/// Whether all that is wrong is that nobody reads.
pub fn is_closed(error: &anyhow::Error) -> bool {
    let marked = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<Closed>());
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(marked))
}

/// Says what went wrong, to whoever still listens.
pub fn complain(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "error: {text}");
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_closed_output_is_told_from_a_closed_connection() {
        let broken = || io::Error::from(ErrorKind::BrokenPipe);
        let told = Err::<(), _>(marked(broken())).context("cannot print").expect_err("an error");
        assert!(is_closed(&told));
        assert!(!is_closed(&broken().into()));
        assert!(!is_closed(&marked(io::Error::from(ErrorKind::StorageFull)).into()));
    }
}
