//! Priority classes.

use api_kind::checks::{immutable, one_of};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::scheduling::v1::PriorityClass;

const HIGHEST: i32 = 1_000_000_000;

/// The row.
pub const KIND: Kind<PriorityClass> = Kind::<PriorityClass>::of("scheduling.k8s.io", "v1", "priorityclasses")
    .generation()
    .defaults(|_, class| {
        class.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".into());
    })
    .validate(validate)
    .columns(&[
        Column::<PriorityClass>::name(),
        Column::<PriorityClass>::number("Value", "value represents the integer value of this priority class.", |class, _| class.value.into()),
        Column::<PriorityClass>::boolean("Global-Default", "globalDefault specifies whether this PriorityClass should be considered as the default priority for pods that do not have any priority class.", |class, _| class.global_default.into()),
        Column::<PriorityClass>::age(),
        Column::<PriorityClass>::text("PreemptionPolicy", "preemptionPolicy is the Policy for preempting pods with lower priority.", |class, _| {
            class.preemption_policy.as_deref().unwrap_or_default().into()
        }),
    ]);

/// The classes that are the system's own, with their values.
fn system_value(name: &str) -> Option<i32> {
    match name {
        "system-node-critical" => Some(2_000_001_000),
        "system-cluster-critical" => Some(2_000_000_000),
        _ => None,
    }
}

fn validate(_: &Ctx<'_>, class: &PriorityClass, old: Option<&PriorityClass>, errors: &mut ErrorList) {
    let name = &class.metadata.name;
    if name.starts_with("system-") && system_value(name) != Some(class.value) {
        let why = "priority class names with 'system-' prefix are reserved for system use only. error: "
            .to_owned()
            + &match system_value(name) {
                Some(value) => format!("value of {name} PriorityClass must be {value}"),
                None => format!("{name} is not a known system priority class"),
            };
        errors.push(FieldError::forbidden(&Path::new("metadata").child("name"), why));
    } else if !name.starts_with("system-") && class.value > HIGHEST {
        let why = format!("maximum allowed value of a user defined priority is {HIGHEST}");
        errors.push(FieldError::forbidden(&Path::new("value"), why));
    }
    let at = Path::new("preemptionPolicy");
    if let Some(policy) = &class.preemption_policy {
        one_of(errors, &at, policy, &["PreemptLowerPriority", "Never"]);
    }
    if let Some(old) = old {
        if class.value != old.value {
            errors.push(FieldError::invalid(&Path::new("value"), class.value, "field is immutable"));
        }
        immutable(
            errors,
            &at,
            class.preemption_policy == old.preemption_policy,
            class.preemption_policy.as_deref(),
        );
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn the_systems_names_are_its_own() {
        let made = create(&KIND, "{value: 7}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|7|false|<unknown>|PreemptLowerPriority");
        assert_eq!(
            create(&KIND, "{metadata: {name: system-node-critical}, value: 2000001000}").errors,
            [""; 0]
        );
        assert_eq!(
            create(&KIND, "{metadata: {name: system-x}, value: 1}").errors,
            [
                "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class"
            ]
        );
        assert_eq!(
            update(&KIND, "", "{value: 1}", "{value: 2}").errors,
            ["value: Invalid value: 2: field is immutable"]
        );
    }
}
