//! Roles of a namespace.

use api_kind::{Ctx, Kind};
use api_meta::field::{ErrorList, Path};
use api_meta::names;
use api_types::rbac::v1::Role;

use crate::rules;

/// The row.
pub const KIND: Kind<Role> = Kind::<Role>::of("rbac.authorization.k8s.io", "v1", "roles")
    .create_on_update()
    .name(names::name_is_path_segment)
    .validate(validate);

fn validate(_: &Ctx<'_>, role: &Role, _: Option<&Role>, errors: &mut ErrorList) {
    for (index, rule) in role.rules.iter().enumerate() {
        rules::rule(errors, &Path::new("rules").index(index), rule, true);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn rules_say_what_on_what() {
        let made = create(
            &KIND,
            "{metadata: {name: 'system:a'}, rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]}",
        );
        assert_eq!(made.errors, [""; 0]);
        let bad = create(&KIND, "rules: [{apiGroups: ['']}, {verbs: [get], nonResourceURLs: [/a]}]");
        assert_eq!(
            bad.errors,
            [
                "rules[0].verbs: Required value",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
                "rules[1].nonResourceURLs: Invalid value: [\"/a\"]: namespaced rules cannot apply to non-resource URLs"
            ]
        );
    }
}
