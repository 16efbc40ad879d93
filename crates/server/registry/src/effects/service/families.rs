//! Which families of addresses a service has, from its three linked fields (upstream's `initIPFamilyFields`).

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::{is_valid_ip_for_legacy_field, parse_ip_sloppy};
use api_types::core::v1::Service;

use super::pool::Family;
use super::{NONE, is_external_name, is_headless};

const SINGLE: &str = "SingleStack";
const PREFER: &str = "PreferDualStack";
const REQUIRE: &str = "RequireDualStack";

/// Fills in the policy and the families; `configured` are the cluster's, its default first.
pub(super) fn fill(
    service: &mut Service,
    old: Option<&Service>,
    configured: &[Family],
) -> Result<(), ErrorList> {
    if is_external_name(service) || is_settled(service, old) {
        return Ok(());
    }
    let selectorless = is_headless(service) && service.spec.selector.is_empty();
    if service.spec.ip_family_policy.is_none() {
        let before = old.and_then(|old| old.spec.ip_family_policy.clone());
        let inferred = if selectorless { REQUIRE } else { SINGLE };
        service.spec.ip_family_policy = Some(before.unwrap_or_else(|| inferred.to_owned()));
    }
    check_fields(service, old).into_result()?;
    let mut errors = ErrorList::new();
    reconcile_with_old(service, old, &mut errors);
    infer_from_addresses(service, configured, &mut errors);
    errors.into_result()?;
    let dual = service.spec.ip_family_policy.as_deref() != Some(SINGLE);
    let default = configured.first().copied().unwrap_or(Family::V4);
    if selectorless {
        // Whatever the cluster has: nobody knows what endpoints it will be given.
        complete(service, default, dual);
        return Ok(());
    }
    check_against_cluster(service, configured).into_result()?;
    complete(service, default, dual && configured.len() == 2);
    Ok(())
}

/// Services that prefer two families are never given or denied the second because the cluster has changed.
pub(super) fn is_settled(service: &Service, old: Option<&Service>) -> bool {
    let Some(old) = old else { return false };
    let prefers = |policy: &Option<String>| policy.as_deref() == Some(PREFER);
    service.spec.type_ == old.spec.type_
        && !is_external_name(service)
        && prefers(&service.spec.ip_family_policy)
        && (old.spec.ip_family_policy.is_none() || prefers(&old.spec.ip_family_policy))
        && service.spec.cluster_ips == old.spec.cluster_ips
        && service.spec.ip_families == old.spec.ip_families
}

fn complete(service: &mut Service, default: Family, dual: bool) {
    let families = &mut service.spec.ip_families;
    if families.is_empty() {
        families.push(default.name().to_owned());
    }
    if let [one] = &families[..]
        && dual
        && let Some(one) = Family::named(one)
    {
        families.push(one.other().name().to_owned());
    }
}

fn policy_error(service: &Service, why: &str) -> FieldError {
    let policy = service.spec.ip_family_policy.clone().unwrap_or_default();
    FieldError::invalid(&Path::new("spec").child("ipFamilyPolicy"), policy, why)
}

fn reconcile_with_old(service: &mut Service, old: Option<&Service>, errors: &mut ErrorList) {
    let single = service.spec.ip_family_policy.as_deref() == Some(SINGLE);
    if let Some(old) = old {
        let (spec, before) = (&mut service.spec, &old.spec);
        if single {
            // The policy alone is clear enough; the first address stays in any case.
            if spec.cluster_ips == before.cluster_ips {
                spec.cluster_ips.truncate(1);
            }
            if spec.ip_families == before.ip_families {
                spec.ip_families.truncate(1);
            }
        } else {
            let reduced = |new: &[String], old: &[String]| !new.is_empty() && new.len() < old.len();
            let fewer_addresses = reduced(&spec.cluster_ips, &before.cluster_ips);
            let fewer_families = reduced(&spec.ip_families, &before.ip_families);
            if fewer_addresses {
                let why = "must be 'SingleStack' to release the secondary cluster IP";
                errors.push(policy_error(service, why));
            }
            if fewer_families {
                let why = "must be 'SingleStack' to release the secondary IP family";
                errors.push(policy_error(service, why));
            }
        }
    }
    let several = [
        (&service.spec.cluster_ips, "cluster IPs are specified"),
        (&service.spec.ip_families, "IP families are specified"),
    ];
    for (list, what) in several {
        if single && list.len() == 2 {
            let why = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {what}");
            errors.push(policy_error(service, &why));
        }
    }
}

fn infer_from_addresses(service: &mut Service, configured: &[Family], errors: &mut ErrorList) {
    let path = Path::new("spec").child("clusterIPs");
    for (index, text) in service.spec.cluster_ips.iter().enumerate() {
        if text == NONE {
            break;
        }
        let Some(address) = parse_ip_sloppy(text) else { continue };
        let family = Family::of(address);
        if index < service.spec.ip_families.len() {
            continue;
        }
        if configured.contains(&family) {
            service.spec.ip_families.push(family.name().to_owned());
        } else {
            let why = format!("{} is not configured on this cluster", family.name());
            errors.push(FieldError::invalid(&path.index(index), &service.spec.cluster_ips, why));
        }
    }
}

fn check_against_cluster(service: &Service, configured: &[Family]) -> ErrorList {
    let mut errors = ErrorList::new();
    if service.spec.ip_family_policy.as_deref() == Some(REQUIRE) && configured.len() < 2 {
        errors.push(policy_error(service, "this cluster is not configured for dual-stack services"));
    }
    let path = Path::new("spec").child("ipFamilies");
    for (index, family) in service.spec.ip_families.iter().enumerate() {
        if !Family::named(family).is_some_and(|family| configured.contains(&family)) {
            let why = "not configured on this cluster";
            errors.push(FieldError::invalid(&path.index(index), family, why));
        }
    }
    errors
}

/// What allocation rests on (upstream's `ValidateServiceClusterIPsRelatedFields`, which validation repeats).
fn check_fields(service: &Service, old: Option<&Service>) -> ErrorList {
    let spec = &service.spec;
    let path = Path::new("spec");
    let (ips, families) = (path.child("clusterIPs"), path.child("ipFamilies"));
    let mut errors = ErrorList::new();
    if spec.cluster_ip.is_empty() {
        if !spec.cluster_ips.is_empty() {
            let why = "must be empty when `clusterIP` is not specified";
            errors.push(FieldError::invalid(&ips, &spec.cluster_ips, why));
        }
    } else if spec.cluster_ips.is_empty() {
        errors.push(FieldError::required(&ips, ""));
    } else if spec.cluster_ips[0] != spec.cluster_ip {
        errors.push(FieldError::invalid(&ips, &spec.cluster_ips, "first value must match `clusterIP`"));
    }
    for (index, family) in spec.ip_families.iter().enumerate() {
        if Family::named(family).is_none() {
            errors.push(FieldError::not_supported(&families.index(index), family, &["IPv4", "IPv6"]));
        }
        if spec.ip_families[..index].contains(family) {
            errors.push(FieldError::duplicate(&families.index(index), family));
        }
    }
    if let Some(policy) = &spec.ip_family_policy
        && ![PREFER, REQUIRE, SINGLE].contains(&policy.as_str())
    {
        let supported = [PREFER, REQUIRE, SINGLE];
        errors.push(FieldError::not_supported(&path.child("ipFamilyPolicy"), policy, &supported));
    }
    check_addresses(service, old, &ips, &mut errors);
    errors
}

fn check_addresses(service: &Service, old: Option<&Service>, ips: &Path, errors: &mut ErrorList) {
    let spec = &service.spec;
    let before: Vec<&str> =
        old.map(|old| old.spec.cluster_ips.iter().map(String::as_str).collect()).unwrap_or_default();
    let known = errors.len();
    for (index, text) in spec.cluster_ips.iter().enumerate() {
        if index == 0 && text == NONE {
            if spec.cluster_ips.len() > 1 {
                let why = "'None' must be the first and only value";
                errors.push(FieldError::invalid(ips, &spec.cluster_ips, why));
            }
            continue;
        }
        errors.extend(is_valid_ip_for_legacy_field(&ips.index(index), text, true, &before));
    }
    let unreadable = errors.len() > known;
    if spec.cluster_ips.len() > 2 {
        errors.push(FieldError::invalid(ips, &spec.cluster_ips, "may only hold up to 2 values"));
    }
    if unreadable || is_headless(service) {
        return;
    }
    let found: Vec<Family> =
        spec.cluster_ips.iter().filter_map(|text| parse_ip_sloppy(text)).map(Family::of).collect();
    if found.len() > 1 && found.iter().all(|family| *family == found[0]) {
        let why = "may specify no more than one IP for each IP family";
        errors.push(FieldError::invalid(ips, &spec.cluster_ips, why));
    }
    for (index, (family, wanted)) in found.iter().zip(&spec.ip_families).enumerate() {
        if Family::named(wanted).is_some_and(|wanted| wanted != *family) {
            let why = format!("expected an {wanted} value as indicated by `ipFamilies[{index}]`");
            errors.push(FieldError::invalid(&ips.index(index), &spec.cluster_ips[index], why));
        }
    }
}
