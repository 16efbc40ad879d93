//! The sizes of a terminal, as JSON objects one after the other.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use crate::limits::{RESIZE_MAX_BYTES, RESIZE_QUEUE};

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Columns.
    #[serde(rename = "Width")]
    pub width: u16,
    /// Rows.
    #[serde(rename = "Height")]
    pub height: u16,
}

/// The sizes that arrive in a stream; none, when there is no stream. Ends at the first thing that is no size.
pub(super) fn receive(stream: Option<DuplexStream>) -> mpsc::Receiver<TerminalSize> {
    let (sender, receiver) = mpsc::channel(RESIZE_QUEUE);
    if let Some(mut stream) = stream {
        tokio::spawn(async move {
            let mut text = Vec::new();
            let mut buffer = [0; RESIZE_MAX_BYTES];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                text.extend_from_slice(&buffer[..length]);
                let Some((sizes, used)) = parse(&text) else { return };
                text.drain(..used);
                for size in sizes {
                    if sender.send(size).await.is_err() {
                        return;
                    }
                }
                if text.len() > RESIZE_MAX_BYTES {
                    return;
                }
            }
        });
    }
    receiver
}

/// Sends sizes into a stream until nobody has any more.
pub(super) fn send(stream: Option<DuplexStream>) -> mpsc::Sender<TerminalSize> {
    let (sender, mut sizes) = mpsc::channel::<TerminalSize>(RESIZE_QUEUE);
    tokio::spawn(async move {
        let mut stream = stream;
        while let Some(size) = sizes.recv().await {
            let Some(stream) = &mut stream else { continue };
            let text = format!("{{\"Width\":{},\"Height\":{}}}\n", size.width, size.height);
            if stream.write_all(text.as_bytes()).await.is_err() {
                return;
            }
        }
    });
    sender
}

/// The complete sizes at the beginning of a text and their length; `None` when it is something else.
fn parse(text: &[u8]) -> Option<(Vec<TerminalSize>, usize)> {
    let mut sizes = Vec::new();
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<TerminalSize>();
    loop {
        match stream.next() {
            None => return Some((sizes, stream.byte_offset())),
            Some(Ok(size)) => sizes.push(size),
            Some(Err(error)) if error.is_eof() => return Some((sizes, stream.byte_offset())),
            Some(Err(_)) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_come_in() {
        let size = |width, height| TerminalSize { width, height };
        let one = br#"{"Width":80,"Height":24}"#;
        assert_eq!(parse(one), Some((vec![size(80, 24)], one.len())));
        assert_eq!(
            parse(br#"{"Width":80,"Height":24}{"Height":1,"Width":2}{"Wi"#).expect("sizes").0,
            [size(80, 24), size(2, 1)]
        );
        assert_eq!(parse(b"{\"Width\"").expect("more to come"), (vec![], 0));
        assert_eq!(parse(b"nonsense"), None);
        assert_eq!(parse(br#"{"Width":-1,"Height":24}"#), None);
    }
}
