//! Drivers for the container storage interface, and what each needs of the cluster.

use std::collections::BTreeSet;

use api_kind::checks::{immutable, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::storage::v1::{CSIDriver, CSIDriverSpec, TokenRequest};

const TOKENS_IN_SECRETS: &str = "CSIServiceAccountTokenSecrets";
const LEAST_TOKEN_SECONDS: i64 = 600;
const MOST_TOKEN_SECONDS: i64 = 1 << 32;
const LEAST_PERIOD_SECONDS: i64 = 10;
const UNWISE: &str = "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";

/// The row.
pub const KIND: Kind<CSIDriver> = Kind::<CSIDriver>::of("storage.k8s.io", "v1", "csidrivers")
    .conditional_update()
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
    .warnings(warnings)
    .columns(&[
        Column::<CSIDriver>::name(),
        Column::<CSIDriver>::boolean("AttachRequired", "attachRequired indicates this CSI volume driver requires an attach operation.", |own, _| {
            own.spec.attach_required.unwrap_or(true).into()
        }),
        Column::<CSIDriver>::boolean("PodInfoOnMount", "podInfoOnMount indicates this CSI volume driver requires additional pod information during mount operations.", |own, _| {
            own.spec.pod_info_on_mount.unwrap_or(false).into()
        }),
        Column::<CSIDriver>::boolean("StorageCapacity", "storageCapacity indicates that the CSI volume driver wants pod scheduling to consider the storage capacity that the driver deployment will report.", |own, _| {
            own.spec.storage_capacity.unwrap_or(false).into()
        }),
        Column::<CSIDriver>::text("TokenRequests", "tokenRequests indicates the CSI driver needs pods' service account tokens it is mounting volume for to do necessary authentication.", |own, _| {
            let audiences: Vec<&str> = own.spec.token_requests.iter().map(|request| request.audience.as_str()).collect();
            if audiences.is_empty() { "<unset>".into() } else { audiences.join(",").into() }
        }),
        Column::<CSIDriver>::boolean("RequiresRepublish", "requiresRepublish indicates the CSI driver wants its volumes published again from time to time.", |own, _| {
            own.spec.requires_republish.unwrap_or(false).into()
        }),
        Column::<CSIDriver>::text("Modes", "volumeLifecycleModes defines what kind of volumes this CSI volume driver supports.", |own, _| {
            let modes = own.spec.volume_lifecycle_modes.join(",");
            if modes.is_empty() { "<none>".into() } else { modes.into() }
        }),
        Column::<CSIDriver>::age(),
    ]);

fn defaults(ctx: &Ctx<'_>, driver: &mut CSIDriver) {
    let spec = &mut driver.spec;
    spec.attach_required.get_or_insert(true);
    spec.pod_info_on_mount.get_or_insert(false);
    spec.storage_capacity.get_or_insert(false);
    spec.fs_group_policy.get_or_insert_with(|| "ReadWriteOnceWithFSType".into());
    if spec.volume_lifecycle_modes.is_empty() {
        spec.volume_lifecycle_modes.push("Persistent".into());
    }
    spec.requires_republish.get_or_insert(false);
    if ctx.gates.is_on("SELinuxMountReadWriteOncePod") {
        spec.se_linux_mount.get_or_insert(false);
    }
    if ctx.gates.is_on("VolumeLimitScaling") {
        spec.prevent_pod_scheduling_if_missing.get_or_insert(false);
    }
}

/// Upstream counts the changes of a driver, but from none: a new one has no generation.
fn prepare(_: &Ctx<'_>, driver: &mut CSIDriver, old: Option<&CSIDriver>) {
    if let Some(old) = old {
        driver.metadata.generation = old.metadata.generation + i64::from(driver.spec != old.spec);
    }
}

fn validate(_: &Ctx<'_>, driver: &CSIDriver, old: Option<&CSIDriver>, errors: &mut ErrorList) {
    let (path, spec) = (Path::new("spec"), &driver.spec);
    if let Some(policy) = &spec.fs_group_policy {
        supported(errors, &path.child("fsGroupPolicy"), policy, &["File", "None", "ReadWriteOnceWithFSType"]);
    }
    tokens(errors, &path, spec);
    for mode in &spec.volume_lifecycle_modes {
        supported(errors, &path.child("volumeLifecycleModes"), mode, &["Persistent", "Ephemeral"]);
    }
    let period = spec.node_allocatable_update_period_seconds;
    if let Some(seconds) = period.filter(|seconds| *seconds < LEAST_PERIOD_SECONDS) {
        let why = "must be greater than or equal to 10 seconds";
        errors.push(FieldError::invalid(&path.child("nodeAllocatableUpdatePeriodSeconds"), seconds, why));
    }
    let Some(old) = old else { return };
    // Upstream's path.
    let at = path.child("attachedRequired");
    immutable(errors, &at, spec.attach_required == old.spec.attach_required, spec.attach_required);
    let modes = &spec.volume_lifecycle_modes;
    let at = path.child("volumeLifecycleModes");
    immutable(errors, &at, *modes == old.spec.volume_lifecycle_modes, modes);
}

fn tokens(errors: &mut ErrorList, path: &Path, spec: &CSIDriverSpec) {
    let mut audiences = BTreeSet::new();
    for (index, TokenRequest { audience, expiration_seconds }) in spec.token_requests.iter().enumerate() {
        let at = path.child("tokenRequests").index(index);
        if !audiences.insert(audience) {
            errors.push(FieldError::duplicate(&at.child("audience"), audience));
            continue;
        }
        let at = at.child("expirationSeconds");
        match *expiration_seconds {
            Some(seconds) if seconds < LEAST_TOKEN_SECONDS => {
                let why = "may not specify a duration less than 10 minutes";
                errors.push(FieldError::invalid(&at, seconds, why));
            }
            Some(seconds) if seconds > MOST_TOKEN_SECONDS => {
                let why = "may not specify a duration larger than 2^32 seconds";
                errors.push(FieldError::invalid(&at, seconds, why));
            }
            _ => {}
        }
    }
    if let Some(in_secrets) = spec.service_account_token_in_secrets.filter(|_| spec.token_requests.is_empty())
    {
        let why = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
        errors.push(FieldError::invalid(&path.child("serviceAccountTokenInSecrets"), in_secrets, why));
    }
}

fn warnings(ctx: &Ctx<'_>, driver: &CSIDriver, old: Option<&CSIDriver>) -> Vec<String> {
    let spec = &driver.spec;
    let changed = old.is_none_or(|old| old.spec.token_requests != spec.token_requests);
    let unwise =
        changed && !spec.token_requests.is_empty() && spec.service_account_token_in_secrets.is_none();
    if unwise && ctx.gates.is_on(TOKENS_IN_SECRETS) { vec![UNWISE.to_owned()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_driver_says_what_it_needs() {
        let made = create(
            &KIND,
            "spec: {tokenRequests: [{audience: a}, {audience: a}, {audience: b, expirationSeconds: 1}]}",
        );
        assert_eq!(
            made.errors,
            [
                "spec.tokenRequests[1].audience: Duplicate value: \"a\"",
                "spec.tokenRequests[2].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes",
            ]
        );
        assert_eq!(made.warnings, [UNWISE]);
        assert_eq!(create(&KIND, "{}").cells(&KIND), "x|true|false|false|<unset>|false|Persistent|<unknown>");
    }

    #[test]
    fn how_it_attaches_and_lives_stays() {
        let changed =
            update(&KIND, "", "{}", "spec: {attachRequired: false, volumeLifecycleModes: [Ephemeral]}");
        assert_eq!(
            changed.errors,
            [
                "spec.attachedRequired: Invalid value: false: field is immutable",
                "spec.volumeLifecycleModes: Invalid value: [\"Ephemeral\"]: field is immutable",
            ]
        );
        let meta = |outcome: &api_kind::trial::Outcome| {
            api_types::object_meta(&*outcome.object).map(|meta| meta.generation)
        };
        assert_eq!(meta(&update(&KIND, "", "{}", "spec: {podInfoOnMount: true}")), Some(1));
        assert_eq!(meta(&update(&KIND, "", "{}", "{}")), Some(0));
    }
}
