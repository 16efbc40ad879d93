//! What the commands need done by the parts that the binary wires: looking at the cluster, and ending what a node left on its machine.
//!
//! Implemented by the binary; called by [`crate::up`] and [`crate::down`].

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

/// What stands in the way of a [`Machine`], in words for a user.
pub type MachineError = Box<dyn std::error::Error + Send + Sync>;

/// Looks at a cluster that is starting.
pub trait Probe: Send + Sync {
    /// How far it is. Not reaching it is an answer, not an error; it must come within seconds.
    fn look(&self) -> Pin<Box<dyn Future<Output = Seen> + Send + '_>>;
}

/// How far a cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether anything answers at the API's address.
    pub answers: bool,
    /// Whether `/readyz` is ok.
    pub ready: bool,
    /// The checks that `/readyz` names as failing.
    pub failing: Vec<String>,
    /// The node of this machine.
    pub node: NodeSeen,
}

/// How far a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodeSeen {
    /// The API has none of its name yet.
    #[default]
    Absent,
    /// It is there, but not Ready, for this reason.
    NotReady(String),
    /// It is Ready.
    Ready,
}

/// What a node has on its machine, whether its server runs or not.
pub trait Machine: Send + Sync {
    /// The pods whose shims run, as `namespace/name`.
    ///
    /// # Errors
    /// When they cannot be found out.
    fn pods(&self) -> Result<BTreeSet<String>, MachineError>;

    /// Stops these pods and whatever is theirs. `done` hears of each.
    ///
    /// # Errors
    /// When one of them cannot be stopped; the others are all the same.
    fn stop_pods(&self, pods: &BTreeSet<String>, done: &mut dyn FnMut(&str)) -> Result<(), MachineError>;

    /// Ends the node's other processes and removes its interfaces, tables, cgroups and mounts. Called once no pod is left.
    /// Returns what it removed, in words ("the DNS server", "4 network interfaces").
    ///
    /// # Errors
    /// When something cannot be removed.
    fn clear(&self) -> Result<Vec<String>, MachineError>;
}
