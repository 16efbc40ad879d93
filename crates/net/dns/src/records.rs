//! What the cluster's names are made of: the snapshot's content, as its feeder builds it and as it lies on disk. Data only.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// All that the cluster's zone answers from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Records {
    /// The cluster's domain without a final dot, usually `cluster.local`.
    pub domain: String,
    /// Counts changes; the zone's serial number.
    pub serial: u32,
    /// The address of the DNS service itself: what the zone's own name server resolves to.
    #[serde(default)]
    pub dns_ips: Vec<IpAddr>,
    /// Names of all namespaces: a name below one that exists is absent differently from one below nothing.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// The services.
    #[serde(default)]
    pub services: Vec<Service>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it resolves to.
    pub kind: Kind,
}

/// What a service resolves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Its own addresses.
    #[serde(rename_all = "camelCase")]
    ClusterIp {
        /// `clusterIPs`.
        ips: Vec<IpAddr>,
        /// Its named ports.
        ports: Vec<Port>,
    },
    /// Its endpoints (ready ones, or all if not-ready addresses are published).
    #[serde(rename_all = "camelCase")]
    Headless {
        /// The endpoints.
        endpoints: Vec<Endpoint>,
    },
    /// Another name.
    #[serde(rename_all = "camelCase")]
    ExternalName {
        /// The name.
        target: String,
    },
}

/// A port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its name; nameless ones have no SRV record and may be left out.
    pub name: String,
    /// The protocol in lower case.
    pub protocol: String,
    /// The number.
    pub port: u16,
}

/// An endpoint of a headless service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Its address.
    pub ip: IpAddr,
    /// The pod's `hostname`, if its `subdomain` is the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The ports as the endpoint has them.
    #[serde(default)]
    pub ports: Vec<Port>,
}
