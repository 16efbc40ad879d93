//! Mounts in memory, for simulations and tests: what was asked is recorded, nothing is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{MountError, Mounts, Overlay};

/// What is mounted somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SimMount {
    /// An overlay.
    Overlay(Overlay),
    /// Layers that cannot be changed.
    Layers(Vec<PathBuf>),
    /// Another place.
    Bind(PathBuf),
    /// Memory, of this many bytes.
    Tmpfs(u64),
}

/// A machine's mounts, simulated.
#[derive(Debug, Default)]
pub struct SimMounts {
    mounts: Mutex<BTreeMap<PathBuf, SimMount>>,
}

impl SimMounts {
    /// All mounts now.
    pub fn mounts(&self) -> BTreeMap<PathBuf, SimMount> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, SimMount>> {
        self.mounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mounts for SimMounts {
    fn overlay(&self, overlay: &Overlay, target: &Path) -> Result<(), MountError> {
        if overlay.lower.is_empty() {
            return Err(MountError::NoLayers { path: target.to_owned() });
        }
        self.lock().insert(target.to_owned(), SimMount::Overlay(overlay.clone()));
        Ok(())
    }

    fn layers(&self, lower: &[PathBuf], target: &Path) -> Result<(), MountError> {
        if lower.is_empty() {
            return Err(MountError::NoLayers { path: target.to_owned() });
        }
        self.lock().insert(target.to_owned(), SimMount::Layers(lower.to_vec()));
        Ok(())
    }

    fn bind(&self, source: &Path, target: &Path) -> Result<(), MountError> {
        self.lock().insert(target.to_owned(), SimMount::Bind(source.to_owned()));
        Ok(())
    }

    fn tmpfs(&self, target: &Path, size_bytes: u64, _mode: u32) -> Result<(), MountError> {
        self.lock().insert(target.to_owned(), SimMount::Tmpfs(size_bytes));
        Ok(())
    }

    fn unmount(&self, target: &Path) -> Result<(), MountError> {
        self.lock().remove(target);
        Ok(())
    }

    fn below(&self, directory: &Path) -> Result<Vec<PathBuf>, MountError> {
        Ok(self.lock().keys().rev().filter(|point| point.starts_with(directory)).cloned().collect())
    }
}
