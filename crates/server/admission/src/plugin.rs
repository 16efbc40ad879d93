//! What a plugin is, and what all of them share.

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_record::Record;
use api_types::object_meta;
use client::BoxFuture;
use server_registry::admit::Attributes;

use crate::reinvocation::Reinvocation;

/// One plugin. Objects are of the hub's type.
pub trait Plugin: Send + Sync {
    /// May change or refuse an object that is made or changed. Not asked about deletions.
    fn mutate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }

    /// The same for whoever calls upon others, of whom some want to see what is changed after them: all plugins are asked in a second
    /// round then.
    fn mutate_again<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
        _: &'a mut Reinvocation,
    ) -> BoxFuture<'a, Result<(), Status>> {
        self.mutate(attributes, object, old)
    }

    /// May refuse; there is no object when one is deleted.
    fn validate<'a>(
        &'a self,
        _: &'a Attributes<'a>,
        _: Option<&'a dyn Record>,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async { Ok(()) })
    }
}

/// Whether a request is about a resource, in whichever version.
pub(crate) fn is_about(attributes: &Attributes<'_>, group: &str, plural: &str) -> bool {
    attributes.resource.group == group && attributes.resource.plural == plural
}

/// A refusal as upstream's `admission.NewForbidden` words it.
pub fn forbidden(
    attributes: &Attributes<'_>,
    object: Option<&dyn Record>,
    why: impl std::fmt::Display,
) -> Status {
    let meta = object.and_then(object_meta);
    let name = [attributes.name, meta.map_or("", |meta| &meta.name), meta.map_or("", |m| &m.generate_name)]
        .into_iter()
        .find(|name| !name.is_empty());
    let resource = GroupResource { group: &attributes.resource.group, resource: &attributes.resource.plural };
    Status::forbidden(resource, name.unwrap_or("Unknown!"), why)
}
