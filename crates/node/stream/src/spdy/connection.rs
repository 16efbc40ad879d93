//! A SPDY connection: streams opened by either side, over any byte stream, as a server or as a client.
//!
//! One task reads, one writes, two pump each stream. The reader never waits for the writer (its answers go into a
//! queue of their own, whose overflow ends the connection), so two sides that both send cannot block each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::time::{Clock, timeout};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::frame::{CANCEL, FLOW_CONTROL_ERROR, Frame, PREFIX_BYTES, Prefix, REFUSED_STREAM};
use super::headers::{Headers, Packer, Unpacker};
use super::pump;
use crate::error::StreamError;
use crate::limits::{
    CLOSE_TIMEOUT, CONTROL_QUEUE_FRAMES, DATA_QUEUE_FRAMES, STREAM_BUFFER_BYTES, STREAMS_MAX,
};

const WINDOW_MAX_BYTES: usize = 0x7fff_ffff;
/// Stream numbers have 31 bits and are never used again.
const LAST_STREAM: u32 = 0x7fff_ffff;

/// Which side of the connection this is; it decides which numbers its streams have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It asked for the connection: odd numbers.
    Client,
    /// It was asked: even numbers.
    Server,
}

/// A connection. Dropping it ends it at once; [`Connection::close`] lets what was sent arrive.
#[derive(Debug)]
pub struct Connection {
    shared: Arc<Shared>,
    incoming: mpsc::Receiver<Stream>,
    writer: Option<JoinHandle<()>>,
}

/// A stream of a connection.
#[derive(Debug)]
pub struct Stream {
    /// Its number.
    pub id: u32,
    /// The headers it was opened with.
    pub headers: Headers,
    /// Its contents. Shutting it down says that nothing more is sent (FIN); reading ends when the peer says so.
    pub data: DuplexStream,
    /// Ends when all that was written has been handed to the connection, after `data` was shut down or dropped.
    pub flushed: JoinHandle<()>,
    shared: Arc<Shared>,
}

impl Stream {
    /// Accepts a stream that the peer opened.
    pub fn accept(&self) {
        self.shared.control_headers(self.id, Headers::default(), false);
    }

    /// Ends a stream at once, both ways, telling the peer.
    pub fn reset(self) {
        self.shared.control(Frame::RstStream { id: self.id, status: CANCEL });
        self.shared.forget(self.id);
    }

    /// Refuses a stream that the peer opened.
    pub fn refuse(self) {
        self.shared.control(Frame::RstStream { id: self.id, status: REFUSED_STREAM });
        self.shared.forget(self.id);
    }
}

#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(Frame),
    /// SYN_STREAM, or SYN_REPLY if it is one; compressed by the writer, in the order of sending.
    Headers {
        id: u32,
        headers: Headers,
        open: bool,
    },
    /// Everything has been sent.
    Close,
}

/// How much more may be sent in one stream. Unbounded until the peer announces that it has windows.
#[derive(Debug)]
pub(super) struct SendWindow {
    granted: Semaphore,
    /// The peer's first window; 0 while it has announced none.
    initial: AtomicUsize,
}

impl SendWindow {
    fn new(initial: usize) -> SendWindow {
        SendWindow { granted: Semaphore::new(initial), initial: AtomicUsize::new(initial) }
    }

    fn enable(&self, initial: usize) {
        if self.initial.swap(initial, Ordering::SeqCst) == 0 {
            self.granted.add_permits(initial);
        }
    }

    /// How much to send at once, so that a window can ever be large enough for it.
    pub(super) fn at_most(&self, chunk: usize) -> usize {
        match self.initial.load(Ordering::SeqCst) {
            0 => chunk,
            initial => initial.min(chunk),
        }
    }

    /// Waits until so much may be sent; `false` when that will never be.
    pub(super) async fn take(&self, length: usize) -> bool {
        if self.initial.load(Ordering::SeqCst) == 0 {
            return !self.granted.is_closed();
        }
        match self.granted.acquire_many(length as u32).await {
            Ok(permit) => {
                permit.forget();
                true
            }
            Err(_) => false,
        }
    }

    fn grant(&self, delta: usize) -> bool {
        if self.initial.load(Ordering::SeqCst) == 0 {
            return true;
        }
        if self.granted.available_permits() + delta > WINDOW_MAX_BYTES {
            return false;
        }
        self.granted.add_permits(delta);
        true
    }
}

#[derive(Debug)]
struct Entry {
    /// To the pump; gone once the peer has said that nothing more comes.
    arriving: Option<mpsc::UnboundedSender<Bytes>>,
    /// How much more may arrive before the connection is not read any further.
    budget: Arc<Semaphore>,
    window: Arc<SendWindow>,
    /// Whoever waits for the peer to accept the stream.
    opened: Option<oneshot::Sender<Result<(), StreamError>>>,
    local_ended: bool,
}

#[derive(Debug, Default)]
struct Table {
    next: u32,
    last: u32,
    going_away: bool,
    peer_window: usize,
    streams: BTreeMap<u32, Entry>,
}

#[derive(Debug)]
pub(super) struct Shared {
    table: Mutex<Table>,
    control: mpsc::Sender<Outgoing>,
    pub(super) data: mpsc::Sender<Outgoing>,
    closed: watch::Sender<bool>,
    role: Role,
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held; the table is whole in any case.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a control frame; a peer that leaves too many unread is dropped.
    pub(super) fn control(&self, frame: Frame) {
        self.enqueue(Outgoing::Frame(frame));
    }

    fn control_headers(&self, id: u32, headers: Headers, open: bool) {
        self.enqueue(Outgoing::Headers { id, headers, open });
    }

    fn enqueue(&self, outgoing: Outgoing) {
        if self.control.try_send(outgoing).is_err() {
            self.closed.send_replace(true);
        }
    }

    pub(super) fn peer_has_windows(&self) -> bool {
        self.table().peer_window != 0
    }

    /// The user has written everything.
    pub(super) fn local_end(&self, id: u32) {
        let mut table = self.table();
        if let Some(entry) = table.streams.get_mut(&id) {
            entry.local_ended = true;
            if entry.arriving.is_none() {
                table.streams.remove(&id);
            }
        }
    }

    fn forget(&self, id: u32) {
        let entry = self.table().streams.remove(&id);
        if let Some(entry) = entry {
            entry.end(StreamError::Closed);
        }
    }

    fn end_all(&self) {
        self.closed.send_replace(true);
        let streams = std::mem::take(&mut self.table().streams);
        for entry in streams.into_values() {
            entry.end(StreamError::Closed);
        }
    }

    /// A new stream with its pumps, entered into the table.
    fn create(
        self: &Arc<Shared>,
        table: &mut Table,
        id: u32,
        headers: Headers,
        opened: Option<oneshot::Sender<Result<(), StreamError>>>,
    ) -> Stream {
        let (data, inner) = tokio::io::duplex(STREAM_BUFFER_BYTES);
        let (from_user, to_user) = tokio::io::split(inner);
        let (arriving, chunks) = mpsc::unbounded_channel();
        let budget = Arc::new(Semaphore::new(STREAM_BUFFER_BYTES));
        let window = Arc::new(SendWindow::new(table.peer_window));
        tokio::spawn(pump::arriving(id, chunks, to_user, budget.clone(), self.clone()));
        let flushed = tokio::spawn(pump::leaving(id, from_user, window.clone(), self.clone()));
        let entry = Entry { arriving: Some(arriving), budget, window, opened, local_ended: false };
        table.streams.insert(id, entry);
        Stream { id, headers, data, flushed, shared: self.clone() }
    }
}

impl Entry {
    fn end(self, error: StreamError) {
        self.window.granted.close();
        self.budget.close();
        if let Some(opened) = self.opened {
            let _ = opened.send(Err(error));
        }
    }
}

impl Connection {
    /// Begins a connection over `io`, which has been upgraded already.
    pub fn start<T>(io: T, role: Role) -> Connection
    where
        T: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (read, write) = tokio::io::split(io);
        let (control, control_queue) = mpsc::channel(CONTROL_QUEUE_FRAMES);
        let (data, data_queue) = mpsc::channel(DATA_QUEUE_FRAMES);
        let (streams, incoming) = mpsc::channel(STREAMS_MAX);
        let next = if role == Role::Client { 1 } else { 2 };
        let shared = Arc::new(Shared {
            table: Mutex::new(Table { next, ..Table::default() }),
            control,
            data,
            closed: watch::Sender::new(false),
            role,
        });
        shared.control(Frame::Settings { initial_window: Some(STREAM_BUFFER_BYTES as u32) });
        let closed = shared.closed.subscribe();
        let writer = tokio::spawn(write_all(write, control_queue, data_queue, closed));
        let reader = Reader { shared: shared.clone(), unpacker: Unpacker::default(), streams };
        tokio::spawn(reader.run(read));
        Connection { shared, incoming, writer: Some(writer) }
    }

    /// Opens a stream and waits until the peer accepts it.
    ///
    /// # Errors
    /// When the peer refuses it, or the connection is closing.
    pub async fn open(&self, headers: Headers) -> Result<Stream, StreamError> {
        let (sender, answer) = oneshot::channel();
        let stream = {
            let mut table = self.shared.table();
            let numbers_left = table.next <= LAST_STREAM;
            if table.going_away || !numbers_left || *self.shared.closed.borrow() {
                return Err(StreamError::Closed);
            }
            let id = table.next;
            table.next += 2;
            // Under the lock, so that numbers are sent in their order.
            self.shared.control_headers(id, headers.clone(), true);
            self.shared.create(&mut table, id, headers, Some(sender))
        };
        match answer.await {
            Ok(Ok(())) => Ok(stream),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StreamError::Closed),
        }
    }

    /// The next stream that the peer opens, yet to be accepted or refused; `None` when the connection has ended.
    pub async fn incoming(&mut self) -> Option<Stream> {
        self.incoming.recv().await
    }

    /// Completes when the connection has ended.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closed = self.shared.closed.subscribe();
        async move {
            let _ = closed.wait_for(|closed| *closed).await;
        }
    }

    /// Ends the connection once everything that was handed to it has been sent, and the peer has ended it in turn or
    /// has had [`CLOSE_TIMEOUT`] for it: closed earlier, the kernel would discard what is still under way.
    pub async fn close(mut self, clock: &dyn Clock) {
        if self.shared.data.send(Outgoing::Close).await.is_ok()
            && let Some(writer) = self.writer.take()
        {
            let _ = writer.await;
            let _ = timeout(clock, CLOSE_TIMEOUT, self.ended()).await;
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.end_all();
    }
}

async fn write_all<T: AsyncWrite>(
    mut io: WriteHalf<T>,
    mut control: mpsc::Receiver<Outgoing>,
    mut data: mpsc::Receiver<Outgoing>,
    mut closed: watch::Receiver<bool>,
) {
    let mut packer = Packer::default();
    let sending = async {
        loop {
            let outgoing = tokio::select! {
                biased;
                Some(outgoing) = control.recv() => outgoing,
                Some(outgoing) = data.recv() => outgoing,
                else => return Ok(()),
            };
            let last = matches!(outgoing, Outgoing::Close);
            let bytes = encode(outgoing, &mut packer)?;
            io.write_all(&bytes).await.map_err(StreamError::Lost)?;
            if control.is_empty() && data.is_empty() {
                io.flush().await.map_err(StreamError::Lost)?;
            }
            if last {
                return Ok::<(), StreamError>(());
            }
        }
    };
    tokio::select! {
        _ = sending => {}
        _ = closed.wait_for(|closed| *closed) => {}
    }
    let _ = io.shutdown().await;
}

fn encode(outgoing: Outgoing, packer: &mut Packer) -> Result<Vec<u8>, StreamError> {
    let frame = match outgoing {
        Outgoing::Frame(frame) => frame,
        Outgoing::Headers { id, headers, open } => {
            let block = Bytes::from(packer.pack(&headers)?);
            if open {
                Frame::SynStream { id, fin: false, unidirectional: false, block }
            } else {
                Frame::SynReply { id, fin: false, block }
            }
        }
        Outgoing::Close => Frame::GoAway { last: 0, status: 0 },
    };
    Ok(frame.encode())
}

struct Reader {
    shared: Arc<Shared>,
    unpacker: Unpacker,
    streams: mpsc::Sender<Stream>,
}

impl Reader {
    async fn run<T: AsyncRead>(mut self, mut io: ReadHalf<T>) {
        let shared = self.shared.clone();
        let mut closed = shared.closed.subscribe();
        let reading = async {
            loop {
                let frame = read_frame(&mut io).await?;
                self.take(frame).await?;
            }
        };
        let _: Result<(), StreamError> = tokio::select! {
            result = reading => result,
            _ = closed.wait_for(|closed| *closed) => Ok(()),
        };
        shared.end_all();
    }

    async fn take(&mut self, frame: Frame) -> Result<(), StreamError> {
        match frame {
            Frame::Data { id, fin, bytes } => self.data(id, fin, bytes).await,
            Frame::SynStream { id, fin, block, .. } => {
                let headers = self.unpacker.unpack(&block)?;
                self.opened(id, fin, headers)
            }
            Frame::SynReply { id, fin, block } => {
                self.unpacker.unpack(&block)?;
                self.answered(id, Ok(()));
                if fin { self.data(id, true, Bytes::new()).await } else { Ok(()) }
            }
            Frame::Headers { id, fin, block } => {
                self.unpacker.unpack(&block)?;
                if fin { self.data(id, true, Bytes::new()).await } else { Ok(()) }
            }
            Frame::RstStream { id, status } => {
                self.answered(id, Err(StreamError::Refused(status)));
                self.shared.forget(id);
                Ok(())
            }
            Frame::Settings { initial_window } => {
                let mut table = self.shared.table();
                if let Some(window) = initial_window.filter(|window| *window > 0 && table.peer_window == 0) {
                    table.peer_window = window as usize;
                    table.streams.values().for_each(|entry| entry.window.enable(window as usize));
                }
                Ok(())
            }
            Frame::Ping { id } => {
                // An odd number is a client's question; what has our own parity is an answer to us.
                if (id % 2 == 1) == (self.shared.role == Role::Server) {
                    self.shared.control(Frame::Ping { id });
                }
                Ok(())
            }
            Frame::GoAway { .. } => {
                self.shared.table().going_away = true;
                Ok(())
            }
            Frame::WindowUpdate { id, delta } => {
                let window = self.shared.table().streams.get(&id).map(|entry| entry.window.clone());
                if window.is_some_and(|window| !window.grant(delta as usize)) {
                    self.shared.control(Frame::RstStream { id, status: FLOW_CONTROL_ERROR });
                    self.shared.forget(id);
                }
                Ok(())
            }
            Frame::Unknown { .. } => Ok(()),
        }
    }

    async fn data(&mut self, id: u32, fin: bool, bytes: Bytes) -> Result<(), StreamError> {
        let target = {
            let table = self.shared.table();
            table.streams.get(&id).and_then(|entry| Some((entry.arriving.clone()?, entry.budget.clone())))
        };
        // What was reset here may still be under way; so data of unknown streams is no error.
        let Some((arriving, budget)) = target else { return Ok(()) };
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(STREAM_BUFFER_BYTES));
            let Ok(permits) = budget.acquire_many(piece.len() as u32).await else { return Ok(()) };
            permits.forget();
            let _ = arriving.send(piece);
        }
        if fin {
            let mut table = self.shared.table();
            if let Some(entry) = table.streams.get_mut(&id) {
                entry.arriving = None;
                if entry.local_ended {
                    table.streams.remove(&id);
                }
            }
        }
        Ok(())
    }

    fn opened(&mut self, id: u32, fin: bool, headers: Headers) -> Result<(), StreamError> {
        let peer_is_odd = self.shared.role == Role::Server;
        let mut table = self.shared.table();
        if (id % 2 == 1) != peer_is_odd || id <= table.last {
            return Err(StreamError::Protocol("a stream with a number that is not its opener's next"));
        }
        table.last = id;
        if table.streams.len() >= STREAMS_MAX {
            drop(table);
            self.shared.control(Frame::RstStream { id, status: REFUSED_STREAM });
            return Ok(());
        }
        let stream = self.shared.create(&mut table, id, headers, None);
        if let Some(entry) = table.streams.get_mut(&id).filter(|_| fin) {
            entry.arriving = None;
        }
        drop(table);
        if let Err(error) = self.streams.try_send(stream) {
            error.into_inner().refuse();
        }
        Ok(())
    }

    fn answered(&self, id: u32, answer: Result<(), StreamError>) {
        let opened = self.shared.table().streams.get_mut(&id).and_then(|entry| entry.opened.take());
        if let Some(opened) = opened {
            let _ = opened.send(answer);
        }
    }
}

async fn read_frame<T: AsyncRead>(io: &mut ReadHalf<T>) -> Result<Frame, StreamError> {
    let mut prefix = [0; PREFIX_BYTES];
    io.read_exact(&mut prefix).await.map_err(StreamError::Lost)?;
    let prefix = Prefix::decode(prefix)?;
    let mut payload = vec![0; prefix.length()];
    io.read_exact(&mut payload).await.map_err(StreamError::Lost)?;
    Frame::decode(prefix, Bytes::from(payload))
}

#[cfg(test)]
mod tests;
