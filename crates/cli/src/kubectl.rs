//! `knarr kubectl`: the kubectl in `PATH`, with this cluster's kubeconfig. Used by the binary.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use crate::config::Place;

/// Why kubectl could not run.
#[derive(Debug, thiserror::Error)]
pub enum KubectlError {
    /// There is none.
    #[error("no kubectl in PATH. Get one: apt-get install kubernetes-client, or https://kubernetes.io/docs/tasks/tools (any of 1.36 to 1.38); then KUBECONFIG={} works with it too", .0.display())]
    None(PathBuf),
    /// There is no kubeconfig that it could use.
    #[error("cannot read {path}{}", hint(source))]
    Kubeconfig {
        /// The kubeconfig.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It does not start.
    #[error("kubectl does not start")]
    Start(#[source] io::Error),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => " (start a cluster first: knarr up)",
        _ => crate::privilege::advice(error),
    }
}

/// Becomes kubectl. Returns only when that fails.
pub fn exec(place: &Place, arguments: &[OsString]) -> KubectlError {
    // Opened here only to say why it cannot be, which kubectl does not.
    if let Err(source) = std::fs::OpenOptions::new().read(true).open(&place.kubeconfig) {
        return KubectlError::Kubeconfig { path: place.kubeconfig.clone(), source };
    }
    let error = Command::new("kubectl").args(arguments).env("KUBECONFIG", &place.kubeconfig).exec();
    match error.kind() {
        io::ErrorKind::NotFound => KubectlError::None(place.kubeconfig.clone()),
        _ => KubectlError::Start(error),
    }
}
