//! Telling systemd how far a server is: sd_notify(3) without its library. Used by the binary's `server` and `agent`.
#![allow(clippy::disallowed_methods, reason = "the shell that writes to systemd's socket")]

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

/// Says that the server is ready. Does nothing where no one waits for it.
///
/// # Errors
/// When the socket that systemd named cannot be written to.
pub fn ready() -> io::Result<()> {
    tell("READY=1\n")
}

/// Says that the server is about to end.
///
/// # Errors
/// As [`ready`].
pub fn stopping() -> io::Result<()> {
    tell("STOPPING=1\n")
}

fn tell(message: &str) -> io::Result<()> {
    match std::env::var_os("NOTIFY_SOCKET") {
        Some(socket) if !socket.is_empty() => send(Path::new(&socket), message),
        _ => Ok(()),
    }
}

/// A name that begins with `@` is an abstract one.
fn send(socket: &Path, message: &str) -> io::Result<()> {
    let address = match socket.as_os_str().as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(by: &UnixDatagram) -> String {
        let mut buffer = [0u8; 64];
        let length = by.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn the_message_arrives_at_a_path_or_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        send(&path, "READY=1\n").unwrap();
        assert_eq!(received(&socket), "READY=1\n");

        let name = format!("knarr-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(Path::new(&format!("@{name}")), "STOPPING=1\n").unwrap();
        assert_eq!(received(&socket), "STOPPING=1\n");
    }
}
