//! What admission leaves with a request: warnings for the caller, and other objects to be written together with its own.

use std::sync::{Mutex, PoisonError};

use api_record::Record;
use client::Resource;
use tokio::sync::OwnedMutexGuard;

/// Another object, of the hub's type, that is changed in the transaction that writes the request's own, or not at all: if it
/// is no longer at the resource version that it carries, the request is admitted anew.
pub struct Beside {
    /// What it is.
    pub resource: Resource,
    /// As it is to be.
    pub object: Box<dyn Record>,
    /// To be held until the transaction is done: spares those who change the same object a race that all but one would lose.
    pub hold: Option<OwnedMutexGuard<()>>,
}

/// Filled by plugins, read by the registry.
#[derive(Default)]
pub struct Notes {
    warnings: Mutex<Vec<String>>,
    beside: Mutex<Vec<Beside>>,
}

impl Notes {
    /// Tells the caller something, once however often it is said.
    pub fn warn(&self, warning: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// What the caller is to be told.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has another object be written with this one. Nothing comes of it if the request is refused or is a trial.
    pub fn write_beside(&self, beside: Beside) {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner).push(beside);
    }

    /// What is to be written with it.
    pub fn take_beside(&self) -> Vec<Beside> {
        std::mem::take(&mut self.beside.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
