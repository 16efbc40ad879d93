//! The namespaces and priority classes that Kubernetes itself uses.

use api_types::core::v1::Namespace;
use api_types::meta::v1::ObjectMeta;
use api_types::scheduling::v1::PriorityClass;
use client::{Resource, Status};

use crate::writer::Writer;

static NAMESPACES: Resource = Resource::of("", "v1", "namespaces");
static PRIORITY_CLASSES: Resource = Resource::of("scheduling.k8s.io", "v1", "priorityclasses");

const SYSTEM_NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Name, value and description (`pkg/apis/scheduling/v1/helpers.go`).
const SYSTEM_CLASSES: [(&str, i32, &str); 2] = [
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
];

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: name.to_owned(), ..ObjectMeta::default() }
}

pub(crate) async fn namespaces(writer: &Writer<'_>) -> Result<(), Status> {
    for name in SYSTEM_NAMESPACES {
        let namespace = Namespace { metadata: named(name), ..Namespace::default() };
        writer.ensure(&NAMESPACES, Box::new(namespace)).await?;
    }
    Ok(())
}

pub(crate) async fn priority_classes(writer: &Writer<'_>) -> Result<(), Status> {
    for (name, value, description) in SYSTEM_CLASSES {
        let class = PriorityClass {
            metadata: named(name),
            value,
            description: description.to_owned(),
            ..PriorityClass::default()
        };
        writer.ensure(&PRIORITY_CLASSES, Box::new(class)).await?;
    }
    Ok(())
}
