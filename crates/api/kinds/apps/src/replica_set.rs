//! Replica sets.

use api_kind::checks::{immutable, non_negative, shown};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::template;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::apps::v1::ReplicaSet;

use crate::workload::{self, Malformed};

/// The row.
pub const KIND: Kind<ReplicaSet> = Kind::<ReplicaSet>::of("apps", "v1", "replicasets")
    .generation()
    .defaults(|_, own| {
        own.spec.replicas.get_or_insert(1);
        template::default(&mut own.spec.template);
    })
    .own_gates(template::OWN_GATES)
    .prepare(|ctx, own, old| {
        template::prepare(ctx, &mut own.spec.template, old.map(|old| &old.spec.template));
    })
    .validate(validate)
    .warnings(|ctx, own, old| {
        let old = old.map(|old| &old.metadata);
        workload::warnings(ctx, &own.metadata, old, &own.spec.template, true)
    })
    .columns(&[
        Column::<ReplicaSet>::name(),
        Column::<ReplicaSet>::number("Desired", "Replicas is the number of desired pods.", |own, _| {
            own.spec.replicas.unwrap_or(0).into()
        }),
        Column::<ReplicaSet>::number(
            "Current",
            "Replicas is the most recently observed number of non-terminating pods.",
            |own, _| own.status.replicas.into(),
        ),
        Column::<ReplicaSet>::number(
            "Ready",
            "The number of non-terminating pods targeted by this ReplicaSet with a Ready Condition.",
            |own, _| own.status.ready_replicas.into(),
        ),
        Column::<ReplicaSet>::age(),
        Column::<ReplicaSet>::text("Containers", "Names of each container in the template.", |own, _| {
            template::container_names(Some(&own.spec.template))
        })
        .wide(),
        Column::<ReplicaSet>::text(
            "Images",
            "Images referenced by each container in the template.",
            |own, _| template::container_images(Some(&own.spec.template)),
        )
        .wide(),
        Column::<ReplicaSet>::text(
            "Selector",
            "Selector is a label query over pods that should match the replica count.",
            |own, _| workload::shown_selector(own.spec.selector.as_deref()).into(),
        )
        .wide(),
    ])
    .selectable(&[("status.replicas", |own| own.status.replicas.to_string().into())]);

fn validate(ctx: &Ctx<'_>, own: &ReplicaSet, old: Option<&ReplicaSet>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        let (path, status) = (Path::new("status"), &own.status);
        non_negative(errors, &path.child("observedGeneration"), status.observed_generation);
        let counts = [
            ("replicas", status.replicas),
            ("fullyLabeledReplicas", status.fully_labeled_replicas),
            ("readyReplicas", status.ready_replicas),
            ("availableReplicas", status.available_replicas),
        ];
        workload::counts(errors, &path, &counts);
        if status.available_replicas > status.ready_replicas {
            let (at, count) = (path.child("availableReplicas"), status.available_replicas);
            errors.push(FieldError::invalid(&at, count, "cannot be greater than readyReplicas"));
        }
        return;
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if let Some(replicas) = spec.replicas {
        non_negative(errors, &path.child("replicas"), replicas.into());
    }
    non_negative(errors, &path.child("minReadySeconds"), spec.min_ready_seconds.into());
    // Upstream says "deployment" here too.
    workload::selector(errors, &path.child("selector"), spec.selector.as_deref(), "deployment");
    workload::template(
        errors,
        (&path.child("template"), &path.child("selector")),
        &spec.template,
        spec.selector.as_deref(),
        ("ReplicaSet", Malformed::Words("invalid label selector")),
    );
    if let Some(old) = old {
        let shown = spec.selector.as_deref().map_or_else(BadValue::null, |selector| shown(selector));
        immutable(errors, &path.child("selector"), spec.selector == old.spec.selector, shown);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_replica_set_is_shown_like_kubectls() {
        let made = create(
            &KIND,
            "spec: {replicas: 3, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|3|0|0|<unknown>|c|i|a=b");
        let empty = create(&KIND, "spec: {template: {spec: {containers: [{name: c, image: i}]}}}");
        assert_eq!(
            empty.errors,
            [
                "spec.selector: Required value",
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`"
            ]
        );
    }
}
