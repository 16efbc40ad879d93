//! The side of a session that asked for the command.

use base::time::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::Role as WebSocketRole;

use super::resize::{self, TerminalSize};
use super::{ERROR, Options, RESIZE, STDERR, STDIN, STDOUT, Transport};
use crate::error::StreamError;
use crate::limits::RESULT_MAX_BYTES;
use crate::negotiate::{Channels, ExecProtocol};
use crate::outcome::Outcome;
use crate::spdy::connection::{Connection, Role};
use crate::spdy::headers::Headers;
use crate::websocket;
use crate::websocket::channels::{Mux, Way};

/// The side of a session that asked for the command.
#[derive(Debug)]
pub struct Client {
    /// To the command; dropping it ends its input where the protocol can say so.
    pub stdin: Option<DuplexStream>,
    /// From the command.
    pub stdout: Option<DuplexStream>,
    /// From the command.
    pub stderr: Option<DuplexStream>,
    /// To the terminal.
    pub resize: mpsc::Sender<TerminalSize>,
    /// How it ends.
    pub ending: Ending,
}

/// How a session ends, seen from the client.
#[derive(Debug)]
pub struct Ending {
    error: DuplexStream,
    as_status: bool,
    transport: Transport,
}

impl Client {
    /// Begins a session over `io`, an upgraded connection on which `protocol` was agreed.
    ///
    /// # Errors
    /// When the server is gone or refuses a stream.
    pub async fn start<T>(io: T, protocol: ExecProtocol, options: Options) -> Result<Client, StreamError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match protocol {
            ExecProtocol::WebSocket(channels) => Ok(start_websocket(io, channels, options).await),
            ExecProtocol::Spdy(version) => {
                start_spdy(Connection::start(io, Role::Client), version, options).await
            }
        }
    }
}

impl Ending {
    /// How the command ended. All output must be read too, or it may never end.
    pub async fn outcome(self, clock: &dyn Clock) -> Outcome {
        let mut text = Vec::new();
        let read = self.error.take(RESULT_MAX_BYTES as u64).read_to_end(&mut text).await;
        let outcome = match read {
            Ok(_) if text.is_empty() && self.as_status => {
                Outcome::Failed("the connection was lost before the command ended".to_owned())
            }
            Ok(_) => Outcome::decode(&text, self.as_status),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        match self.transport {
            Transport::Spdy(connection) => connection.close(clock).await,
            Transport::WebSocket(mux) => mux.close(clock).await,
        }
        outcome
    }
}

async fn start_websocket<T>(io: T, channels: Channels, options: Options) -> Client
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let websocket = websocket::upgraded(io, WebSocketRole::Client).await;
    let used = [
        (true, ERROR, Way::In),
        (options.stdin, STDIN, Way::Out),
        (options.stdout, STDOUT, Way::In),
        (options.stderr, STDERR, Way::In),
        (options.tty, RESIZE, Way::Out),
    ];
    let ways: Vec<_> =
        used.iter().filter(|(used, ..)| *used).map(|(_, number, way)| (*number, *way)).collect();
    let mut mux = Mux::start(websocket, channels, &ways, true);
    let mut take = |number| mux.channels.remove(&number).map(|channel| channel.data);
    let (stdin, stdout, stderr) = (take(STDIN), take(STDOUT), take(STDERR));
    let resize = resize::send(take(RESIZE));
    let error = take(ERROR).unwrap_or_else(|| tokio::io::duplex(1).0);
    let as_status = ExecProtocol::WebSocket(channels).has_status();
    Client {
        stdin,
        stdout,
        stderr,
        resize,
        ending: Ending { error, as_status, transport: Transport::WebSocket(mux) },
    }
}

async fn start_spdy(connection: Connection, version: u8, options: Options) -> Result<Client, StreamError> {
    let open = async |wanted: bool, kind: &str| -> Result<Option<DuplexStream>, StreamError> {
        if !wanted {
            return Ok(None);
        }
        let stream = connection.open(Headers::new(&[("streamType", kind)])).await?;
        Ok(Some(stream.data))
    };
    // The order of client-go.
    let error = open(true, "error").await?.ok_or(StreamError::Closed)?;
    let stdin = open(options.stdin, "stdin").await?;
    let stdout = open(options.stdout, "stdout").await?;
    let stderr = open(options.stderr, "stderr").await?;
    let resize = resize::send(open(options.tty && version >= 3, "resize").await?);
    let ending = Ending { error, as_status: version >= 4, transport: Transport::Spdy(connection) };
    Ok(Client { stdin, stdout, stderr, resize, ending })
}
