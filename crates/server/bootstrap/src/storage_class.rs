//! The storage class of claims that name none: directories of the node that a claim's first pod comes to run on. Every cluster of ours has
//! it; one that somebody has changed stays as it is, so that another can take its place as the default.

use api_types::meta::v1::ObjectMeta;
use api_types::storage::v1::StorageClass;
use client::{Resource, Status};

use crate::writer::Writer;

static STORAGE_CLASSES: Resource = Resource::of("storage.k8s.io", "v1", "storageclasses");

const NAME: &str = "local";
const PROVISIONER: &str = "knarr.dev/local";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

pub(crate) async fn reconcile(writer: &Writer<'_>) -> Result<(), Status> {
    let class = StorageClass {
        metadata: ObjectMeta {
            name: NAME.to_owned(),
            annotations: [(DEFAULT.to_owned(), "true".to_owned())].into(),
            ..ObjectMeta::default()
        },
        provisioner: PROVISIONER.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    };
    writer.ensure(&STORAGE_CLASSES, Box::new(class)).await
}
