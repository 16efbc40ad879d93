//! Cluster addresses: chosen from the ServiceCIDRs, held by IPAddress objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use api_meta::Status;
use api_meta::field::{FieldError, Path};
use api_types::core::v1::Service;
use api_types::meta::v1::ObjectMeta;
use api_types::networking::v1::{IPAddress, IPAddressSpec, ParentReference, ServiceCIDR};
use base::random;
use client::ListOptions;
use store::{Compare, KeyRange, Range, Txn};

use super::pool::{Family, Pool};
use super::{addresses_of, below, families, invalid, is_external_name, is_headless};
use crate::limits::{ADDRESS_PROBES, LIST_PAGE};
use crate::{Registry, Served, stored};

const GROUP: &str = "networking.k8s.io";

/// The ServiceCIDR that the server is configured with: its order says which family is the default.
const DEFAULT_RANGE: &str = "kubernetes";

/// Fills in the families and addresses.
pub(super) async fn choose(
    registry: &Registry,
    new: &mut Service,
    old: Option<&Service>,
) -> Result<(), Status> {
    if is_external_name(new) {
        return Ok(());
    }
    let ranges = ranges(registry).await?;
    let settled = families::is_settled(new, old);
    families::fill(new, old, &ranges.families).map_err(|errors| invalid(new, errors))?;
    if settled || is_headless(new) || old.is_some_and(|old| !is_external_name(old) && is_headless(old)) {
        return Ok(());
    }
    // Those that it had before are its own; of the others, whatever was not asked for is chosen here.
    let kept = old.filter(|old| !is_external_name(old)).map_or(0, |old| old.spec.cluster_ips.len());
    let families = new.spec.ip_families.clone();
    new.spec.cluster_ips.resize(families.len().max(new.spec.cluster_ips.len()), String::new());
    for (index, family) in families.iter().enumerate().skip(kept) {
        let Some(family) = Family::named(family) else { continue };
        let asked = new.spec.cluster_ips[index].clone();
        if asked.is_empty() {
            new.spec.cluster_ips[index] = next(registry, new, &ranges.pools, family).await?.to_string();
        } else {
            check(registry, new, &ranges.pools, &asked).await?;
        }
    }
    if let Some(first) = new.spec.cluster_ips.first() {
        new.spec.cluster_ip.clone_from(first);
    }
    Ok(())
}

/// Where addresses come from now.
struct Ranges {
    /// Of the default range, in its order.
    families: Vec<Family>,
    /// Of all ranges that are ready, the default first.
    pools: Vec<Pool>,
}

async fn ranges(registry: &Registry) -> Result<Ranges, Status> {
    let served = served(registry, "servicecidrs")?;
    let list = registry.list(served, "", &ListOptions::default()).await?;
    let mut all: Vec<&ServiceCIDR> = list.items.iter().filter_map(|item| item.downcast_ref()).collect();
    all.sort_by_key(|range| range.metadata.name != DEFAULT_RANGE);
    let default = all.first().filter(|range| range.metadata.name == DEFAULT_RANGE);
    let families = default.map(|range| range.spec.cidrs.iter().filter_map(|cidr| Pool::of(cidr)));
    let families = families.into_iter().flatten().map(|pool| pool.family).collect();
    let ready = |range: &&&ServiceCIDR| {
        let mut conditions = range.status.conditions.iter();
        range.metadata.deletion_timestamp.is_none()
            && conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    let cidrs = all.iter().filter(ready).flat_map(|range| &range.spec.cidrs);
    Ok(Ranges { families, pools: cidrs.filter_map(|cidr| Pool::of(cidr)).collect() })
}

/// A free address. The first few candidates are asked for one by one; in a crowded range all that are taken are read.
async fn next(
    registry: &Registry,
    service: &Service,
    pools: &[Pool],
    family: Family,
) -> Result<IpAddr, Status> {
    let served = served(registry, "ipaddresses")?;
    for pool in pools.iter().filter(|pool| pool.family == family) {
        let mut candidates = pool.candidates(|bound| below(registry, bound));
        for candidate in candidates.by_ref().take(ADDRESS_PROBES) {
            if registry.entry(served, "", &candidate.to_string()).await?.is_none() {
                return Ok(candidate);
            }
        }
        let taken = taken(registry, served).await?;
        if let Some(free) = candidates.find(|candidate| !taken.contains(candidate)) {
            return Ok(free);
        }
    }
    let name = &service.metadata.name;
    Err(Status::internal_error(format!("failed to allocate a serviceIP for Service {name:?}: range is full")))
}

async fn taken(registry: &Registry, served: &Served) -> Result<BTreeSet<IpAddr>, Status> {
    let mut keys = KeyRange::prefix(served.prefix.clone().into_bytes());
    let mut taken = BTreeSet::new();
    loop {
        let page = registry.page(Range::of(keys.clone()).limit(LIST_PAGE)).await?;
        let names = page.entries.iter().filter_map(|entry| entry.key.strip_prefix(served.prefix.as_bytes()));
        taken.extend(names.filter_map(|name| std::str::from_utf8(name).ok()?.parse::<IpAddr>().ok()));
        match page.entries.last() {
            Some(last) if page.more => keys = keys.from([&last.key[..], &[0]].concat()),
            _ => return Ok(taken),
        }
    }
}

/// Whether an address that was asked for can be had.
async fn check(registry: &Registry, service: &Service, pools: &[Pool], text: &str) -> Result<(), Status> {
    let Some(address) = api_meta::names::parse_ip_sloppy(text) else {
        return Err(Status::internal_error(format!("failed to parse service IP {text:?}")));
    };
    let refused = |why: &str| {
        let path = Path::new("spec").child("clusterIPs");
        let why = format!("failed to allocate IP {text}: {why}");
        Err(invalid(service, FieldError::invalid(&path, &service.spec.cluster_ips, why)))
    };
    if !pools.iter().any(|pool| pool.contains(address)) {
        return refused("the provided network does not match the current range");
    }
    let served = served(registry, "ipaddresses")?;
    match registry.entry(served, "", &address.to_string()).await? {
        Some(_) => refused("provided IP is already allocated"),
        None => Ok(()),
    }
}

/// Makes and removes IPAddress objects with the service: that one does not exist yet is a condition of the transaction.
pub(super) async fn bind(
    registry: &Registry,
    new: Option<&Service>,
    old: Option<&Service>,
    mut txn: Txn,
) -> Result<Txn, Status> {
    let (held, wanted) =
        (old.map(addresses_of).unwrap_or_default(), new.map(addresses_of).unwrap_or_default());
    if held == wanted {
        return Ok(txn);
    }
    let served = served(registry, "ipaddresses")?;
    for address in wanted.difference(&held) {
        let key = served.key("", &address.to_string()).into_bytes();
        let object = new.map(|service| object(registry, *address, service)).unwrap_or_default();
        txn = txn.when(Compare::Absent(key.clone().into())).put(key, stored::encode(served, &object));
    }
    for address in held.difference(&wanted) {
        let Some(entry) = registry.entry(served, "", &address.to_string()).await? else { continue };
        let holder = registry.decoded.of(served, &entry)?;
        let parent = holder.downcast_ref().and_then(|held: &IPAddress| held.spec.parent_ref.as_deref());
        if parent.is_none_or(|parent| old.is_some_and(|service| *parent == parent_of(service))) {
            txn = txn.delete(entry.key);
        }
    }
    Ok(txn)
}

fn object(registry: &Registry, address: IpAddr, service: &Service) -> IPAddress {
    let labels = [
        ("ipaddress.kubernetes.io/ip-family", Family::of(address).name()),
        ("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"),
    ];
    let labels: BTreeMap<String, String> =
        labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let metadata = ObjectMeta {
        name: address.to_string(),
        uid: random::uuid(&*registry.shared.random),
        creation_timestamp: Some(registry.shared.clock.now().into()),
        generation: 1,
        labels,
        ..ObjectMeta::default()
    };
    IPAddress { metadata, spec: IPAddressSpec { parent_ref: Some(Box::new(parent_of(service))) } }
}

fn parent_of(service: &Service) -> ParentReference {
    ParentReference {
        group: String::new(),
        resource: "services".to_owned(),
        namespace: service.metadata.namespace.clone(),
        name: service.metadata.name.clone(),
    }
}

fn served<'a>(registry: &'a Registry, plural: &str) -> Result<&'a Served, Status> {
    let found = registry.catalog().find(GROUP, "v1", plural);
    found.map(|served| &**served).ok_or_else(|| Status::internal_error(format!("{plural} are not served")))
}
