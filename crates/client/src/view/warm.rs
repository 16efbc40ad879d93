//! Which objects of a view are decoded, the first to become so first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api_codec::proto;
use api_record::Record;
use api_types::object_meta;
use tokio::sync::Notify;

use super::Messages;
use super::held::{Held, Message};
use super::limits::{LEAST_DECODED, MOST_DECODED};

/// The decoded objects of a view, how many objects it has ever shown, and where else their messages are.
#[derive(Default)]
pub(super) struct Warm {
    messages: Option<Arc<dyn Messages>>,
    decoded: Mutex<VecDeque<Weak<Held>>>,
    crowded: Notify,
    shown: AtomicU64,
}

impl Warm {
    /// Of a view beside what keeps the objects.
    pub(super) fn beside(messages: Option<Arc<dyn Messages>>) -> Warm {
        Warm { messages, ..Warm::default() }
    }

    /// An object's message.
    pub(super) fn message(&self, object: &Arc<dyn Record>) -> Message {
        let kept = self.messages.as_ref().and_then(|messages| messages.message(&**object));
        match (kept, object_meta(&**object)) {
            (Some(message), Some(meta)) => {
                Message::Kept { message, version: (*meta.resource_version).into() }
            }
            _ => Message::Own(proto::encode_message(&**object).into()),
        }
    }

    /// A number that no other object of the view has.
    pub(super) fn number(&self) -> u64 {
        self.shown.fetch_add(1, Ordering::Relaxed)
    }

    /// An object has been decoded.
    pub(super) fn add(&self, held: &Arc<Held>) {
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        decoded.push_back(Arc::downgrade(held));
        if decoded.len() >= MOST_DECODED {
            self.crowded.notify_one();
        }
    }

    /// Whether as many are decoded as may be.
    pub(super) fn is_full(&self) -> bool {
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner).len() >= MOST_DECODED
    }

    /// Completes when so many are decoded that some should be let go, whatever else happens.
    pub(super) async fn crowded(&self) {
        self.crowded.notified().await;
    }

    /// Looks at this many of the decoded objects, those that were decoded first: what nobody has read since it was looked at
    /// last is to be let go. Those that are shown no more are forgotten.
    pub(super) fn unused(&self, look_at: usize) -> Vec<Arc<Held>> {
        let mut decoded = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut unused, mut left) = (Vec::new(), look_at.min(decoded.len()));
        while left > 0 && decoded.len() > LEAST_DECODED {
            let Some(first) = decoded.pop_front() else { break };
            let Some(held) = first.upgrade() else { continue };
            left -= 1;
            if held.was_read() && decoded.len() < MOST_DECODED {
                decoded.push_back(first);
            } else {
                unused.push(held);
            }
        }
        unused
    }
}
