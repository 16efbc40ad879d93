//! Tables of what the plugins change and refuse.

mod classes;
mod devices;
mod limits;
mod nodes;
mod pods;
mod quotas;
mod security;

use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::Status;
use api_meta::gvk::GroupResource;
use api_record::Record;
use api_types::core::v1::{Namespace, Node, Pod, Service, ServiceAccount};
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use api_types::scheduling::v1::PriorityClass;
use base::random::SystemRandom;
use base::time::{Clock, Sleep, Time};
use client::{BoxFuture, Caller, Resource};
use server_registry::admit::{Admission, Attributes, Notes, Operation, Options};

use crate::{Chain, Lookup, Parts};

/// A clock that nobody has to wait for.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> Time {
        Time::EPOCH
    }
    fn sleep(&self, _: std::time::Duration) -> Sleep {
        Box::pin(std::future::ready(()))
    }
}

/// The objects that there are, by resource, namespace and name.
#[derive(Default)]
struct World(BTreeMap<(String, String, String), Arc<dyn Record>>);

impl World {
    fn with(mut self, plural: &str, object: impl Record) -> World {
        let meta = object_meta(&object).cloned().unwrap_or_default();
        self.0.insert((plural.to_owned(), meta.namespace, meta.name), Arc::new(object));
        self
    }

    /// A namespace `default` with a service account, one on its way out, and a node.
    fn usual() -> World {
        let mut going = Namespace { metadata: named("", "going"), ..Namespace::default() };
        going.status.phase = "Terminating".into();
        let mut node = Node { metadata: named("", "n1"), ..Node::default() };
        node.metadata.uid = "u1".into();
        World::default()
            .with("namespaces", Namespace { metadata: named("", "default"), ..Namespace::default() })
            .with("namespaces", going)
            .with("nodes", node)
            .with(
                "serviceaccounts",
                ServiceAccount { metadata: named("default", "default"), ..ServiceAccount::default() },
            )
    }

    fn chain(self) -> Chain {
        Chain::standard(Parts {
            lookup: Arc::new(self),
            authorizer: Arc::new(|right| right.user == "signer"),
            clock: Arc::new(Hasty),
            random: Arc::new(SystemRandom),
        })
    }
}

impl Lookup for World {
    fn get<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn Record>, Status>> {
        let key = (resource.plural.to_string(), namespace.to_owned(), name.to_owned());
        let group = GroupResource { group: &resource.group, resource: &resource.plural };
        let found = self.0.get(&key).cloned().ok_or_else(|| Status::not_found(group, name));
        Box::pin(std::future::ready(found))
    }

    fn list<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Arc<dyn Record>>, Status>> {
        let of = |(key, _): &(&(String, String, String), _)| {
            key.0 == resource.plural && (namespace.is_empty() || key.1 == namespace)
        };
        let found = self.0.iter().filter(of).map(|(_, object)| Arc::clone(object)).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn named(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { name: name.into(), namespace: namespace.into(), ..ObjectMeta::default() }
}

/// A request.
struct Ask<'a> {
    caller: Caller,
    operation: Operation,
    resource: (&'static str, &'static str),
    subresource: &'a str,
    name: &'a str,
    namespace: &'a str,
}

impl<'a> Ask<'a> {
    fn to(
        operation: Operation,
        resource: (&'static str, &'static str),
        namespace: &'a str,
        name: &'a str,
    ) -> Ask<'a> {
        Ask { caller: Caller::new("alice", &[]), operation, resource, subresource: "", name, namespace }
    }

    fn at(self, subresource: &'a str) -> Ask<'a> {
        Ask { subresource, ..self }
    }

    fn by(self, name: &str, groups: &[&str]) -> Ask<'a> {
        Ask { caller: Caller::new(name, groups), ..self }
    }

    fn by_node(self, node: &str) -> Ask<'a> {
        self.by(&format!("system:node:{node}"), &["system:nodes"])
    }

    async fn admit<T: Record>(
        &self,
        chain: &Chain,
        object: Option<&mut T>,
        old: Option<&T>,
    ) -> Result<(), String> {
        self.told(chain, object, old).await.map(drop)
    }

    /// What the caller is warned of, or why it is refused.
    async fn told<T: Record>(
        &self,
        chain: &Chain,
        object: Option<&mut T>,
        old: Option<&T>,
    ) -> Result<Vec<String>, String> {
        let attributes = Attributes {
            caller: &self.caller,
            operation: self.operation,
            resource: Resource::of(self.resource.0, "v1", self.resource.1),
            subresource: self.subresource,
            namespace: self.namespace,
            name: self.name,
            dry_run: false,
            options: Options::None,
            notes: Notes::default(),
        };
        let old = old.map(|old| old as &dyn Record);
        let told = |status: Status| status.into_inner().message;
        match object {
            Some(object) => {
                chain.mutate(&attributes, object, old).await.map_err(told)?;
                chain.validate(&attributes, Some(object), old).await.map_err(told)?;
            }
            None => chain.validate(&attributes, None, old).await.map_err(told)?,
        }
        Ok(attributes.notes.warnings())
    }
}

#[tokio::test]
async fn namespaces_bound_the_life_of_their_contents() {
    let chain = World::usual().chain();
    let services = ("", "services");
    let cases = [
        ("default", None),
        ("gone", Some("namespaces \"gone\" not found")),
        (
            "going",
            Some(
                "services \"x\" is forbidden: unable to create new content in namespace going because it is being \
                 terminated",
            ),
        ),
    ];
    for (namespace, refusal) in cases {
        let create = Ask::to(Operation::Create, services, namespace, "x");
        let result = create.admit(&chain, Some(&mut Service::default()), None).await;
        assert_eq!(result.err().as_deref(), refusal, "{namespace}");
        let update = Ask::to(Operation::Update, services, namespace, "x");
        let old = Service::default();
        assert_eq!(update.admit(&chain, Some(&mut Service::default()), Some(&old)).await, Ok(()));
    }
    for (name, stays) in [
        ("default", true),
        ("kube-system", true),
        ("kube-public", true),
        ("kube-node-lease", false),
        ("x", false),
    ] {
        let delete = Ask::to(Operation::Delete, ("", "namespaces"), name, name);
        let refusal = format!("namespaces {name:?} is forbidden: this namespace may not be deleted");
        let result = delete.admit::<Namespace>(&chain, None, None).await;
        assert_eq!(result.err(), stays.then_some(refusal));
    }
}

#[tokio::test]
async fn the_refusal_of_a_namespace_on_its_way_out_names_its_cause() {
    let chain = World::usual().chain();
    let caller = Caller::default();
    let attributes = Attributes {
        caller: &caller,
        operation: Operation::Create,
        resource: Resource::of("", "v1", "services"),
        subresource: "",
        namespace: "going",
        name: "x",
        dry_run: false,
        options: Options::None,
        notes: Notes::default(),
    };
    let status = chain.mutate(&attributes, &mut Service::default(), None).await.expect_err("refused");
    let cause = status.cause("NamespaceTerminating").expect("the cause");
    assert_eq!(
        (cause.message.as_str(), cause.field.as_str()),
        ("namespace going is being terminated", "metadata.namespace")
    );
}

#[tokio::test]
async fn there_is_one_default_priority_class() {
    let class = |name: &str, default: bool| PriorityClass {
        metadata: named("", name),
        value: 5,
        global_default: default,
        ..PriorityClass::default()
    };
    let chain = World::usual().with("priorityclasses", class("one", true)).chain();
    let classes = ("scheduling.k8s.io", "priorityclasses");
    let create = Ask::to(Operation::Create, classes, "", "two");
    assert_eq!(create.admit(&chain, Some(&mut class("two", false)), None).await, Ok(()));
    let result = create.admit(&chain, Some(&mut class("two", true)), None).await;
    let message = "priorityclasses.scheduling.k8s.io \"two\" is forbidden: PriorityClass one is already marked as \
                   default. Only one default can exist";
    assert_eq!(result.err().as_deref(), Some(message));
    let update = Ask::to(Operation::Update, classes, "", "one");
    let old = class("one", true);
    assert_eq!(update.admit(&chain, Some(&mut class("one", true)), Some(&old)).await, Ok(()));
}

fn pod(name: &str) -> Pod {
    let mut pod = Pod { metadata: named("default", name), ..Pod::default() };
    pod.spec.containers = vec![Default::default()].into();
    pod.spec.containers[0].name = "main".into();
    pod
}
