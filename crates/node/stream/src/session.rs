//! A session of exec or attach, whatever protocol carries it: standard streams, terminal sizes and a result.
//!
//! [`Session`] is the side that runs the command, [`Client`] the side that asked for it. The request and its answer
//! are [`crate::negotiate`]'s; both sides begin with the upgraded connection.

pub mod client;
mod resize;

use base::time::{Clock, timeout};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::Role as WebSocketRole;

use crate::error::StreamError;
use crate::limits::STREAM_CREATION_TIMEOUT;
use crate::negotiate::{Channels, ExecProtocol};
use crate::outcome::Outcome;
use crate::spdy::connection::{Connection, Role, Stream};
use crate::websocket;
use crate::websocket::channels::{Mux, Way};
pub use client::Client;
pub use resize::TerminalSize;

pub(crate) const STDIN: u8 = 0;
pub(crate) const STDOUT: u8 = 1;
pub(crate) const STDERR: u8 = 2;
pub(crate) const ERROR: u8 = 3;
pub(crate) const RESIZE: u8 = 4;

/// Which streams a session has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// A terminal; it has sizes, and no standard error of its own.
    pub tty: bool,
}

impl Options {
    /// The options of a request; standard error is left out with a terminal.
    ///
    /// # Errors
    /// With the text of a 400, when no stream is asked for.
    pub fn new(stdin: bool, stdout: bool, stderr: bool, tty: bool) -> Result<Options, &'static str> {
        let stderr = stderr && !tty;
        if !stdin && !stdout && !stderr {
            return Err("you must specify at least 1 of stdin, stdout, stderr");
        }
        Ok(Options { stdin, stdout, stderr, tty })
    }
}

/// The side of a session that runs the command.
#[derive(Debug)]
pub struct Session {
    /// What the client types; ends when it says so or is gone.
    pub stdin: Option<DuplexStream>,
    /// To be shut down or dropped when the command has ended.
    pub stdout: Option<DuplexStream>,
    /// To be shut down or dropped when the command has ended.
    pub stderr: Option<DuplexStream>,
    /// The terminal's sizes.
    pub resize: mpsc::Receiver<TerminalSize>,
    /// How the session ends.
    pub done: Done,
}

/// How a session ends.
#[derive(Debug)]
pub struct Done {
    error: DuplexStream,
    error_flushed: JoinHandle<()>,
    flushed: Vec<JoinHandle<()>>,
    as_status: bool,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Spdy(Connection),
    WebSocket(Mux),
}

impl Session {
    /// Serves a session over `io`, an upgraded connection.
    ///
    /// # Errors
    /// When the client is gone or does not open its streams in time.
    pub async fn serve<T>(
        io: T,
        protocol: ExecProtocol,
        options: Options,
        clock: &dyn Clock,
    ) -> Result<Session, StreamError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match protocol {
            ExecProtocol::WebSocket(channels) => Ok(serve_websocket(io, channels, options).await),
            ExecProtocol::Spdy(version) => {
                let connection = Connection::start(io, Role::Server);
                timeout(clock, STREAM_CREATION_TIMEOUT, serve_spdy(connection, version, options))
                    .await
                    .unwrap_or(Err(StreamError::Timeout))
            }
        }
    }
}

impl Done {
    /// Completes when the client is gone: nobody waits for the command any more.
    pub fn abandoned(&self) -> impl Future<Output = ()> + Send + use<> {
        let (spdy, websocket) = match &self.transport {
            Transport::Spdy(connection) => (Some(connection.ended()), None),
            Transport::WebSocket(mux) => (None, Some(mux.ended())),
        };
        async move {
            if let Some(ended) = spdy {
                ended.await;
            }
            if let Some(ended) = websocket {
                ended.await;
            }
        }
    }

    /// Sends the result once all output has been sent, and closes the connection. Standard output and error must have
    /// been dropped or shut down, or this waits for them.
    pub async fn finish(mut self, outcome: &Outcome, clock: &dyn Clock) {
        for flushed in self.flushed {
            let _ = flushed.await;
        }
        let _ = self.error.write_all(&outcome.encode(self.as_status)).await;
        let _ = self.error.shutdown().await;
        let _ = self.error_flushed.await;
        match self.transport {
            Transport::Spdy(connection) => connection.close(clock).await,
            Transport::WebSocket(mux) => mux.close(clock).await,
        }
    }
}

async fn serve_websocket<T>(io: T, channels: Channels, options: Options) -> Session
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let websocket = websocket::upgraded(io, WebSocketRole::Server).await;
    let mut ways = vec![(ERROR, Way::Out)];
    let used = [
        (options.stdin, STDIN, Way::In),
        (options.stdout, STDOUT, Way::Out),
        (options.stderr, STDERR, Way::Out),
        (options.tty, RESIZE, Way::In),
    ];
    ways.extend(used.iter().filter(|(used, ..)| *used).map(|(_, number, way)| (*number, *way)));
    let mut mux = Mux::start(websocket, channels, &ways, false);
    // An empty message on the first channel that can carry one tells the client that the connection stands.
    let first = if options.stdout {
        STDOUT
    } else if options.stderr {
        STDERR
    } else {
        ERROR
    };
    mux.greet(first, channels).await;
    let mut flushed = Vec::new();
    let mut take = |number| {
        let channel = mux.channels.remove(&number)?;
        flushed.push(channel.flushed);
        Some(channel.data)
    };
    let stdin = take(STDIN);
    let (stdout, stderr) = (take(STDOUT), take(STDERR));
    let resize = resize::receive(take(RESIZE));
    let (error, error_flushed) = match mux.channels.remove(&ERROR) {
        Some(channel) => (channel.data, channel.flushed),
        None => (tokio::io::duplex(1).0, tokio::spawn(async {})),
    };
    let as_status = ExecProtocol::WebSocket(channels).has_status();
    let done = Done { error, error_flushed, flushed, as_status, transport: Transport::WebSocket(mux) };
    Session { stdin, stdout, stderr, resize, done }
}

/// Waits until the client has opened all streams that the options announce, and the one for errors.
async fn serve_spdy(
    mut connection: Connection,
    version: u8,
    options: Options,
) -> Result<Session, StreamError> {
    let kinds = [
        ("error", true),
        ("stdin", options.stdin),
        ("stdout", options.stdout),
        ("stderr", options.stderr),
        // Sizes came with version 3.
        ("resize", options.tty && version >= 3),
    ];
    let mut found: [Option<Stream>; 5] = Default::default();
    while kinds.iter().zip(&found).any(|((_, wanted), found)| *wanted && found.is_none()) {
        let stream = connection.incoming().await.ok_or(StreamError::Closed)?;
        let kind = stream.headers.get("streamType").unwrap_or_default();
        let place = kinds.iter().position(|(name, wanted)| *wanted && *name == kind);
        match place.and_then(|at| found.get_mut(at)) {
            Some(slot) if slot.is_none() => {
                stream.accept();
                *slot = Some(stream);
            }
            _ => stream.refuse(),
        }
    }
    let [error, stdin, stdout, stderr, resize] = found;
    let error = error.ok_or(StreamError::Closed)?;
    let mut flushed = Vec::new();
    let mut outward = |stream: Option<Stream>| {
        let stream = stream?;
        flushed.push(stream.flushed);
        Some(stream.data)
    };
    let (stdout, stderr) = (outward(stdout), outward(stderr));
    Ok(Session {
        stdin: stdin.map(|stream| stream.data),
        stdout,
        stderr,
        resize: resize::receive(resize.map(|stream| stream.data)),
        done: Done {
            error: error.data,
            error_flushed: error.flushed,
            flushed,
            as_status: version >= 4,
            transport: Transport::Spdy(connection),
        },
    })
}

#[cfg(test)]
mod tests;
