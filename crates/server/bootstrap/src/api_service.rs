//! The service `kubernetes` in `default`, by which pods reach the API, and its endpoints.

use std::collections::BTreeMap;

use api_record::scalar::IntOrString;
use api_types::core::v1::{
    EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Service, ServicePort, ServiceSpec,
};
use api_types::discovery::v1::{self as discovery, EndpointSlice};
use api_types::meta::v1::ObjectMeta;
use client::{Resource, Status};

use crate::Config;
use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

static SERVICES: Resource = Resource::of("", "v1", "services");
static ENDPOINTS: Resource = Resource::of("", "v1", "endpoints");
static SLICES: Resource = Resource::of("discovery.k8s.io", "v1", "endpointslices");

const NAMESPACE: &str = "default";
const NAME: &str = "kubernetes";
const PORT_NAME: &str = "https";
/// The port of the service; that of its endpoints is the server's.
const SERVICE_PORT: i32 = 443;

pub(crate) async fn reconcile(writer: &Writer<'_>, config: &Config) -> Result<(), Status> {
    writer.ensure(&SERVICES, Box::new(service(config))).await?;
    endpoints(writer, config).await?;
    slice(writer, config).await
}

fn metadata(labels: &[(&str, &str)]) -> ObjectMeta {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ObjectMeta { name: NAME.to_owned(), namespace: NAMESPACE.to_owned(), labels, ..ObjectMeta::default() }
}

fn service(config: &Config) -> Service {
    let port = ServicePort {
        name: PORT_NAME.to_owned(),
        protocol: "TCP".to_owned(),
        port: SERVICE_PORT,
        target_port: IntOrString::Int(config.port.into()),
        ..ServicePort::default()
    };
    let spec = ServiceSpec {
        ports: vec![port],
        cluster_ip: config.service_address.to_string(),
        ip_family_policy: Some("SingleStack".to_owned()),
        session_affinity: "None".to_owned(),
        type_: "ClusterIP".to_owned(),
        ..ServiceSpec::default()
    };
    let metadata = metadata(&[("component", "apiserver"), ("provider", "kubernetes")]);
    Service { metadata, spec, ..Service::default() }
}

async fn endpoints(writer: &Writer<'_>, config: &Config) -> Result<(), Status> {
    let address = EndpointAddress { ip: config.advertise.to_string(), ..EndpointAddress::default() };
    let port = EndpointPort {
        name: PORT_NAME.to_owned(),
        port: config.port.into(),
        protocol: "TCP".to_owned(),
        ..EndpointPort::default()
    };
    let subset = EndpointSubset { addresses: vec![address], ports: vec![port], ..EndpointSubset::default() };
    // The slice is made here too, not by the controller that mirrors.
    let skip = ("endpointslice.kubernetes.io/skip-mirror", "true");
    let wanted = Endpoints { metadata: metadata(&[skip]), subsets: vec![subset] };
    for _ in 0..ATTEMPTS {
        let existing: Option<Endpoints> = writer.get(&ENDPOINTS, NAMESPACE, NAME).await?;
        let done = match existing {
            None => writer.create(&ENDPOINTS, Box::new(wanted.clone())).await?,
            Some(mut object) => {
                let skips = object.metadata.labels.get(skip.0).is_some_and(|value| value == skip.1);
                if skips && object.subsets == wanted.subsets {
                    return Ok(());
                }
                object.metadata.labels.extend(wanted.metadata.labels.clone());
                object.subsets.clone_from(&wanted.subsets);
                writer.update(&ENDPOINTS, "", &object).await?
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(&ENDPOINTS, NAME))
}

async fn slice(writer: &Writer<'_>, config: &Config) -> Result<(), Status> {
    let conditions = discovery::EndpointConditions { ready: Some(true), ..Default::default() };
    let endpoint = discovery::Endpoint {
        addresses: vec![config.advertise.to_string()].into(),
        conditions,
        ..Default::default()
    };
    let port = discovery::EndpointPort {
        name: Some(PORT_NAME.to_owned()),
        protocol: Some("TCP".to_owned()),
        port: Some(config.port.into()),
        ..Default::default()
    };
    let wanted = EndpointSlice {
        metadata: metadata(&[("kubernetes.io/service-name", NAME)]),
        address_type: if config.advertise.is_ipv4() { "IPv4" } else { "IPv6" }.to_owned(),
        endpoints: vec![endpoint].into(),
        ports: vec![port].into(),
    };
    for _ in 0..ATTEMPTS {
        let existing: Option<EndpointSlice> = writer.get(&SLICES, NAMESPACE, NAME).await?;
        let done = match existing {
            None => writer.create(&SLICES, Box::new(wanted.clone())).await?,
            // The type of addresses cannot be changed.
            Some(object) if object.address_type != wanted.address_type => {
                writer.delete(&SLICES, &object).await?;
                false
            }
            Some(mut object) => {
                let same = object.endpoints == wanted.endpoints
                    && object.ports == wanted.ports
                    && object.metadata.labels == wanted.metadata.labels;
                if same {
                    return Ok(());
                }
                object.metadata.labels.clone_from(&wanted.metadata.labels);
                object.endpoints.clone_from(&wanted.endpoints);
                object.ports.clone_from(&wanted.ports);
                writer.update(&SLICES, "", &object).await?
            }
        };
        if done {
            return Ok(());
        }
    }
    Err(contended(&SLICES, NAME))
}
