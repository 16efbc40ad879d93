//! Paths: from the table of resources to what can be done where.

use api_record::{Schema, Typed};
use api_types::meta::v1::{
    APIGroup, APIGroupList, APIResourceList, APIVersions, DeleteOptions, Status, WatchEvent,
};
use api_types::{Resource, object_type};

use crate::descriptions::Descriptions;
use crate::names;
use crate::operations::{ANY, Body, Content, JSON, OBJECTS, Operation, PATCHES, PathItem, STREAMS};
use crate::parameters::{self, Parameter};

mod subresources;

/// A group of resources in one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupVersion {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
}

impl GroupVersion {
    /// Where its paths start, without the first slash; also the name of its document.
    pub(crate) fn prefix(self) -> String {
        match self.group {
            "" => format!("api/{}", self.version),
            group => format!("apis/{group}/{}", self.version),
        }
    }
}

/// The group as operations name it: `rbac.authorization.k8s.io` is `rbacAuthorization`.
pub(crate) fn camel(group: &str) -> String {
    if group.is_empty() {
        return "core".to_owned();
    }
    let group = group.strip_suffix(".k8s.io").unwrap_or(group);
    let mut parts = group.split('.');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capital(part))
}

/// The text with its first letter made big.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn plain(
    id: String,
    description: &str,
    tag: String,
    content: Content,
    produces: &'static [&'static str],
) -> Operation {
    Operation {
        method: "get",
        action: None,
        id,
        description: description.to_owned(),
        tag,
        kind: None,
        parameters: Vec::new(),
        body: None,
        produces,
        responses: vec![(200, content)],
    }
}

/// `/api/`.
pub(crate) fn core() -> PathItem {
    let content = Content::Record(APIVersions::SCHEMA);
    let get =
        plain("getCoreAPIVersions".into(), "get available API versions", "core".into(), content, OBJECTS);
    PathItem::new("/api/".to_owned(), Vec::new(), vec![get])
}

/// `/apis/`.
pub(crate) fn groups() -> PathItem {
    let content = Content::Record(APIGroupList::SCHEMA);
    let get = plain("getAPIVersions".into(), "get available API versions", "apis".into(), content, OBJECTS);
    PathItem::new("/apis/".to_owned(), Vec::new(), vec![get])
}

/// `/apis/<group>/`.
pub(crate) fn group(name: &str) -> PathItem {
    let camel = camel(name);
    let content = Content::Record(APIGroup::SCHEMA);
    let id = format!("get{}APIGroup", capital(&camel));
    let get = plain(id, "get information of a group", camel, content, OBJECTS);
    PathItem::new(format!("/apis/{name}/"), Vec::new(), vec![get])
}

/// `/version/`.
pub(crate) fn version() -> PathItem {
    let content = Content::Scalar(names::VERSION_INFO);
    let about = "get the version information for this server";
    let get = plain("getCodeVersion".into(), about, "version".into(), content, JSON);
    PathItem::new("/version/".to_owned(), Vec::new(), vec![get])
}

/// All paths of a group in one version.
pub(crate) fn group_version(
    group_version: GroupVersion,
    resources: &[&'static Resource],
    descriptions: &Descriptions,
) -> Vec<PathItem> {
    let camel = camel(group_version.group);
    let tag = format!("{camel}_{}", group_version.version);
    let stem = capital(&camel) + &capital(group_version.version);
    let root = format!("/{}", group_version.prefix());
    let content = Content::Record(APIResourceList::SCHEMA);
    let id = format!("get{stem}APIResources");
    let get = plain(id, "get available resources", tag.clone(), content, OBJECTS);
    let mut items = vec![PathItem::new(format!("{root}/"), Vec::new(), vec![get])];
    for resource in resources {
        Paths { resource, stem: &stem, tag: &tag, root: &root, descriptions }.write(&mut items);
    }
    items
}

/// The paths of one resource.
struct Paths<'a> {
    resource: &'static Resource,
    /// Group and version as operations name them.
    stem: &'a str,
    tag: &'a str,
    root: &'a str,
    descriptions: &'a Descriptions,
}

impl Paths<'_> {
    fn write(&self, items: &mut Vec<PathItem>) {
        let Some(object) = self.object() else { return };
        let has = |verb: &str| self.resource.verbs.contains(&verb);
        self.collections(object, items);
        let mut operations = Vec::new();
        if has("get") {
            operations.push(self.read("", Content::Record(object)));
        }
        if has("update") {
            operations.push(self.replace("", Content::Record(object)));
        }
        if has("delete") {
            operations.push(self.delete(object));
        }
        if has("patch") {
            operations.push(self.patch("", Content::Record(object)));
        }
        let item = self.item();
        self.push(items, item.clone(), self.named(), operations);
        self.subresources(&item, object, items);
        if has("watch") {
            self.watches(items);
        }
    }

    /// The type of its objects.
    fn object(&self) -> Option<&'static Schema> {
        let kind = &self.resource.kind;
        object_type(kind.group, kind.version, kind.kind).map(|object| object.schema)
    }

    fn kind(&self) -> &'static str {
        self.resource.kind.kind
    }

    /// `Namespaced` or nothing, then the kind: the middle of the operations' names.
    fn scoped(&self) -> String {
        let namespaced = if self.resource.namespaced { "Namespaced" } else { "" };
        format!("{namespaced}{}", self.kind())
    }

    fn scope(&self) -> &'static str {
        if self.resource.namespaced { "/namespaces/{namespace}" } else { "" }
    }

    fn collection(&self) -> String {
        format!("{}{}/{}", self.root, self.scope(), self.resource.plural)
    }

    fn item(&self) -> String {
        format!("{}/{{name}}", self.collection())
    }

    /// The parameters of the collection's path.
    fn unnamed(&self) -> Vec<Parameter> {
        let namespace = self.resource.namespaced.then(parameters::namespace);
        namespace.into_iter().chain([parameters::pretty()]).collect()
    }

    /// The parameters of an object's path.
    fn named(&self) -> Vec<Parameter> {
        let name = parameters::in_path("name", format!("name of the {}", self.kind()));
        [name].into_iter().chain(self.unnamed()).collect()
    }

    fn push(
        &self,
        items: &mut Vec<PathItem>,
        path: String,
        shared: Vec<Parameter>,
        operations: Vec<Operation>,
    ) {
        if !operations.is_empty() {
            items.push(PathItem::new(path, shared, operations));
        }
    }

    fn operation(
        &self,
        method: &'static str,
        action: &'static str,
        id: String,
        description: String,
    ) -> Operation {
        let kind = self.resource.kind;
        Operation {
            method,
            action: Some(action),
            id,
            description,
            tag: self.tag.to_owned(),
            kind: Some((kind.group.to_owned(), kind.version.to_owned(), kind.kind.to_owned())),
            parameters: Vec::new(),
            body: None,
            produces: OBJECTS,
            responses: Vec::new(),
        }
    }

    fn collections(&self, object: &'static Schema, items: &mut Vec<PathItem>) {
        let has = |verb: &str| self.resource.verbs.contains(&verb);
        let mut operations = Vec::new();
        if has("list") {
            operations.extend(self.list(format!("list{}{}", self.stem, self.scoped())));
        }
        if has("create") {
            let id = format!("create{}{}", self.stem, self.scoped());
            operations.push(self.create(
                id,
                format!("create {}", with_article(self.kind())),
                Content::Record(object),
            ));
        }
        if has("deletecollection") {
            let id = format!("delete{}Collection{}", self.stem, self.scoped());
            let about = format!("delete collection of {}", self.kind());
            let mut many = self.operation("delete", "deletecollection", id, about);
            many.parameters = parameters::delete_many(self.descriptions);
            many.body = Some(delete_options());
            many.responses = vec![(200, Content::Record(Status::SCHEMA))];
            operations.push(many);
        }
        self.push(items, self.collection(), self.unnamed(), operations);
        if self.resource.namespaced && has("list") {
            let everywhere = format!("{}/{}", self.root, self.resource.plural);
            let list = self.list(format!("list{}{}ForAllNamespaces", self.stem, self.kind()));
            self.push(items, everywhere, vec![parameters::pretty()], list.into_iter().collect());
        }
    }

    fn list(&self, id: String) -> Option<Operation> {
        let kind = &self.resource.kind;
        let list = object_type(kind.group, kind.version, &format!("{}List", kind.kind))?.schema;
        let about = format!("list or watch objects of kind {}", self.kind());
        let mut operation = self.operation("get", "list", id, about);
        if !self.resource.verbs.contains(&"watch") {
            operation.description = format!("list objects of kind {}", self.kind());
        }
        operation.parameters = parameters::list(self.descriptions);
        operation.produces = STREAMS;
        operation.responses = vec![(200, Content::Record(list))];
        Some(operation)
    }

    fn create(&self, id: String, about: String, content: Content) -> Operation {
        let mut operation = self.operation("post", "post", id, about);
        operation.parameters = parameters::create(self.descriptions);
        operation.body = Some(Body { content, media_types: ANY, required: true });
        operation.responses = vec![(200, content), (201, content), (202, content)];
        operation
    }

    fn read(&self, subresource: &str, content: Content) -> Operation {
        let id = format!("read{}{}{}", self.stem, self.scoped(), capital(subresource));
        let about = format!("read {}the specified {}", of(subresource), self.kind());
        let mut operation = self.operation("get", "get", id, about);
        operation.responses = vec![(200, content)];
        operation
    }

    fn replace(&self, subresource: &str, content: Content) -> Operation {
        let id = format!("replace{}{}{}", self.stem, self.scoped(), capital(subresource));
        let about = format!("replace {}the specified {}", of(subresource), self.kind());
        let mut operation = self.operation("put", "put", id, about);
        operation.parameters = parameters::update(self.descriptions);
        operation.body = Some(Body { content, media_types: ANY, required: true });
        operation.responses = vec![(200, content), (201, content)];
        operation
    }

    fn patch(&self, subresource: &str, content: Content) -> Operation {
        let id = format!("patch{}{}{}", self.stem, self.scoped(), capital(subresource));
        let about = format!("partially update {}the specified {}", of(subresource), self.kind());
        let mut operation = self.operation("patch", "patch", id, about);
        operation.parameters = parameters::patch(self.descriptions);
        operation.body =
            Some(Body { content: Content::Scalar(names::PATCH), media_types: PATCHES, required: true });
        operation.responses = vec![(200, content), (201, content)];
        operation
    }

    fn delete(&self, object: &'static Schema) -> Operation {
        let id = format!("delete{}{}", self.stem, self.scoped());
        let mut operation =
            self.operation("delete", "delete", id, format!("delete {}", with_article(self.kind())));
        let kind = &self.resource.kind;
        let schema = if returns_deleted(kind.group, kind.version, self.resource.plural) {
            object
        } else {
            Status::SCHEMA
        };
        operation.parameters = parameters::delete(self.descriptions);
        operation.body = Some(delete_options());
        operation.responses = vec![(200, Content::Record(schema)), (202, Content::Record(schema))];
        operation
    }

    /// The old way to watch, by a path of its own.
    fn watches(&self, items: &mut Vec<PathItem>) {
        let kind = self.kind();
        let root = format!("{}/watch", self.root);
        let many = format!(
            "watch individual changes to a list of {kind}. deprecated: use the 'watch' parameter with a list \
             operation instead."
        );
        let one = format!(
            "watch changes to an object of kind {kind}. deprecated: use the 'watch' parameter with a list operation \
             instead, filtered to a single item with the 'fieldSelector' parameter."
        );
        let plural = self.resource.plural;
        let scope = self.scope();
        let (stem, scoped) = (self.stem, self.scoped());
        let list = self.watch("watchlist", format!("watch{stem}{scoped}List"), many.clone());
        self.push(items, format!("{root}{scope}/{plural}"), self.unnamed(), vec![list]);
        let single = self.watch("watch", format!("watch{stem}{scoped}"), one);
        self.push(items, format!("{root}{scope}/{plural}/{{name}}"), self.named(), vec![single]);
        if self.resource.namespaced {
            let everywhere = self.watch("watchlist", format!("watch{stem}{kind}ListForAllNamespaces"), many);
            self.push(items, format!("{root}/{plural}"), vec![parameters::pretty()], vec![everywhere]);
        }
    }

    fn watch(&self, action: &'static str, id: String, about: String) -> Operation {
        let mut operation = self.operation("get", action, id, about);
        operation.parameters = parameters::list(self.descriptions);
        operation.produces = STREAMS;
        operation.responses = vec![(200, Content::Record(WatchEvent::SCHEMA))];
        operation
    }
}

pub(crate) fn delete_options() -> Body {
    Body { content: Content::Record(DeleteOptions::SCHEMA), media_types: ANY, required: false }
}

pub(crate) fn of(subresource: &str) -> String {
    if subresource.is_empty() { String::new() } else { format!("{subresource} of ") }
}

pub(crate) fn with_article(kind: &str) -> String {
    if kind.ends_with('s') && !kind.ends_with("ss") {
        return kind.to_owned();
    }
    let article = if kind.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// Whether a deletion answers with what was deleted rather than with a `Status`.
fn returns_deleted(group: &str, version: &str, plural: &str) -> bool {
    match group {
        "" => matches!(
            plural,
            "persistentvolumeclaims"
                | "persistentvolumes"
                | "pods"
                | "podtemplates"
                | "resourcequotas"
                | "serviceaccounts"
                | "services"
        ),
        "resource.k8s.io" => (version, plural) != ("v1", "devicetaintrules"),
        "storage.k8s.io" => plural != "csistoragecapacities",
        _ => false,
    }
}
