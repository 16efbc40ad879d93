//! PersistentVolumeClaimResize: a claim grows only once it is bound, and only if its storage class lets it.

use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_record::scalar::Quantity;
use api_types::core::v1::PersistentVolumeClaim;
use api_types::storage::v1::StorageClass;
use api_volume::class;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

const CLASSES: Resource = Resource::of("storage.k8s.io", "v1", "storageclasses");

/// Checks that claims may grow.
pub struct PersistentVolumeClaimResize {
    lookup: Arc<dyn Lookup>,
}

impl PersistentVolumeClaimResize {
    /// Looks storage classes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> PersistentVolumeClaimResize {
        PersistentVolumeClaimResize { lookup }
    }

    async fn may_grow(&self, claim: &PersistentVolumeClaim, old: &PersistentVolumeClaim) -> bool {
        let name = class::of_claim(claim);
        if name.is_empty() || name != class::of_claim(old) {
            return false;
        }
        let Ok(found) = self.lookup.get(&CLASSES, "", name).await else { return false };
        let class: Option<&StorageClass> = found.downcast_ref();
        class.is_some_and(|class| class.allow_volume_expansion == Some(true))
    }
}

fn size(claim: &PersistentVolumeClaim) -> Quantity {
    claim.spec.resources.requests.get("storage").cloned().unwrap_or_default()
}

impl Plugin for PersistentVolumeClaimResize {
    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let asked = attributes.operation == Operation::Update
                && is_about(attributes, "", "persistentvolumeclaims")
                && attributes.subresource.is_empty();
            let claim = object.and_then(|object| object.downcast_ref::<PersistentVolumeClaim>());
            let old = old.and_then(|old| old.downcast_ref::<PersistentVolumeClaim>());
            let (Some(claim), Some(old), true) = (claim, old, asked) else { return Ok(()) };
            if size(claim) <= size(old) {
                return Ok(());
            }
            if old.status.phase != "Bound" {
                let why = "Only bound persistent volume claims can be expanded";
                return Err(forbidden(attributes, Some(claim), why));
            }
            if !self.may_grow(claim, old).await {
                let why = "only dynamically provisioned pvc can be resized and the storageclass that provisions the \
                           pvc must support resize";
                return Err(forbidden(attributes, Some(claim), why));
            }
            Ok(())
        })
    }
}
