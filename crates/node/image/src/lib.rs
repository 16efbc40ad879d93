//! The node's image store: everything between a reference in a pod and the directories that its container is mounted
//! from. No daemon: a directory on disk, which the node agent and `knarr image …` share.
//!
//! Layer: `node`. Entry points: [`store::Store`] (find, list, remove, collect; import, build and export), [`pull::Puller`]
//! (with [`registries::Registries`]), and [`user::resolve`].
//!
//! Invariants
//! - What is seen is whole: a layer's digest and diff id, and every document's digest, were checked before it was named.
//! - Content is kept by digest and never changed. A name changes in one step.
//! - Nothing of an image reaches outside its layer's directory: not by names, not by links, not by attributes.
//! - Whatever an image may make of memory, disk or time has a bound in [`limits`].
//!
//! State: one directory ([`store`] draws it). All of it survives a restart; what an operation left half done is discarded by
//! the next start, or by the next collection. Several processes may use it at the same time: work directories are locked
//! by their makers, the list of images by whoever changes it. A store of another machine can be copied with its
//! attributes, or images moved by export and import.
//!
//! Failure: an operation fails as a whole and leaves nothing that is named. A full disk is [`error::ImageError::DiskFull`].
//! Nothing here tries again: the caller decides, as kubelet's back-off does. A crash costs the downloads in progress.
//! Removing an image never disturbs a container: its layers stay as long as the caller of [`store::Store::collect`] says that
//! it is in use. `knarr image prune` must therefore learn from the agent what is.
//!
//! Limits: see [`limits`].
//!
//! Upstream behaviour answered to: reference parsing of `distribution/reference`; credentials, reasons and messages of
//! kubelet's `pkg/kubelet/images` and `pkg/credentialprovider`; names, digests and sizes as containerd's CRI reports them;
//! `registries.yaml` as K3s has it;
//! layers as the OCI image specification 1.1 and docker's image specification 1.2 have them; users as runc resolves them.
//! Docker's schema 1 and foreign layers' own URLs are refused or ignored, as containerd 2 does.
//!
//! How to test: `cargo test -p node-image`, as root: owners, devices and whiteouts need it. Registries are servers within
//! the tests, on the loopback interface.

pub mod build;
pub mod compression;
pub mod config;
pub mod credentials;
pub mod digest;
pub mod error;
mod export;
pub mod import;
pub mod layer;
pub mod limits;
pub mod manifest;
pub mod pull;
pub mod reference;
pub mod registries;
pub mod store;
pub mod tape;
pub mod user;
