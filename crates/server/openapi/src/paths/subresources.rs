//! What can be done below an object: its subresources, of which some are objects of other kinds, and some connections.

use api_record::{Schema, Typed};
use api_types::Subresource;
use api_types::authentication::v1::TokenRequest;
use api_types::autoscaling::v1::Scale;
use api_types::core::v1::{
    Binding, NodeProxyOptions, PodAttachOptions, PodExecOptions, PodLogOptions, PodPortForwardOptions,
    PodProxyOptions, ServiceProxyOptions,
};
use api_types::policy::v1::Eviction;

use super::{Paths, capital, with_article};
use crate::operations::{ANY, Content, LOGS, Operation, PathItem};
use crate::parameters;

type Kind = (&'static str, &'static str, &'static str);

/// The kind of a subresource whose objects are not of the resource's own kind.
fn other(name: &str) -> Option<(Kind, &'static Schema)> {
    Some(match name {
        "scale" => (("autoscaling", "v1", "Scale"), Scale::SCHEMA),
        "eviction" => (("policy", "v1", "Eviction"), Eviction::SCHEMA),
        "binding" => (("", "v1", "Binding"), Binding::SCHEMA),
        "token" => (("authentication.k8s.io", "v1", "TokenRequest"), TokenRequest::SCHEMA),
        _ => return None,
    })
}

/// The options of a connection.
fn connection(plural: &str, name: &str) -> Option<(&'static str, &'static Schema)> {
    Some(match (plural, name) {
        ("pods", "exec") => ("PodExecOptions", PodExecOptions::SCHEMA),
        ("pods", "attach") => ("PodAttachOptions", PodAttachOptions::SCHEMA),
        ("pods", "portforward") => ("PodPortForwardOptions", PodPortForwardOptions::SCHEMA),
        ("pods", "proxy") => ("PodProxyOptions", PodProxyOptions::SCHEMA),
        ("services", "proxy") => ("ServiceProxyOptions", ServiceProxyOptions::SCHEMA),
        ("nodes", "proxy") => ("NodeProxyOptions", NodeProxyOptions::SCHEMA),
        _ => return None,
    })
}

impl Paths<'_> {
    pub(super) fn subresources(&self, item: &str, object: &'static Schema, items: &mut Vec<PathItem>) {
        for subresource in self.resource.subresources {
            let path = format!("{item}/{}", subresource.name);
            if let Some((kind, options)) = connection(self.resource.plural, subresource.name) {
                self.connect(path, subresource, kind, options, items);
            } else if subresource.name == "log" {
                self.log(path, items);
            } else {
                self.objects(path, subresource, object, items);
            }
        }
    }

    fn objects(
        &self,
        path: String,
        subresource: &Subresource,
        own: &'static Schema,
        items: &mut Vec<PathItem>,
    ) {
        let name = subresource.name;
        let other = other(name);
        let content = Content::Record(other.map_or(own, |(_, schema)| schema));
        let mut operations: Vec<Operation> = Vec::new();
        for verb in subresource.verbs {
            operations.push(match *verb {
                "get" => self.read(name, content),
                "update" => self.replace(name, content),
                "patch" => self.patch(name, content),
                "create" => {
                    let id = format!("create{}{}{}", self.stem, self.scoped(), capital(name));
                    self.create(id, format!("create {name} of {}", with_article(self.kind())), content)
                }
                _ => continue,
            });
        }
        if let Some(((group, version, kind), _)) = other {
            for operation in &mut operations {
                operation.kind = Some((group.to_owned(), version.to_owned(), kind.to_owned()));
            }
        }
        let mut shared = self.named();
        if let ("create", Some(((_, _, kind), _))) =
            (subresource.verbs.first().copied().unwrap_or_default(), other)
        {
            shared[0].description = format!("name of the {kind}");
        }
        self.push(items, path, shared, operations);
    }

    fn log(&self, path: String, items: &mut Vec<PathItem>) {
        let mut operation = self.read("log", Content::Text);
        operation.parameters = parameters::query(PodLogOptions::SCHEMA, self.descriptions);
        operation.produces = LOGS;
        self.push(items, path, self.named(), vec![operation]);
    }

    fn connect(
        &self,
        path: String,
        subresource: &Subresource,
        kind: &'static str,
        options: &Schema,
        items: &mut Vec<PathItem>,
    ) {
        let verbs = subresource.verbs.iter().filter_map(|verb| {
            Some(match *verb {
                "get" => "get",
                "create" => "post",
                "update" => "put",
                "patch" => "patch",
                "delete" => "delete",
                _ => return None,
            })
        });
        let is_proxy = subresource.name == "proxy";
        // A proxy passes on what is not among the verbs, too.
        let methods: Vec<&str> = verbs.chain(["head", "options"].into_iter().filter(|_| is_proxy)).collect();
        let operations = |suffix: &str| -> Vec<Operation> {
            methods.iter().map(|method| self.connection(method, subresource.name, kind, suffix)).collect()
        };
        let mut shared = self.named();
        shared.retain(|one| one.name != "pretty");
        shared[0].description = format!("name of the {kind}");
        let query = parameters::query(options, self.descriptions);
        let mut above = shared.clone();
        above.extend(query.iter().cloned());
        self.push(items, path.clone(), above, operations(""));
        if is_proxy {
            shared.push(parameters::in_path("path", "path to the resource".to_owned()));
            shared.extend(query);
            self.push(items, format!("{path}/{{path}}"), shared, operations("WithPath"));
        }
    }

    fn connection(&self, method: &'static str, name: &str, kind: &str, suffix: &str) -> Operation {
        let id = format!("connect{}{}{}{}{suffix}", self.stem, capital(method), self.scoped(), capital(name));
        let about = format!("connect {} requests to {name} of {}", method.to_ascii_uppercase(), self.kind());
        let mut operation = self.operation(method, "connect", id, about);
        operation.kind = Some((String::new(), "v1".to_owned(), kind.to_owned()));
        operation.produces = ANY;
        operation.responses = vec![(200, Content::Text)];
        operation
    }
}
