//! Where a pod's files are: one directory of short-lived state for each pod, and one of data for each container's changes.
//!
//! ```text
//! <state>/pods/<uid>/  pod.json  shim.sock  shim.json  shim.log  ns/{net,ipc,uts,pid}  shm/  oci/
//!                      c/<id>/  container.json  created  start.json  exit.json  config.json  rootfs/  stdout stderr stdin
//! <data>/containers/<id>/  upper/ work/      <data>/bin/<sha256>      <data>/seccomp/<hash>
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The places of one pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodLayout {
    directory: PathBuf,
    data: PathBuf,
}

impl PodLayout {
    /// The places of the pod `uid`.
    pub fn new(state: &Path, data: &Path, uid: &str) -> PodLayout {
        PodLayout { directory: pods(state).join(uid), data: data.to_owned() }
    }

    /// The places of the pod whose state is in `directory`.
    pub fn at(directory: PathBuf, data: PathBuf) -> PodLayout {
        PodLayout { directory, data }
    }

    /// The pod's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the node's data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn pod(&self) -> PathBuf {
        self.directory.join("pod.json")
    }

    pub(crate) fn shim(&self) -> PathBuf {
        self.directory.join("shim.json")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("shim.log")
    }

    /// The pin of a namespace (`net`, `ipc`, `uts`, `pid`).
    pub fn namespace(&self, kind: &str) -> PathBuf {
        self.directory.join("ns").join(kind)
    }

    pub(crate) fn namespaces(&self) -> PathBuf {
        self.directory.join("ns")
    }

    pub(crate) fn shm(&self) -> PathBuf {
        self.directory.join("shm")
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.directory.join("oci")
    }

    pub(crate) fn containers(&self) -> PathBuf {
        self.directory.join("c")
    }

    pub(crate) fn container(&self, id: &str) -> ContainerLayout {
        ContainerLayout {
            directory: self.containers().join(id),
            changes: self.data.join("containers").join(id),
            library: self.library().join(id),
        }
    }
}

/// The directory of all pods.
pub(crate) fn pods(state: &Path) -> PathBuf {
    state.join("pods")
}

/// The name of a shim's socket in its pod's directory.
pub(crate) const SOCKET: &str = "shim.sock";

/// The places of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerLayout {
    pub(crate) directory: PathBuf,
    /// Where an overlay's changes are.
    pub(crate) changes: PathBuf,
    /// What the container library keeps.
    pub(crate) library: PathBuf,
}

impl ContainerLayout {
    pub(crate) fn spec(&self) -> PathBuf {
        self.directory.join("container.json")
    }

    pub(crate) fn start(&self) -> PathBuf {
        self.directory.join("start.json")
    }

    pub(crate) fn exit(&self) -> PathBuf {
        self.directory.join("exit.json")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.directory.join("rootfs")
    }

    pub(crate) fn stream(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.changes.join("upper")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.changes.join("work")
    }
}
