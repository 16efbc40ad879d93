//! Hearing of every change of a view, one by one. The reconcile runtime turns them into keys.

use std::sync::{Arc, PoisonError};

use api_record::Record;

use super::{RawView, Snapshot};

/// What happened to one object, between two looks at a view. One of the two is there.
#[derive(Clone)]
pub struct Change {
    /// The object as it was.
    pub old: Option<Arc<dyn Record>>,
    /// The object as it is.
    pub new: Option<Arc<dyn Record>>,
}

/// A reader that is told what has changed since it last looked; at its first look, that is everything.
pub struct Follower {
    view: RawView,
    seen: u64,
    last: Arc<Snapshot>,
}

impl Follower {
    /// A follower of a view.
    pub fn new(view: RawView) -> Follower {
        Follower { view, seen: 0, last: Arc::default() }
    }

    /// The view.
    pub fn view(&self) -> &RawView {
        &self.view
    }

    /// What the view shows now, and the changes that led there from what this follower saw last.
    pub fn catch_up(&mut self) -> (Arc<Snapshot>, Vec<Change>) {
        let (current, told) = {
            let log = self.view.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
            let current = self.view.snapshot();
            let told = self.seen.checked_sub(log.first).map(|skip| {
                log.changes.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).cloned().collect()
            });
            self.seen = log.end();
            (current, told)
        };
        let changes = told.unwrap_or_else(|| difference(&self.last, &current));
        self.last = Arc::clone(&current);
        (current, changes)
    }
}

fn difference(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for (key, object) in old.objects.iter() {
        match new.objects.get(key) {
            Some(same) if Arc::ptr_eq(same, object) => {}
            now => changes.push(Change { old: Some(Arc::clone(object)), new: now.cloned() }),
        }
    }
    for (key, object) in new.objects.iter() {
        if old.objects.get(key).is_none() {
            changes.push(Change { old: None, new: Some(Arc::clone(object)) });
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Pod;

    use super::*;
    use crate::Revision;
    use crate::view::channel;

    fn pod(name: &str) -> Arc<dyn Record> {
        let mut pod = Pod::default();
        pod.metadata.name = name.into();
        Arc::new(pod)
    }

    fn shown(changes: &[Change]) -> String {
        let name = |object: &Option<Arc<dyn Record>>| {
            object.as_ref().and_then(|object| api_types::object_meta(&**object)).map(|meta| meta.name.clone())
        };
        let pairs = changes.iter().map(|change| match (name(&change.old), name(&change.new)) {
            (None, Some(name)) => format!("+{name}"),
            (Some(name), None) => format!("-{name}"),
            (Some(name), _) => format!("~{name}"),
            (None, None) => "?".into(),
        });
        pairs.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_change_is_told_once() {
        let (mut publisher, view) = channel();
        let mut follower = Follower::new(view);
        assert_eq!(shown(&follower.catch_up().1), "");
        publisher.replace([pod("a"), pod("b")], Revision(1));
        assert_eq!(shown(&follower.catch_up().1), "+a +b");
        publisher.put(pod("a"));
        publisher.put(pod("c"));
        publisher.advance(Revision(3));
        publisher.delete(&*pod("b"));
        publisher.advance(Revision(4));
        assert_eq!(shown(&follower.catch_up().1), "~a +c -b");
        assert_eq!(shown(&follower.catch_up().1), "");
    }

    #[test]
    fn a_new_list_is_compared() {
        let (mut publisher, view) = channel();
        let (kept, lost) = (pod("kept"), pod("lost"));
        publisher.replace([Arc::clone(&kept), lost], Revision(1));
        let mut follower = Follower::new(view);
        follower.catch_up();
        publisher.replace([kept, pod("new")], Revision(9));
        let (snapshot, changes) = follower.catch_up();
        assert_eq!((shown(&changes), snapshot.revision()), ("-lost +new".into(), Revision(9)));
    }
}
