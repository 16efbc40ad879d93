//! What `up` says while a cluster starts: one line for each step, once. Pure.

use crate::machine::{NodeSeen, Seen};

/// What was said so far.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    api: bool,
    node: bool,
    reason: Option<String>,
}

impl Progress {
    /// Takes in how far the cluster is, and returns what is new.
    pub fn step(&mut self, seen: &Seen, wants_node: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if seen.ready && !self.api {
            self.api = true;
            lines.push("✓ The API is ready".to_owned());
        }
        if !wants_node || !self.api {
            return lines;
        }
        match &seen.node {
            NodeSeen::Ready if !self.node => {
                self.node = true;
                lines.push("✓ The node is Ready".to_owned());
            }
            NodeSeen::NotReady(reason) if self.reason.as_ref() != Some(reason) => {
                lines.push(format!("  The node is not Ready yet: {reason}"));
                self.reason = Some(reason.clone());
            }
            _ => {}
        }
        lines
    }

    /// Whether there is nothing more to wait for.
    pub fn is_done(&self, wants_node: bool) -> bool {
        self.api && (self.node || !wants_node)
    }

    /// What is missing, for whoever has waited long enough.
    pub fn missing(seen: &Seen) -> String {
        match seen {
            Seen { answers: false, .. } => "the API does not answer".to_owned(),
            Seen { ready: false, failing, .. } if failing.is_empty() => "the API is not ready".to_owned(),
            Seen { ready: false, failing, .. } => format!("the API is not ready: {}", failing.join(", ")),
            Seen { node: NodeSeen::NotReady(reason), .. } => format!("the node is not Ready: {reason}"),
            _ => "the node has not registered".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_said_once() {
        let mut progress = Progress::default();
        let nothing = Seen::default();
        let answers = Seen { answers: true, failing: vec!["etcd".to_owned()], ..Seen::default() };
        let ready = Seen { answers: true, ready: true, ..Seen::default() };
        let waits = Seen { node: NodeSeen::NotReady("no network".to_owned()), ..ready.clone() };
        let done = Seen { node: NodeSeen::Ready, ..ready.clone() };
        for (seen, lines, is_done) in [
            (&nothing, &[][..], false),
            (&answers, &[], false),
            (&ready, &["✓ The API is ready"], false),
            (&waits, &["  The node is not Ready yet: no network"], false),
            (&waits, &[], false),
            (&done, &["✓ The node is Ready"], true),
            (&done, &[], true),
        ] {
            assert_eq!(progress.step(seen, true), lines, "{seen:?}");
            assert_eq!(progress.is_done(true), is_done, "{seen:?}");
        }
        assert_eq!(Progress::missing(&answers), "the API is not ready: etcd");
        let mut alone = Progress::default();
        assert_eq!(alone.step(&done, false), ["✓ The API is ready"]);
        assert!(alone.is_done(false));
    }
}
