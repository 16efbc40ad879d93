//! What came of a rehearsal.

use explain::Named;
use serde::Serialize;

use crate::compare::FieldChange;

/// What would happen to an object that is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It would be made.
    Created,
    /// It would be changed.
    Changed,
    /// It is so already.
    Unchanged,
    /// The server would refuse it.
    Refused,
}

/// An object that is applied.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The object.
    pub object: Named,
    /// What would happen to it.
    pub verdict: Verdict,
    /// What would be changed of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// What stands in the way, or should be known: why it is refused, who owns fields that would be changed, warnings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Something that a controller or the scheduler would do, as it tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// When, in virtual seconds from the beginning.
    pub seconds: u64,
    /// Who.
    pub by: String,
    /// With what.
    pub about: Named,
    /// Why, in one word.
    pub reason: String,
    /// What.
    pub message: String,
}

/// A pod that would be there in the end and was not, or had no node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedPod {
    /// The pod; `*` stands for the random end of its name.
    pub pod: Named,
    /// Its node, empty if it would have none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node: String,
    /// Why it would have none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pending: String,
}

/// What would become of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The objects that are applied.
    pub applied: Vec<Applied>,
    /// What would follow, in its order.
    pub steps: Vec<Step>,
    /// Objects that controllers would make, other than pods.
    pub made: Vec<Named>,
    /// Objects that controllers would change, and how.
    pub changed: Vec<(Named, Vec<FieldChange>)>,
    /// Objects that would go, pods included.
    pub gone: Vec<Named>,
    /// Pods that would be new, or get a node.
    pub pods: Vec<PlacedPod>,
    /// Whether all would have come to rest within the time that is rehearsed.
    pub settled: bool,
}

impl Outcome {
    /// Whether anything would change.
    pub fn changes_something(&self) -> bool {
        self.applied.iter().any(|applied| matches!(applied.verdict, Verdict::Created | Verdict::Changed))
    }

    /// Whether the server would refuse something.
    pub fn is_refused(&self) -> bool {
        self.applied.iter().any(|applied| applied.verdict == Verdict::Refused)
    }
}
