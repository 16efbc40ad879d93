//! What is noted about a request for the audit log, by whoever decides something about it.
//!
//! It goes with the caller of the request, so that everybody who carries a part of it out has it. Nothing is noted, and nothing is spent, where
//! no log is kept of a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// How much of a request is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who asked for what, and what became of it.
    Metadata,
    /// That, and what was sent.
    Request,
    /// That, and what was answered.
    RequestResponse,
}

impl Level {
    /// All, from the lowest.
    pub const ALL: [Level; 4] = [Level::None, Level::Metadata, Level::Request, Level::RequestResponse];

    /// As policies and events name it.
    pub const fn name(self) -> &'static str {
        match self {
            Level::None => "None",
            Level::Metadata => "Metadata",
            Level::Request => "Request",
            Level::RequestResponse => "RequestResponse",
        }
    }
}

/// The annotations of a request's audit events. Clones share them.
#[derive(Clone, Default)]
pub struct Trail(Option<Arc<Noted>>);

#[derive(Default)]
struct Noted {
    level: Level,
    annotations: Mutex<BTreeMap<String, String>>,
}

impl Trail {
    /// That of a request of which a policy has said how much is logged.
    pub fn of(level: Level) -> Trail {
        Trail(Some(Arc::new(Noted { level, ..Noted::default() })))
    }

    /// Whether nobody has been asked yet how much of the request is logged.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// How much of the request is logged.
    pub fn level(&self) -> Level {
        self.0.as_ref().map_or(Level::None, |noted| noted.level)
    }

    /// Notes something, if the request is logged. What is noted once under a key stays, as upstream's does.
    pub fn annotate(&self, key: impl Into<String>, value: impl Into<String>) {
        if let Some(noted) = self.0.as_ref().filter(|noted| noted.level > Level::None) {
            let mut annotations = noted.annotations.lock().unwrap_or_else(PoisonError::into_inner);
            annotations.entry(key.into()).or_insert_with(|| value.into());
        }
    }

    /// What has been noted so far.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let Some(noted) = &self.0 else { return BTreeMap::new() };
        noted.annotations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Callers are the same whatever is noted about their requests.
impl PartialEq for Trail {
    fn eq(&self, _: &Trail) -> bool {
        true
    }
}

impl Eq for Trail {}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trail").field(&self.level()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_first_stays_where_anything_is_noted() {
        for (trail, wanted) in [
            (Trail::default(), None),
            (Trail::of(Level::None), None),
            (Trail::of(Level::Metadata), Some("a")),
        ] {
            trail.clone().annotate("key", "a");
            trail.annotate("key", "b");
            assert_eq!(trail.annotations().get("key").map(String::as_str), wanted, "{trail:?}");
        }
        assert!(Trail::default().is_open() && !Trail::of(Level::None).is_open());
        assert!(Level::ALL.is_sorted());
    }
}
