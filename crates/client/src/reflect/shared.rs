//! The views of one API in one process: one for each scope that somebody reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::time::Clock;

use crate::view::Messages;
use crate::{Api, Caller, RawView, Resource, Scope, view};

/// Views by the scope that they show, each filled by a task of its own that ends with its last reader. All of an API's are
/// opened as the same caller.
#[derive(Default)]
pub struct SharedViews {
    open: Mutex<HashMap<String, RawView>>,
}

impl SharedViews {
    /// The view of a scope, opened if need be. In the process that keeps the objects, `messages` is where it finds theirs.
    pub fn open(
        &self,
        api: Arc<dyn Api>,
        who: &Caller,
        scope: Scope,
        clock: Arc<dyn Clock>,
        messages: Option<Arc<dyn Messages>>,
    ) -> RawView {
        let Scope { resource, namespace, labels, fields } = &scope;
        let key = format!("{}{namespace}/{labels}/{fields}", prefix(resource));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = open.get(&key) {
            return view.clone();
        }
        let (publisher, view) = view::channel_beside(messages);
        open.insert(key, view.clone());
        tokio::spawn(super::run(api, who.clone(), scope, publisher, clock));
        view
    }

    /// Keeps the views of a resource no longer for others to come: it is served no more. Each ends with its last reader.
    pub fn forget(&self, resource: &Resource) {
        let prefix = prefix(resource);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|key, _| !key.starts_with(&prefix));
    }
}

fn prefix(resource: &Resource) -> String {
    format!("{resource}/{}/", resource.version)
}
