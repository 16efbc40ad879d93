//! Daemon sets.

use api_kind::checks::{immutable, non_negative, shown};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::template;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::format_labels;
use api_record::scalar::IntOrString;
use api_types::apps::v1::{DaemonSet, DaemonSetUpdateStrategy};

use crate::workload::{self, Malformed};

/// The row.
pub const KIND: Kind<DaemonSet> = Kind::<DaemonSet>::of("apps", "v1", "daemonsets")
    .generation()
    .defaults(defaults)
    .own_gates(template::OWN_GATES)
    .prepare(prepare)
    .validate(validate)
    .warnings(|ctx, own, old| {
        if old.is_some_and(|old| old.spec.template == own.spec.template) {
            return Vec::new();
        }
        let old = old.map(|old| &old.metadata);
        workload::warnings(ctx, &own.metadata, old, &own.spec.template, false)
    })
    .columns(&[
        Column::<DaemonSet>::name(),
        Column::<DaemonSet>::number("Desired", "The total number of nodes that should be running the daemon pod.", |own, _| own.status.desired_number_scheduled.into()),
        Column::<DaemonSet>::number("Current", "The number of nodes that are running at least 1 daemon pod and are supposed to run the daemon pod.", |own, _| own.status.current_number_scheduled.into()),
        Column::<DaemonSet>::number("Ready", "numberReady is the number of nodes that should be running the daemon pod and have one or more of the daemon pod running with a Ready Condition.", |own, _| own.status.number_ready.into()),
        Column::<DaemonSet>::number("Up-to-date", "The total number of nodes that are running updated daemon pod", |own, _| own.status.updated_number_scheduled.into()),
        Column::<DaemonSet>::number("Available", "The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available", |own, _| own.status.number_available.into()),
        Column::<DaemonSet>::text("Node Selector", "NodeSelector is a selector which must be true for the pod to fit on a node.", |own, _| format_labels(&own.spec.template.spec.node_selector).into()),
        Column::<DaemonSet>::age(),
        Column::<DaemonSet>::text("Containers", "Names of each container in the template.", |own, _| template::container_names(Some(&own.spec.template))).wide(),
        Column::<DaemonSet>::text("Images", "Images referenced by each container in the template.", |own, _| template::container_images(Some(&own.spec.template))).wide(),
        Column::<DaemonSet>::text("Selector", "A label query over pods that are managed by the daemon set.", |own, _| {
            match workload::shown_selector(own.spec.selector.as_deref()) {
                text if text.is_empty() => "<none>".into(),
                text => text.into(),
            }
        })
        .wide(),
    ]);

fn defaults(_: &Ctx<'_>, own: &mut DaemonSet) {
    let spec = &mut own.spec;
    template::default(&mut spec.template);
    spec.revision_history_limit.get_or_insert(10);
    let strategy = &mut spec.update_strategy;
    if strategy.type_.is_empty() {
        "RollingUpdate".clone_into(&mut strategy.type_);
    }
    if strategy.type_ == "RollingUpdate" {
        let rolling = strategy.rolling_update.get_or_insert_default();
        rolling.max_unavailable.get_or_insert(IntOrString::Int(1));
        rolling.max_surge.get_or_insert(IntOrString::Int(0));
    }
}

/// How often the template changed, as older clients know it; the hub has no field for it.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

fn template_generation(set: &DaemonSet) -> i64 {
    set.metadata.annotations.get(TEMPLATE_GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Counts the template's changes.
fn prepare(ctx: &Ctx<'_>, own: &mut DaemonSet, old: Option<&DaemonSet>) {
    template::prepare(ctx, &mut own.spec.template, old.map(|old| &old.spec.template));
    let count = match old {
        None => template_generation(own).max(1),
        Some(old) => template_generation(old) + i64::from(own.spec.template != old.spec.template),
    };
    own.metadata.annotations.insert(TEMPLATE_GENERATION.into(), count.to_string());
}

fn validate(ctx: &Ctx<'_>, own: &DaemonSet, old: Option<&DaemonSet>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return status(errors, own, old);
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if spec.selector.is_some() {
        workload::selector(errors, &path.child("selector"), spec.selector.as_deref(), "daemonset");
    }
    workload::template(
        errors,
        (&path.child("template"), &path.child("selector")),
        &spec.template,
        spec.selector.as_deref(),
        ("DaemonSet", Malformed::Said),
    );
    non_negative(errors, &path.child("minReadySeconds"), spec.min_ready_seconds.into());
    strategy(errors, &path.child("updateStrategy"), &spec.update_strategy);
    if let Some(limit) = spec.revision_history_limit {
        non_negative(errors, &path.child("revisionHistoryLimit"), limit.into());
    }
    if let Some(old) = old {
        let shown = spec.selector.as_deref().map_or_else(BadValue::null, |selector| shown(selector));
        immutable(errors, &path.child("selector"), spec.selector == old.spec.selector, shown);
    }
}

fn status(errors: &mut ErrorList, own: &DaemonSet, old: Option<&DaemonSet>) {
    let (path, status) = (Path::new("status"), &own.status);
    for (name, count) in [
        ("currentNumberScheduled", status.current_number_scheduled.into()),
        ("numberMisscheduled", status.number_misscheduled.into()),
        ("desiredNumberScheduled", status.desired_number_scheduled.into()),
        ("numberReady", status.number_ready.into()),
        ("observedGeneration", status.observed_generation),
        ("updatedNumberScheduled", status.updated_number_scheduled.into()),
        ("numberAvailable", status.number_available.into()),
        ("numberUnavailable", status.number_unavailable.into()),
    ] {
        non_negative(errors, &path.child(name), count);
    }
    let (at, collisions) = (path.child("collisionCount"), status.collision_count);
    non_negative(errors, &at, collisions.unwrap_or(0).into());
    let before = old.and_then(|old| old.status.collision_count);
    if before.is_some_and(|before| collisions.is_none_or(|collisions| collisions < before)) {
        errors.push(FieldError::invalid(&at, collisions.unwrap_or(0), "cannot be decremented"));
    }
}

fn strategy(errors: &mut ErrorList, path: &Path, strategy: &DaemonSetUpdateStrategy) {
    let at = path.child("rollingUpdate");
    let rolling = match (strategy.type_.as_str(), &strategy.rolling_update) {
        ("OnDelete", _) => return,
        ("RollingUpdate", Some(rolling)) => rolling,
        ("RollingUpdate", None) => return errors.push(FieldError::required(&at, "")),
        _ => {
            return errors.push(FieldError::not_supported(
                path,
                shown(strategy),
                &["RollingUpdate", "OnDelete"],
            ));
        }
    };
    let (unavailable_at, surge_at) = (at.child("maxUnavailable"), at.child("maxSurge"));
    let unavailable = rolling.max_unavailable.clone().unwrap_or_default();
    let surge = rolling.max_surge.clone().unwrap_or_default();
    for (at, value) in [(&unavailable_at, &unavailable), (&surge_at, &surge)] {
        workload::int_or_percent(errors, at, value);
        workload::at_most_all(errors, at, value);
    }
    let some = |value: &IntOrString| workload::percent(value).unwrap_or(0) != 0;
    match (some(&unavailable), some(&surge)) {
        (true, true) => {
            let why = "may not be set when maxUnavailable is non-zero";
            errors.push(FieldError::invalid(&surge_at, &surge, why));
        }
        (false, false) => {
            errors.push(FieldError::required(&unavailable_at, "cannot be 0 when maxSurge is 0"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_daemon_set_is_filled_in() {
        let made = create(
            &KIND,
            "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert!(made.body().contains(
            r#""updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":1,"maxSurge":0}}"#
        ));
        assert_eq!(made.cells(&KIND), "x|0|0|0|0|0|<none>|<unknown>|c|i|a=b");
    }

    const MINIMAL: &str = "spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}";

    #[test]
    fn changes_of_the_template_are_counted() {
        let count = |outcome: api_kind::trial::Outcome| {
            let meta = api_types::object_meta(&*outcome.object).expect("it has metadata");
            (meta.annotations[TEMPLATE_GENERATION].clone(), meta.generation)
        };
        assert_eq!(count(create(&KIND, MINIMAL)), ("1".into(), 1));
        let other = MINIMAL.replace("image: i", "image: j");
        assert_eq!(count(update(&KIND, "", MINIMAL, &other)), ("2".into(), 2));
        let later = MINIMAL.replace("spec: {selector", "spec: {minReadySeconds: 5, selector");
        assert_eq!(count(update(&KIND, "", MINIMAL, &later)), ("1".into(), 2));
        let forged = format!("{{metadata: {{annotations: {{{TEMPLATE_GENERATION}: '7'}}}}, {MINIMAL}}}");
        assert_eq!(count(update(&KIND, "", MINIMAL, &forged)), ("1".into(), 1), "nobody may set it");
    }

    #[test]
    fn collisions_are_never_fewer() {
        let before = "status: {collisionCount: 2}";
        let wrong = update(&KIND, "status", before, "status: {collisionCount: 1, observedGeneration: -1}");
        assert_eq!(
            wrong.errors,
            [
                "status.observedGeneration: Invalid value: -1: must be greater than or equal to 0",
                "status.collisionCount: Invalid value: 1: cannot be decremented",
            ]
        );
        assert_eq!(
            update(&KIND, "status", before, "status: {numberReady: 1}").errors,
            ["status.collisionCount: Invalid value: 0: cannot be decremented"]
        );
    }
}
