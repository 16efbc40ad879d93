//! The names under which the API server is reached, and its serving certificate.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base::time::Time;

use crate::certificate::name::Name;
use crate::certificate::usage::{ExtendedUsage, KeyUsages};
use crate::certificate::{AlternativeName, Template};
use crate::key::PublicKey;
use crate::limits::{BACKDATE, CERTIFICATE_LIFETIME};

/// Where the API server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServingNames {
    /// The domain of services, such as `cluster.local`.
    pub cluster_domain: String,
    /// The address of the `kubernetes` service: the first of the service range, one per family.
    pub service_addresses: Vec<IpAddr>,
    /// Names of the machine, and what else the operator gave.
    pub hosts: Vec<String>,
    /// Addresses of the machine, and what else the operator gave.
    pub addresses: Vec<IpAddr>,
}

impl ServingNames {
    /// Every name of the certificate: the given ones, the service's and the local ones, each once and sorted.
    pub fn alternative_names(&self) -> Vec<AlternativeName> {
        let service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"];
        let mut hosts: BTreeSet<String> = service.iter().map(|&host| host.to_owned()).collect();
        hosts.insert(format!("kubernetes.default.svc.{}", self.cluster_domain));
        let mut addresses: BTreeSet<IpAddr> = self.service_addresses.iter().copied().collect();
        addresses.extend(&self.addresses);
        addresses.insert(IpAddr::from([127, 0, 0, 1]));
        addresses.insert(IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        for host in &self.hosts {
            // An operator may give an address where a name is asked for.
            match host.parse() {
                Ok(address) => {
                    addresses.insert(address);
                }
                Err(_) => {
                    hosts.insert(host.clone());
                }
            }
        }
        let hosts = hosts.into_iter().map(AlternativeName::Dns);
        hosts.chain(addresses.into_iter().map(AlternativeName::Ip)).collect()
    }
}

/// What a serving certificate for `names` says.
pub fn template(subject: Name, names: &ServingNames, public_key: PublicKey, now: Time) -> Template {
    template_of(subject, names.alternative_names(), public_key, now)
}

pub(super) fn template_of(
    subject: Name,
    alternative_names: Vec<AlternativeName>,
    public_key: PublicKey,
    now: Time,
) -> Template {
    Template {
        subject,
        public_key,
        not_before: now - BACKDATE,
        not_after: now + CERTIFICATE_LIFETIME,
        is_ca: false,
        usages: KeyUsages::DIGITAL_SIGNATURE.with(KeyUsages::KEY_ENCIPHERMENT),
        extended_usages: vec![ExtendedUsage::ServerAuth],
        alternative_names,
    }
}
