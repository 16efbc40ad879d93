//! Port-forward, whatever protocol carries it: connections to ports, each with a stream of data and one for an error.
//!
//! [`PortSession`] is the side that reaches the ports, [`PortClient`] the side that asks for them.

use std::collections::{BTreeMap, VecDeque};

use base::time::{Clock, Time};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::Role as WebSocketRole;

use crate::error::StreamError;
use crate::limits::{RESULT_MAX_BYTES, STREAM_CREATION_TIMEOUT, STREAMS_MAX};
use crate::negotiate::{Channels, PortProtocol, port};
use crate::spdy::connection::{Connection, Role, Stream};
use crate::spdy::headers::Headers;
use crate::websocket::channels::{Mux, Way};
use crate::websocket::{tunnel, upgraded};

/// One connection to a port.
#[derive(Debug)]
pub struct PortConnection {
    /// The port.
    pub port: u16,
    /// What goes to the port and comes from it. To be shut down when the port sends nothing more.
    pub data: DuplexStream,
    /// Where to say what went wrong.
    pub error: PortError,
}

/// Where to say what went wrong with one connection. Dropped, nothing did.
#[derive(Debug)]
pub struct PortError(DuplexStream);

impl PortError {
    /// Says what went wrong; upstream's text is `error forwarding port 80 to pod <id>, uid <uid>: <why>`.
    pub async fn report(mut self, message: &str) {
        let _ = self.0.write_all(message.as_bytes()).await;
        let _ = self.0.shutdown().await;
    }
}

/// The side that reaches the ports.
#[derive(Debug)]
pub struct PortSession(Inner);

#[derive(Debug)]
enum Inner {
    Spdy { connection: Connection, pending: BTreeMap<String, Pending> },
    Channels { mux: Mux, ready: VecDeque<PortConnection>, flushed: Vec<JoinHandle<()>> },
}

/// A connection of which one stream has come.
#[derive(Debug, Default)]
struct Pending {
    since: Time,
    data: Option<Stream>,
    error: Option<Stream>,
}

impl PortSession {
    /// Serves connections to ports over `io`, an upgraded connection. `ports` are those of the query, which only
    /// [`PortProtocol::Channels`] uses.
    pub async fn serve<T>(io: T, protocol: PortProtocol, ports: &[u16]) -> PortSession
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let spdy = |connection| PortSession(Inner::Spdy { connection, pending: BTreeMap::new() });
        match protocol {
            PortProtocol::Spdy => spdy(Connection::start(io, Role::Server)),
            PortProtocol::Tunnel => {
                let bytes = tunnel::open(upgraded(io, WebSocketRole::Server).await);
                spdy(Connection::start(bytes, Role::Server))
            }
            PortProtocol::Channels(channels) => serve_channels(io, channels, ports).await,
        }
    }

    /// The next connection; `None` when no more can come: the client is gone, or every port of the query had its one.
    pub async fn next(&mut self, clock: &dyn Clock) -> Option<PortConnection> {
        match &mut self.0 {
            Inner::Channels { ready, .. } => ready.pop_front(),
            Inner::Spdy { connection, pending } => loop {
                let stream = connection.incoming().await?;
                forget_overdue(pending, clock.now());
                if let Some(complete) = pair_up(pending, stream, clock.now()) {
                    return Some(complete);
                }
            },
        }
    }

    /// Completes when the client is gone.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let (spdy, channels) = match &self.0 {
            Inner::Spdy { connection, .. } => (Some(connection.ended()), None),
            Inner::Channels { mux, .. } => (None, Some(mux.ended())),
        };
        async move {
            if let Some(ended) = spdy {
                ended.await;
            }
            if let Some(ended) = channels {
                ended.await;
            }
        }
    }

    /// Closes the connection once everything has been sent. The connections to ports must be over: by channels, a client learns of
    /// their end from this alone.
    pub async fn close(self, clock: &dyn Clock) {
        match self.0 {
            Inner::Spdy { connection, .. } => connection.close(clock).await,
            Inner::Channels { mux, ready, flushed } => {
                drop(ready);
                for channel in flushed {
                    let _ = channel.await;
                }
                mux.close(clock).await;
            }
        }
    }
}

async fn serve_channels<T>(io: T, channels: Channels, ports: &[u16]) -> PortSession
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let websocket = upgraded(io, WebSocketRole::Server).await;
    let numbers = |at: usize| (at as u8 * 2, at as u8 * 2 + 1);
    // More have no number; requests for more are refused before.
    let ports = &ports[..ports.len().min(crate::limits::PORTS_MAX)];
    let ways: Vec<_> = (0..ports.len())
        .map(numbers)
        .flat_map(|(data, error)| [(data, Way::Both), (error, Way::Out)])
        .collect();
    let mut mux = Mux::start(websocket, channels, &ways, false);
    let (mut ready, mut flushed) = (VecDeque::new(), Vec::new());
    for (at, port) in ports.iter().enumerate() {
        let (data, error) = numbers(at);
        let (Some(data), Some(error)) = (mux.channels.remove(&data), mux.channels.remove(&error)) else {
            continue;
        };
        flushed.extend([data.flushed, error.flushed]);
        let (mut data, mut error) = (data.data, error.data);
        // Each channel begins with its port, in the byte order of little-endian machines.
        let _ = data.write_all(&port.to_le_bytes()).await;
        let _ = error.write_all(&port.to_le_bytes()).await;
        ready.push_back(PortConnection { port: *port, data, error: PortError(error) });
    }
    PortSession(Inner::Channels { mux, ready, flushed })
}

/// Drops what has waited too long for its other half.
fn forget_overdue(pending: &mut BTreeMap<String, Pending>, now: Time) {
    let overdue = |half: &Pending| now.since(half.since) > STREAM_CREATION_TIMEOUT;
    let gone: Vec<String> =
        pending.iter().filter(|(_, half)| overdue(half)).map(|(id, _)| id.clone()).collect();
    for id in gone {
        if let Some(half) = pending.remove(&id) {
            half.data.into_iter().chain(half.error).for_each(Stream::reset);
        }
    }
}

fn pair_up(pending: &mut BTreeMap<String, Pending>, stream: Stream, now: Time) -> Option<PortConnection> {
    let valid = stream.headers.get("port").and_then(|text| port(text, text).ok());
    let kind = stream.headers.get("streamType").unwrap_or_default();
    let (Some(_), true) = (valid, matches!(kind, "data" | "error")) else {
        stream.refuse();
        return None;
    };
    let is_data = kind == "data";
    let id = match stream.headers.get("requestID") {
        Some(id) if !id.is_empty() => id.to_owned(),
        // Old clients give none; their two streams have consecutive numbers, the error stream first.
        _ if is_data => stream.id.saturating_sub(2).to_string(),
        _ => stream.id.to_string(),
    };
    // Halves whose streams the peer has reset still wait here for their time to run out.
    if pending.len() >= STREAMS_MAX && !pending.contains_key(&id) {
        stream.refuse();
        return None;
    }
    let half = pending.entry(id.clone()).or_insert_with(|| Pending { since: now, ..Pending::default() });
    let slot = if is_data { &mut half.data } else { &mut half.error };
    if slot.is_some() {
        stream.refuse();
        return None;
    }
    stream.accept();
    *slot = Some(stream);
    if half.data.is_none() || half.error.is_none() {
        return None;
    }
    let whole = pending.remove(&id)?;
    let (data, error) = (whole.data?, whole.error?);
    let port = data.headers.get("port").and_then(|text| port(text, text).ok())?;
    Some(PortConnection { port, data: data.data, error: PortError(error.data) })
}

/// The side that asks for connections to ports, over SPDY, plain or tunnelled.
#[derive(Debug)]
pub struct PortClient {
    connection: Connection,
    next: u32,
}

/// A connection to a port, seen from the client.
#[derive(Debug)]
pub struct Forwarded {
    /// What goes to the port and comes from it.
    pub data: DuplexStream,
    /// What went wrong, if anything.
    pub error: ForwardError,
}

/// What went wrong with one connection.
#[derive(Debug)]
pub struct ForwardError(DuplexStream);

impl ForwardError {
    /// Waits until the connection is over; says what went wrong.
    pub async fn message(self) -> Option<String> {
        let mut text = Vec::new();
        let _ = self.0.take(RESULT_MAX_BYTES as u64).read_to_end(&mut text).await;
        (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
    }
}

impl PortClient {
    /// Begins over `io`, an upgraded connection on which SPDY was agreed, tunnelled or not.
    pub async fn start<T>(io: T, tunnelled: bool) -> PortClient
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = if tunnelled {
            let bytes = tunnel::open(upgraded(io, WebSocketRole::Client).await);
            Connection::start(bytes, Role::Client)
        } else {
            Connection::start(io, Role::Client)
        };
        PortClient { connection, next: 0 }
    }

    /// Opens a connection to a port.
    ///
    /// # Errors
    /// When the server refuses it or is gone.
    pub async fn open(&mut self, port: u16) -> Result<Forwarded, StreamError> {
        let (port, id) = (port.to_string(), self.next.to_string());
        self.next = self.next.wrapping_add(1);
        let headers = |kind| Headers::new(&[("streamType", kind), ("port", &port), ("requestID", &id)]);
        let mut error = self.connection.open(headers("error")).await?;
        let data = self.connection.open(headers("data")).await?;
        // Nothing is ever written there.
        let _ = error.data.shutdown().await;
        Ok(Forwarded { data: data.data, error: ForwardError(error.data) })
    }

    /// Closes the connection once everything has been sent.
    pub async fn close(self, clock: &dyn Clock) {
        self.connection.close(clock).await;
    }
}

#[cfg(test)]
mod tests;
