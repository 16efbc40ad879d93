//! A watch as a stream of events.

pub(crate) mod websocket;

use std::sync::Arc;
use std::time::Duration;

use api_codec::{json, proto};
use api_meta::Status;
use api_record::Record;
use api_types::meta::v1::WatchEvent;
use api_types::{object_meta, object_meta_mut};
use base::time::Clock;
use bytes::Bytes;
use client::{Event, Feed};
use futures_util::{Stream, StreamExt as _};
use server_registry::Served;

use crate::encode::{self, Frame};
use crate::encoded::Encoded;
use crate::negotiate::{Codec, Form, Shown};
use crate::table::Included;

/// The annotation of the bookmark that ends the initial events.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// What a watch's frames are made with.
pub(crate) struct Framing {
    pub(crate) served: Arc<Served>,
    pub(crate) form: Form,
    pub(crate) included: Included,
    pub(crate) clock: Arc<dyn Clock>,
    /// The client asked for bookmarks.
    pub(crate) bookmarks: bool,
    /// What has been written for others.
    pub(crate) encoded: Arc<Encoded>,
}

impl Framing {
    /// The content type of the stream.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.form.codec {
            Codec::Proto => "application/vnd.kubernetes.protobuf;stream=watch",
            _ => "application/json",
        }
    }

    fn message(&self, event: Result<Event, Status>, headings: bool) -> Option<Bytes> {
        let codec = self.form.codec;
        let (kind, object) = match event {
            Ok(Event::Added(object)) => ("ADDED", object),
            Ok(Event::Modified(object)) => ("MODIFIED", object),
            Ok(Event::Deleted(object)) => ("DELETED", object),
            Ok(Event::Bookmark { .. }) if !self.bookmarks => return None,
            Ok(Event::Bookmark { revision, initial_end }) => {
                let object = self.bookmark(&revision.to_string(), initial_end);
                return Some(self.written("BOOKMARK", &object, headings));
            }
            Err(status) => return Some(wrap(codec, "ERROR", &encode::status(codec, status))),
        };
        // Rows say how old an object is, so each is of its moment.
        if self.form.shown == Shown::Table {
            return Some(self.written(kind, &object, headings));
        }
        let write = || self.written(kind, &object, headings);
        Some(self.encoded.message(&self.served, kind, self.form, &object, write))
    }

    fn written(&self, kind: &str, object: &Arc<dyn Record>, headings: bool) -> Bytes {
        let frame =
            Frame { served: &self.served, form: self.form, included: self.included, now: self.clock.now() };
        wrap(self.form.codec, kind, &frame.event_object(object, headings))
    }

    fn bookmark(&self, revision: &str, initial_end: bool) -> Arc<dyn Record> {
        let mut object = (self.served.object.new)();
        if let Some(meta) = object_meta_mut(&mut *object) {
            revision.clone_into(&mut meta.resource_version);
            if initial_end {
                meta.annotations.insert(INITIAL_END.to_owned(), "true".to_owned());
            }
        }
        debug_assert!(object_meta(&*object).is_some(), "what is watched has metadata");
        Arc::from(object)
    }
}

/// How many bytes say before a protobuf message how long it is. Messages in JSON are lines, and follow each other.
const LENGTH: usize = 4;

/// An event as a message in a stream of them.
fn wrap(codec: Codec, kind: &str, object: &[u8]) -> Bytes {
    if codec == Codec::Proto {
        let event = WatchEvent {
            type_: kind.to_owned(),
            object: api_record::scalar::RawJson(Some(Bytes::copy_from_slice(object))),
        };
        let message = proto::encode_message(&event);
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        return [&length.to_be_bytes()[..], &message].concat().into();
    }
    let mut out = Vec::with_capacity(object.len() + 32);
    out.extend_from_slice(b"{\"type\":");
    json::write_string(&mut out, kind);
    out.extend_from_slice(b",\"object\":");
    out.extend_from_slice(object.trim_ascii_end());
    out.extend_from_slice(b"}\n");
    out.into()
}

/// A message where whatever carries it says how long it is.
pub(crate) fn unframed(codec: Codec, message: Bytes) -> Bytes {
    if codec == Codec::Proto { message.slice(LENGTH.min(message.len())..) } else { message }
}

/// The events of a feed as messages, until it ends or the time is up.
pub(crate) fn messages(framing: Framing, feed: Feed, limit: Duration) -> impl Stream<Item = Bytes> + Send {
    let over = framing.clock.sleep(limit);
    let mut first = true;
    feed.take_until(over).filter_map(move |event| {
        let message = framing.message(event, std::mem::take(&mut first));
        std::future::ready(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How large what this makes is.
    fn room<T, F>(_: impl FnOnce(T) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn what_writes_a_watchs_messages_is_small() {
        let messages = room(|(framing, feed, limit)| messages(framing, feed, limit));
        assert!(messages <= 224, "{messages} bytes");
    }
}
