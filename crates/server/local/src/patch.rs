//! Patching an object: to a tree, through the patch, and back.

use std::sync::{Mutex, PoisonError};

use api_codec::limits::Limits;
use api_codec::{Strictness, json};
use api_meta::Status;
use api_patch::PatchKind;
use api_record::Record;
use client::FieldValidation;
use server_registry::Served;

/// A patch of one request, which may have to be applied more than once.
pub(crate) struct Patch<'a> {
    served: &'a Served,
    kind: PatchKind,
    bytes: &'a [u8],
    validation: FieldValidation,
    warnings: Mutex<Vec<String>>,
}

impl<'a> Patch<'a> {
    pub(crate) fn new(
        served: &'a Served,
        kind: PatchKind,
        bytes: &'a [u8],
        validation: FieldValidation,
    ) -> Patch<'a> {
        Patch { served, kind, bytes, validation, warnings: Mutex::default() }
    }

    /// The patched object, in the served version.
    pub(crate) fn apply(&self, current: Option<&dyn Record>, name: &str) -> Result<Box<dyn Record>, Status> {
        let served = self.served;
        let current = current.ok_or_else(|| Status::not_found(served.group_resource(), name))?;
        let mut text = Vec::new();
        json::encode(current, Some(&served.gvk()), &mut text);
        let tree = serde_json::from_slice(&text).map_err(Status::internal_error)?;
        let patched = api_patch::patch(self.kind, tree, self.bytes, served.object.schema)
            .map_err(|error| error.status())?;
        let mut strict = Strictness::default();
        let mut object = (served.object.new)();
        let text = patched.tree.to_string();
        json::decode(text.as_bytes(), &mut *object, Some(&mut strict), Limits::RESPONSE)
            .map_err(|error| unreadable(&error.to_string()))?;
        let found: Vec<String> = patched.strict.into_iter().chain(strict.errors().iter().cloned()).collect();
        match self.validation {
            FieldValidation::Strict if !found.is_empty() => {
                return Err(Status::bad_request(format!("strict decoding error: {}", found.join(", "))));
            }
            FieldValidation::Warn => *self.warnings.lock().unwrap_or_else(PoisonError::into_inner) = found,
            _ => {}
        }
        Ok(object)
    }

    /// What the caller should know of the patch that was applied last.
    pub(crate) fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unreadable(why: &str) -> Status {
    Status::bad_request(why.to_owned())
}
