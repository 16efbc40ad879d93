//! Pod disruption budgets.

use api_kind::checks::{non_negative, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::{conditions, names};
use api_record::scalar::IntOrString;
use api_types::meta::v1::{LabelSelector, LabelSelectorRequirement};
use api_types::policy::v1::PodDisruptionBudget;

/// The label by which the first beta's selectors, which selected nothing when empty, are told from today's.
const BETA: &str = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";

/// The row.
pub const KIND: Kind<PodDisruptionBudget> =
    Kind::<PodDisruptionBudget>::of("policy", "v1", "poddisruptionbudgets")
        .generation()
        .conditional_update()
        .name(names::name_is_path_segment)
        .prepare(prepare)
        .validate(validate)
        .columns(&[
            Column::<PodDisruptionBudget>::name(),
            Column::<PodDisruptionBudget>::text(
                "Min Available",
                "The minimum number of pods that must be available.",
                |own, _| {
                    own.spec
                        .min_available
                        .as_ref()
                        .map_or_else(|| "N/A".to_owned(), ToString::to_string)
                        .into()
                },
            ),
            Column::<PodDisruptionBudget>::text(
                "Max Unavailable",
                "The maximum number of pods that may be unavailable.",
                |own, _| {
                    own.spec
                        .max_unavailable
                        .as_ref()
                        .map_or_else(|| "N/A".to_owned(), ToString::to_string)
                        .into()
                },
            ),
            Column::<PodDisruptionBudget>::number(
                "Allowed Disruptions",
                "Calculated number of pods that may be disrupted at this time.",
                |own, _| own.status.disruptions_allowed.into(),
            ),
            Column::<PodDisruptionBudget>::age(),
        ]);

/// That label is in no selector with anything else.
fn prepare(_: &Ctx<'_>, own: &mut PodDisruptionBudget, old: Option<&PodDisruptionBudget>) {
    if old.is_some_and(|old| old.spec.selector == own.spec.selector) {
        return;
    }
    let Some(selector) = own.spec.selector.as_deref_mut() else { return };
    let alone = |operator: &str| LabelSelector {
        match_expressions: vec![LabelSelectorRequirement {
            key: BETA.into(),
            operator: operator.into(),
            ..LabelSelectorRequirement::default()
        }],
        ..LabelSelector::default()
    };
    if *selector != alone("Exists") && *selector != alone("DoesNotExist") {
        selector.match_labels.remove(BETA);
        selector.match_expressions.retain(|expression| expression.key != BETA);
    }
}

fn validate(
    ctx: &Ctx<'_>,
    own: &PodDisruptionBudget,
    old: Option<&PodDisruptionBudget>,
    errors: &mut ErrorList,
) {
    if ctx.subresource == "status" {
        let path = Path::new("status");
        errors.extend(conditions::validate(&own.status.conditions, &path.child("conditions")));
        for (name, value) in [
            ("disruptionsAllowed", own.status.disruptions_allowed),
            ("currentHealthy", own.status.current_healthy),
            ("desiredHealthy", own.status.desired_healthy),
            ("expectedPods", own.status.expected_pods),
        ] {
            non_negative(errors, &path.child(name), value.into());
        }
        return;
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if spec.min_available.is_some() && spec.max_unavailable.is_some() {
        let shown = api_kind::checks::shown(spec);
        errors.push(FieldError::invalid(&path, shown, "minAvailable and maxUnavailable cannot be both set"));
    }
    for (name, value) in [("minAvailable", &spec.min_available), ("maxUnavailable", &spec.max_unavailable)] {
        if let Some(value) = value {
            amount(errors, &path.child(name), value);
        }
    }
    // What was let in once stays.
    let at = path.child("selector");
    let strict = SelectorLeniency::default();
    let invalid_values =
        old.is_some_and(|old| !validate_label_selector(old.spec.selector.as_deref(), strict, &at).is_empty());
    let lenient = SelectorLeniency { invalid_values, ..strict };
    errors.extend(validate_label_selector(spec.selector.as_deref(), lenient, &at));
    if let Some(policy) = &spec.unhealthy_pod_eviction_policy {
        supported(
            errors,
            &path.child("unhealthyPodEvictionPolicy"),
            policy,
            &["AlwaysAllow", "IfHealthyBudget"],
        );
    }
}

fn amount(errors: &mut ErrorList, path: &Path, value: &IntOrString) {
    match value {
        IntOrString::Int(number) => non_negative(errors, path, (*number).into()),
        IntOrString::String(text) => {
            let faults = names::is_valid_percent(text);
            let above =
                text.strip_suffix('%').and_then(|text| text.parse::<i32>().ok()).is_some_and(|n| n > 100);
            if faults.is_empty() && above {
                errors.push(FieldError::invalid(path, value, "must not be greater than 100%"));
            }
            for message in faults {
                errors.push(FieldError::invalid(path, value, message));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn the_label_of_the_first_beta_stands_alone() {
        let beta = format!("{{key: {BETA}, operator: Exists}}");
        let alone = create(&KIND, &format!("spec: {{selector: {{matchExpressions: [{beta}]}}}}"));
        assert!(alone.body().contains(BETA), "{}", alone.body());
        let among = format!("spec: {{selector: {{matchLabels: {{a: b}}, matchExpressions: [{beta}]}}}}");
        let among = create(&KIND, &among).body();
        assert!(!among.contains(BETA), "{among}");
    }

    #[test]
    fn a_budget_is_one_of_two() {
        let made = create(&KIND, "spec: {minAvailable: 50%, selector: {}}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|50%|N/A|0|<unknown>");
        let both = create(&KIND, "spec: {minAvailable: 1, maxUnavailable: 101%}");
        assert_eq!(both.errors.len(), 2, "{:?}", both.errors);
    }
}
