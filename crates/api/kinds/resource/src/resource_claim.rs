//! Claims of devices: what is asked for, what was allocated, who uses it, and what drivers say of it.

mod status;

use api_kind::{Column, Ctx, Kind, structural};
use api_meta::field::{ErrorList, Path};
use api_types::resource::v1::ResourceClaim;
use api_types::resource::v1beta2;

use crate::claim;

/// The row.
pub const KIND: Kind<ResourceClaim> = Kind::<ResourceClaim>::of("resource.k8s.io", "v1", "resourceclaims")
    .versions(&[structural::<v1beta2::ResourceClaim, ResourceClaim>("resource.k8s.io", "v1beta2")])
    .frozen_metadata()
    .defaults(|_, own| claim::defaults(&mut own.spec))
    .prepare(|ctx, own, old| {
        if let Some(old) = old.filter(|_| ctx.subresource == "status") {
            status::forget_deallocated(&mut own.status, &old.status);
        }
    })
    .validate(validate)
    .columns(&[
        Column::<ResourceClaim>::name(),
        Column::<ResourceClaim>::text(
            "State",
            "A summary of the current state (allocated, pending, reserved, etc.).",
            |own, _| state(own).into(),
        ),
        Column::<ResourceClaim>::age(),
    ]);

fn state(own: &ResourceClaim) -> String {
    let deleted = own.metadata.deletion_timestamp.is_some();
    let allocated = own.status.allocation.is_some();
    let states = [
        (deleted, "deleted"),
        (!allocated && !deleted, "pending"),
        (allocated, "allocated"),
        (allocated && !own.status.reserved_for.is_empty(), "reserved"),
    ];
    let states = states.into_iter().filter(|(is, _)| *is).map(|(_, state)| state);
    states.collect::<Vec<_>>().join(",")
}

/// A new claim's spec; afterwards it cannot change, so that what is stored is not judged again.
fn validate(ctx: &Ctx<'_>, own: &ResourceClaim, old: Option<&ResourceClaim>, errors: &mut ErrorList) {
    match old {
        None => claim::check(errors, ctx, &Path::new("spec"), &own.spec),
        Some(old) if ctx.subresource == "status" => status::check(errors, own, old),
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const CLAIM: &str = "spec: {devices: {requests: [{name: a, exactly: {deviceClassName: c}}]}}";
    const ALLOCATED: &str =
        "allocation: {devices: {results: [{request: a, driver: d.e, pool: p, device: one}]}}";

    #[test]
    fn a_claim_asks_for_what_its_constraints_name() {
        let made = create(&KIND, CLAIM);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|pending|<unknown>");
        let bad = create(
            &KIND,
            "spec: {devices: {requests: [{name: a}], constraints: [{requests: [b], matchAttribute: m}]}}",
        );
        assert_eq!(
            bad.errors,
            [
                "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
                "spec.devices.constraints[0].requests[0]: Invalid value: \"b\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
                "spec.devices.constraints[0].matchAttribute: Invalid value: \"m\": a fully qualified name must be a domain and a name separated by a slash",
            ]
        );
        let moved = update(&KIND, "", CLAIM, &CLAIM.replace("deviceClassName: c", "deviceClassName: d"));
        assert!(moved.errors.iter().any(|error| error.ends_with("field is immutable")), "{:?}", moved.errors);
    }

    #[test]
    fn what_is_allocated_is_reserved_and_reported_on() {
        let allocated = update(
            &KIND,
            "status",
            CLAIM,
            &format!(
                "status: {{{ALLOCATED}, reservedFor: [{{resource: pods, name: p, uid: u}}], devices: [{{driver: d.e, pool: p, device: one}}]}}"
            ),
        );
        assert_eq!(allocated.errors, [""; 0]);
        assert_eq!(allocated.cells(&KIND), "x|allocated,reserved|<unknown>");
        let reserved =
            update(&KIND, "status", CLAIM, "status: {reservedFor: [{resource: pods, name: p, uid: u}]}");
        assert_eq!(
            reserved.errors,
            ["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"]
        );
        let other = update(
            &KIND,
            "status",
            CLAIM,
            &format!("status: {{{ALLOCATED}, devices: [{{driver: d.e, pool: p, device: two}}]}}"),
        );
        assert_eq!(other.errors.len(), 1, "{:?}", other.errors);
        assert!(other.errors[0].ends_with("must be an allocated device in the claim"));
    }
}
