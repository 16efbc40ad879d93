//! Bindings of roles in the whole cluster.

use api_kind::checks::shown;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::rbac::v1::ClusterRoleBinding;

use crate::rules;

/// The row.
pub const KIND: Kind<ClusterRoleBinding> =
    Kind::<ClusterRoleBinding>::of("rbac.authorization.k8s.io", "v1", "clusterrolebindings")
        .create_on_update()
        .name(names::name_is_path_segment)
        .defaults(|_, own| {
            rules::default_role(&mut own.role_ref);
            rules::default_subjects(&mut own.subjects);
        })
        .validate(validate)
        .columns(&[
            Column::<ClusterRoleBinding>::name(),
            Column::<ClusterRoleBinding>::text(
                "Role",
                "RoleRef can only reference a ClusterRole in the global namespace.",
                |own, _| format!("{}/{}", own.role_ref.kind, own.role_ref.name).into(),
            ),
            Column::<ClusterRoleBinding>::age(),
            Column::<ClusterRoleBinding>::text("Users", "Users in the clusterRoleBinding", |own, _| {
                rules::shown(&own.subjects, "User").into()
            })
            .wide(),
            Column::<ClusterRoleBinding>::text("Groups", "Groups in the clusterRoleBinding", |own, _| {
                rules::shown(&own.subjects, "Group").into()
            })
            .wide(),
            Column::<ClusterRoleBinding>::text(
                "ServiceAccounts",
                "ServiceAccounts in the clusterRoleBinding",
                |own, _| rules::shown(&own.subjects, "ServiceAccount").into(),
            )
            .wide(),
        ]);

fn validate(_: &Ctx<'_>, own: &ClusterRoleBinding, old: Option<&ClusterRoleBinding>, errors: &mut ErrorList) {
    rules::role(errors, &own.role_ref, &["ClusterRole"]);
    rules::subjects(errors, &own.subjects, false);
    if old.is_some_and(|old| old.role_ref != own.role_ref) {
        let at = Path::new("roleRef");
        errors.push(FieldError::invalid(&at, shown(&own.role_ref), "field is immutable"));
    }
}
