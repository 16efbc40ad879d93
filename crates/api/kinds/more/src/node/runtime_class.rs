//! Runtime classes: which runtime runs a pod, what that costs, and where it is to be found.

use std::collections::BTreeSet;

use api_kind::checks::shown;
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::pod::warnings::old_label;
use api_kinds_core::pod::{resources, scheduling};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_labels;
use api_types::core::v1::{PodSpec, ResourceRequirements, Toleration};
use api_types::node::v1::{RuntimeClass, Scheduling};

/// The row.
pub const KIND: Kind<RuntimeClass> = Kind::<RuntimeClass>::of("node.k8s.io", "v1", "runtimeclasses")
    .conditional_update()
    .create_on_update()
    .any_finalizers()
    .validate(validate)
    .warnings(warnings)
    .columns(&[
        Column::<RuntimeClass>::name(),
        Column::<RuntimeClass>::text("Handler", "", |own, _| own.handler.as_str().into()),
        Column::<RuntimeClass>::age(),
    ]);

fn validate(_: &Ctx<'_>, own: &RuntimeClass, _: Option<&RuntimeClass>, errors: &mut ErrorList) {
    if let Some(overhead) = &own.overhead {
        let limits = overhead.pod_fixed.clone();
        let needs = ResourceRequirements { limits, ..ResourceRequirements::default() };
        resources::of_container(errors, &Path::new("overhead"), &needs, &PodSpec::default());
    }
    if let Some(scheduling) = &own.scheduling {
        placement(errors, &Path::new("scheduling"), scheduling);
    }
}

fn placement(errors: &mut ErrorList, path: &Path, own: &Scheduling) {
    errors.extend(validate_labels(&own.node_selector, &path.child("nodeSelector")));
    let at = path.child("tolerations");
    scheduling::tolerations(errors, &at, &own.tolerations);
    let mut seen = BTreeSet::new();
    for (index, toleration) in own.tolerations.iter().enumerate() {
        let Toleration { key, operator, value, effect, .. } = toleration;
        if !seen.insert([key, operator, value, effect]) {
            errors.push(FieldError::duplicate(&at.index(index), shown(toleration)));
        }
    }
}

fn warnings(_: &Ctx<'_>, own: &RuntimeClass, _: Option<&RuntimeClass>) -> Vec<String> {
    let labels = own.scheduling.iter().flat_map(|scheduling| scheduling.node_selector.keys());
    let old = labels.filter_map(|key| old_label(key));
    old.map(|message| format!("scheduling.nodeSelector: {message}")).collect()
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_class_names_its_handler_for_good() {
        let own = "{handler: a, overhead: {podFixed: {cpu: 1m}}, scheduling: {nodeSelector: {beta.kubernetes.io/os: linux}, tolerations: [{key: k}, {key: k}]}}";
        let made = create(&KIND, own);
        assert_eq!(made.errors.len(), 1, "{:?}", made.errors);
        assert!(made.errors[0].starts_with("scheduling.tolerations[1]: Duplicate value: {"));
        assert_eq!(
            made.warnings,
            ["scheduling.nodeSelector: deprecated since v1.14; use \"kubernetes.io/os\" instead"]
        );
        assert_eq!(create(&KIND, "handler: a").cells(&KIND), "x|a|<unknown>");
        assert_eq!(
            update(&KIND, "", "handler: a", "handler: b").errors,
            ["handler: Invalid value: \"b\": field is immutable"]
        );
    }
}
