//! Node ports: chosen here, held by one RangeAllocation under stock Kubernetes' key.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use api_codec::limits::Limits;
use api_codec::proto;
use api_meta::Status;
use api_meta::field::{FieldError, Path};
use api_types::GroupVersionKind;
use api_types::core::v1::{RangeAllocation, Service};
use client::ListOptions;
use store::{CommitError, Compare, Revision, Txn};

use super::previous::allocates_node_ports;
use super::{below, has_node_ports, invalid, needs_health_check, ports_of};
use crate::limits::WRITE_ATTEMPTS;
use crate::{Registry, faults};

const KEY: &str = "/registry/ranges/servicenodeports";
const KIND: GroupVersionKind<'static> =
    GroupVersionKind { group: "", version: "v1", kind: "RangeAllocation" };

/// The ports in use, and the revision that they are kept at; none while nobody has written them.
struct Allocation {
    ports: BTreeSet<u16>,
    kept_at: Option<Revision>,
}

/// Ports of one request: what is in use elsewhere, and what the request takes.
struct Choice<'a> {
    registry: &'a Registry,
    range: &'a RangeInclusive<u16>,
    taken: BTreeSet<u16>,
}

impl Choice<'_> {
    fn take(&mut self, port: i32) -> Result<(), String> {
        let range = self.range;
        let known = u16::try_from(port).ok().filter(|port| range.contains(port));
        let Some(port) = known else {
            let (low, high) = (range.start(), range.end());
            return Err(format!(
                "provided port is not in the valid range. The range of valid ports is {low}-{high}"
            ));
        };
        if self.taken.insert(port) { Ok(()) } else { Err("provided port is already allocated".to_owned()) }
    }

    /// A free port: of the upper part, as the lower is left to those who choose for themselves (KEP-3668).
    fn next(&mut self) -> Result<i32, String> {
        let (low, high) = (*self.range.start(), *self.range.end());
        let dynamic = low.saturating_add(static_part(high - low));
        let upper = (dynamic <= high).then_some((dynamic, high));
        let lower = (dynamic > low).then(|| (low, dynamic - 1));
        for (low, high) in upper.into_iter().chain(lower) {
            let drawn = below(self.registry, u128::from(high - low) + 1);
            let start = low.saturating_add(u16::try_from(drawn).unwrap_or(0));
            if let Some(free) = (start..=high).chain(low..start).find(|port| !self.taken.contains(port)) {
                self.taken.insert(free);
                return Ok(free.into());
            }
        }
        Err("range is full".to_owned())
    }
}

/// `min(max(16, size / 32), 128)`, and nothing of ranges of 16 and fewer.
fn static_part(span: u16) -> u16 {
    let size = u32::from(span) + 1;
    if size <= 16 { 0 } else { u16::try_from((size / 32).clamp(16, 128)).unwrap_or(128) }
}

/// Fills in the node ports and the port of health checks.
pub(super) async fn choose(
    registry: &Registry,
    range: &RangeInclusive<u16>,
    new: &mut Service,
    old: Option<&Service>,
) -> Result<(), Status> {
    if !has_node_ports(new) {
        return Ok(());
    }
    let kept = old.map(ports_of).unwrap_or_default();
    if complete(new) && ports_of(new).is_subset(&kept) {
        return Ok(());
    }
    let taken = allocation(registry, range).await?.ports;
    let mut choice = Choice { registry, range, taken };
    match old {
        None => of_new(&mut choice, new)?,
        Some(old) => of_changed(&mut choice, new, old)?,
    }
    if needs_health_check(new) && !old.is_some_and(needs_health_check) {
        let asked = new.spec.health_check_node_port;
        let taken = match asked {
            0 => choice.next().map_err(|why| format!("failed to allocate a HealthCheck NodePort 0: {why}")),
            port => choice
                .take(port)
                .map(|()| port)
                .map_err(|why| format!("failed to allocate requested HealthCheck NodePort {port}: {why}")),
        };
        new.spec.health_check_node_port = taken.map_err(Status::internal_error)?;
    }
    Ok(())
}

/// Whether every port that needs a node port names one.
fn complete(service: &Service) -> bool {
    let ports = !allocates_node_ports(service) || service.spec.ports.iter().all(|port| port.node_port != 0);
    ports && (!needs_health_check(service) || service.spec.health_check_node_port != 0)
}

/// Ports of one number (TCP and UDP) share a node port unless they ask for two.
fn of_new(choice: &mut Choice<'_>, service: &mut Service) -> Result<(), Status> {
    let allocates = allocates_node_ports(service);
    let mut by_port: Vec<(i32, i32)> = Vec::new();
    for index in 0..service.spec.ports.len() {
        let (port, asked) = (service.spec.ports[index].port, service.spec.ports[index].node_port);
        if asked == 0 && !allocates {
            continue;
        }
        let shared = by_port.iter().find(|(known, _)| *known == port).map(|(_, node_port)| *node_port);
        let node_port = match (shared, asked) {
            (Some(shared), 0) => shared,
            (Some(shared), asked) if shared == asked => asked,
            (Some(_), asked) => asked_for(choice, service, index, asked)?,
            (None, _) => {
                let mut same = service.spec.ports.iter().filter(|other| other.port == port);
                match same.find_map(|other| Some(other.node_port).filter(|wanted| *wanted != 0)) {
                    Some(wanted) => asked_for(choice, service, index, wanted)?,
                    None => chosen(choice)?,
                }
            }
        };
        service.spec.ports[index].node_port = node_port;
        if shared.is_none() {
            by_port.push((port, node_port));
        }
    }
    Ok(())
}

fn of_changed(choice: &mut Choice<'_>, service: &mut Service, old: &Service) -> Result<(), Status> {
    let allocates = allocates_node_ports(service);
    let kept = ports_of(old);
    let mut mine = BTreeSet::new();
    for index in 0..service.spec.ports.len() {
        let asked = service.spec.ports[index].node_port;
        if asked == 0 {
            if allocates {
                service.spec.ports[index].node_port = chosen(choice)?;
            }
            continue;
        }
        let is_kept = u16::try_from(asked).is_ok_and(|asked| kept.contains(&asked));
        if !is_kept && mine.insert(asked) {
            asked_for(choice, service, index, asked)?;
        }
    }
    Ok(())
}

fn chosen(choice: &mut Choice<'_>) -> Result<i32, Status> {
    choice.next().map_err(|why| Status::internal_error(format!("failed to allocate a nodePort: {why}")))
}

fn asked_for(choice: &mut Choice<'_>, service: &Service, index: usize, port: i32) -> Result<i32, Status> {
    let path = Path::new("spec").child("ports").index(index).child("nodePort");
    let taken = choice.take(port).map(|()| port);
    taken.map_err(|why| invalid(service, FieldError::invalid(&path, port, why)))
}

/// Keeps the ports in use as the write leaves them; `None` when one that is wanted has been taken meanwhile.
pub(super) async fn bind(
    registry: &Registry,
    range: &RangeInclusive<u16>,
    held: &BTreeSet<u16>,
    wanted: &BTreeSet<u16>,
    txn: Txn,
) -> Result<Option<Txn>, Status> {
    let Allocation { mut ports, kept_at } = allocation(registry, range).await?;
    for port in wanted.difference(held) {
        if !ports.insert(*port) {
            return Ok(None);
        }
    }
    for port in held.difference(wanted) {
        ports.remove(port);
    }
    let key = KEY.as_bytes();
    let unchanged = match kept_at {
        Some(revision) => Compare::Modified(key.into(), revision),
        None => Compare::Absent(key.into()),
    };
    Ok(Some(txn.when(unchanged).put(key, encoded(&ports, range))))
}

/// Ports whose keeping did not agree with what the services say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairedPorts {
    /// Ports that no service has, and that are free now.
    pub leaked: BTreeSet<u16>,
    /// Ports that services have, and that nobody else gets any more.
    pub missing: BTreeSet<u16>,
}

/// Brings the ports in use to what the services say. A service that changes its ports meanwhile changes the key that this
/// compares, so what was read is what is. Stock Kubernetes, which reserves a port before it makes the service, has to wait for a leak
/// to be seen thrice (`portallocator/controller/repair.go`).
pub(super) async fn repair(
    registry: &Registry,
    range: &RangeInclusive<u16>,
) -> Result<RepairedPorts, Status> {
    for _ in 0..WRITE_ATTEMPTS {
        let Allocation { ports, kept_at } = allocation(registry, range).await?;
        let Some(kept_at) = kept_at else { break };
        let wanted = of_services(registry).await?;
        let wanted: BTreeSet<u16> = wanted.into_iter().filter(|port| range.contains(port)).collect();
        if ports == wanted {
            break;
        }
        let txn = Txn::update(KEY.as_bytes(), encoded(&wanted, range), kept_at);
        match registry.shared.store.commit(txn).await {
            Ok(_) => {
                return Ok(RepairedPorts {
                    leaked: ports.difference(&wanted).copied().collect(),
                    missing: wanted.difference(&ports).copied().collect(),
                });
            }
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(faults::commit(&error)),
        }
    }
    Ok(RepairedPorts::default())
}

fn encoded(ports: &BTreeSet<u16>, range: &RangeInclusive<u16>) -> Vec<u8> {
    let object = RangeAllocation {
        range: shown(range),
        data: Some(bits(ports, range).into()),
        ..RangeAllocation::default()
    };
    proto::encode(&object, &KIND)
}

/// Keeps other ports than the services say.
#[cfg(test)]
pub(super) async fn spoil(registry: &Registry, range: &RangeInclusive<u16>, ports: &BTreeSet<u16>) {
    let kept = allocation(registry, range).await.expect("read").kept_at.expect("kept");
    let txn = Txn::update(KEY.as_bytes(), encoded(ports, range), kept);
    registry.shared.store.commit(txn).await.map(|_| ()).expect("written");
}

/// The ports in use.
#[cfg(test)]
pub(super) async fn kept(registry: &Registry, range: &RangeInclusive<u16>) -> Result<BTreeSet<u16>, Status> {
    Ok(allocation(registry, range).await?.ports)
}

fn shown(range: &RangeInclusive<u16>) -> String {
    format!("{}-{}", range.start(), range.end())
}

/// What is kept; where nothing is, or for another range, what the services say.
async fn allocation(registry: &Registry, range: &RangeInclusive<u16>) -> Result<Allocation, Status> {
    let entry =
        registry.shared.store.get(KEY.as_bytes().into()).await.map_err(|error| faults::read(&error))?;
    let Some(entry) = entry else {
        return Ok(Allocation { ports: of_services(registry).await?, kept_at: None });
    };
    let damaged = |error: &dyn std::fmt::Display| {
        Status::internal_error(format!("the stored value of {KEY} cannot be read: {error}"))
    };
    let envelope = proto::open(&entry.value, Limits::RESPONSE).map_err(|error| damaged(&error))?;
    let mut object = RangeAllocation::default();
    proto::decode(envelope.raw, &mut object).map_err(|error| damaged(&error))?;
    let ports = if object.range == shown(range) {
        ports(object.data.as_deref().unwrap_or_default(), range)
    } else {
        of_services(registry).await?
    };
    Ok(Allocation { ports, kept_at: Some(entry.modified) })
}

async fn of_services(registry: &Registry) -> Result<BTreeSet<u16>, Status> {
    let served = registry.catalog().find("", "v1", "services");
    let served = served.ok_or_else(|| Status::internal_error("services are not served"))?;
    let list = registry.list(served, "", &ListOptions::default()).await?;
    Ok(list.items.iter().filter_map(|item| item.downcast_ref()).flat_map(ports_of).collect())
}

/// The bits of the ports in use, the range's first port the lowest, as the bytes of one big-endian number.
fn bits(ports: &BTreeSet<u16>, range: &RangeInclusive<u16>) -> Vec<u8> {
    let offset = |port: &u16| usize::from(port - range.start());
    let inside = || ports.iter().filter(|port| range.contains(port));
    let length = inside().next_back().map_or(0, |last| offset(last) / 8 + 1);
    let mut bytes = vec![0; length];
    for port in inside() {
        bytes[length - 1 - offset(port) / 8] |= 1 << (offset(port) % 8);
    }
    bytes
}

fn ports(bytes: &[u8], range: &RangeInclusive<u16>) -> BTreeSet<u16> {
    let is_set = |port: &u16| {
        let offset = usize::from(port - range.start());
        bytes.iter().rev().nth(offset / 8).is_some_and(|byte| byte >> (offset % 8) & 1 == 1)
    };
    range.clone().filter(is_set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_kept_as_stock_kubernetes_keeps_them() {
        let range = 30_000..=32_767;
        let cases: [(&[u16], &[u8]); 4] =
            [(&[], &[]), (&[30_000], &[1]), (&[30_001, 30_008], &[1, 2]), (&[30_015], &[0x80, 0])];
        for (set, bytes) in cases {
            let set: BTreeSet<u16> = set.iter().copied().collect();
            assert_eq!(bits(&set, &range), bytes);
            assert_eq!(ports(bytes, &range), set);
        }
    }

    #[test]
    fn the_lower_part_of_the_range_is_left_to_those_who_choose() {
        assert_eq!(
            [static_part(15), static_part(31), static_part(2_767), static_part(9_999)],
            [0, 16, 86, 128]
        );
    }
}
