//! A log over a WebSocket, for clients that cannot read a stream: what the node sends, message after message.
//!
//! Follows `StreamObject` in `k8s.io/apiserver/pkg/endpoints/handlers/responsewriters` and the reader of
//! `k8s.io/streaming/pkg/httpstream/wsstream`: the first message is empty, and what a client sends is ignored.

use base_serve::websocket::{Refused, agree};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::{
    CONNECTION, HeaderMap, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, Response};
use http_body_util::BodyStream;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::Message;

use crate::content::Body;
use crate::websocket;

/// How bytes are put into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// As they are.
    Binary,
    /// In base64, as text.
    Base64,
}

const OFFERED: &[(&str, Protocol)] = &[
    ("", Protocol::Binary),
    ("binary.k8s.io", Protocol::Binary),
    ("base64.binary.k8s.io", Protocol::Base64),
];

/// A connection that is to become a WebSocket once there is a log to send.
pub(super) struct Waiting {
    upgrade: OnUpgrade,
    agreed: Result<(Protocol, HeaderMap), Refused>,
}

impl Waiting {
    /// Takes the wish out of a request, whose rest is for the node. Call it once nothing of the caller is left in the headers.
    pub(super) fn take(request: &mut Request<Incoming>) -> Waiting {
        let agreed = agree(request.headers(), OFFERED);
        let upgrade = hyper::upgrade::on(&mut *request);
        for name in [
            CONNECTION,
            UPGRADE,
            SEC_WEBSOCKET_EXTENSIONS,
            SEC_WEBSOCKET_KEY,
            SEC_WEBSOCKET_PROTOCOL,
            SEC_WEBSOCKET_VERSION,
        ] {
            request.headers_mut().remove(name);
        }
        Waiting { upgrade, agreed }
    }

    /// Sends the log; what is no log is answered as it is.
    pub(super) fn answer(self, log: Response<Body>) -> Response<Body> {
        if !log.status().is_success() {
            return log;
        }
        match self.agreed {
            Ok((protocol, headers)) => {
                websocket::serve(self.upgrade, headers, messages(protocol, log.into_body()))
            }
            Err(refused) => websocket::refused(refused),
        }
    }
}

/// A log that breaks off ends there.
fn messages(protocol: Protocol, log: Body) -> impl Stream<Item = Message> + Send + 'static {
    let frames = BodyStream::new(log).take_while(|frame| std::future::ready(frame.is_ok()));
    let bytes =
        frames.filter_map(|frame| std::future::ready(frame.ok().and_then(|frame| frame.into_data().ok())));
    stream::once(std::future::ready(Bytes::new())).chain(bytes).map(move |bytes| match protocol {
        Protocol::Binary => Message::binary(bytes),
        Protocol::Base64 => Message::text(STANDARD.encode(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use hyper::body::Frame;

    use super::*;
    use crate::content::Broken;

    #[tokio::test]
    async fn the_first_message_is_empty_and_what_breaks_off_ends() {
        for (protocol, wanted) in [
            (Protocol::Binary, [Message::binary(Bytes::new()), Message::binary(&b"one\n\xff"[..])]),
            (Protocol::Base64, [Message::text(""), Message::text("b25lCv8=")]),
        ] {
            let sent = [
                Ok(Frame::data(Bytes::from_static(b"one\n\xff"))),
                Err(Broken::new(std::io::Error::other("cut"))),
                Ok(Frame::data(Bytes::from_static(b"never"))),
            ];
            let log = StreamBody::new(stream::iter(sent)).boxed_unsync();
            let all: Vec<Message> = messages(protocol, log).collect().await;
            assert_eq!(all, wanted);
        }
    }
}
