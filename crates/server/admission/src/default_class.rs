//! DefaultStorageClass and DefaultIngressClass: who names no class gets the one that is marked as the default.

use std::cmp::Reverse;
use std::sync::Arc;

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::PersistentVolumeClaim;
use api_types::meta::v1::ObjectMeta;
use api_types::networking::v1::Ingress;
use api_types::object_meta;
use api_volume::class;
use client::{BoxFuture, Resource};
use server_registry::admit::{Attributes, Operation};

use crate::plugin::is_about;
use crate::{Lookup, Plugin, forbidden};

const STORAGE: Resource = Resource::of("storage.k8s.io", "v1", "storageclasses");
const INGRESS: Resource = Resource::of("networking.k8s.io", "v1", "ingressclasses");
const INGRESS_MARK: &str = "ingressclass.kubernetes.io/is-default-class";
/// How ingresses named their class before there was a field for it.
const INGRESS_CLASS: &str = "kubernetes.io/ingress.class";

/// Gives claims of volumes the default storage class.
pub struct DefaultStorageClass {
    lookup: Arc<dyn Lookup>,
}

/// Gives ingresses the default ingress class.
pub struct DefaultIngressClass {
    lookup: Arc<dyn Lookup>,
}

impl DefaultStorageClass {
    /// Looks storage classes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> DefaultStorageClass {
        DefaultStorageClass { lookup }
    }
}

impl DefaultIngressClass {
    /// Looks ingress classes up with `lookup`.
    pub fn new(lookup: Arc<dyn Lookup>) -> DefaultIngressClass {
        DefaultIngressClass { lookup }
    }
}

/// The class that is marked; of several, the newest, or of those the first by name.
async fn default_of(
    lookup: &dyn Lookup,
    classes: &Resource,
    is_marked: impl Fn(&ObjectMeta) -> bool,
) -> Result<Option<String>, Status> {
    let found = lookup.list(classes, "").await?;
    let metas = found.iter().filter_map(|class| object_meta(&**class));
    let first = metas
        .filter(|meta| is_marked(meta))
        .min_by_key(|meta| (Reverse(meta.creation_timestamp), &meta.name));
    Ok(first.map(|meta| meta.name.clone()))
}

fn is_new(attributes: &Attributes<'_>, group: &str, plural: &str) -> bool {
    attributes.operation == Operation::Create
        && is_about(attributes, group, plural)
        && attributes.subresource.is_empty()
}

impl Plugin for DefaultStorageClass {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if !is_new(attributes, "", "persistentvolumeclaims") {
                return Ok(());
            }
            let Some(claim) = object.downcast_mut::<PersistentVolumeClaim>() else { return Ok(()) };
            if !class::is_named(claim) {
                let class = default_of(&*self.lookup, &STORAGE, class::is_default).await;
                claim.spec.storage_class_name =
                    class.map_err(|status| forbidden(attributes, Some(claim), status))?;
            }
            Ok(())
        })
    }
}

impl Plugin for DefaultIngressClass {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        _: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            if !is_new(attributes, "networking.k8s.io", "ingresses") {
                return Ok(());
            }
            let Some(ingress) = object.downcast_mut::<Ingress>() else { return Ok(()) };
            let named = ingress.metadata.annotations.contains_key(INGRESS_CLASS);
            if ingress.spec.ingress_class_name.is_none() && !named {
                let is_marked =
                    |meta: &ObjectMeta| meta.annotations.get(INGRESS_MARK).is_some_and(|is| is == "true");
                let class = default_of(&*self.lookup, &INGRESS, is_marked).await;
                ingress.spec.ingress_class_name =
                    class.map_err(|status| forbidden(attributes, Some(ingress), status))?;
            }
            Ok(())
        })
    }
}
