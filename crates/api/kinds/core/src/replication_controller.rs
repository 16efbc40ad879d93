//! Replication controllers.

use api_kind::checks::{counts, non_negative};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{Selector, format_labels};
use api_types::core::v1::ReplicationController;

use crate::template;

/// The row.
pub const KIND: Kind<ReplicationController> =
    Kind::<ReplicationController>::of("", "v1", "replicationcontrollers")
        .generation()
        .defaults(defaults)
        .own_gates(template::OWN_GATES)
        .prepare(prepare)
        .validate(validate)
        .warnings(warnings)
        .orphans()
        .columns(&[
            Column::<ReplicationController>::name(),
            Column::<ReplicationController>::number(
                "Desired",
                "Replicas is the number of desired replicas.",
                |rc, _| rc.spec.replicas.unwrap_or(0).into(),
            ),
            Column::<ReplicationController>::number(
                "Current",
                "Replicas is the most recently observed number of replicas.",
                |rc, _| rc.status.replicas.into(),
            ),
            Column::<ReplicationController>::number(
                "Ready",
                "The number of ready replicas for this replication controller.",
                |rc, _| rc.status.ready_replicas.into(),
            ),
            Column::<ReplicationController>::age(),
            Column::<ReplicationController>::text(
                "Containers",
                "Names of each container in the template.",
                |rc, _| template::container_names(rc.spec.template.as_deref()),
            )
            .wide(),
            Column::<ReplicationController>::text(
                "Images",
                "Images referenced by each container in the template.",
                |rc, _| template::container_images(rc.spec.template.as_deref()),
            )
            .wide(),
            Column::<ReplicationController>::text(
                "Selector",
                "Selector is a label query over pods that should match the Replicas count.",
                |rc, _| format_labels(&rc.spec.selector).into(),
            )
            .wide(),
        ])
        .selectable(&[("status.replicas", |rc| rc.status.replicas.to_string().into())]);

fn defaults(_: &Ctx<'_>, rc: &mut ReplicationController) {
    rc.spec.replicas.get_or_insert(1);
    let Some(own) = &mut rc.spec.template else { return };
    template::default(own);
    let labels = &own.metadata.labels;
    if rc.spec.selector.is_empty() {
        rc.spec.selector.clone_from(labels);
    }
    if rc.metadata.labels.is_empty() {
        rc.metadata.labels.clone_from(labels);
    }
}

fn prepare(ctx: &Ctx<'_>, rc: &mut ReplicationController, old: Option<&ReplicationController>) {
    if let Some(own) = &mut rc.spec.template {
        template::prepare(ctx, own, old.and_then(|old| old.spec.template.as_deref()));
    }
}

fn validate(
    ctx: &Ctx<'_>,
    rc: &ReplicationController,
    _: Option<&ReplicationController>,
    errors: &mut ErrorList,
) {
    if ctx.subresource == "status" {
        let (path, status) = (Path::new("status"), &rc.status);
        let all = [
            ("replicas", status.replicas),
            ("fullyLabeledReplicas", status.fully_labeled_replicas),
            ("readyReplicas", status.ready_replicas),
            ("availableReplicas", status.available_replicas),
        ];
        counts(errors, &path, &all);
        non_negative(errors, &path.child("observedGeneration"), status.observed_generation);
        if status.available_replicas > status.ready_replicas {
            let (at, count) = (path.child("availableReplicas"), status.available_replicas);
            errors.push(FieldError::invalid(&at, count, "cannot be greater than readyReplicas"));
        }
        return;
    }
    let path = Path::new("spec");
    non_negative(errors, &path.child("minReadySeconds"), rc.spec.min_ready_seconds.into());
    if rc.spec.selector.is_empty() {
        errors.push(FieldError::required(&path.child("selector"), ""));
    }
    if let Some(replicas) = rc.spec.replicas {
        non_negative(errors, &path.child("replicas"), replicas.into());
    }
    let at = path.child("template");
    let Some(own) = &rc.spec.template else {
        errors.push(FieldError::required(&at, ""));
        return;
    };
    let labels = &own.metadata.labels;
    if !rc.spec.selector.is_empty() && !Selector::from_labels(&rc.spec.selector).matches(labels) {
        let shown = if labels.is_empty() { BadValue::null() } else { api_kind::checks::labels(labels) };
        let why = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(&at.child("metadata").child("labels"), shown, why));
    }
    template::validate_always(errors, &at, own, "ReplicationController");
}

/// As upstream's, what is said on a change is said of the template as it was.
fn warnings(ctx: &Ctx<'_>, rc: &ReplicationController, old: Option<&ReplicationController>) -> Vec<String> {
    let Some(pods) = &old.unwrap_or(rc).spec.template else { return Vec::new() };
    template::workload_warnings(ctx, &rc.metadata, old.map(|old| &old.metadata), pods, true)
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn labels_come_from_the_template() {
        let made = create(
            &KIND,
            "spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|1|0|0|<unknown>|c|i|a=b");
    }
}
