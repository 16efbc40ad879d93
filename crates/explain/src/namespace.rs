//! Namespaces that do not end.

use api_meta::conditions;
use api_types::core::v1::{Namespace, NamespaceCondition};

use crate::finding::Finding;

/// The conditions that say what a namespace still waits for, in the order in which they matter.
const HOLDING: [&str; 5] = [
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
];

/// Why a namespace that is being deleted is still there.
pub(crate) fn explain(namespace: &Namespace) -> Vec<Finding> {
    let Some(deleted) = namespace.metadata.deletion_timestamp else { return Vec::new() };
    let said = HOLDING.iter().filter_map(|type_| conditions::find(&namespace.status.conditions, type_));
    let held: Vec<Finding> = said.filter(|said| said.status == "True").map(holding).collect();
    let message = match (held.is_empty(), namespace.spec.finalizers.as_slice()) {
        (true, []) => "it is about to go".to_owned(),
        (true, finalizers) => format!(
            "it is being emptied, and stays until spec.finalizers are removed: {}",
            finalizers.join(", ")
        ),
        (false, _) => "it goes when nothing is left in it".to_owned(),
    };
    vec![Finding::new("Terminating", message).since(Some(deleted)).because(held)]
}

fn holding(said: &NamespaceCondition) -> Finding {
    let finding = Finding::new(&said.type_, said.message.clone()).since(said.last_transition_time);
    match said.type_.as_str() {
        "NamespaceDeletionDiscoveryFailure" => {
            finding.remedy("an API server behind this one does not answer: mend it, or delete its APIService (kubectl get apiservices)")
        }
        "NamespaceFinalizersRemaining" => {
            finding.remedy("see whether the controllers run whose finalizers these are; knarr why of such an object says more")
        }
        _ => finding,
    }
}
