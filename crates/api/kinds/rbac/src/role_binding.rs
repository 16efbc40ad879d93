//! Bindings of roles within a namespace.

use api_kind::checks::shown;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::rbac::v1::RoleBinding;

use crate::rules;

/// The row.
pub const KIND: Kind<RoleBinding> = Kind::<RoleBinding>::of(
    "rbac.authorization.k8s.io",
    "v1",
    "rolebindings",
)
.create_on_update()
.name(names::name_is_path_segment)
.defaults(|_, own| {
    rules::default_role(&mut own.role_ref);
    rules::default_subjects(&mut own.subjects);
})
.validate(validate)
.columns(&[
    Column::<RoleBinding>::name(),
    Column::<RoleBinding>::text(
        "Role",
        "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace.",
        |own, _| format!("{}/{}", own.role_ref.kind, own.role_ref.name).into(),
    ),
    Column::<RoleBinding>::age(),
    Column::<RoleBinding>::text("Users", "Users in the roleBinding", |own, _| {
        rules::shown(&own.subjects, "User").into()
    })
    .wide(),
    Column::<RoleBinding>::text("Groups", "Groups in the roleBinding", |own, _| {
        rules::shown(&own.subjects, "Group").into()
    })
    .wide(),
    Column::<RoleBinding>::text("ServiceAccounts", "ServiceAccounts in the roleBinding", |own, _| {
        rules::shown(&own.subjects, "ServiceAccount").into()
    })
    .wide(),
]);

fn validate(_: &Ctx<'_>, own: &RoleBinding, old: Option<&RoleBinding>, errors: &mut ErrorList) {
    rules::role(errors, &own.role_ref, &["Role", "ClusterRole"]);
    rules::subjects(errors, &own.subjects, true);
    if old.is_some_and(|old| old.role_ref != own.role_ref) {
        let at = Path::new("roleRef");
        errors.push(FieldError::invalid(&at, shown(&own.role_ref), "field is immutable"));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const BINDING: &str = "{roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: User, name: u}, {kind: ServiceAccount, name: s, namespace: n1}]}";

    #[test]
    fn a_binding_keeps_its_role() {
        let made = create(&KIND, BINDING);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|ClusterRole/view|<unknown>|u||n1/s");
        let moved = update(&KIND, "", BINDING, &BINDING.replace("view", "edit"));
        assert_eq!(
            moved.errors,
            [
                r#"roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: field is immutable"#
            ]
        );
    }
}
