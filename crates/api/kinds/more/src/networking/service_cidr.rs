//! Ranges that services' addresses come from.

use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::networking::v1::ServiceCIDR;

/// The row.
pub const KIND: Kind<ServiceCIDR> = Kind::<ServiceCIDR>::of("networking.k8s.io", "v1", "servicecidrs")
    .frozen_metadata()
    .validate(validate)
    .columns(&[
        Column::<ServiceCIDR>::name(),
        Column::<ServiceCIDR>::text(
            "CIDRs",
            "CIDRs defines the IP blocks in CIDR notation from which to assign service cluster IPs.",
            |own, _| own.spec.cidrs.join(",").into(),
        ),
        Column::<ServiceCIDR>::age(),
    ]);

fn validate(ctx: &Ctx<'_>, own: &ServiceCIDR, old: Option<&ServiceCIDR>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return;
    }
    let at = Path::new("spec").child("cidrs");
    let cidrs = &own.spec.cidrs;
    if cidrs.is_empty() {
        errors.push(FieldError::required(&at, "at least one CIDR required"));
        return;
    }
    let v6 = cidrs.iter().filter(|cidr| cidr.contains(':')).count();
    if cidrs.len() > 2 {
        let why = "may only hold up to 2 values";
        errors.push(FieldError::invalid(&at, cidrs, why));
    } else if cidrs.len() == 2 && v6 != 1 {
        let why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errors.push(FieldError::invalid(&at, cidrs, why));
    }
    for (index, cidr) in cidrs.iter().enumerate() {
        errors.extend(names::is_valid_cidr(&at.index(index), cidr));
    }
    if old.is_some_and(|old| !cidrs.starts_with(&old.spec.cidrs)) {
        errors.push(FieldError::invalid(&at, cidrs, "field is immutable"));
    }
}
