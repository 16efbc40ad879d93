//! What other API servers keep in a namespace that goes.
//!
//! Views do not show it, so it is asked for, and the answer counts for a while. Who cannot be asked may have something, and keeps the namespace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::Ask;
use client::{BoxFuture, Caller, Resource};

use super::AGAIN;
use crate::Others;

/// An answer: how many objects of which resources are left, or why nobody says.
type Answer = Result<Vec<(Resource, usize)>, String>;

/// The other API servers, and what they last said of each namespace.
#[derive(Default)]
pub(super) struct Elsewhere {
    others: Option<Arc<dyn Others>>,
    said: Arc<Mutex<BTreeMap<String, Said>>>,
}

struct Said {
    uid: String,
    answer: Answer,
    /// Since when it counts: nothing does before somebody has looked at it.
    at: Option<Time>,
}

/// What there is to say of them now.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The groups and versions of which nobody knows what they have.
    pub(super) unknown: Vec<String>,
    /// What is left.
    pub(super) left: Vec<(Resource, usize)>,
    /// Why something could not be deleted.
    pub(super) failure: Option<String>,
    /// They are to be asked before anything else is said.
    pub(super) is_to_be_asked: bool,
}

impl Seen {
    /// Whether they keep nothing, to the best of anybody's knowledge.
    pub(super) fn is_done(&self) -> bool {
        self.unknown.is_empty() && self.left.is_empty() && self.failure.is_none() && !self.is_to_be_asked
    }
}

impl Elsewhere {
    pub(super) fn of(others: Option<Arc<dyn Others>>) -> Elsewhere {
        Elsewhere { others, ..Elsewhere::default() }
    }

    /// What is known of a namespace.
    pub(super) fn look(&self, namespace: &ObjectMeta, now: Time) -> Seen {
        let Some(others) = self.others.as_ref().filter(|others| others.are_there()) else {
            return Seen::default();
        };
        let unknown = others.unknown();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let known = said.get_mut(&namespace.name).filter(|said| said.uid == namespace.uid);
        let Some(known) = known.filter(|said| said.at.is_none_or(|at| now.since(at) < AGAIN)) else {
            return Seen { unknown, is_to_be_asked: true, ..Seen::default() };
        };
        known.at.get_or_insert(now);
        let (left, failure) = match &known.answer {
            Ok(left) => (left.clone(), None),
            Err(why) => (Vec::new(), Some(why.clone())),
        };
        Seen { unknown, left, failure, is_to_be_asked: false }
    }

    /// Has them delete what they keep in a namespace.
    pub(super) fn ask(&self, namespace: &ObjectMeta, who: Caller) -> Option<Ask> {
        let others = Arc::clone(self.others.as_ref()?);
        let said = Arc::clone(&self.said);
        let (name, uid) = (namespace.name.clone(), namespace.uid.clone());
        let what = format!("other API servers to delete what they keep in {name}");
        let work = move || {
            let (others, said, who) = (Arc::clone(&others), Arc::clone(&said), who.clone());
            let (name, uid) = (name.clone(), uid.clone());
            let asked = async move {
                let answer = others.empty(&who, &name).await;
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                said.insert(name, Said { uid, answer, at: None });
                Ok(())
            };
            Box::pin(asked) as BoxFuture<'static, _>
        };
        Some(Ask { what, work: Arc::new(work) })
    }

    /// The namespace is gone.
    pub(super) fn forget(&self, name: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
