//! Resources that a definition brings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use api_custom::{AllFields, CustomObject, Row};
use api_kind::AnyKind;
use api_meta::Status;
use api_patch::apply::Element;
use api_patch::apply::atom::Fields;
use api_record::{Record, Ref, Typed};
use api_types::Subresource;
use api_types::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, CustomResourceSubresourceScale,
};
use bytes::Bytes;
use tokio::sync::watch;

use super::{Form, KindName, Offer, Served};

/// What only a resource of a definition has.
pub(super) struct Custom {
    row: Arc<Row>,
    /// Of all versions of the definition.
    fields: Arc<AllFields>,
    /// The row of the version that is stored, if a webhook makes one version of another.
    stored: Option<Arc<Row>>,
    /// The definition is being deleted, so that nothing new is made.
    terminating: AtomicBool,
    deprecation: Option<String>,
    retired: watch::Sender<bool>,
}

const VERBS: [&str; 8] = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const PARTS: [&str; 3] = ["get", "patch", "update"];
const STATUS: Subresource = Subresource { name: "status", verbs: &PARTS };
const SCALE: Subresource = Subresource { name: "scale", verbs: &PARTS };

impl Served {
    /// The served versions of a definition; none if that is no definition.
    pub fn of_definition(definition: &Arc<dyn Record>) -> Vec<Served> {
        let Some(own) = definition.downcast_ref::<CustomResourceDefinition>() else { return Vec::new() };
        let served = own.spec.versions.iter().filter(|version| version.served);
        let fields = Arc::new(AllFields::of(definition));
        served.filter_map(|version| one(definition, own, version, &fields)).collect()
    }

    /// Whether a definition brings it.
    pub fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// Whether objects are kept in the very type and version that they are shown in, as protobuf messages.
    pub(crate) fn is_shown_as_kept(&self) -> bool {
        self.version.is_none() && !self.is_custom()
    }

    /// The definition that brings it.
    pub fn definition(&self) -> Option<Arc<dyn Record>> {
        self.custom.as_ref().map(|custom| custom.row.source())
    }

    /// What the fields of its objects are in a version of its definition, which need not be served; `None` if that has no such
    /// version, or nothing of it is custom.
    pub fn fields(&self, api_version: &str) -> Option<Arc<Fields>> {
        self.custom.as_ref()?.fields.in_version(api_version)
    }

    /// Where the replicas are in a version of its definition, likewise.
    pub(crate) fn replicas(&self, api_version: &str) -> Option<Vec<Element>> {
        self.custom.as_ref()?.fields.replicas(api_version)
    }

    /// Whether nothing new is made, as its definition is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.custom.as_ref().is_some_and(|custom| custom.terminating.load(Ordering::Acquire))
    }

    /// Makes nothing new from now on: its definition is being deleted.
    pub fn terminate(&self) {
        if let Some(custom) = &self.custom {
            custom.terminating.store(true, Ordering::Release);
        }
    }

    /// Whether a webhook makes one version of another.
    pub(crate) fn converts(&self) -> bool {
        self.custom.as_ref().is_some_and(|custom| custom.stored.is_some())
    }

    /// Whether what is kept has to be made of this version.
    pub(crate) fn is_translated(&self) -> bool {
        self.converts() && *self.hub.kind.version != *self.object.kind.version
    }

    /// The key under which a converted object is remembered: as long as the definition stays as it is.
    pub(crate) fn converted_key(&self, key: &[u8]) -> Bytes {
        let definition = self.definition();
        let meta = definition.as_deref().and_then(api_types::object_meta);
        let generation = meta.map(|meta| meta.generation).unwrap_or_default();
        [key, b"\0", self.object.kind.version.as_bytes(), b"\0", generation.to_string().as_bytes()]
            .concat()
            .into()
    }

    /// Drops from what is to be kept what the schema of the stored version does not name.
    pub(crate) fn prune_stored(&self, object: &mut CustomObject) -> Result<(), Status> {
        let stored = self.custom.as_ref().and_then(|custom| custom.stored.as_ref());
        let pruned = stored.map(|row| row.prune(object)).transpose();
        pruned.map(drop).map_err(Status::internal_error)
    }

    /// What clients are warned of when they use this version.
    pub fn deprecation(&self) -> Option<&str> {
        self.custom.as_ref()?.deprecation.as_deref()
    }

    /// Where the numbers of replicas are, if a definition says so.
    pub fn scale(&self) -> Option<&CustomResourceSubresourceScale> {
        self.custom.as_ref()?.row.scale()
    }

    /// Ends all watches of it: it is served no more, or not as it was.
    pub fn retire(&self) {
        if let Some(custom) = &self.custom {
            custom.retired.send_replace(true);
        }
    }

    /// Completes when it is served no more; never for what is built in.
    pub(crate) async fn retired(&self) {
        let Some(custom) = &self.custom else { return std::future::pending().await };
        // The sender lives as long as this does.
        let _ = custom.retired.subscribe().wait_for(|retired| *retired).await;
    }
}

fn one(
    definition: &Arc<dyn Record>,
    own: &CustomResourceDefinition,
    version: &CustomResourceDefinitionVersion,
    fields: &Arc<AllFields>,
) -> Option<Served> {
    let text = |text: &str| Ref::Shared(Arc::<str>::from(text));
    let names = &own.status.accepted_names;
    let kind = |version: &str| KindName {
        group: text(&own.spec.group),
        version: text(version),
        kind: text(&names.kind),
    };
    let parts = version.subresources.as_deref();
    let has_status = parts.is_some_and(|parts| parts.status.is_some());
    let has_scale = parts.is_some_and(|parts| parts.scale.is_some());
    let stored = own.spec.versions.iter().find(|version| version.storage)?;
    let row = Arc::new(Row::new(Arc::clone(definition), &version.name)?);
    let form = |version: &str| Form {
        kind: kind(version),
        schema: CustomObject::SCHEMA,
        new: || Box::new(CustomObject::default()),
    };
    let resource = Offer {
        plural: text(&own.spec.names.plural),
        singular: text(&names.singular),
        kind: kind(&version.name),
        list_kind: text(&names.list_kind),
        namespaced: own.spec.scope == "Namespaced",
        verbs: &VERBS,
        subresources: match (has_status, has_scale) {
            (true, true) => &[SCALE, STATUS],
            (true, false) => &[STATUS],
            (false, true) => &[SCALE],
            (false, false) => &[],
        },
        short_names: names.short_names.iter().map(|name| text(name)).collect(),
        categories: names.categories.iter().map(|name| text(name)).collect(),
    };
    let standard = || format!("{}/{} {} is deprecated", own.spec.group, version.name, names.kind);
    let deprecation =
        version.deprecated.then(|| version.deprecation_warning.clone().unwrap_or_else(standard));
    let conversion = own.spec.conversion.as_deref();
    let stored_row = conversion
        .filter(|own| own.strategy == "Webhook")
        .and_then(|_| Row::new(Arc::clone(definition), &stored.name))
        .map(Arc::new);
    let terminating = AtomicBool::new(own.metadata.deletion_timestamp.is_some());
    Some(Served {
        resource,
        kind: Ref::Shared(Arc::clone(&row) as Arc<dyn AnyKind>),
        hub: form(&stored.name),
        object: form(&version.name),
        version: None,
        prefix: format!("/registry/{}/{}/", own.spec.group, own.spec.names.plural),
        custom: Some(Custom {
            row,
            fields: Arc::clone(fields),
            stored: stored_row,
            terminating,
            deprecation,
            retired: watch::Sender::new(false),
        }),
    })
}
