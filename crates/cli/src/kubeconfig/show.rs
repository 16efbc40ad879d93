//! `knarr kubeconfig`: prints the cluster's kubeconfig, or merges it into the user's. Used by the binary.

use std::io::{self, Write};
use std::path::PathBuf;

use super::file::{self, KubeconfigFileError};
use super::owner::{Owner, users_kubeconfig};
use super::{KubeconfigError, read};
use crate::config::Place;
use crate::surroundings::Surroundings;

/// Why a kubeconfig cannot be shown or merged.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The cluster has none yet.
    #[error("there is no kubeconfig at {0}: start a cluster first (knarr up)")]
    None(PathBuf),
    /// Its file cannot be used.
    #[error(transparent)]
    File(#[from] KubeconfigFileError),
    /// It is not as Knarr writes it.
    #[error("{path} is not as knarr wrote it; the next start writes it anew")]
    Content {
        /// The cluster's kubeconfig.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: KubeconfigError,
    },
    /// There is no home.
    #[error("which kubeconfig? Neither KUBECONFIG nor HOME is set")]
    NoHome,
    /// The output is closed.
    #[error("cannot print the kubeconfig")]
    Print(#[source] io::Error),
}

/// Prints the kubeconfig, as it was written.
///
/// # Errors
/// When there is none, or it cannot be read or printed.
pub fn print(place: &Place, out: &mut dyn Write) -> Result<(), ShowError> {
    out.write_all(text(place)?.as_bytes()).map_err(ShowError::Print)
}

/// Merges it into the user's kubeconfig, makes it the current context, and says so.
///
/// # Errors
/// When there is none, or the user's cannot be changed.
pub fn merge(place: &Place, around: &dyn Surroundings, out: &mut dyn Write) -> Result<(), ShowError> {
    let path = place.kubeconfig.clone();
    let access = read(&text(place)?).map_err(|source| ShowError::Content { path, source })?;
    let target = users_kubeconfig(around).ok_or(ShowError::NoHome)?;
    file::merge_into(&target, &access, Owner::of_invoker(around))?;
    writeln!(out, "Added {} to {}; it is the current context", access.name, target.display())
        .map_err(ShowError::Print)
}

fn text(place: &Place) -> Result<String, ShowError> {
    match file::text(&place.kubeconfig) {
        Err(KubeconfigFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(ShowError::None(place.kubeconfig.clone()))
        }
        other => Ok(other?),
    }
}
