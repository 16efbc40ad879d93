//! What definitions of the cluster add (`apiextensions-apiserver/pkg/controller/openapi/builder`).

mod schema;

use std::sync::Arc;

use api_record::{Record, Typed};
use api_types::apiextensions::v1::{CustomResourceDefinition, CustomResourceDefinitionVersion};
use api_types::autoscaling::v1::Scale;
use api_types::meta::v1::Status;
use serde_json::Value;

use crate::definitions::Dialect;
use crate::descriptions::Descriptions;
use crate::names;
use crate::operations::{Body, CUSTOM, CUSTOM_PATCHES, Content, Operation, PathItem};
use crate::parameters::{self, Parameter};
use crate::paths::{camel, capital, delete_options, of, with_article};

/// A version of a definition.
#[derive(Clone)]
pub struct Custom {
    definition: Arc<dyn Record>,
    version: usize,
}

impl PartialEq for Custom {
    fn eq(&self, other: &Custom) -> bool {
        Arc::ptr_eq(&self.definition, &other.definition) && self.version == other.version
    }
}

impl Custom {
    /// A version of a definition; `None` if there is no such version, or that is no definition.
    pub fn new(definition: Arc<dyn Record>, version: &str) -> Option<Custom> {
        let versions = &definition.downcast_ref::<CustomResourceDefinition>()?.spec.versions;
        let version = versions.iter().position(|own| own.name == version)?;
        Some(Custom { definition, version })
    }

    fn definition(&self) -> &CustomResourceDefinition {
        self.definition.downcast_ref().expect("`new` has seen that it is one")
    }

    fn version(&self) -> &CustomResourceDefinitionVersion {
        &self.definition().spec.versions[self.version]
    }

    fn group(&self) -> &str {
        &self.definition().spec.group
    }

    fn kind(&self) -> &str {
        &self.definition().spec.names.kind
    }

    /// Where its paths start, without the first slash; also the name of its document.
    pub(crate) fn prefix(&self) -> String {
        format!("apis/{}/{}", self.group(), self.version().name)
    }

    /// What the definition of a kind is called: its group turned around.
    fn model(&self, kind: &str) -> String {
        let group: Vec<&str> = self.group().split('.').rev().collect();
        format!("{}.{}.{kind}", group.join("."), self.version().name)
    }
}

/// What these describe, by its names: an object and a list for each, in this order.
pub(crate) fn bodies(all: &[Custom], dialect: Dialect, descriptions: &Descriptions) -> Vec<(String, Value)> {
    let both = |own: &Custom| {
        let object = (own.model(own.kind()), schema::object(own, dialect, descriptions));
        let list = own.model(&own.definition().spec.names.list_kind);
        [object, (list, schema::list(own, dialect, descriptions))]
    };
    all.iter().flat_map(both).collect()
}

/// What can be done with the objects of these.
pub(crate) fn paths(all: &[Custom], descriptions: &Descriptions) -> Vec<PathItem> {
    let mut items = Vec::new();
    for (index, own) in all.iter().enumerate() {
        let camel = camel(own.group());
        let version = &own.version().name;
        let paths = Paths {
            own,
            stem: capital(&camel) + &capital(version),
            tag: format!("{camel}_{version}"),
            object: Content::Custom(2 * index),
            list: Content::Custom(2 * index + 1),
            descriptions,
        };
        paths.write(&mut items);
    }
    items
}

struct Paths<'a> {
    own: &'a Custom,
    stem: String,
    tag: String,
    object: Content,
    list: Content,
    descriptions: &'a Descriptions,
}

impl Paths<'_> {
    fn write(&self, items: &mut Vec<PathItem>) {
        let spec = &self.own.definition().spec;
        let root = format!("/{}", self.own.prefix());
        let plural = &spec.names.plural;
        let scope = if self.is_namespaced() { "/namespaces/{namespace}" } else { "" };
        let collection = format!("{root}{scope}/{plural}");
        items.push(PathItem::new(collection.clone(), self.unnamed(), self.many()));
        if self.is_namespaced() {
            let list = self.list("ForAllNamespaces", self.own.kind());
            items.push(PathItem::new(format!("{root}/{plural}"), vec![parameters::pretty()], vec![list]));
        }
        let item = format!("{collection}/{{name}}");
        let mut operations = self.of_part("", self.object);
        operations.push(self.delete());
        items.push(PathItem::new(item.clone(), self.named(), operations));
        let parts = self.own.version().subresources.as_deref();
        if parts.is_some_and(|parts| parts.status.is_some()) {
            let operations = self.of_part("status", self.object);
            items.push(PathItem::new(format!("{item}/status"), self.named(), operations));
        }
        if parts.is_some_and(|parts| parts.scale.is_some()) {
            let operations = self.of_part("scale", Content::Record(Scale::SCHEMA));
            items.push(PathItem::new(format!("{item}/scale"), self.named(), operations));
        }
    }

    fn is_namespaced(&self) -> bool {
        self.own.definition().spec.scope == "Namespaced"
    }

    /// `Namespaced` or nothing, then the kind: the middle of the operations' names.
    fn scoped(&self) -> String {
        let namespaced = if self.is_namespaced() { "Namespaced" } else { "" };
        format!("{namespaced}{}", self.own.kind())
    }

    fn unnamed(&self) -> Vec<Parameter> {
        let namespace = self.is_namespaced().then(parameters::namespace);
        namespace.into_iter().chain([parameters::pretty()]).collect()
    }

    fn named(&self) -> Vec<Parameter> {
        let name = parameters::in_path("name", format!("name of the {}", self.own.kind()));
        [name].into_iter().chain(self.unnamed()).collect()
    }

    fn operation(
        &self,
        (method, action): (&'static str, &'static str),
        id: String,
        description: String,
        responses: Vec<(u16, Content)>,
    ) -> Operation {
        let (group, version) = (self.own.group().to_owned(), self.own.version().name.clone());
        Operation {
            method,
            action: Some(action),
            id,
            description,
            tag: self.tag.clone(),
            kind: Some((group, version, self.own.kind().to_owned())),
            parameters: Vec::new(),
            body: None,
            produces: CUSTOM,
            responses,
        }
    }

    fn list(&self, suffix: &str, scoped: &str) -> Operation {
        let id = format!("list{}{scoped}{suffix}", self.stem);
        let about = format!("list objects of kind {}", self.own.kind());
        let mut operation = self.operation(("get", "list"), id, about, vec![(200, self.list)]);
        operation.parameters = parameters::list(self.descriptions);
        operation
    }

    fn many(&self) -> Vec<Operation> {
        let (stem, scoped) = (&self.stem, self.scoped());
        let list = self.list("", &scoped);
        let about = format!("create {}", with_article(self.own.kind()));
        let made = vec![(200, self.object), (201, self.object), (202, self.object)];
        let mut create = self.operation(("post", "post"), format!("create{stem}{scoped}"), about, made);
        create.parameters = parameters::create(self.descriptions);
        create.body = Some(Body { content: self.object, media_types: CUSTOM, required: true });
        let about = format!("delete collection of {}", self.own.kind());
        let id = format!("delete{stem}Collection{scoped}");
        let gone = vec![(200, Content::Record(Status::SCHEMA))];
        let mut delete = self.operation(("delete", "deletecollection"), id, about, gone);
        delete.parameters = parameters::delete_many(self.descriptions);
        delete.body = Some(delete_options());
        vec![list, create, delete]
    }

    fn delete(&self) -> Operation {
        let id = format!("delete{}{}", self.stem, self.scoped());
        let about = format!("delete {}", with_article(self.own.kind()));
        let status = Content::Record(Status::SCHEMA);
        let mut operation =
            self.operation(("delete", "delete"), id, about, vec![(200, status), (202, status)]);
        operation.parameters = parameters::delete(self.descriptions);
        operation.body = Some(delete_options());
        operation
    }

    fn of_part(&self, part: &str, content: Content) -> Vec<Operation> {
        let (kind, scoped) = (self.own.kind(), self.scoped());
        let id = |verb: &str| format!("{verb}{}{scoped}{}", self.stem, capital(part));
        let about = |verb: &str| format!("{verb} {}the specified {kind}", of(part));
        let read = self.operation(("get", "get"), id("read"), about("read"), vec![(200, content)]);
        let both = vec![(200, content), (201, content)];
        let mut replace = self.operation(("put", "put"), id("replace"), about("replace"), both);
        replace.parameters = parameters::update(self.descriptions);
        replace.body = Some(Body { content, media_types: CUSTOM, required: true });
        let one = vec![(200, content)];
        let mut patch = self.operation(("patch", "patch"), id("patch"), about("partially update"), one);
        patch.parameters = parameters::patch(self.descriptions);
        let sent = Content::Scalar(names::PATCH);
        patch.body = Some(Body { content: sent, media_types: CUSTOM_PATCHES, required: true });
        vec![read, replace, patch]
    }
}
