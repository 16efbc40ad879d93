//! What the devices of a pod ask of nodes: gathered once for an attempt, then looked at node by node.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use api_device::allocate::Failure;
use api_device::limits::ALTERNATIVES;
use api_device::{claim, pool};
use api_types::resource::v1::{AllocationResult, DeviceRequest, ResourceClaim};

use super::binding::{self, Binding, Bindings};
use super::claims::PodClaims;
use super::{ClaimKey, Devices, key};
use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::PodId;
use crate::profile::Profile;
use crate::reason::{Plugin, Reason, Refusal};

/// What a node can give to the claims that are not allocated, in their order.
type Given = Rc<Vec<AllocationResult>>;

/// What a pod's claims ask of nodes.
pub(crate) struct Wanted<'a> {
    cluster: &'a Cluster,
    pod: &'a PodClaims,
    claims: Vec<&'a ResourceClaim>,
    /// Claims whose binding has failed, by their place: they are to be had on no node.
    broken: BTreeSet<usize>,
    judged: RefCell<BTreeMap<NodeIx, Result<Given, Reason>>>,
    /// Claims that are allocated and were not to be had on a node that was looked at.
    unavailable: RefCell<BTreeSet<usize>>,
    error: RefCell<Option<String>>,
}

fn refused(why: impl Into<String>) -> Refusal {
    Refusal::Claims { plugin: Plugin::DynamicResources, why: why.into().into() }
}

impl<'a> Wanted<'a> {
    /// What a pod's claims ask of nodes; `None` if it has none, or nobody asks.
    ///
    /// # Errors
    /// If no node will do as things are.
    pub(crate) fn of(
        cluster: &'a Cluster,
        profile: &Profile,
        pod: PodId,
    ) -> Result<Option<Wanted<'a>>, Refusal> {
        let Some(pod) = cluster.pods[pod].devices.as_deref() else { return Ok(None) };
        if !profile.filters(Plugin::DynamicResources) {
            return Ok(None);
        }
        let devices = &cluster.devices;
        let claims = pod.usable(devices).map_err(refused)?;
        let mut broken = BTreeSet::new();
        for (at, claim) in claims.iter().enumerate() {
            if claim.status.allocation.is_none() {
                check(devices, claim)?;
            } else if binding::is_broken(claim, devices.now) {
                broken.insert(at);
            }
        }
        Ok(Some(Wanted {
            cluster,
            pod,
            claims,
            broken,
            judged: RefCell::default(),
            unavailable: RefCell::default(),
            error: RefCell::default(),
        }))
    }

    /// Whether a node would do.
    pub(crate) fn fits(&self, node: NodeIx) -> bool {
        self.judge(node).is_ok()
    }

    /// Why a node would not do.
    pub(crate) fn reasons(&self, node: NodeIx, reasons: &mut Vec<Reason>) {
        reasons.extend(self.judge(node).err());
    }

    /// Why the pod cannot be scheduled at all: something is wrong with its claims, or with their classes.
    pub(crate) fn error(&self) -> Option<String> {
        self.error.borrow().clone()
    }

    /// The claims that have devices where the pod cannot run, and that nobody else uses: their devices can be given back.
    pub(crate) fn to_deallocate(&self) -> Vec<ClaimKey> {
        let unavailable = self.unavailable.borrow();
        let claims = unavailable.iter().map(|at| self.claims[*at]);
        let is_free =
            |claim: &&ResourceClaim| claim.status.reserved_for.iter().all(|user| *user.uid == *self.pod.uid);
        claims.filter(is_free).map(key).collect()
    }

    /// What is to be written so that the pod can run on a node; `None` if all is as it has to be.
    pub(crate) fn decide(&self, node: NodeIx) -> Option<Bindings> {
        let given = self.judge(node).ok()?;
        let mut given = given.iter();
        let mut claims = Vec::new();
        for claim in &self.claims {
            let allocation = match claim.status.allocation {
                Some(_) => None,
                None => Some(given.next()?.clone()),
            };
            if allocation.is_some() || !claim::is_reserved_for(claim, &self.pod.uid) || binding::waits(claim)
            {
                claims.push(Binding { claim: (*claim).clone(), allocation });
            }
        }
        (!claims.is_empty()).then_some(Bindings { claims })
    }

    /// How much the pod likes what it gets on a node: the earlier an alternative, the better.
    pub(crate) fn score(&self, node: NodeIx) -> i64 {
        let Ok(given) = self.judge(node) else { return 0 };
        let mut given = given.iter();
        let of_claim = |claim: &&ResourceClaim| {
            let allocation = claim.status.allocation.as_deref().or_else(|| given.next());
            allocation.map_or(0, |allocation| liking(claim, allocation))
        };
        self.claims.iter().map(of_claim).sum()
    }

    /// Whether some claim offers alternatives.
    pub(crate) fn has_preferences(&self) -> bool {
        let mut requests = self.claims.iter().flat_map(|claim| claim.spec.devices.requests.iter());
        requests.any(|request: &DeviceRequest| !request.first_available.is_empty())
    }

    fn judge(&self, node: NodeIx) -> Result<Given, Reason> {
        if let Some(known) = self.judged.borrow().get(&node) {
            return known.clone();
        }
        let judged = self.look(node);
        self.judged.borrow_mut().insert(node, judged.clone());
        judged
    }

    fn look(&self, node: NodeIx) -> Result<Given, Reason> {
        // Once it is known that the pod cannot be scheduled, no node has to be looked at any more.
        if self.error.borrow().is_some() {
            return Err(Reason::CannotAllocate);
        }
        let nodes = &self.cluster.nodes;
        let name = &*nodes.name[node.index()];
        let at = pool::Node { name, labels: &nodes.facts[node.index()].labels };
        let is_elsewhere = |claim: &ResourceClaim| {
            let allocation = claim.status.allocation.as_deref();
            let selector = allocation.and_then(|allocation| allocation.node_selector.as_deref());
            selector.is_some_and(|selector| !pool::selects(selector, at))
        };
        let all = self.claims.iter().enumerate();
        let unavailable: Vec<usize> = all
            .filter(|(at, claim)| self.broken.contains(at) || is_elsewhere(claim))
            .map(|(at, _)| at)
            .collect();
        let pending: Vec<&ResourceClaim> =
            self.claims.iter().copied().filter(|claim| claim.status.allocation.is_none()).collect();
        let given = match pending.is_empty() {
            true => Vec::new(),
            false => match self.cluster.devices.allocator().allocate(at, &pending) {
                Ok(Some(given)) => given,
                Ok(None) => return Err(Reason::CannotAllocate),
                Err(Failure::Node(_)) => return Err(Reason::InvalidPools),
                Err(Failure::Claims(why)) => return Err(self.failed(why)),
                Err(Failure::TooLong) => {
                    return Err(self.failed(format!("node {name}: {}", Failure::TooLong)));
                }
            },
        };
        if unavailable.is_empty() {
            return Ok(Rc::new(given));
        }
        self.unavailable.borrow_mut().extend(unavailable);
        Err(Reason::ClaimElsewhere)
    }

    fn failed(&self, why: String) -> Reason {
        let plugin = Plugin::DynamicResources.name();
        *self.error.borrow_mut() = Some(format!("running {plugin:?} filter plugin: {why}"));
        Reason::CannotAllocate
    }
}

/// Whether devices can be looked for for a claim.
fn check(devices: &Devices, claim: &ResourceClaim) -> Result<(), Refusal> {
    let shown = format!("{}/{}", claim.metadata.namespace, claim.metadata.name);
    if devices.is_in_flight(&claim.metadata.uid) {
        return Err(refused(format!("resource claim {shown} is in the process of being allocated")));
    }
    for request in claim.spec.devices.requests.iter() {
        let name = &request.name;
        let mut classes: Vec<(String, &str)> = Vec::new();
        match &request.exactly {
            Some(exact) => classes.push((name.clone(), &exact.device_class_name)),
            None => classes.extend(
                request
                    .first_available
                    .iter()
                    .map(|own| (format!("{name}/{}", own.name), own.device_class_name.as_str())),
            ),
        }
        if classes.is_empty() {
            return Err(refused(format!("resource claim {shown}, request {name}: unknown request type")));
        }
        for (request, class) in classes {
            if devices.class(class).is_none() {
                return Err(refused(format!("request {request}: device class {class} does not exist")));
            }
        }
    }
    Ok(())
}

fn liking(claim: &ResourceClaim, allocation: &AllocationResult) -> i64 {
    let got = |name: &str| allocation.devices.results.iter().any(|result| result.request == name);
    let alternatives = claim.spec.devices.requests.iter().flat_map(|request| {
        let own = request.first_available.iter().enumerate();
        own.filter(|(_, alternative)| got(&format!("{}/{}", request.name, alternative.name)))
    });
    let worth = |at: usize| i64::try_from(ALTERNATIVES.saturating_sub(at)).unwrap_or(0);
    alternatives.map(|(at, _)| worth(at)).sum()
}
