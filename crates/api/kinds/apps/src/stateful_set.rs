//! Stateful sets.

use api_kind::checks::{each, immutable, non_negative, shown};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::{persistent_volume_claim, template};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::validate_labels;
use api_meta::names;
use api_meta::object_meta::validate_annotations;
use api_record::scalar::IntOrString;
use api_types::apps::v1::{StatefulSet, StatefulSetSpec};
use api_types::core::v1::{PersistentVolumeClaimVolumeSource, Volume};

use crate::workload;

/// The row.
pub const KIND: Kind<StatefulSet> = Kind::<StatefulSet>::of("apps", "v1", "statefulsets")
    .name(names::name_is_dns_label)
    .generation()
    .defaults(defaults)
    .own_gates(template::OWN_GATES)
    .prepare(|ctx, own, old| {
        template::prepare(ctx, &mut own.spec.template, old.map(|old| &old.spec.template));
    })
    .validate(validate)
    .warnings(warnings)
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

fn warnings(ctx: &Ctx<'_>, own: &StatefulSet, old: Option<&StatefulSet>) -> Vec<String> {
    if ctx.subresource == "status" {
        return Vec::new();
    }
    let before = old.map(|old| &old.metadata);
    let mut out = workload::warnings(ctx, &own.metadata, before, &own.spec.template, false);
    for (index, claim) in own.spec.volume_claim_templates.iter().enumerate() {
        let at = Path::new("spec").child("volumeClaimTemplates").index(index);
        // Upstream's paths.
        let at = if old.is_some() { at.child("Spec") } else { at };
        out.extend(persistent_volume_claim::spec_warnings(&at, &claim.spec));
    }
    if own.spec.revision_history_limit.is_some_and(|limit| limit < 0) {
        let why = "a negative value retains all historical revisions; a value >= 0 is recommended";
        out.push(format!("spec.revisionHistoryLimit: {why}"));
    }
    out
}

fn validate(ctx: &Ctx<'_>, own: &StatefulSet, old: Option<&StatefulSet>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return status(errors, own, old);
    }
    let path = Path::new("spec");
    let Some(old) = old else { return check(errors, &path, &own.spec, Is::New) };
    // What cannot be changed any more is not judged again, and the template of a set that was wrong already is not either.
    let mut before = ErrorList::new();
    check(&mut before, &path, &old.spec, Is::Kept);
    check(errors, &path, &own.spec, if before.is_empty() { Is::Kept } else { Is::Tolerated });
    changes(errors, &path, &own.spec, &old.spec);
}

fn status(errors: &mut ErrorList, own: &StatefulSet, old: Option<&StatefulSet>) {
    let (path, status) = (Path::new("status"), &own.status);
    let counts = [
        ("replicas", status.replicas),
        ("readyReplicas", status.ready_replicas),
        ("currentReplicas", status.current_replicas),
        ("updatedReplicas", status.updated_replicas),
        ("availableReplicas", status.available_replicas),
    ];
    workload::counts(errors, &path, &counts);
    non_negative(errors, &path.child("observedGeneration"), status.observed_generation);
    let (at, collisions) = (path.child("collisionCount"), status.collision_count);
    non_negative(errors, &at, collisions.unwrap_or(0).into());
    if status.available_replicas > status.ready_replicas {
        let at = path.child("availableReplicas");
        let why = "cannot be greater than status.readyReplicas";
        errors.push(FieldError::invalid(&at, status.available_replicas, why));
    }
    let before = old.and_then(|old| old.status.collision_count);
    if before.is_some_and(|before| collisions.is_none_or(|collisions| collisions < before)) {
        errors.push(FieldError::invalid(&at, collisions.unwrap_or(0), "cannot be decremented"));
    }
}

/// How much of a spec is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    /// All.
    New,
    /// All but what never changes.
    Kept,
    /// All but that and what its pods would be.
    Tolerated,
}

fn check(errors: &mut ErrorList, path: &Path, spec: &StatefulSetSpec, is: Is) {
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
    if is == Is::New {
        for (index, claim) in spec.volume_claim_templates.iter().enumerate() {
            let at = path.child("volumeClaimTemplates").index(index).child("spec");
            persistent_volume_claim::spec(errors, &at, &claim.spec);
        }
    }
    for (name, value) in
        [("replicas", spec.replicas.unwrap_or(0)), ("minReadySeconds", spec.min_ready_seconds)]
    {
        non_negative(errors, &path.child(name), value.into());
    }
    if let Some(ordinals) = &spec.ordinals {
        non_negative(errors, &path.child("ordinals.start"), ordinals.start.into());
    }
    if is == Is::New && !spec.service_name.is_empty() {
        let faults = names::is_dns1123_label(&spec.service_name);
        each(errors, &path.child("serviceName"), &spec.service_name, faults);
    }
    workload::selector(errors, &path.child("selector"), spec.selector.as_deref(), "statefulset");
    pods(errors, path, spec, is);
}

/// What is wrong with the pods that it would make.
fn pods(errors: &mut ErrorList, path: &Path, spec: &StatefulSetSpec, is: Is) {
    let (at, own) = (path.child("template"), with_claims(spec));
    let selects = workload::selects(errors, (&at, &path.child("selector")), &own, spec.selector.as_deref());
    if selects {
        if is != Is::Tolerated {
            template::validate(errors, &at, &own);
        }
        // Upstream says these twice.
        errors.extend(validate_labels(&own.metadata.labels, &at.child("labels")));
        errors.extend(validate_annotations(&own.metadata.annotations, &at.child("annotations")));
    }
    template::always(errors, &at, &own, "StatefulSet");
}

/// The template as its pods will have it: with the claims' volumes, and the names that the controller gives.
fn with_claims(spec: &StatefulSetSpec) -> api_types::core::v1::PodTemplateSpec {
    let mut own = spec.template.clone();
    own.spec.hostname.clear();
    own.spec.subdomain.clear();
    let mut volumes: Vec<Volume> = Vec::new();
    for claim in &spec.volume_claim_templates {
        let name = &claim.metadata.name;
        // Of several claims of a name there is one volume.
        volumes.retain(|volume| volume.name != *name);
        let mut volume = Volume { name: name.clone(), ..Volume::default() };
        let source = PersistentVolumeClaimVolumeSource { claim_name: name.clone(), read_only: false };
        volume.volume_source.persistent_volume_claim = Some(Box::new(source));
        volumes.push(volume);
    }
    let is_claimed = |name: &str| spec.volume_claim_templates.iter().any(|claim| claim.metadata.name == name);
    volumes.extend(own.spec.volumes.drain(..).filter(|volume| !is_claimed(&volume.name)));
    own.spec.volumes = volumes;
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
                // What is no number counts as none.
                if workload::percent(most).unwrap_or(0) == 0 {
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
        let wrong = MINIMAL.replace("[ReadWriteOnce]", "[]").replace("serviceName: s", "serviceName: S_");
        assert_eq!(
            create(&KIND, &wrong)
                .errors
                .iter()
                .map(|error| error.split(':').next().unwrap_or(""))
                .collect::<Vec<_>>(),
            ["spec.volumeClaimTemplates[0].spec.accessModes", "spec.serviceName"]
        );
        assert_eq!(update(&KIND, "", &wrong, &wrong).errors, [""; 0], "what never changes is tolerated");
        let moved = update(&KIND, "", MINIMAL, &MINIMAL.replace("serviceName: s", "serviceName: t"));
        assert_eq!(moved.errors, [r#"spec.serviceName: Invalid value: "t": field is immutable"#]);
    }

    #[test]
    fn a_name_that_no_pod_could_begin_with_is_refused() {
        let named = |name: &str| format!("{{metadata: {{name: {name}}}, {MINIMAL}}}");
        let errors = create(&KIND, &named("a.b")).errors;
        assert_eq!(errors, ["metadata.name: Invalid value: \"a.b\": must not contain dots"]);
        assert_eq!(create(&KIND, &named("a-b")).errors, [""; 0]);
    }

    #[test]
    fn claims_of_one_name_are_one_volume() {
        let twice = MINIMAL.replace(
            "volumeClaimTemplates: [",
            "volumeClaimTemplates: [{metadata: {name: d}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}, ",
        );
        assert_eq!(create(&KIND, &twice).errors, [""; 0]);
    }

    #[test]
    fn a_rollout_may_not_stand_still() {
        let having = |most: &str| {
            let strategy = format!(
                "updateStrategy: {{type: RollingUpdate, rollingUpdate: {{maxUnavailable: {most}}}}}, serviceName"
            );
            create(&KIND, &MINIMAL.replace("serviceName", &strategy)).errors
        };
        assert_eq!(having("1"), [""; 0]);
        for wrong in ["0", "0%", "http"] {
            let errors = having(wrong);
            assert!(errors.iter().any(|error| error.ends_with("cannot be 0")), "{wrong}: {errors:?}");
        }
    }

    #[test]
    fn collisions_are_never_fewer() {
        let saying = |status: &str| format!("{MINIMAL}\nstatus: {status}");
        let before = saying("{collisionCount: 2}");
        for (after, count) in [("{collisionCount: 1}", 1), ("{replicas: 0}", 0)] {
            assert_eq!(
                update(&KIND, "status", &before, &saying(after)).errors,
                [format!("status.collisionCount: Invalid value: {count}: cannot be decremented")]
            );
        }
        assert_eq!(update(&KIND, "status", &before, &saying("{collisionCount: 3}")).errors, [""; 0]);
    }
}
