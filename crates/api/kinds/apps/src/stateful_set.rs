//! Stateful sets.

use api_kind::checks::{each, immutable, non_negative, shown};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::{persistent_volume_claim, template};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names;
use api_record::scalar::IntOrString;
use api_types::apps::v1::{StatefulSet, StatefulSetSpec};
use api_types::core::v1::{PersistentVolumeClaimVolumeSource, Volume};

use crate::workload::{self, Malformed};

/// The row.
pub const KIND: Kind<StatefulSet> = Kind::<StatefulSet>::of("apps", "v1", "statefulsets")
    .generation()
    .defaults(defaults)
    .validate(validate)
    .warnings(|ctx, own, old| {
        let old = old.map(|old| &old.metadata);
        workload::warnings(ctx, &own.metadata, old, &own.spec.template, false)
    })
    .columns(&[
        Column::<StatefulSet>::name(),
        Column::<StatefulSet>::text("Ready", "Number of the pod with ready state", |own, _| {
            format!("{}/{}", own.status.ready_replicas, own.spec.replicas.unwrap_or(0)).into()
        }),
        Column::<StatefulSet>::age(),
        Column::<StatefulSet>::text("Containers", "Names of each container in the template.", |own, _| {
            template::container_names(Some(&own.spec.template))
        })
        .wide(),
        Column::<StatefulSet>::text(
            "Images",
            "Images referenced by each container in the template.",
            |own, _| template::container_images(Some(&own.spec.template)),
        )
        .wide(),
    ]);

fn defaults(_: &Ctx<'_>, own: &mut StatefulSet) {
    let spec = &mut own.spec;
    template::default(&mut spec.template);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    if spec.pod_management_policy.is_empty() {
        "OrderedReady".clone_into(&mut spec.pod_management_policy);
    }
    let strategy = &mut spec.update_strategy;
    if strategy.type_.is_empty() {
        "RollingUpdate".clone_into(&mut strategy.type_);
        strategy.rolling_update.get_or_insert_default();
    }
    if strategy.type_ == "RollingUpdate"
        && let Some(rolling) = &mut strategy.rolling_update
    {
        rolling.partition.get_or_insert(0);
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
    }
    let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    for policy in [&mut retention.when_deleted, &mut retention.when_scaled] {
        if policy.is_empty() {
            "Retain".clone_into(policy);
        }
    }
    spec.volume_claim_templates.iter_mut().for_each(persistent_volume_claim::fill);
}

fn validate(ctx: &Ctx<'_>, own: &StatefulSet, old: Option<&StatefulSet>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        let (path, status) = (Path::new("status"), &own.status);
        let counts = [
            ("replicas", status.replicas),
            ("readyReplicas", status.ready_replicas),
            ("currentReplicas", status.current_replicas),
            ("updatedReplicas", status.updated_replicas),
            ("availableReplicas", status.available_replicas),
        ];
        return workload::counts(errors, &path, &counts);
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if !matches!(spec.pod_management_policy.as_str(), "OrderedReady" | "Parallel") {
        let why = "must be 'OrderedReady' or 'Parallel'";
        errors.push(FieldError::invalid(
            &path.child("podManagementPolicy"),
            &spec.pod_management_policy,
            why,
        ));
    }
    strategy(errors, &path.child("updateStrategy"), spec);
    retention(errors, &path.child("persistentVolumeClaimRetentionPolicy"), spec);
    for (name, value) in
        [("replicas", spec.replicas.unwrap_or(0)), ("minReadySeconds", spec.min_ready_seconds)]
    {
        non_negative(errors, &path.child(name), value.into());
    }
    if let Some(ordinals) = &spec.ordinals {
        non_negative(errors, &path.child("ordinals.start"), ordinals.start.into());
    }
    if !spec.service_name.is_empty() {
        each(
            errors,
            &path.child("serviceName"),
            &spec.service_name,
            names::is_dns1123_label(&spec.service_name),
        );
    }
    workload::selector(errors, &path.child("selector"), spec.selector.as_deref(), "statefulset");
    let own_template = with_claims(spec);
    workload::template(
        errors,
        (&path.child("template"), &path.child("selector")),
        &own_template,
        spec.selector.as_deref(),
        ("StatefulSet", Malformed::Bare),
    );
    if let Some(old) = old {
        changes(errors, &path, spec, &old.spec);
    }
}

/// The template as its pods will have it: with the claims' volumes, and the names that the controller gives.
fn with_claims(spec: &StatefulSetSpec) -> api_types::core::v1::PodTemplateSpec {
    let mut own = spec.template.clone();
    own.spec.hostname.clear();
    own.spec.subdomain.clear();
    let claimed = |name: &str| spec.volume_claim_templates.iter().any(|claim| claim.metadata.name == name);
    own.spec.volumes.retain(|volume| !claimed(&volume.name));
    for claim in &spec.volume_claim_templates {
        let mut volume = Volume { name: claim.metadata.name.clone(), ..Volume::default() };
        let claim_name = claim.metadata.name.clone();
        let source = PersistentVolumeClaimVolumeSource { claim_name, read_only: false };
        volume.volume_source.persistent_volume_claim = Some(Box::new(source));
        own.spec.volumes.push(volume);
    }
    own
}

fn strategy(errors: &mut ErrorList, path: &Path, spec: &StatefulSetSpec) {
    let (strategy, at) = (&spec.update_strategy, path.child("rollingUpdate"));
    match (strategy.type_.as_str(), &strategy.rolling_update) {
        ("OnDelete", Some(rolling)) => {
            let why = "only allowed for updateStrategy 'RollingUpdate'";
            errors.push(FieldError::invalid(&at, shown(&**rolling), why));
        }
        ("RollingUpdate", Some(rolling)) => {
            non_negative(errors, &at.child("partition"), rolling.partition.unwrap_or(0).into());
            if let Some(most) = &rolling.max_unavailable {
                let at = at.child("maxUnavailable");
                workload::int_or_percent(errors, &at, most);
                if workload::percent(most) == Some(0) {
                    errors.push(FieldError::invalid(&at, most, "cannot be 0"));
                }
                workload::at_most_all(errors, &at, most);
            }
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        _ => {
            let why = "must be 'RollingUpdate' or 'OnDelete'";
            errors.push(FieldError::invalid(path, shown(strategy), why));
        }
    }
}

fn retention(errors: &mut ErrorList, path: &Path, spec: &StatefulSetSpec) {
    let Some(policy) = &spec.persistent_volume_claim_retention_policy else { return };
    for (name, value) in [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)] {
        api_kind::checks::supported(errors, &path.child(name), value, &["Retain", "Delete"]);
    }
}

fn changes(errors: &mut ErrorList, path: &Path, new: &StatefulSetSpec, old: &StatefulSetSpec) {
    let text = |same: bool, name: &'static str, shown: BadValue, errors: &mut ErrorList| {
        immutable(errors, &path.child(name), same, shown);
    };
    let selector = new.selector.as_deref().map_or_else(BadValue::null, |selector| shown(selector));
    text(new.selector == old.selector, "selector", selector, errors);
    let claims: Vec<String> =
        new.volume_claim_templates.iter().map(|claim| claim.metadata.name.clone()).collect();
    text(
        new.volume_claim_templates == old.volume_claim_templates,
        "volumeClaimTemplates",
        (&claims).into(),
        errors,
    );
    text(new.service_name == old.service_name, "serviceName", (&new.service_name).into(), errors);
    let policy = BadValue::from(&new.pod_management_policy);
    text(new.pod_management_policy == old.pod_management_policy, "podManagementPolicy", policy, errors);
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const MINIMAL: &str = "spec: {serviceName: s, selector: {matchLabels: {a: b}}, volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}], template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i, volumeMounts: [{name: d, mountPath: /d}]}]}}}";

    #[test]
    fn claims_are_volumes_of_the_template() {
        let made = create(&KIND, MINIMAL);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|0/1|<unknown>|c|i");
        let body = made.body();
        for part in [
            r#""podManagementPolicy":"OrderedReady""#,
            r#""updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":0,"maxUnavailable":1}}"#,
            r#""persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Retain","whenScaled":"Retain"}"#,
        ] {
            assert!(body.contains(part), "{part} in {body}");
        }
        let moved = update(&KIND, "", MINIMAL, &MINIMAL.replace("serviceName: s", "serviceName: t"));
        assert_eq!(moved.errors, [r#"spec.serviceName: Invalid value: "t": field is immutable"#]);
    }
}
