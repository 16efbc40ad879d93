//! Channels in WebSocket messages: a first byte says which channel, the rest is its data.
//!
//! Data of a channel that its reader does not take holds up all channels, as upstream's does: the protocol has no way
//! to hold back one.

use std::collections::BTreeMap;

use base::time::{Clock, timeout};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::limits::{CHUNK_BYTES, CLOSE_TIMEOUT, DATA_QUEUE_FRAMES, STREAM_BUFFER_BYTES};
use crate::negotiate::Channels;

/// What precedes the number of a channel that ends.
const CLOSE_SIGNAL: u8 = 255;

/// Which way a channel goes, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The peer sends.
    In,
    /// The peer receives.
    Out,
    /// Both.
    Both,
}

/// One channel.
#[derive(Debug)]
pub struct Channel {
    /// Its contents.
    pub data: DuplexStream,
    /// Ends when all that was written has been handed to the connection, after `data` was shut down or dropped.
    pub flushed: JoinHandle<()>,
}

/// The channels of a WebSocket. Dropping it ends the connection at once.
#[derive(Debug)]
pub struct Mux {
    /// By number.
    pub channels: BTreeMap<u8, Channel>,
    out: mpsc::Sender<Message>,
    gone: watch::Receiver<bool>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Mux {
    /// Begins with channels of the given numbers. `signals` says whether the end of a channel is told to the peer:
    /// clients do, from version 5 on.
    pub fn start<T>(websocket: WebSocketStream<T>, codec: Channels, ways: &[(u8, Way)], signals: bool) -> Mux
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sink, messages) = websocket.split();
        let (out, queue) = mpsc::channel(DATA_QUEUE_FRAMES);
        let (gone_sender, gone) = watch::channel(false);
        let mut channels = BTreeMap::new();
        let mut pipes = BTreeMap::new();
        for (number, way) in ways {
            let (data, inner) = tokio::io::duplex(STREAM_BUFFER_BYTES);
            let (from_user, to_user) = tokio::io::split(inner);
            if *way != Way::Out {
                pipes.insert(*number, to_user);
            }
            let flushed = if *way == Way::In {
                tokio::spawn(async {})
            } else {
                let signals = signals && codec.can_close();
                tokio::spawn(leaving(*number, from_user, out.clone(), codec, signals))
            };
            channels.insert(*number, Channel { data, flushed });
        }
        let reader = tokio::spawn(async move {
            arriving(messages, pipes, codec).await;
            gone_sender.send_replace(true);
        });
        let writer = tokio::spawn(write_all(sink, queue));
        Mux { channels, out, gone, reader, writer }
    }

    /// Sends a message without data, which tells a client that the connection stands.
    pub async fn greet(&self, number: u8, codec: Channels) {
        let _ = self.out.send(encode(number, &[], codec)).await;
    }

    /// Completes when the peer is gone.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut gone = self.gone.clone();
        async move {
            let _ = gone.wait_for(|gone| *gone).await;
        }
    }

    /// Closes the connection once everything handed to it has been sent and the peer has answered, or has had
    /// [`CLOSE_TIMEOUT`] for that.
    pub async fn close(mut self, clock: &dyn Clock) {
        self.channels.clear();
        if self.out.send(super::normal_close()).await.is_ok() {
            let _ = timeout(clock, CLOSE_TIMEOUT, async {
                let _ = (&mut self.writer).await;
                let _ = (&mut self.reader).await;
            })
            .await;
        }
    }
}

impl Drop for Mux {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

async fn write_all<T>(mut sink: SplitSink<WebSocketStream<T>, Message>, mut queue: mpsc::Receiver<Message>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = queue.recv().await {
        let last = matches!(message, Message::Close(_));
        if sink.send(message).await.is_err() || last {
            break;
        }
    }
}

async fn leaving(
    number: u8,
    mut pipe: ReadHalf<DuplexStream>,
    out: mpsc::Sender<Message>,
    codec: Channels,
    signals: bool,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        if out.send(encode(number, &buffer[..length], codec)).await.is_err() {
            return;
        }
    }
    if signals {
        let _ = out.send(Message::Binary(Bytes::copy_from_slice(&[CLOSE_SIGNAL, number]))).await;
    }
}

async fn arriving<T>(
    mut messages: SplitStream<WebSocketStream<T>>,
    mut pipes: BTreeMap<u8, WriteHalf<DuplexStream>>,
    codec: Channels,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = messages.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => Bytes::from(text),
            _ => continue,
        };
        match decode(&bytes, codec) {
            Some(Arrived::Data(number, data)) => {
                // What nobody reads any more is thrown away.
                if let Some(pipe) = pipes.get_mut(&number)
                    && pipe.write_all(&data).await.is_err()
                {
                    pipes.remove(&number);
                }
            }
            Some(Arrived::Ended(number)) => {
                if let Some(mut pipe) = pipes.remove(&number) {
                    let _ = pipe.shutdown().await;
                }
            }
            Some(Arrived::Nothing) => {}
            None => break,
        }
    }
    for pipe in pipes.values_mut() {
        let _ = pipe.shutdown().await;
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Arrived {
    Data(u8, Vec<u8>),
    Ended(u8),
    Nothing,
}

fn encode(number: u8, data: &[u8], codec: Channels) -> Message {
    if codec.base64 {
        return Message::text(format!("{}{}", char::from(b'0'.wrapping_add(number)), STANDARD.encode(data)));
    }
    let mut bytes = Vec::with_capacity(data.len() + 1);
    bytes.push(number);
    bytes.extend_from_slice(data);
    Message::Binary(Bytes::from(bytes))
}

/// What a message says; `None` when it ends the connection.
fn decode(message: &[u8], codec: Channels) -> Option<Arrived> {
    let Some((first, data)) = message.split_first() else { return Some(Arrived::Nothing) };
    if codec.can_close() && *first == CLOSE_SIGNAL {
        return match data {
            [number] => Some(Arrived::Ended(*number)),
            _ => None,
        };
    }
    if !codec.base64 {
        return Some(Arrived::Data(*first, data.to_vec()));
    }
    let data = STANDARD.decode(data).ok();
    Some(data.map_or(Arrived::Nothing, |data| Arrived::Data(first.wrapping_sub(b'0'), data)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V5: Channels = Channels { version: 5, base64: false };
    const BASE64: Channels = Channels { version: 4, base64: true };

    #[test]
    fn every_number_can_be_written() {
        for number in 0..=255 {
            let _ = (encode(number, b"x", V5), encode(number, b"x", BASE64));
        }
    }

    #[test]
    fn messages_have_their_bytes() {
        // The examples of upstream's documentation.
        assert_eq!(encode(0, b"foo\n", V5).into_data(), &b"\0foo\n"[..]);
        assert_eq!(encode(0, b"foo\n", BASE64), Message::text("0Zm9vCg=="));
        assert_eq!(decode(b"1Cg==", BASE64), Some(Arrived::Data(1, b"\n".to_vec())));
        assert_eq!(decode(b"1!", BASE64), Some(Arrived::Nothing));
        assert_eq!(decode(&[255, 0], V5), Some(Arrived::Ended(0)));
        assert_eq!(decode(&[255], V5), None);
        assert_eq!(
            decode(&[255, 0], Channels { version: 4, base64: false }),
            Some(Arrived::Data(255, vec![0]))
        );
        assert_eq!(decode(&[], V5), Some(Arrived::Nothing));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = (decode(&bytes, V5), decode(&bytes, BASE64));
        }
    }
}
