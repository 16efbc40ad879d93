//! Roles of the whole cluster.

use api_kind::{Ctx, Kind};
use api_meta::field::{ErrorList, Path};
use api_meta::names;
use api_types::rbac::v1::ClusterRole;

use crate::rules;

/// The row.
pub const KIND: Kind<ClusterRole> =
    Kind::<ClusterRole>::of("rbac.authorization.k8s.io", "v1", "clusterroles")
        .create_on_update()
        .name(names::name_is_path_segment)
        .validate(validate);

fn validate(_: &Ctx<'_>, role: &ClusterRole, _: Option<&ClusterRole>, errors: &mut ErrorList) {
    for (index, rule) in role.rules.iter().enumerate() {
        rules::rule(errors, &Path::new("rules").index(index), rule, false);
    }
    if let Some(aggregation) = &role.aggregation_rule {
        let at = Path::new("aggregationRule").child("clusterRoleSelectors");
        rules::selectors(errors, &at, &aggregation.cluster_role_selectors);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn roles_of_the_cluster_reach_urls() {
        assert_eq!(create(&KIND, "rules: [{verbs: [get], nonResourceURLs: [/a]}]").errors, [""; 0]);
        assert_eq!(
            create(&KIND, "{rules: [], aggregationRule: {}}").errors,
            [
                "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
            ]
        );
    }
}
