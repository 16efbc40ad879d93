//! The cluster's zone as an immutable snapshot. Pure: built once from [`Records`], then only read.
//!
//! Names are kept as lower-case text without the final dot. Every name has an entry for each of its ancestors within the
//! zone, so that a name with nothing but descendants is empty rather than absent (RFC 8020).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::records::{Kind, Port, Records, Service};

/// The version of the specification that the zone follows, which it also says itself.
pub const DNS_VERSION: &str = "1.1.0";

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A port of a name; priority is 0.
    Srv {
        /// Relative weight.
        weight: u16,
        /// The port.
        port: u16,
        /// The name, without the final dot.
        target: String,
    },
    /// An alias of a name, without the final dot.
    Cname(String),
    /// The name of an address, without the final dot.
    Ptr(String),
    /// Text.
    Txt(String),
    /// The zone's name server, without the final dot.
    Ns(String),
}

/// What the zone knows of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// These records, possibly none.
    Exists(&'a [Data]),
    /// An address that a pod's name spells out.
    Pod(IpAddr),
    /// The name is in the zone and there is no such name.
    Absent,
    /// The name is none of the zone's.
    Foreign,
}

/// A snapshot of the cluster's names.
#[derive(Clone, Debug)]
pub struct Zone {
    domain: String,
    serial: u32,
    names: HashMap<String, Vec<Data>>,
    /// Names of addresses: `in-addr.arpa` and `ip6.arpa` names are looked up here and forwarded if unknown.
    reverse: HashMap<IpAddr, Vec<Data>>,
}

impl Zone {
    /// The zone of these records.
    pub fn new(records: &Records) -> Zone {
        let domain = records.domain.trim_end_matches('.').to_ascii_lowercase();
        let mut zone = Zone {
            domain: domain.clone(),
            serial: records.serial,
            names: HashMap::new(),
            reverse: HashMap::new(),
        };
        zone.touch(&domain);
        zone.put(&format!("dns-version.{domain}"), Data::Txt(DNS_VERSION.to_owned()));
        let server = format!("ns.dns.{domain}");
        zone.put(&domain, Data::Ns(server.clone()));
        zone.addresses(&server, &records.dns_ips);
        for namespace in &records.namespaces {
            zone.touch(&format!("{namespace}.svc.{domain}").to_ascii_lowercase());
            zone.touch(&format!("{namespace}.pod.{domain}").to_ascii_lowercase());
        }
        records.services.iter().for_each(|service| zone.service(service));
        for data in zone.names.values_mut().chain(zone.reverse.values_mut()) {
            data.sort();
            data.dedup();
        }
        zone
    }

    /// The zone's own name, without the final dot.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The serial number.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// What is known of a name in lower case without the final dot.
    pub fn find(&self, name: &str) -> Found<'_> {
        if let Some(data) = self.names.get(name) {
            return Found::Exists(data);
        }
        let Some(rest) = name.strip_suffix(&self.domain).and_then(|rest| rest.strip_suffix('.')) else {
            return Found::Foreign;
        };
        match pod_address(rest) {
            Some((address, namespace))
                if self.names.contains_key(&format!("{namespace}.pod.{}", self.domain)) =>
            {
                Found::Pod(address)
            }
            _ => Found::Absent,
        }
    }

    /// The names of an address.
    pub fn reverse(&self, address: IpAddr) -> Option<&[Data]> {
        self.reverse.get(&address).map(Vec::as_slice)
    }

    /// Makes a name and its ancestors exist.
    fn touch(&mut self, name: &str) {
        let mut name = name;
        while !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), Vec::new());
            match name.split_once('.') {
                Some((_, parent)) if name != self.domain && parent.ends_with(&self.domain) => name = parent,
                _ => return,
            }
        }
    }

    fn put(&mut self, name: &str, data: Data) {
        self.touch(name);
        self.names.entry(name.to_owned()).or_default().push(data);
    }

    fn addresses(&mut self, name: &str, addresses: &[IpAddr]) {
        for address in addresses {
            self.put(name, address_data(*address));
        }
    }

    fn point(&mut self, address: IpAddr, name: &str) {
        self.reverse.entry(address).or_default().push(Data::Ptr(name.to_owned()));
    }

    fn ports(&mut self, service: &str, ports: &[Port], target: &str) {
        for port in ports.iter().filter(|port| !port.name.is_empty()) {
            let name = format!("_{}._{}.{service}", port.name, port.protocol).to_ascii_lowercase();
            self.put(&name, Data::Srv { weight: 100, port: port.port, target: target.to_owned() });
        }
    }

    fn service(&mut self, service: &Service) {
        let name = format!("{}.{}.svc.{}", service.name, service.namespace, self.domain).to_ascii_lowercase();
        self.touch(&format!("{}.pod.{}", service.namespace, self.domain).to_ascii_lowercase());
        self.touch(&name);
        match &service.kind {
            Kind::ClusterIp { ips, ports } => {
                self.addresses(&name, ips);
                ips.iter().for_each(|ip| self.point(*ip, &name));
                self.ports(&name, ports, &name);
            }
            Kind::Headless { endpoints } => {
                for endpoint in endpoints {
                    let label = endpoint.hostname.clone().unwrap_or_else(|| dashed(endpoint.ip));
                    let own = format!("{label}.{name}").to_ascii_lowercase();
                    self.put(&name, address_data(endpoint.ip));
                    self.put(&own, address_data(endpoint.ip));
                    self.point(endpoint.ip, &own);
                    self.ports(&name, &endpoint.ports, &own);
                }
            }
            Kind::ExternalName { target } => {
                self.put(&name, Data::Cname(target.trim_end_matches('.').to_ascii_lowercase()));
            }
        }
    }
}

/// The data of an address's record.
pub fn address_data(address: IpAddr) -> Data {
    match address {
        IpAddr::V4(address) => Data::A(address),
        IpAddr::V6(address) => Data::Aaaa(address),
    }
}

/// An address as one label, as CoreDNS names endpoints without a hostname.
fn dashed(address: IpAddr) -> String {
    address.to_string().replace(['.', ':'], "-")
}

/// The address and namespace of `1-2-3-4.namespace.pod`.
fn pod_address(rest: &str) -> Option<(IpAddr, &str)> {
    let (label, rest) = rest.split_once('.')?;
    let namespace = rest.strip_suffix(".pod")?;
    let address = match label.replace('-', ".").parse::<Ipv4Addr>() {
        Ok(four) => IpAddr::V4(four),
        Err(_) => IpAddr::V6(label.replace('-', ":").parse().ok()?),
    };
    (!namespace.contains('.')).then_some((address, namespace))
}

/// The address that a reverse name stands for, if it is a whole one.
pub fn reverse_address(name: &str) -> Option<IpAddr> {
    if let Some(labels) = name.strip_suffix(".in-addr.arpa") {
        let mut octets: Vec<&str> = labels.split('.').collect();
        octets.reverse();
        return octets.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let digits: Vec<&str> = name.strip_suffix(".ip6.arpa")?.split('.').collect();
    if digits.len() != 32 || digits.iter().any(|digit| digit.len() != 1) {
        return None;
    }
    let text: String = digits.iter().rev().copied().collect();
    u128::from_str_radix(&text, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
}

#[cfg(test)]
pub(crate) mod tests;
