//! One connection to a shim: calls go out, answers and events come in. It ends once, for everybody.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::Mode;
use std::os::fd::AsRawFd;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::RuntimeError;
use crate::layout::SOCKET;
use crate::protocol::frame::{Decoder, encode};
use crate::protocol::{Answer, Call, Failure, Hello, Message, VERSION, wire};
use crate::state::Event;

/// An answer and the descriptors that came with it.
pub(super) type Answered = Result<(Answer, Vec<OwnedFd>), Failure>;
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answered>>>>;

/// A connection to a shim.
#[derive(Debug)]
pub(super) struct Connection {
    uid: String,
    outgoing: mpsc::UnboundedSender<(Vec<u8>, Vec<OwnedFd>)>,
    waiting: Waiting,
    next: AtomicU64,
    ended: watch::Receiver<bool>,
}

/// A descriptor as the async runtime watches it.
#[allow(unsafe_code)]
pub(super) fn watched(descriptor: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` names one open file until it is dropped, which is what is asked for.
    unsafe { AsyncFd::register(descriptor) }.map_err(|error| error.into_parts().1)
}

/// Connects to the shim of the pod in `directory`, by a short name whatever the directory's length.
pub(super) fn connect_to(directory: &Path) -> Result<OwnedFd, Errno> {
    let place = open(directory, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", place.as_raw_fd());
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path.as_str())?)?;
    Ok(socket)
}

/// Whether nobody listens in the pod's directory any more. Any other trouble is no reason for a successor: there may be only one shim.
pub(super) fn is_dead(directory: &Path) -> Result<bool, RuntimeError> {
    match connect_to(directory) {
        Ok(_) => Ok(false),
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Ok(true),
        Err(errno) => Err(RuntimeError::errno("connect to a shim")(errno)),
    }
}

impl Connection {
    /// Greets the shim on `socket`; what happens there goes to `events`.
    pub(super) async fn open(
        uid: &str,
        socket: OwnedFd,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<Connection, RuntimeError> {
        let socket = Arc::new(watched(socket).map_err(RuntimeError::io("watch a connection"))?);
        let lost = || RuntimeError::ShimLost { uid: uid.to_owned() };
        let hello = encode(&Hello::ours(), 0).map_err(|_| lost())?;
        send(&socket, &hello, &[]).await.map_err(|_| lost())?;
        let mut decoder = Decoder::default();
        let theirs = loop {
            if let Some((hello, _)) = decoder.frame::<Hello>().map_err(|_| lost())? {
                break hello;
            }
            receive(&socket, &mut decoder).await.map_err(|_| lost())?;
        };
        if theirs.knarr_shim_protocol != VERSION {
            return Err(RuntimeError::Version {
                uid: uid.to_owned(),
                ours: VERSION,
                theirs: theirs.knarr_shim_protocol,
                release: theirs.release,
            });
        }
        let (outgoing, mut queue) = mpsc::unbounded_channel::<(Vec<u8>, Vec<OwnedFd>)>();
        let (end, ended) = watch::channel(false);
        let waiting = Waiting::default();
        let writer = socket.clone();
        tokio::spawn(async move {
            while let Some((bytes, descriptors)) = queue.recv().await {
                if send(&writer, &bytes, &descriptors).await.is_err() {
                    break;
                }
            }
            // Without a writer the connection is of no use: the reader sees its end.
            let _ = nix::sys::socket::shutdown(writer.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        });
        let answers = waiting.clone();
        tokio::spawn(async move {
            let _ = read(&socket, decoder, &answers, &events).await;
            // First the end, then those who wait: whoever registers after these are cleared sees the end.
            end.send_replace(true);
            answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        });
        Ok(Connection { uid: uid.to_owned(), outgoing, waiting, next: AtomicU64::new(1), ended })
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call(
        &self,
        call: Call,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(Answer, Vec<OwnedFd>), RuntimeError> {
        let lost = || RuntimeError::ShimLost { uid: self.uid.clone() };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = encode(&Message::Call { id, call }, descriptors.len()).map_err(|error| {
            Failure::new(crate::protocol::FailureKind::Invalid, base::error::Chain(&error).to_string())
        })?;
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        // Looked at after registering: the end clears what is registered before it.
        if *self.ended.borrow() || self.outgoing.send((bytes, descriptors)).is_err() {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            return Err(lost());
        }
        Ok(answer.await.map_err(|_| lost())??)
    }

    /// Becomes true when the connection has ended. Holding it keeps nothing open.
    pub(super) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.clone()
    }
}

async fn read(
    socket: &AsyncFd<OwnedFd>,
    mut decoder: Decoder,
    waiting: &Waiting,
    events: &mpsc::UnboundedSender<Event>,
) -> Result<(), Errno> {
    loop {
        while let Some((message, descriptors)) = decoder.frame::<Message>().map_err(|_| Errno::EPROTO)? {
            match message {
                Message::Answer { id, answer } => {
                    let sender = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    if let Some(sender) = sender {
                        // Whoever asked may have given up.
                        let _ = sender.send(answer.map(|answer| (answer, descriptors)));
                    }
                }
                Message::Event(event) => events.send(event).map_err(|_| Errno::EPIPE)?,
                Message::Call { .. } => return Err(Errno::EPROTO),
            }
        }
        receive(socket, &mut decoder).await?;
    }
}

async fn receive(socket: &AsyncFd<OwnedFd>, decoder: &mut Decoder) -> Result<(), Errno> {
    let mut buffer = vec![0; 32 << 10];
    loop {
        let mut ready = socket.readable().await.map_err(|_| Errno::EIO)?;
        match wire::receive(socket.as_fd(), &mut buffer) {
            Ok((0, _)) => return Err(Errno::EPIPE),
            Ok((count, descriptors)) => {
                decoder.add(&buffer[..count], descriptors);
                return Ok(());
            }
            Err(Errno::EAGAIN) => ready.clear_ready(),
            Err(errno) => return Err(errno),
        }
    }
}

async fn send(socket: &AsyncFd<OwnedFd>, bytes: &[u8], descriptors: &[OwnedFd]) -> Result<(), Errno> {
    let mut sent = 0;
    while sent < bytes.len() {
        let mut ready = socket.writable().await.map_err(|_| Errno::EIO)?;
        let beside: Vec<_> =
            if sent == 0 { descriptors.iter().map(AsFd::as_fd).collect() } else { Vec::new() };
        match wire::send(socket.as_fd(), &bytes[sent..], &beside) {
            Ok(count) => sent += count,
            Err(Errno::EAGAIN) => ready.clear_ready(),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
