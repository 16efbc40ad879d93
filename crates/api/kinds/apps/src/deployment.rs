//! Deployments.

use api_kind::checks::{immutable, non_negative, shown};
use api_kind::{Column, Ctx, Kind, fields_of};
use api_kinds_core::template;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_record::scalar::IntOrString;
use api_types::apps::v1::{Deployment, DeploymentStrategy, RollingUpdateDeployment};

use crate::workload::{self, Malformed};

/// The row.
pub const KIND: Kind<Deployment> = Kind::<Deployment>::of("apps", "v1", "deployments")
    .generation()
    .resets(|part| (part == "status").then(|| fields_of(&["spec", "metadata.labels"])))
    .defaults(defaults)
    .own_gates(template::OWN_GATES)
    .prepare(prepare)
    .validate(validate)
    .warnings(|ctx, own, old| {
        let old = old.map(|old| &old.metadata);
        workload::warnings(ctx, &own.metadata, old, &own.spec.template, true)
    })
    .columns(&[
        Column::<Deployment>::name(),
        Column::<Deployment>::text("Ready", "Number of the pod with ready state", |own, _| {
            format!("{}/{}", own.status.ready_replicas, own.spec.replicas.unwrap_or(0)).into()
        }),
        Column::<Deployment>::text("Up-to-date", "Total number of non-terminating pods targeted by this deployment that have the desired template spec.", |own, _| own.status.updated_replicas.into()),
        Column::<Deployment>::text("Available", "Total number of available non-terminating pods (ready for at least minReadySeconds) targeted by this deployment.", |own, _| own.status.available_replicas.into()),
        Column::<Deployment>::age(),
        Column::<Deployment>::text("Containers", "Names of each container in the template.", |own, _| template::container_names(Some(&own.spec.template))).wide(),
        Column::<Deployment>::text("Images", "Images referenced by each container in the template.", |own, _| template::container_images(Some(&own.spec.template))).wide(),
        Column::<Deployment>::text("Selector", "Label selector for pods.", |own, _| workload::shown_selector(own.spec.selector.as_deref()).into()).wide(),
    ]);

fn defaults(_: &Ctx<'_>, own: &mut Deployment) {
    let spec = &mut own.spec;
    template::default(&mut spec.template);
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(10);
    spec.progress_deadline_seconds.get_or_insert(600);
    let strategy = &mut spec.strategy;
    if strategy.type_.is_empty() {
        "RollingUpdate".clone_into(&mut strategy.type_);
    }
    if strategy.type_ == "RollingUpdate" {
        let quarter = || IntOrString::String("25%".into());
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert_with(quarter);
        rolling.max_surge.get_or_insert_with(quarter);
    }
}

/// Deployments count a change of annotations as one of the spec, as they copy them to what they own.
fn prepare(ctx: &Ctx<'_>, own: &mut Deployment, old: Option<&Deployment>) {
    template::prepare(ctx, &mut own.spec.template, old.map(|old| &old.spec.template));
    let Some(old) = old else { return };
    if ctx.subresource == "status" {
        own.metadata.labels.clone_from(&old.metadata.labels);
    } else if own.spec == old.spec && own.metadata.annotations != old.metadata.annotations {
        own.metadata.generation = old.metadata.generation + 1;
    }
}

fn validate(ctx: &Ctx<'_>, own: &Deployment, old: Option<&Deployment>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return status(errors, own, old);
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if let Some(replicas) = spec.replicas {
        non_negative(errors, &path.child("replicas"), replicas.into());
    }
    workload::selector(errors, &path.child("selector"), spec.selector.as_deref(), "deployment");
    workload::template(
        errors,
        (&path.child("template"), &path.child("selector")),
        &spec.template,
        spec.selector.as_deref(),
        ("ReplicaSet", Malformed::Words("invalid label selector")),
    );
    strategy(errors, &path.child("strategy"), &spec.strategy);
    non_negative(errors, &path.child("minReadySeconds"), spec.min_ready_seconds.into());
    if let Some(limit) = spec.revision_history_limit {
        non_negative(errors, &path.child("revisionHistoryLimit"), limit.into());
    }
    if let Some(seconds) = spec.progress_deadline_seconds {
        let at = path.child("progressDeadlineSeconds");
        non_negative(errors, &at, seconds.into());
        if seconds <= spec.min_ready_seconds {
            errors.push(FieldError::invalid(&at, seconds, "must be greater than minReadySeconds"));
        }
    }
    if let Some(old) = old {
        let shown = spec.selector.as_deref().map_or_else(BadValue::null, |selector| shown(selector));
        immutable(errors, &path.child("selector"), spec.selector == old.spec.selector, shown);
    }
}

fn strategy(errors: &mut ErrorList, path: &Path, strategy: &DeploymentStrategy) {
    let at = path.child("rollingUpdate");
    match (strategy.type_.as_str(), &strategy.rolling_update) {
        ("Recreate", Some(_)) => {
            let why = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden(&at, why));
        }
        ("Recreate", None) => {}
        ("RollingUpdate", None) => {
            errors.push(FieldError::required(&at, "this should be defaulted and never be nil"));
        }
        ("RollingUpdate", Some(rolling)) => rolling_update(errors, &at, rolling),
        _ => errors.push(FieldError::not_supported(path, shown(strategy), &["Recreate", "RollingUpdate"])),
    }
}

fn rolling_update(errors: &mut ErrorList, path: &Path, rolling: &RollingUpdateDeployment) {
    let (at, surge_at) = (path.child("maxUnavailable"), path.child("maxSurge"));
    let unavailable = rolling.max_unavailable.clone().unwrap_or_default();
    let surge = rolling.max_surge.clone().unwrap_or_default();
    workload::int_or_percent(errors, &at, &unavailable);
    workload::int_or_percent(errors, &surge_at, &surge);
    if workload::percent(&unavailable).unwrap_or(0) == 0 && workload::percent(&surge).unwrap_or(0) == 0 {
        errors.push(FieldError::invalid(&at, &unavailable, "may not be 0 when `maxSurge` is 0"));
    }
    workload::at_most_all(errors, &at, &unavailable);
}

fn status(errors: &mut ErrorList, own: &Deployment, old: Option<&Deployment>) {
    let (path, status) = (Path::new("status"), &own.status);
    non_negative(errors, &path.child("observedGeneration"), status.observed_generation);
    workload::counts(
        errors,
        &path,
        &[
            ("replicas", status.replicas),
            ("updatedReplicas", status.updated_replicas),
            ("readyReplicas", status.ready_replicas),
            ("availableReplicas", status.available_replicas),
        ],
    );
    non_negative(errors, &path.child("unavailableReplicas"), status.unavailable_replicas.into());
    if status.available_replicas > status.ready_replicas {
        let at = path.child("availableReplicas");
        errors.push(FieldError::invalid(
            &at,
            status.available_replicas,
            "cannot be greater than readyReplicas",
        ));
    }
    for (name, count) in
        [("collisionCount", status.collision_count), ("terminatingReplicas", status.terminating_replicas)]
    {
        non_negative(errors, &path.child(name), count.unwrap_or(0).into());
    }
    if let Some(before) = old.and_then(|old| old.status.collision_count)
        && status.collision_count.unwrap_or(0) < before
    {
        let at = path.child("collisionCount");
        errors.push(FieldError::invalid(&at, status.collision_count.unwrap_or(0), "cannot be decremented"));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const MINIMAL: &str = "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: nginx}]}}}";

    #[test]
    fn a_minimal_deployment_is_filled_in() {
        let made = create(&KIND, MINIMAL);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(
            made.body(),
            r#"{"metadata":{},"spec":{"replicas":1,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"nginx","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Always"}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler"}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{}}"#
        );
        assert_eq!(made.cells(&KIND), "x|0/1|0|0|<unknown>|c|nginx|a=b");
    }

    #[test]
    fn what_is_wrong_is_said_in_upstreams_words() {
        let other = MINIMAL.replace("matchLabels: {a: b}", "matchLabels: {a: c}");
        assert_eq!(
            create(&KIND, &other).errors,
            [
                r#"spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`"#
            ]
        );
        assert_eq!(
            update(&KIND, "", MINIMAL, &other.replace("labels: {a: b}", "labels: {a: c}")).errors,
            [r#"spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable"#]
        );
        let strategy = MINIMAL.replace(
            "spec: {selector",
            "spec: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}, replicas: -1, selector",
        );
        assert_eq!(
            create(&KIND, &strategy).errors,
            [
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"
            ]
        );
    }

    #[test]
    fn generations_count_the_changes_of_the_spec() {
        let generation = |outcome: api_kind::trial::Outcome| {
            api_types::object_meta(&*outcome.object).map(|meta| meta.generation)
        };
        assert_eq!(generation(create(&KIND, MINIMAL)), Some(1));
        assert_eq!(generation(update(&KIND, "", MINIMAL, MINIMAL)), Some(1));
        assert_eq!(generation(update(&KIND, "", MINIMAL, &MINIMAL.replace("nginx", "nginx:2"))), Some(2));
        let status = "status: {replicas: 1, readyReplicas: 2}";
        let wrong = update(&KIND, "status", MINIMAL, status);
        assert_eq!(
            wrong.errors,
            ["status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"]
        );
    }
}
