//! The views that the server's process shares: one for each scope that somebody reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::time::Clock;
use client::{Api, Caller, RawView, Scope, reflect, view};

/// Views by the scope that they show, each filled by a task of its own that ends with its last reader.
#[derive(Default)]
pub(crate) struct Views {
    open: Mutex<HashMap<String, RawView>>,
}

impl Views {
    /// The view of a scope, opened if need be.
    pub(crate) fn open(&self, api: Arc<dyn Api>, scope: Scope, clock: Arc<dyn Clock>) -> RawView {
        let Scope { resource, namespace, labels, fields } = &scope;
        let key = format!("{resource}/{}/{namespace}/{labels}/{fields}", resource.version);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = open.get(&key) {
            return view.clone();
        }
        let (publisher, view) = view::channel();
        open.insert(key, view.clone());
        tokio::spawn(reflect::run(api, Caller::default(), scope, publisher, clock));
        view
    }
}
