//! Hearing of every change of a view, one by one. The reconcile runtime turns them into keys.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use api_record::Record;

use super::held::{Glance, Held};
use super::warm::Warm;
use super::{RawView, Snapshot};

/// What happened to one object, between two looks at a view. One of the two is there.
#[derive(Clone)]
pub struct Change {
    pub(super) old: Option<Arc<Held>>,
    pub(super) new: Option<Arc<Held>>,
}

impl Change {
    /// What it is that an object became another, was made, or is gone.
    pub fn between(old: Option<Arc<dyn Record>>, new: Option<Arc<dyn Record>>) -> Change {
        let warm = Arc::<Warm>::default();
        let held = |object| Held::new(object, Box::default(), &warm);
        Change { old: old.map(held), new: new.map(held) }
    }

    /// The object as it was.
    pub fn before(&self) -> Option<&Arc<dyn Record>> {
        self.old.as_ref().map(Held::object)
    }

    /// The object as it is.
    pub fn after(&self) -> Option<&Arc<dyn Record>> {
        self.new.as_ref().map(Held::object)
    }

    /// The object that there is no more, another of its name or none.
    pub fn gone(&self) -> Option<&Arc<dyn Record>> {
        let uid = |held: &Option<Arc<Held>>| {
            held.as_ref().map(|held| Glance(held).text(&["metadata", "uid"]).to_owned())
        };
        (uid(&self.old) != uid(&self.new)).then(|| self.before()).flatten()
    }
}

/// A reader that is told what has changed since it last looked; at its first look, that is everything.
pub struct Follower {
    view: RawView,
    /// How many changes it has been told of, which the view looks at, too.
    seen: Arc<AtomicU64>,
    last: Arc<Snapshot>,
}

impl Follower {
    /// A follower of a view.
    pub fn new(view: RawView) -> Follower {
        let seen = Arc::default();
        view.shared.log.lock().unwrap_or_else(PoisonError::into_inner).heard_by(&seen);
        Follower { view, seen, last: Arc::default() }
    }

    /// The view.
    pub fn view(&self) -> &RawView {
        &self.view
    }

    /// What the view shows now, and the changes that led there from what this follower saw last.
    pub fn catch_up(&mut self) -> (Arc<Snapshot>, Vec<Change>) {
        let (current, told) = {
            let mut log = self.view.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
            let current = self.view.snapshot();
            let told = log.since(self.seen.load(Ordering::Relaxed));
            self.seen.store(log.end(), Ordering::Relaxed);
            log.forget_heard();
            (current, told)
        };
        let changes = told.unwrap_or_else(|| difference(&self.last, &current));
        self.last = Arc::clone(&current);
        (current, changes)
    }
}

fn difference(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    for (key, held) in old.objects.iter() {
        match new.objects.get(key) {
            Some(same) if same.is(held) => {}
            now => changes.push(Change { old: Some(Arc::clone(held)), new: now.cloned() }),
        }
    }
    for (key, held) in new.objects.iter() {
        if old.objects.get(key).is_none() {
            changes.push(Change { old: None, new: Some(Arc::clone(held)) });
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
        let name = |object: Option<&Arc<dyn Record>>| {
            object.and_then(|object| api_types::object_meta(&**object)).map(|meta| meta.name.clone())
        };
        let pairs = changes.iter().map(|change| match (name(change.before()), name(change.after())) {
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

    #[test]
    fn what_all_have_heard_of_is_remembered_no_longer() {
        let (mut publisher, view) = channel();
        publisher.replace([], Revision(1));
        let mut followers = [Follower::new(view.clone()), Follower::new(view.clone())];
        followers.iter_mut().for_each(|follower| drop(follower.catch_up()));
        publisher.put(pod("a"));
        publisher.advance(Revision(2));
        let logged = || view.shared.log.lock().unwrap_or_else(PoisonError::into_inner).changes.len();
        assert_eq!(shown(&followers[0].catch_up().1), "+a");
        assert_eq!(logged(), 1, "another has not heard of it yet");
        assert_eq!(shown(&followers[1].catch_up().1), "+a");
        assert_eq!(logged(), 0);
        publisher.put(pod("b"));
        publisher.advance(Revision(3));
        let [first, mut second] = followers;
        drop(first);
        assert_eq!(shown(&second.catch_up().1), "+b");
        assert_eq!(logged(), 0, "who is gone hears of nothing any more");
        assert_eq!(shown(&Follower::new(view.clone()).catch_up().1), "+a +b");
    }
}
