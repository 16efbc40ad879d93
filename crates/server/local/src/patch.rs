//! Patching an object: to a tree, through the patch, and back; or applying to it what its manager wants.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use api_codec::limits::Limits;
use api_codec::{Strictness, json};
use api_meta::Status;
use api_patch::PatchKind;
use api_patch::apply::{self, Config};
use api_record::Record;
use api_types::{object_meta, object_meta_mut};
use client::{Caller, FieldValidation, WriteOptions};
use server_registry::{Owners, Registry, Served};

/// A patch of one request, which may have to be applied more than once.
pub(crate) struct Patch<'a> {
    registry: &'a Registry,
    served: &'a Served,
    who: &'a Caller,
    options: &'a WriteOptions,
    body: Body<'a>,
    warnings: Mutex<Vec<String>>,
}

enum Body<'a> {
    Tree(PatchKind, &'a [u8]),
    Config(Config),
}

impl<'a> Patch<'a> {
    pub(crate) fn new(
        registry: &'a Registry,
        served: &'a Served,
        who: &'a Caller,
        options: &'a WriteOptions,
        kind: PatchKind,
        bytes: &'a [u8],
    ) -> Result<Patch<'a>, Status> {
        let kind = PatchKind::of(kind.media_type(), served.is_custom())?;
        let body = match kind {
            PatchKind::Apply => Body::Config(Config::parse(bytes)?),
            kind => Body::Tree(kind, bytes),
        };
        Ok(Patch { registry, served, who, options, body, warnings: Mutex::default() })
    }

    /// Who says who owns the fields then.
    pub(crate) fn owners(&self) -> Owners {
        if self.makes() { Owners::Said } else { Owners::Tracked }
    }

    /// Whether an object that is not there is made.
    pub(crate) fn makes(&self) -> bool {
        matches!(self.body, Body::Config(_))
    }

    /// The patched object, in the served version.
    pub(crate) fn apply(
        &self,
        current: Option<&dyn Record>,
        name: &str,
        subresource: &str,
    ) -> Result<Box<dyn Record>, Status> {
        match &self.body {
            Body::Tree(kind, bytes) => self.patched(current, name, *kind, bytes),
            Body::Config(config) => self.applied(current, name, subresource, config),
        }
    }

    fn applied(
        &self,
        current: Option<&dyn Record>,
        name: &str,
        subresource: &str,
        config: &Config,
    ) -> Result<Box<dyn Record>, Status> {
        let Patch { registry, served, who, options, .. } = *self;
        let mut object = registry.apply(served, who, subresource, options, current, config)?;
        // Strict as applies are of the fields that a schema names, not all of these need be kept.
        served.kind.prune(&mut *object).map_err(|error| unreadable(&error.to_string()))?;
        if !config.strict().is_empty() {
            let found = config.strict().join(", ");
            match options.field_validation {
                FieldValidation::Strict => {
                    return Err(Status::bad_request(format!("error strict decoding patch: {found}")));
                }
                FieldValidation::Warn => self.warn(vec![found]),
                FieldValidation::Ignore => {}
            }
        }
        let uid = object_meta(&*object).map(|meta| meta.uid.as_str()).filter(|uid| !uid.is_empty());
        match uid {
            Some(uid) if current.is_none() => {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                Err(Status::conflict(served.group_resource(), name, why))
            }
            _ => Ok(object),
        }
    }

    fn patched(
        &self,
        current: Option<&dyn Record>,
        name: &str,
        kind: PatchKind,
        bytes: &[u8],
    ) -> Result<Box<dyn Record>, Status> {
        let served = self.served;
        let current = current.ok_or_else(|| Status::not_found(served.group_resource(), name))?;
        let mut text = Vec::new();
        json::show(current, Some(&served.gvk()), &mut text);
        let tree = serde_json::from_slice(&text).map_err(Status::internal_error)?;
        let patched =
            api_patch::patch(kind, tree, bytes, served.object.schema).map_err(|error| error.status())?;
        let mut strict = Strictness::default();
        let mut object = (served.object.new)();
        let text = patched.tree.to_string();
        json::decode(text.as_bytes(), &mut *object, Some(&mut strict), Limits::RESPONSE)
            .map_err(|error| unreadable(&error.to_string()))?;
        if let (true, Some(meta)) = (apply::empties(text.as_bytes()), object_meta_mut(&mut *object)) {
            apply::reset(meta);
        }
        let pruned = served.kind.prune(&mut *object).map_err(|error| unreadable(&error.to_string()))?;
        let found: Vec<String> =
            patched.strict.into_iter().chain(strict.errors().iter().cloned()).chain(pruned).collect();
        match self.options.field_validation {
            FieldValidation::Strict if !found.is_empty() => {
                return Err(Status::bad_request(format!("strict decoding error: {}", found.join(", "))));
            }
            FieldValidation::Warn => self.warn(found),
            _ => {}
        }
        Ok(object)
    }

    fn warn(&self, found: Vec<String>) {
        *self.warnings.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// What the caller should know of the patch that was applied last.
    pub(crate) fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unreadable(why: &str) -> Status {
    Status::bad_request(why.to_owned())
}
