//! Every watch is a projection of the history on its scope: each change that concerns it once, in order, as what it is.

use api_types::object_meta;
use client::{Event, Resource, Scope};

use crate::history::{Change, History, Seen, seen};

/// A watch that is open.
pub struct Watched {
    scope: Scope,
    from: u64,
    /// How many of the resource's changes it has passed.
    passed: usize,
}

impl Watched {
    /// A watch of a scope from just after a revision.
    pub fn new(scope: Scope, from: u64) -> Watched {
        Watched { scope, from, passed: 0 }
    }

    /// What it watches.
    pub fn resource(&self) -> &Resource {
        &self.scope.resource
    }

    fn next<'a>(&self, history: &'a History) -> Option<(usize, &'a Change, Seen)> {
        let all = history.of(&self.scope.resource);
        let changes = all.iter().enumerate().skip(self.passed);
        changes
            .filter(|(_, change)| change.revision > self.from)
            .find_map(|(place, change)| seen(&self.scope, change).map(|seen| (place, change, seen)))
    }

    /// Compares an event with what the history says comes next.
    ///
    /// # Errors
    /// How they differ.
    pub fn observe(&mut self, history: &History, event: &Event) -> Result<(), String> {
        let resource = &self.scope.resource;
        let (shown, object) = match event {
            Event::Added(object) => (Seen::Added, object),
            Event::Modified(object) => (Seen::Modified, object),
            Event::Deleted(object) => (Seen::Deleted, object),
            Event::Bookmark { revision, .. } => {
                return match self.next(history) {
                    Some((_, owed, _)) if owed.revision <= revision.0 => Err(format!(
                        "a bookmark of {resource} at {revision} passes over what happened at {}",
                        owed.revision
                    )),
                    _ => Ok(()),
                };
            }
        };
        let meta = object_meta(&**object).ok_or("an event without metadata")?;
        let told = format!("{shown:?} {}/{} at {}", meta.namespace, meta.name, meta.resource_version);
        let Some((place, owed, seen)) = self.next(history) else {
            return Err(format!("{resource}: {told} never happened"));
        };
        let expected = format!("{seen:?} {}/{} at {}", owed.namespace, owed.name, owed.revision);
        if told != expected {
            return Err(format!("{resource}: {told}, where {expected} comes next"));
        }
        self.passed = place + 1;
        Ok(())
    }

    /// Whether nothing is owed any more.
    ///
    /// # Errors
    /// What is.
    pub fn check_complete(&self, history: &History) -> Result<(), String> {
        match self.next(history) {
            None => Ok(()),
            Some((_, owed, _)) => Err(format!(
                "{}: what happened to {}/{} at {} was never told",
                self.scope.resource, owed.namespace, owed.name, owed.revision
            )),
        }
    }
}
