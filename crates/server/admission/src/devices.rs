//! Who may write what about devices, and the time at which a taint was added: what upstream's strategies of `resource.k8s.io` do beyond
//! what an object tells of itself (`pkg/registry/resource`).
//!
//! The devices of a claim are the scheduler's to say, what drivers say of them a driver's, and access as an administrator is for namespaces
//! that are labelled for it. Admission is not told updates from patches: who may do one of them to the parts of a claim may do both.

use std::collections::BTreeSet;
use std::sync::Arc;

use api_meta::Status;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::GroupKind;
use api_meta::node_affinity::NAME_FIELD;
use api_record::{Record, scalar};
use api_types::core::v1::Namespace;
use api_types::resource::v1::{
    AllocatedDeviceStatus, AllocationResult, DeviceRequest, DeviceTaintRule, ResourceClaim,
    ResourceClaimStatus, ResourceClaimTemplate, ResourceSlice,
};
use base::time::Clock;
use client::{BoxFuture, Caller, Resource};
use server_authn::service_account::NODE_NAME;
use server_authz::{Attributes as Right, forbidden};
use server_registry::admit::{Attributes, Operation};

use crate::lookup::typed;
use crate::plugin::is_about;
use crate::{Authorizer, Lookup, Plugin};

const GROUP: &str = "resource.k8s.io";
const ADMIN: &str = "resource.kubernetes.io/admin-access";
const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");
const VERBS: [&str; 2] = ["update", "patch"];

/// Guards what is written about devices.
pub struct Devices {
    lookup: Arc<dyn Lookup>,
    authorizer: Authorizer,
    clock: Arc<dyn Clock>,
}

impl Devices {
    /// Looks namespaces up, asks `authorizer`, and reads the time.
    pub fn new(lookup: Arc<dyn Lookup>, authorizer: Authorizer, clock: Arc<dyn Clock>) -> Devices {
        Devices { lookup, authorizer, clock }
    }

    async fn check(
        &self,
        attributes: &Attributes<'_>,
        object: &dyn Record,
        old: Option<&dyn Record>,
    ) -> Result<Option<(&'static str, FieldError)>, Status> {
        let created = attributes.operation == Operation::Create && attributes.subresource.is_empty();
        let is = |plural| is_about(attributes, GROUP, plural);
        if is("resourceclaims") {
            let claim = typed::<ResourceClaim>(object)?;
            let error = match old {
                None if created => self.admin(attributes, as_admin(&claim.spec.devices.requests)).await,
                Some(old) if attributes.subresource == "status" => {
                    self.status(attributes, &claim.status, &typed::<ResourceClaim>(old)?.status).await
                }
                _ => None,
            };
            return Ok(error.map(|error| ("ResourceClaim", error)));
        }
        if is("resourceclaimtemplates") && created {
            let template = typed::<ResourceClaimTemplate>(object)?;
            let error = self.admin(attributes, as_admin(&template.spec.spec.devices.requests)).await;
            return Ok(error.map(|error| ("ResourceClaimTemplate", error)));
        }
        Ok(None)
    }

    /// Refuses what is asked for as an administrator, at this path, unless the namespace is labelled for it.
    async fn admin(&self, attributes: &Attributes<'_>, path: Option<Path>) -> Option<FieldError> {
        let path = path?;
        let found = self.lookup.get(&NAMESPACES, "", attributes.namespace).await;
        let namespace = match &found {
            Ok(found) => typed::<Namespace>(&**found).ok()?,
            Err(status) => {
                let why = format!("could not retrieve namespace to verify admin access: {}", status.message);
                return Some(FieldError::internal(&path, why));
            }
        };
        let is_labelled = namespace.metadata.labels.get(ADMIN).is_some_and(|label| label == "true");
        (!is_labelled).then(|| {
            let why = format!(
                "admin access to devices requires the `{ADMIN}: true` label on the containing namespace"
            );
            FieldError::forbidden(&path, why)
        })
    }

    async fn status(
        &self,
        attributes: &Attributes<'_>,
        new: &ResourceClaimStatus,
        old: &ResourceClaimStatus,
    ) -> Option<FieldError> {
        let granted = old.allocation.as_deref().and_then(allocated_as_admin).is_some();
        let asked = new.allocation.as_deref().and_then(allocated_as_admin).filter(|_| !granted);
        if let Some(error) = self.admin(attributes, asked).await {
            return Some(error);
        }
        let path = Path::new("status");
        if new.allocation != old.allocation || new.reserved_for != old.reserved_for {
            let right = Right { subresource: "binding", ..of_claims(attributes.caller) };
            if let Err(refused) = self.may(&VERBS, right) {
                let what = "changing status.allocation or status.reservedFor requires resource=\"resourceclaims/binding\", verb=\"update\" permission";
                return Some(FieldError::forbidden(&path.child("allocation"), format!("{what}: {refused}")));
            }
        }
        new.allocation.as_deref()?;
        let verbs = driver_verbs(attributes.caller, new.allocation.as_deref());
        for driver in changed_drivers(new, old) {
            let asked = Right { subresource: "driver", name: driver, ..of_claims(attributes.caller) };
            let right = Right { namespace: attributes.namespace, ..asked };
            if let Err(refused) = self.may(verbs, right) {
                let shown = verbs.iter().step_by(2).copied().collect::<Vec<_>>().join(" ");
                let what = format!(
                    "changing status.devices requires resource=\"resourceclaims/driver\", verb=\"[{shown}]\" permission"
                );
                return Some(FieldError::forbidden(&path.child("devices"), format!("{what}: {refused}")));
            }
        }
        None
    }

    /// Whether one of these verbs is allowed; else what is said of the first.
    fn may(&self, verbs: &[&str], right: Right<'_>) -> Result<(), String> {
        let mut rights = verbs.iter().map(|verb| Right { verb, ..right });
        if rights.any(|right| (self.authorizer)(&right)) {
            return Ok(());
        }
        Err(forbidden::message(&Right { verb: verbs.first().copied().unwrap_or_default(), ..right }, ""))
    }
}

fn of_claims(caller: &Caller) -> Right<'_> {
    Right::of(&caller.name, &caller.groups).on("update", GROUP, "resourceclaims")
}

fn as_admin(requests: &[DeviceRequest]) -> Option<Path> {
    let is_admin = |request: &DeviceRequest| {
        request.exactly.as_ref().is_some_and(|exact| exact.admin_access == Some(true))
    };
    let at = requests.iter().position(is_admin)?;
    Some(Path::new("spec").child("devices").child("requests").index(at).child("adminAccess"))
}

fn allocated_as_admin(allocation: &AllocationResult) -> Option<Path> {
    let at = allocation.devices.results.iter().position(|own| own.admin_access == Some(true))?;
    let path = Path::new("status").child("allocation").child("devices").child("results");
    Some(path.index(at).child("adminAccess"))
}

/// The drivers of whose devices something else is said, in the order of their names.
fn changed_drivers<'a>(new: &'a ResourceClaimStatus, old: &'a ResourceClaimStatus) -> BTreeSet<&'a str> {
    let differs = |one: &[AllocatedDeviceStatus], other: &'a [AllocatedDeviceStatus]| {
        let changed = other.iter().filter(|own| !one.contains(own));
        changed.map(|own| own.driver.as_str()).collect::<BTreeSet<_>>()
    };
    &differs(&old.devices, &new.devices) | &differs(&new.devices, &old.devices)
}

/// What a driver has to be allowed to do: less where it runs on the node of the devices.
fn driver_verbs(caller: &Caller, allocation: Option<&AllocationResult>) -> &'static [&'static str] {
    const ANYWHERE: [&str; 2] = ["arbitrary-node:update", "arbitrary-node:patch"];
    const HERE: [&str; 4] =
        ["associated-node:update", "associated-node:patch", "arbitrary-node:update", "arbitrary-node:patch"];
    let is_here = allocation.and_then(node_of).is_some_and(|node| {
        caller.name.starts_with("system:serviceaccount:")
            && caller.extra.get(NODE_NAME).is_some_and(|own| *own == [node])
    });
    if is_here { &HERE } else { &ANYWHERE }
}

/// The only node that an allocation is good for.
fn node_of(allocation: &AllocationResult) -> Option<&str> {
    let selector = allocation.node_selector.as_deref()?;
    let [term] = selector.node_selector_terms.as_slice() else { return None };
    let ([], [field]) = (term.match_expressions.as_slice(), term.match_fields.as_slice()) else {
        return None;
    };
    match field.values.as_slice() {
        [node] if field.key == NAME_FIELD && field.operator == "In" => Some(node),
        _ => None,
    }
}

/// Says when taints were added of which that is not said, and when the effect of a rule became another.
fn stamp(object: &mut dyn Record, old: Option<&dyn Record>, now: scalar::Time) {
    if let Some(rule) = object.downcast_mut::<DeviceTaintRule>() {
        let taint = &mut rule.spec.taint;
        let before = old.and_then(|old| old.downcast_ref::<DeviceTaintRule>()).map(|old| &old.spec.taint);
        let is_other = before
            .is_some_and(|before| before.effect != taint.effect && before.time_added == taint.time_added);
        if is_other {
            taint.time_added = Some(now);
        }
        taint.time_added.get_or_insert(now);
    } else if let Some(slice) = object.downcast_mut::<ResourceSlice>() {
        let taints = slice.spec.devices.iter_mut().flat_map(|device| &mut device.taints);
        taints.for_each(|taint| {
            taint.time_added.get_or_insert(now);
        });
    }
}

impl Plugin for Devices {
    fn mutate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        if attributes.resource.group == GROUP && attributes.subresource.is_empty() {
            stamp(object, old, self.clock.now().into());
        }
        Box::pin(async { Ok(()) })
    }

    fn validate<'a>(
        &'a self,
        attributes: &'a Attributes<'a>,
        object: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let Some(object) = object.filter(|_| attributes.resource.group == GROUP) else { return Ok(()) };
            let Some((kind, error)) = self.check(attributes, object, old).await? else { return Ok(()) };
            let mut errors = ErrorList::new();
            errors.push(error);
            Err(Status::invalid(GroupKind { group: GROUP, kind }, attributes.name, &errors))
        })
    }
}
