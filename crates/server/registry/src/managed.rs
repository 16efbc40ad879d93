//! Who owns which fields of what is written, and what becomes of an object when a configuration is applied to it.
//!
//! All of it is `api_patch::apply`'s; this is what it must know of a request, and where in a write it belongs: after defaulting and
//! before admission, so that what admission, preparation and effects fill in is nobody's.

use std::sync::Arc;

use api_meta::Status;
use api_patch::apply::atom::Fields;
use api_patch::apply::{self, Config, Element, Managers, Versions};
use api_record::Record;
use api_types::autoscaling::v1::Scale;
use api_types::meta::v1::ManagedFieldsEntry;
use api_types::{object_meta, object_meta_mut};
use bytes::Bytes;
use client::{Caller, WriteOptions};
use store::limits::TXN_BYTES;

use crate::write::metadata;
use crate::{Registry, Served, stored};

/// Who is to say who owns the fields of what a change made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// The registry: the writer owns what it changed.
    #[default]
    Tracked,
    /// The change itself has said so.
    Said,
}

/// The versions that a kind is served in.
struct Known<'a> {
    registry: &'a Registry,
    served: &'a Served,
}

impl Known<'_> {
    /// The built-in resource in a version.
    fn find(&self, api_version: &str) -> Option<&Arc<Served>> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let found = self.registry.catalog().find(group, version, &self.served.resource.plural)?;
        (found.prefix == self.served.prefix).then_some(found)
    }
}

impl Versions for Known<'_> {
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>> {
        if self.served.is_custom() {
            return self.served.fields(api_version).map(|_| (self.served.object.new)());
        }
        Some((self.find(api_version)?.object.new)())
    }

    fn convert(&self, object: &dyn Record, from: &str, to: &str) -> Option<Box<dyn Record>> {
        if self.served.is_custom() {
            // No definition has its objects converted by a webhook, so that they are the same in all versions.
            return self.served.fields(to).map(|_| object.boxed_clone());
        }
        let hub = self.find(from)?.to_hub(object.boxed_clone());
        Some(in_version(self.find(to)?, hub))
    }

    fn fields(&self, api_version: &str) -> Option<Arc<Fields>> {
        self.served.fields(api_version)
    }
}

fn in_version(served: &Served, hub: Box<dyn Record>) -> Box<dyn Record> {
    match served.version {
        None => hub,
        Some(version) => (version.from_hub)(&*hub),
    }
}

/// The one version of Scales.
struct Scales;

impl Versions for Scales {
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>> {
        (api_version == apply::scale::VERSION).then(|| Box::new(Scale::default()) as Box<dyn Record>)
    }

    fn convert(&self, object: &dyn Record, _: &str, to: &str) -> Option<Box<dyn Record>> {
        (to == apply::scale::VERSION).then(|| object.boxed_clone())
    }
}

impl Registry {
    /// Where the replicas of a workload are in one of its versions; `None` if there is no such version.
    pub fn replicas(&self, served: &Served, api_version: &str) -> Option<Vec<Element>> {
        if served.is_custom() {
            return served.replicas(api_version);
        }
        Known { registry: self, served }.find(api_version).map(|_| apply::scale::usual())
    }

    fn with_request<T>(
        &self,
        served: &Served,
        caller: &Caller,
        subresource: &str,
        options: &WriteOptions,
        act: impl FnOnce(&apply::Request<'_>) -> T,
    ) -> T {
        let gvk = served.gvk();
        act(&apply::Request {
            manager: manager(caller, options),
            api_version: &gvk.api_version(),
            kind: gvk.kind,
            subresource,
            reset: api_kind::reset(&*served.kind, subresource),
            now: self.now().into(),
            versions: &Known { registry: self, served },
        })
    }

    /// Applies a configuration to an object of the served version, if there is one. What comes out has its owners.
    ///
    /// # Errors
    /// As [`api_patch::apply::apply`]'s.
    pub fn apply(
        &self,
        served: &Served,
        caller: &Caller,
        subresource: &str,
        options: &WriteOptions,
        live: Option<&dyn Record>,
        config: &Config,
    ) -> Result<Box<dyn Record>, Status> {
        let none = live.is_none().then(|| (served.object.new)());
        let Some(live) = live.or(none.as_deref()) else {
            return Err(Status::internal_error("there is neither an object nor none"));
        };
        let force = options.force.unwrap_or(false);
        self.with_request(served, caller, subresource, options, |request| {
            apply::apply(request, live, config, force)
        })
    }

    /// Applies a configuration to the Scale of a workload.
    ///
    /// # Errors
    /// As [`Registry::apply`]'s.
    pub fn apply_scale(
        &self,
        caller: &Caller,
        options: &WriteOptions,
        live: &Scale,
        config: &Config,
    ) -> Result<Scale, Status> {
        let force = options.force.unwrap_or(false);
        let applied = apply::apply(&self.scale_request(caller, options), live, config, force)?;
        let scale: Option<&Scale> = applied.downcast_ref();
        scale.cloned().ok_or_else(|| Status::bad_request("not a Scale object"))
    }

    /// Writes into the Scale of a workload who owns its replicas now that `old` becomes it.
    pub fn track_scale(&self, caller: &Caller, options: &WriteOptions, new: &mut Scale, old: &Scale) {
        apply::track(&self.scale_request(caller, options), old, new);
    }

    fn scale_request<'a>(&self, caller: &'a Caller, options: &'a WriteOptions) -> apply::Request<'a> {
        apply::Request {
            manager: manager(caller, options),
            api_version: apply::scale::VERSION,
            kind: "Scale",
            subresource: "scale",
            reset: api_kind::fields_of(&[]),
            now: self.now().into(),
            versions: &Scales,
        }
    }

    /// Writes into an object, of the hub's type, who owns what now that `old` becomes it.
    pub(crate) fn track(
        &self,
        served: &Served,
        caller: &Caller,
        subresource: &str,
        options: &WriteOptions,
        new: &mut dyn Record,
        old: Option<&dyn Record>,
    ) -> Result<(), Status> {
        self.with_request(served, caller, subresource, options, |request| match served.version {
            None => match old {
                Some(old) => apply::track(request, old, new),
                None => apply::track(request, &*(served.object.new)(), new),
            },
            Some(version) => {
                let live = old.map_or_else(served.object.new, version.from_hub);
                let mut shown = (version.from_hub)(new);
                apply::track(request, &*live, &mut *shown);
                if let (Some(shown), Some(meta)) = (object_meta_mut(&mut *shown), object_meta_mut(new)) {
                    meta.managed_fields = std::mem::take(&mut shown.managed_fields);
                }
            }
        });
        metadata(new).map(drop)
    }

    /// Puts the owners back as they were before admission, if they cannot be read any more; answers the warning then.
    pub(crate) fn mend_owners(new: &mut dyn Record, before: Vec<ManagedFieldsEntry>) -> Option<String> {
        let meta = object_meta_mut(new)?;
        if meta.managed_fields == before {
            return None;
        }
        let why = Managers::decode(&meta.managed_fields).err()?;
        meta.managed_fields = before;
        Some(format!(
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: {why}"
        ))
    }
}

/// The value to keep for an object. One that its owners make too large is kept without them, unless it is they that were written.
pub(crate) fn encode(served: &Served, object: &mut dyn Record, owners: Owners) -> Bytes {
    let value = stored::encode(served, object);
    if owners == Owners::Said || value.len() <= TXN_BYTES {
        return value;
    }
    if let Some(meta) = object_meta_mut(object) {
        meta.managed_fields.clear();
    }
    stored::encode(served, object)
}

/// The owners that an object has.
pub(crate) fn owners(object: &dyn Record) -> &[ManagedFieldsEntry] {
    object_meta(object).map(|meta| &meta.managed_fields[..]).unwrap_or_default()
}

/// Takes the times of the old owners where nothing else differs, so that what changes nothing is not written. `same` is asked
/// whether the objects are the same then.
pub(crate) fn keep_times(new: &mut dyn Record, old: &dyn Record, same: impl FnOnce(&dyn Record) -> bool) {
    if !apply::differs_in_times(owners(new), owners(old)) {
        return;
    }
    let mut kept = owners(old).to_vec();
    if let Some(meta) = object_meta_mut(new) {
        std::mem::swap(&mut meta.managed_fields, &mut kept);
    }
    if !same(new)
        && let Some(meta) = object_meta_mut(new)
    {
        meta.managed_fields = kept;
    }
}

/// The manager that a request names, or else the program that makes it.
fn manager<'a>(caller: &'a Caller, options: &'a WriteOptions) -> &'a str {
    if options.field_manager.is_empty() { caller.program() } else { &options.field_manager }
}
