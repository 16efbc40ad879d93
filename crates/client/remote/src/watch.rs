//! A watch's bytes as events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use api_codec::proto;
use api_meta::Status;
use api_types::meta::v1::WatchEvent;
use api_types::object_meta;
use bytes::{Buf as _, Bytes, BytesMut};
use client::{Event, Revision};
use futures_util::Stream;
use hyper::body::{Body, Incoming};

use crate::answer::Document;
use crate::limits::ANSWER_BYTES;

/// The annotation of the bookmark that ends the initial events.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// The events of a response that goes on.
pub(crate) struct Events {
    body: Incoming,
    frames: Frames,
    over: bool,
}

impl Events {
    /// The events of a body.
    pub(crate) fn new(body: Incoming) -> Events {
        Events { body, frames: Frames::default(), over: false }
    }
}

impl Stream for Events {
    type Item = Result<Event, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            match self.frames.next() {
                Ok(None) => {}
                Ok(Some(message)) => {
                    let event = event(&message);
                    self.over = event.is_err();
                    return Poll::Ready(Some(event));
                }
                Err(status) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(status)));
                }
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => self.over = true,
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.frames.feed(&data);
                    }
                }
                // A connection that breaks is how a watch of a server that stops ends.
                Some(Err(error)) => {
                    self.over = true;
                    let status = Status::service_unavailable(format!("the watch broke off: {error}"));
                    return Poll::Ready(Some(Err(status)));
                }
            }
        }
    }
}

/// Messages out of a stream in which each follows its length, four bytes of the highest first.
#[derive(Default)]
struct Frames(BytesMut);

impl Frames {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(head) = self.0.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > ANSWER_BYTES {
            return Err(Status::internal_error(format!("an event of {length} bytes is none")));
        }
        if self.0.len() < length + 4 {
            return Ok(None);
        }
        self.0.advance(4);
        Ok(Some(self.0.split_to(length).freeze()))
    }
}

fn event(message: &[u8]) -> Result<Event, Status> {
    let unreadable =
        |what: &dyn std::fmt::Display| Status::internal_error(format!("no event of a watch: {what}"));
    let mut event = WatchEvent::default();
    proto::decode(message, &mut event).map_err(|error| unreadable(&error))?;
    let bytes = event.object.0.ok_or_else(|| unreadable(&"it has no object"))?;
    let document = Document::proto(&bytes)?;
    if event.type_ == "ERROR" {
        return Err(document.status()?);
    }
    let object = document.object()?;
    Ok(match event.type_.as_str() {
        "ADDED" => Event::Added(Arc::from(object)),
        "MODIFIED" => Event::Modified(Arc::from(object)),
        "DELETED" => Event::Deleted(Arc::from(object)),
        "BOOKMARK" => {
            let meta = object_meta(&*object).ok_or_else(|| unreadable(&"a bookmark without metadata"))?;
            Event::Bookmark {
                revision: Revision(meta.resource_version.parse().unwrap_or_default()),
                initial_end: meta.annotations.contains_key(INITIAL_END),
            }
        }
        other => return Err(unreadable(&format!("its type is {other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use api_record::scalar::RawJson;
    use api_types::GroupVersionKind;
    use api_types::core::v1::Pod;

    use super::*;

    fn frame(kind: &str, object: Vec<u8>) -> Vec<u8> {
        let event = WatchEvent { type_: kind.to_owned(), object: RawJson(Some(object.into())) };
        let message = proto::encode_message(&event);
        let length = u32::try_from(message.len()).expect("it is short");
        [&length.to_be_bytes()[..], &message].concat()
    }

    fn pod(version: &str) -> Vec<u8> {
        let mut pod = Pod::default();
        pod.metadata.name = "web".to_owned();
        pod.metadata.resource_version = version.to_owned();
        proto::encode(&pod, &GroupVersionKind { group: "", version: "v1", kind: "Pod" })
    }

    #[test]
    fn events_come_whole_however_the_bytes_come() {
        let bytes = [frame("ADDED", pod("3")), frame("BOOKMARK", pod("9"))].concat();
        let mut frames = Frames::default();
        let mut shown = Vec::new();
        for byte in bytes {
            frames.feed(&[byte]);
            while let Some(message) = frames.next().expect("the lengths are right") {
                shown.push(match event(&message).expect("an event") {
                    Event::Added(object) => {
                        format!("added {}", object.downcast_ref::<Pod>().expect("a pod").metadata.name)
                    }
                    Event::Bookmark { revision, initial_end } => format!("at {revision} {initial_end}"),
                    Event::Modified(_) | Event::Deleted(_) => "another".to_owned(),
                });
            }
        }
        assert_eq!(shown, ["added web", "at 9 false"]);
    }

    #[test]
    fn an_error_keeps_its_reason() {
        let gone = Status::resource_expired("too old resource version: 1 (5)");
        let kind = GroupVersionKind { group: "", version: "v1", kind: "Status" };
        let bytes = frame("ERROR", proto::encode(&gone.clone().into_inner(), &kind));
        let failed = event(&bytes[4..]).err().expect("an error");
        assert_eq!(failed, gone);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut frames = Frames::default();
        frames.feed(&[0xff; 8]);
        assert!(frames.next().is_err());
        assert!(event(b"\x0a\x05ADDED").is_err());
        assert!(event(&frame("ADDED", b"k8s".to_vec())[4..]).is_err());
    }
}
