//! A watch's messages, each written once for all who watch in the same form.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use api_record::Record;
use bytes::Bytes;
use server_registry::Served;

use crate::limits::{ENCODED_EVENTS, ENCODED_EVENTS_BYTES};
use crate::negotiate::Form;

/// The messages that were written last.
#[derive(Default)]
pub(crate) struct Encoded {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    messages: HashMap<Key, Message>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

/// What a message tells, and in which form. Objects are told apart by where they are in memory: watchers share them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    object: usize,
    served: usize,
    event: &'static str,
    form: Form,
}

struct Message {
    bytes: Bytes,
    /// Held, so that nothing else comes to be where these are while the message is known.
    _of: (Arc<dyn Record>, Arc<Served>),
}

impl Encoded {
    /// The message of an event, which `write` writes unless it is known.
    pub(crate) fn message(
        &self,
        served: &Arc<Served>,
        event: &'static str,
        form: Form,
        object: &Arc<dyn Record>,
        write: impl FnOnce() -> Bytes,
    ) -> Bytes {
        let place = Arc::as_ptr(object).cast::<()>().addr();
        let key = Key { object: place, served: Arc::as_ptr(served).addr(), event, form };
        if let Some(known) = self.lock().messages.get(&key) {
            return known.bytes.clone();
        }
        let bytes = write();
        let of = (Arc::clone(object), Arc::clone(served));
        self.lock().insert(key, Message { bytes: bytes.clone(), _of: of });
        bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn insert(&mut self, key: Key, message: Message) {
        let size = message.bytes.len();
        if self.messages.insert(key, message).is_some() {
            return;
        }
        self.order.push_back(key);
        self.bytes += size;
        while self.order.len() > ENCODED_EVENTS || self.bytes > ENCODED_EVENTS_BYTES {
            let Some(oldest) = self.order.pop_front() else { return };
            self.bytes -= self.messages.remove(&oldest).map_or(0, |message| message.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Pod;
    use server_registry::Catalog;

    use super::*;

    fn served() -> Arc<Served> {
        Catalog::new().resolve("", "v1", "pods").expect("pods are served")
    }

    #[test]
    fn a_message_is_written_once_and_forgotten_in_its_turn() {
        let (encoded, served) = (Encoded::default(), served());
        let pods: Vec<Arc<dyn Record>> =
            (0..=ENCODED_EVENTS).map(|_| Arc::new(Pod::default()) as _).collect();
        let ask = |event, pod: &Arc<dyn Record>, text: &'static str| {
            encoded.message(&served, event, Form::JSON, pod, || Bytes::from_static(text.as_bytes()))
        };
        assert_eq!(ask("ADDED", &pods[0], "first"), "first");
        assert_eq!(ask("ADDED", &pods[0], "again"), "first");
        assert_eq!(ask("MODIFIED", &pods[0], "another event"), "another event");
        for pod in &pods[1..] {
            ask("ADDED", pod, "more");
        }
        assert_eq!(ask("ADDED", &pods[0], "anew"), "anew");
        assert_eq!(encoded.lock().messages.len(), ENCODED_EVENTS);
        assert_eq!(encoded.lock().order.len(), ENCODED_EVENTS);
    }

    #[test]
    fn large_messages_are_forgotten_by_their_size() {
        let (encoded, served) = (Encoded::default(), served());
        let large = Bytes::from(vec![0; ENCODED_EVENTS_BYTES + 1]);
        let pod: Arc<dyn Record> = Arc::new(Pod::default());
        encoded.message(&served, "ADDED", Form::JSON, &pod, || large.clone());
        let known = encoded.lock();
        assert_eq!((known.messages.len(), known.bytes), (0, 0));
    }
}
