//! Resource quotas.

use api_kind::checks::immutable;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::core::v1::ResourceQuota;

use crate::pod::{defaults::round_up, resources};

const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// The row.
pub const KIND: Kind<ResourceQuota> = Kind::<ResourceQuota>::of("", "v1", "resourcequotas")
    .defaults(|_, quota| {
        round_up(&mut quota.spec.hard);
        round_up(&mut quota.status.hard);
        round_up(&mut quota.status.used);
    })
    .validate(validate)
    .columns(&[
        Column::<ResourceQuota>::name(),
        Column::<ResourceQuota>::text("Request", "Request represents a minimum amount of cpu/memory that a container may consume.", |quota, _| {
            shown(quota, false).into()
        }),
        Column::<ResourceQuota>::text("Limit", "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.", |quota, _| {
            shown(quota, true).into()
        }),
        Column::<ResourceQuota>::age(),
    ]);

fn shown(quota: &ResourceQuota, limits: bool) -> String {
    let own = quota.status.hard.iter().filter(|(name, _)| name.starts_with("limits.") == limits);
    let parts = own.map(|(name, hard)| {
        let used = quota.status.used.get(name).map_or_else(|| "0".to_owned(), ToString::to_string);
        format!("{name}: {used}/{hard}")
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn validate(ctx: &Ctx<'_>, quota: &ResourceQuota, old: Option<&ResourceQuota>, errors: &mut ErrorList) {
    let (path, hard) = match ctx.subresource {
        "status" => (Path::new("status").child("hard"), &quota.status.hard),
        _ => (Path::new("spec").child("hard"), &quota.spec.hard),
    };
    let used = quota.status.used.iter().filter(|_| ctx.subresource == "status");
    let used = used.map(|(name, value)| (Path::new("status").child("used").key(name), name, value));
    for (at, name, value) in hard.iter().map(|(name, value)| (path.key(name), name, value)).chain(used) {
        if !is_count(name) {
            resources::name(errors, &at, name);
        }
        resources::quantity(errors, &at, name, value);
    }
    let at = Path::new("spec").child("scopes");
    for scope in &quota.spec.scopes {
        if !SCOPES.contains(&scope.as_str()) {
            errors.push(FieldError::invalid(&at, &quota.spec.scopes, "unsupported scope"));
        }
    }
    let has = |scope: &str| quota.spec.scopes.iter().any(|own| own == scope);
    if (has("BestEffort") && has("NotBestEffort")) || (has("Terminating") && has("NotTerminating")) {
        errors.push(FieldError::invalid(&at, &quota.spec.scopes, "conflicting scopes"));
    }
    if let Some(old) = old {
        immutable(errors, &at, quota.spec.scopes == old.spec.scopes, BadValue::from(&quota.spec.scopes));
    }
}

/// The count of objects of a resource, such as `count/deployments.apps`.
fn is_count(name: &str) -> bool {
    name.starts_with("count/") || name.contains(".storageclass.storage.k8s.io/")
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_quota_shows_what_is_used() {
        let spec = "spec: {hard: {pods: 2, limits.cpu: 4, count/deployments.apps: 3}}";
        assert_eq!(create(&KIND, spec).errors, [""; 0]);
        let status =
            update(&KIND, "status", spec, "status: {hard: {pods: 2, limits.cpu: 4}, used: {pods: 1}}");
        assert_eq!(status.errors, [""; 0]);
        assert_eq!(status.cells(&KIND), "x|pods: 1/2|limits.cpu: 0/4|<unknown>");
        let bad = create(&KIND, "spec: {hard: {pods: 500m, foo: 1}, scopes: [X]}");
        assert_eq!(
            bad.errors,
            [
                "spec.hard[foo]: Invalid value: \"foo\": must be a standard resource type or fully qualified",
                "spec.hard[pods]: Invalid value: \"500m\": must be an integer",
                "spec.scopes: Invalid value: [\"X\"]: unsupported scope"
            ]
        );
    }
}
