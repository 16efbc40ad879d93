//! The service `kube-dns` in `kube-system`, as every cluster has it: by it the DNS has a name, and its address is nobody else's. Nodes
//! answer at the address themselves, so that the service has no endpoints.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api_record::scalar::IntOrString;
use api_types::core::v1::{Service, ServicePort, ServiceSpec};
use api_types::meta::v1::ObjectMeta;
use client::{Resource, Status};

use crate::writer::Writer;

static SERVICES: Resource = Resource::of("", "v1", "services");

const NAMESPACE: &str = "kube-system";
const NAME: &str = "kube-dns";

pub(crate) async fn reconcile(writer: &Writer<'_>, address: IpAddr) -> Result<(), Status> {
    let found: Option<Service> = writer.get(&SERVICES, NAMESPACE, NAME).await?;
    if let Some(found) = found {
        // Somebody's own, or as it was made.
        if !found.spec.selector.is_empty() || found.spec.cluster_ip == address.to_string() {
            return Ok(());
        }
        writer.delete(&SERVICES, &found).await?;
    }
    match writer.create(&SERVICES, Box::new(service(address))).await {
        Err(status) if status.is_invalid() => {
            tracing::warn!(%address, error = %status, "bootstrap.dns: another service has the address of the cluster's DNS");
            Ok(())
        }
        made => made.map(drop),
    }
}

fn service(address: IpAddr) -> Service {
    let port = |name: &str, protocol: &str| ServicePort {
        name: name.to_owned(),
        protocol: protocol.to_owned(),
        port: 53,
        target_port: IntOrString::Int(53),
        ..ServicePort::default()
    };
    let labels = [
        ("k8s-app", "kube-dns"),
        ("kubernetes.io/cluster-service", "true"),
        ("kubernetes.io/name", "CoreDNS"),
    ];
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let metadata = ObjectMeta {
        name: NAME.to_owned(),
        namespace: NAMESPACE.to_owned(),
        labels,
        ..ObjectMeta::default()
    };
    let spec = ServiceSpec {
        ports: vec![port("dns", "UDP"), port("dns-tcp", "TCP")],
        cluster_ip: address.to_string(),
        ip_family_policy: Some("SingleStack".to_owned()),
        session_affinity: "None".to_owned(),
        type_: "ClusterIP".to_owned(),
        ..ServiceSpec::default()
    };
    Service { metadata, spec, ..Service::default() }
}
