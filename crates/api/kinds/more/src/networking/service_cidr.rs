//! Ranges that services' addresses come from.

use api_kind::checks::shown;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::networking::v1::{ServiceCIDR, ServiceCIDRSpec};

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
    match old {
        None => spec(errors, &at, &own.spec),
        Some(old) => update(errors, &at, &own.spec, &old.spec),
    }
}

fn spec(errors: &mut ErrorList, at: &Path, spec: &ServiceCIDRSpec) {
    let cidrs = &spec.cidrs;
    if cidrs.is_empty() {
        return errors.push(FieldError::required(at, "at least one CIDR required"));
    }
    if cidrs.len() > 2 {
        return errors.push(FieldError::invalid(at, shown(spec), "may only hold up to 2 values"));
    }
    for (index, cidr) in cidrs.iter().enumerate() {
        errors.extend(names::is_valid_cidr(&at.index(index), cidr));
    }
    // What is no range has no family.
    let is_ipv4 =
        |cidr: &String| names::parse_cidr_sloppy(cidr).map(|cidr| cidr.address.to_canonical().is_ipv4());
    if let [first, second] = &cidrs[..]
        && is_ipv4(first).is_some()
        && is_ipv4(first) == is_ipv4(second)
    {
        let why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errors.push(FieldError::invalid(at, cidrs, why));
    }
}

/// Ranges stay; one may get a second, of the other family.
fn update(errors: &mut ErrorList, at: &Path, new: &ServiceCIDRSpec, old: &ServiceCIDRSpec) {
    const IMMUTABLE: &str = "field is immutable";
    let grows = old.cidrs.len() == 1 && new.cidrs.len() == 2;
    if !grows && old.cidrs.len() != new.cidrs.len() {
        return errors.push(FieldError::invalid(at, &new.cidrs, IMMUTABLE));
    }
    for (index, (new, old)) in new.cidrs.iter().zip(&old.cidrs).enumerate() {
        if new != old {
            errors.push(FieldError::invalid(&at.index(index), new, IMMUTABLE));
        }
    }
    if grows {
        spec(errors, at, new);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    fn spec(cidrs: &str) -> String {
        format!("spec: {{cidrs: [{cidrs}]}}")
    }

    #[test]
    fn ranges_are_of_different_families() {
        for (cidrs, expected) in [
            ("10.0.0.0/24", &[][..]),
            ("10.0.0.0/24, '2001:db8::/64'", &[]),
            ("", &["spec.cidrs: Required value: at least one CIDR required"]),
            (
                "10.0.0.0/24, 10.1.0.0/24",
                &[
                    "spec.cidrs: Invalid value: [\"10.0.0.0/24\",\"10.1.0.0/24\"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64",
                ],
            ),
            (
                "a, b",
                &[
                    "spec.cidrs[0]: Invalid value: \"a\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                    "spec.cidrs[1]: Invalid value: \"b\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
                ],
            ),
            (
                "10.0.0.0/24, 10.1.0.0/24, 10.2.0.0/24",
                &[
                    "spec.cidrs: Invalid value: {\"cidrs\":[\"10.0.0.0/24\",\"10.1.0.0/24\",\"10.2.0.0/24\"]}: may only hold up to 2 values",
                ],
            ),
        ] {
            assert_eq!(create(&KIND, &spec(cidrs)).errors, expected, "{cidrs}");
        }
    }

    #[test]
    fn ranges_stay_but_one_gets_a_second() {
        for (old, new, expected) in [
            ("10.0.0.0/24", "10.0.0.0/24, '2001:db8::/64'", &[][..]),
            (
                "10.0.0.0/24",
                "10.1.0.0/24",
                &["spec.cidrs[0]: Invalid value: \"10.1.0.0/24\": field is immutable"],
            ),
            (
                "10.0.0.0/24, '2001:db8::/64'",
                "10.0.0.0/24",
                &["spec.cidrs: Invalid value: [\"10.0.0.0/24\"]: field is immutable"],
            ),
        ] {
            assert_eq!(update(&KIND, "", &spec(old), &spec(new)).errors, expected, "{old} {new}");
        }
    }
}
