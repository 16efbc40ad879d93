//! StorageObjectInUseProtection: new claims, volumes and classes of their attributes bear the finalizer that holds them while they
//! are in use. Controllers take it off.

use api_meta::Status;
use api_record::Record;
use api_types::object_meta_mut;
use client::BoxFuture;
use server_registry::admit::{Attributes, Operation};

use crate::Plugin;

/// Gives them their finalizers.
pub struct StorageObjectInUseProtection;

fn finalizer(attributes: &Attributes<'_>) -> Option<&'static str> {
    match (&*attributes.resource.group, &*attributes.resource.plural) {
        ("", "persistentvolumes") => Some("kubernetes.io/pv-protection"),
        ("", "persistentvolumeclaims") => Some("kubernetes.io/pvc-protection"),
        ("storage.k8s.io", "volumeattributesclasses") => Some("kubernetes.io/vac-protection"),
        _ => None,
    }
}

impl Plugin for StorageObjectInUseProtection {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        let made = attributes.operation == Operation::Create && attributes.subresource.is_empty();
        if let Some(finalizer) = finalizer(attributes).filter(|_| made)
            && let Some(meta) = object_meta_mut(object)
            && !meta.finalizers.iter().any(|own| own == finalizer)
        {
            meta.finalizers.push(finalizer.to_owned());
        }
        Box::pin(async { Ok(()) })
    }
}
