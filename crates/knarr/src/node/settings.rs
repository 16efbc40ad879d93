//! What a node must know of its cluster, and how a server tells it to the nodes that join: a map, by the names of the server's flags.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Context as _;
use host::netlink::Cidr;

/// What a node must know of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The pods' addresses.
    pub cluster_cidr: Cidr,
    /// The services' addresses.
    pub service_cidr: Cidr,
    /// The DNS service's address, if there is one.
    pub cluster_dns: Option<IpAddr>,
    /// Whether each node answers there itself.
    pub serves_dns: bool,
    /// The cluster's domain.
    pub cluster_domain: String,
}

impl Settings {
    /// What a server tells.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let mut told = BTreeMap::from([
            ("cluster-cidr".to_owned(), self.cluster_cidr.to_string()),
            ("service-cidr".to_owned(), self.service_cidr.to_string()),
            ("cluster-domain".to_owned(), self.cluster_domain.clone()),
            ("serves-dns".to_owned(), self.serves_dns.to_string()),
        ]);
        if let Some(dns) = self.cluster_dns {
            told.insert("cluster-dns".to_owned(), dns.to_string());
        }
        told
    }

    /// What a node reads.
    pub fn of_map(told: &BTreeMap<String, String>) -> anyhow::Result<Settings> {
        let get = |key: &str| told.get(key).with_context(|| format!("it has no {key}"));
        Ok(Settings {
            cluster_cidr: get("cluster-cidr")?.parse().context("cluster-cidr")?,
            service_cidr: get("service-cidr")?.parse().context("service-cidr")?,
            cluster_dns: told.get("cluster-dns").map(|dns| dns.parse()).transpose().context("cluster-dns")?,
            serves_dns: get("serves-dns")?.parse().context("serves-dns")?,
            cluster_domain: get("cluster-domain")?.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_read_what_servers_tell() {
        let mut settings = Settings {
            cluster_cidr: "10.42.0.0/16".parse().expect("a range"),
            service_cidr: "10.43.0.0/16".parse().expect("a range"),
            cluster_dns: Some(IpAddr::from([10, 43, 0, 10])),
            serves_dns: true,
            cluster_domain: "cluster.local".to_owned(),
        };
        for dns in [settings.cluster_dns, None] {
            settings.cluster_dns = dns;
            assert_eq!(Settings::of_map(&settings.to_map()).expect("it is whole"), settings);
        }
        let error = Settings::of_map(&BTreeMap::new()).expect_err("nothing is told");
        assert_eq!(error.to_string(), "it has no cluster-cidr");
    }
}
