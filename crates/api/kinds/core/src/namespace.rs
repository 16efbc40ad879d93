//! Namespaces: they keep the finalizer `kubernetes` until everything in them is gone.

use api_kind::{Column, Ctx, Kind, fields_of};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_meta::object_meta::validate_finalizer_name;
use api_types::core::v1::Namespace;

const FINALIZER: &str = "kubernetes";
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The row.
pub const KIND: Kind<Namespace> = Kind::<Namespace>::of("", "v1", "namespaces")
    .name(names::name_is_dns_label)
    .held(|namespace| !namespace.spec.finalizers.is_empty())
    .resets(|part| (part == "finalize").then(|| fields_of(&["status"])))
    .deleting(|namespace| "Terminating".clone_into(&mut namespace.status.phase))
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
    .columns(&[
        Column::<Namespace>::name(),
        Column::<Namespace>::text("Status", "The status of the namespace", |namespace, _| {
            namespace.status.phase.as_str().into()
        }),
        Column::<Namespace>::age(),
    ])
    .selectable(&[("status.phase", |namespace| namespace.status.phase.as_str().into())]);

fn defaults(_: &Ctx<'_>, namespace: &mut Namespace) {
    let meta = &mut namespace.metadata;
    if !meta.name.is_empty() {
        meta.labels.insert(NAME_LABEL.to_owned(), meta.name.clone());
    }
    if namespace.status.phase.is_empty() {
        "Active".clone_into(&mut namespace.status.phase);
    }
}

fn prepare(ctx: &Ctx<'_>, namespace: &mut Namespace, old: Option<&Namespace>) {
    let meta = &mut namespace.metadata;
    // A generated name is known only here.
    meta.labels.insert(NAME_LABEL.to_owned(), meta.name.clone());
    match old {
        None => {
            "Active".clone_into(&mut namespace.status.phase);
            let finalizers = &mut namespace.spec.finalizers;
            if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
                finalizers.push(FINALIZER.to_owned());
            }
        }
        Some(old) if ctx.subresource != "finalize" => {
            namespace.spec.finalizers.clone_from(&old.spec.finalizers);
        }
        Some(_) => {}
    }
}

fn validate(ctx: &Ctx<'_>, namespace: &Namespace, old: Option<&Namespace>, errors: &mut ErrorList) {
    if old.is_none() || ctx.subresource == "finalize" {
        for (index, finalizer) in namespace.spec.finalizers.iter().enumerate() {
            let at = Path::new("spec").child("finalizers");
            let at = if old.is_some() { at.index(index) } else { at };
            errors.extend(validate_finalizer_name(finalizer, &at));
            if !finalizer.contains('/')
                && !matches!(finalizer.as_str(), FINALIZER | "orphan" | "foregroundDeletion")
            {
                let why = "name is neither a standard finalizer name nor is it fully qualified";
                errors.push(FieldError::invalid(&at, finalizer, why));
            }
        }
    }
    if ctx.subresource == "status" {
        let at = Path::new("status").child("Phase");
        let phase = &namespace.status.phase;
        match namespace.metadata.deletion_timestamp {
            None if phase != "Active" => {
                let why = "may only be 'Active' if `deletionTimestamp` is empty";
                errors.push(FieldError::invalid(&at, phase, why));
            }
            Some(_) if phase != "Terminating" => {
                let why = "may only be 'Terminating' if `deletionTimestamp` is not empty";
                errors.push(FieldError::invalid(&at, phase, why));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_namespace_is_born_active_and_held() {
        let made = create(&KIND, "{}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(
            made.body(),
            r#"{"metadata":{},"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}"#
        );
        assert_eq!(made.cells(&KIND), "x|Active|<unknown>");
        let bad = create(&KIND, "metadata: {name: A}");
        assert!(bad.errors[0].starts_with("metadata.name: Invalid value: \"A\""), "{:?}", bad.errors);
    }

    #[test]
    fn only_finalize_changes_its_finalizers() {
        let kept = update(&KIND, "", "{}", "spec: {finalizers: []}");
        assert!(kept.body().contains("kubernetes"));
        let freed = update(&KIND, "finalize", "{}", "spec: {finalizers: []}");
        assert!(!freed.body().contains("kubernetes"));
        let wrong = update(&KIND, "status", "{}", "status: {phase: Terminating}");
        assert_eq!(
            wrong.errors,
            [
                r#"status.Phase: Invalid value: "Terminating": may only be 'Active' if `deletionTimestamp` is empty"#
            ]
        );
    }
}
