//! Directories that this node keeps as volumes: made when the cluster's provisioner asks for one, taken away when it says so.
//!
//! ```text
//! <data>/volumes/<name of the volume>/
//! ```

use std::path::{Component, Path, PathBuf};

use client::Status;
use host::mount::{LinuxMounts, Mounts};
use node_volume::place;

use crate::core::{Core, blocking};
use crate::error::AgentError;

/// The directory of a volume.
///
/// # Errors
/// If the name would lead elsewhere.
fn directory(core: &Core, name: &str) -> Result<PathBuf, Status> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name => {
            Ok(core.config.data_dir.join("volumes").join(name))
        }
        _ => Err(Status::bad_request(format!("{name:?} is no name of a volume"))),
    }
}

fn failed(error: AgentError) -> Status {
    Status::internal_error(error.text())
}

/// Makes the directory of a volume, and answers where it is.
pub(super) async fn make(core: &Core, name: &str) -> Result<String, Status> {
    let path = directory(core, name)?;
    let made = blocking(move || {
        place::keep(&path)?;
        Ok(path)
    });
    Ok(made.await.map_err(failed)?.display().to_string())
}

/// Takes the directory of a volume away. It stays while something is mounted in it.
pub(super) async fn remove(core: &Core, name: &str) -> Result<(), Status> {
    let path = directory(core, name)?;
    let removed = blocking(move || match LinuxMounts.below(&path)?.first() {
        Some(point) => Ok(Some(point.clone())),
        None => Ok(place::discard(&path).map(|()| None)?),
    });
    match removed.await.map_err(failed)? {
        None => Ok(()),
        Some(point) => Err(Status::internal_error(format!("something is mounted at {}", point.display()))),
    }
}
