//! Volumes of pods on this node: what is in them, and how it gets there.
//!
//! Layer: node, below the agent, which fetches objects and tokens and says where. It knows nothing of the API's transport.
//!
//! Entry points: [`payload`], [`trust`], [`certificate`] and [`claim`] (pure: from objects to files, and to places), [`writer::write`] (files into a
//! volume, seen all at once), [`place`] (directories, host paths, paths within volumes).
//!
//! Invariants: a container sees one version of a volume's files or the next, never a mixture. No link in a volume leads
//! a path within it out of it.
//!
//! State: the volumes' directories. A version that was not finished is removed by the next one.
//!
//! Failure: an error says what is missing in kubelet's words; calling again is safe. Calls of [`writer`] and [`place`] block.
//!
//! Upstream behaviour answered to: kubelet's `configmap`, `secret`, `projected`, `downwardapi`, `emptydir`, `hostpath`
//! and `local` plugins, `atomic_writer.go`, `volume_linux.go`, `desired_state_of_world_populator.go` and `subpath_linux.go`.
//!
//! Testing: `cargo test -p node-volume`, as root: owners need it.

pub mod certificate;
pub mod claim;
pub mod payload;
pub mod place;
pub mod trust;
pub mod writer;
