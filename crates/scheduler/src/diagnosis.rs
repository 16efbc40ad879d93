//! Why no node suits a pod, and how that is told: upstream's wording, letter by letter.

use std::collections::BTreeMap;

use crate::cluster::node::NodeIx;
use crate::devices::ClaimKey;
use crate::limits::MAX_NOTE_BYTES;
use crate::reason::{Plugins, Reason, Refusal};

/// Why no node suits a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) nodes: usize,
    /// Before any node was looked at.
    pub(crate) refusal: Option<Refusal>,
    /// Nodes by reason; a node may have several.
    pub(crate) reasons: BTreeMap<String, usize>,
    pub(crate) rejectors: Plugins,
    /// Nodes on which evicting pods could help, in the order in which they were looked at.
    pub(crate) resolvable: Vec<NodeIx>,
    /// Claims whose devices are where the pod cannot run, and could be given back.
    pub(crate) to_deallocate: Vec<ClaimKey>,
}

/// What is said where there is no node at all.
pub(crate) const NO_NODES: &str = "no nodes available to schedule pods";

impl Diagnosis {
    /// No node was looked at, as none would do.
    pub(crate) fn refused(refusal: Refusal, nodes: usize) -> Diagnosis {
        let mut rejectors = Plugins::default();
        rejectors.insert(refusal.plugin());
        Diagnosis { nodes, refusal: Some(refusal), rejectors, ..Diagnosis::default() }
    }

    /// Counts nodes that are rejected for these reasons.
    pub(crate) fn reject(&mut self, reasons: &[Reason], nodes: usize) {
        for reason in reasons {
            *self.reasons.entry(reason.to_string()).or_insert(0) += nodes;
            self.rejectors.insert(reason.plugin());
        }
    }

    /// The message, followed by what was done about the pod's devices, and what preemption has to say.
    pub(crate) fn message(&self, done: Option<&str>, preemption: &str) -> String {
        let mut text = format!("0/{} nodes are available:", self.nodes);
        match &self.refusal {
            Some(refusal) => text.push_str(&format!(" {refusal}.")),
            None => text.push_str(&histogram(&self.reasons)),
        }
        let preemption = (!preemption.is_empty()).then(|| format!("preemption: {preemption}"));
        let after: Vec<&str> = done.into_iter().chain(preemption.as_deref()).collect();
        if !after.is_empty() {
            text.push_str(&format!(" {}", after.join(", ")));
        }
        text
    }
}

/// The part of a message that counts nodes by reason.
pub(crate) fn histogram(reasons: &BTreeMap<String, usize>) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let mut counted: Vec<String> =
        reasons.iter().map(|(reason, nodes)| format!("{nodes} {reason}")).collect();
    counted.sort_unstable();
    format!(" {}.", counted.join(", "))
}

/// A message cut to what an event may hold.
pub(crate) fn note(message: &str) -> String {
    const CUT: &str = " ...";
    if message.len() <= MAX_NOTE_BYTES {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MAX_NOTE_BYTES - CUT.len());
    format!("{}{CUT}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_sorted_as_text_with_their_counts() {
        let mut diagnosis = Diagnosis { nodes: 14, ..Diagnosis::default() };
        diagnosis.reject(&[Reason::Taint], 2);
        diagnosis.reject(&[Reason::Cpu { never: false }, Reason::Memory { never: true }], 11);
        diagnosis.reject(&[Reason::NodeAffinity], 1);
        assert_eq!(
            diagnosis.message(None, "0/14 nodes are available: 14 Preemption is not helpful for scheduling."),
            "0/14 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 11 Insufficient cpu, \
             11 Insufficient memory, 2 node(s) had untolerated taint(s). preemption: 0/14 nodes are available: \
             14 Preemption is not helpful for scheduling."
        );
    }

    #[test]
    fn a_refusal_stands_alone() {
        let diagnosis =
            Diagnosis { nodes: 1, refusal: Some(Refusal::AffinityConflict), ..Diagnosis::default() };
        assert_eq!(diagnosis.message(None, ""), "0/1 nodes are available: pod affinity terms conflict.");
    }

    #[test]
    fn notes_are_cut() {
        let note = note(&"é".repeat(1000));
        assert!(note.len() <= MAX_NOTE_BYTES && note.ends_with("é ..."));
    }
}
