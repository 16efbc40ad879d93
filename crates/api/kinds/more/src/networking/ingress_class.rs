//! Ingress classes.

use api_kind::checks::{each, immutable, required, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::networking::v1::{IngressClass, IngressClassParametersReference};

const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
const CONTROLLER_BYTES: usize = 250;

/// The row.
pub const KIND: Kind<IngressClass> = Kind::<IngressClass>::of("networking.k8s.io", "v1", "ingressclasses")
    .generation()
    .defaults(|_, class| {
        if let Some(parameters) = &mut class.spec.parameters {
            parameters.scope.get_or_insert_with(|| "Cluster".into());
        }
    })
    .validate(validate)
    .columns(&[
        Column::<IngressClass>::text("Name", "Name must be unique within a namespace.", |class, _| {
            let default = class.metadata.annotations.get(DEFAULT).is_some_and(|value| value == "true");
            format!("{}{}", class.metadata.name, if default { " (default)" } else { "" }).into()
        })
        .format("name"),
        Column::<IngressClass>::text(
            "Controller",
            "Controller that is responsible for handling this class",
            |class, _| class.spec.controller.as_str().into(),
        ),
        Column::<IngressClass>::text(
            "Parameters",
            "A reference to a resource with additional parameters",
            |class, _| {
                let Some(parameters) = &class.spec.parameters else { return "<none>".into() };
                match &parameters.api_group {
                    Some(group) => format!("{}.{group}/{}", parameters.kind, parameters.name).into(),
                    None => format!("{}/{}", parameters.kind, parameters.name).into(),
                }
            },
        ),
        Column::<IngressClass>::age(),
    ]);

fn validate(_: &Ctx<'_>, class: &IngressClass, old: Option<&IngressClass>, errors: &mut ErrorList) {
    let at = Path::new("spec").child("controller");
    if required(errors, &at, &class.spec.controller) {
        errors.extend(names::is_domain_prefixed_path(&at, &class.spec.controller));
    }
    if class.spec.controller.len() > CONTROLLER_BYTES {
        errors.push(FieldError::too_long(&at, CONTROLLER_BYTES));
    }
    if let Some(parameters) = &class.spec.parameters {
        reference(errors, &Path::new("spec").child("parameters"), parameters);
    }
    if let Some(old) = old {
        immutable(errors, &at, class.spec.controller == old.spec.controller, &class.spec.controller);
    }
}

fn reference(errors: &mut ErrorList, path: &Path, own: &IngressClassParametersReference) {
    if let Some(group) = &own.api_group {
        each(errors, &path.child("apiGroup"), group, names::is_dns1123_subdomain(group));
    }
    for (field, text) in [("kind", &own.kind), ("name", &own.name)] {
        if !text.is_empty() {
            each(errors, &path.child(field), text, names::is_path_segment_name(text));
        }
    }
    let (at, namespace) = (path.child("scope"), path.child("namespace"));
    match (own.scope.as_deref(), &own.namespace) {
        (None, _) => errors.push(FieldError::required(&at, "")),
        (Some("Namespace"), None) => {
            errors.push(FieldError::required(&namespace, "`parameters.scope` is set to 'Namespace'"));
        }
        (Some("Namespace"), Some(name)) => {
            each(errors, &namespace, name, names::name_is_dns_label(name, false));
        }
        (Some("Cluster"), Some(_)) => {
            errors.push(FieldError::forbidden(&namespace, "`parameters.scope` is set to 'Cluster'"));
        }
        (Some("Cluster"), None) => {}
        (Some(other), _) => supported(errors, &at, other, &["Cluster", "Namespace"]),
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn parameters_are_of_the_cluster_or_of_a_namespace() {
        let errors = |parameters: &str| {
            create(&KIND, &format!("spec: {{controller: a.b/c, parameters: {{{parameters}}}}}")).errors
        };
        assert_eq!(errors("kind: K, name: m"), [""; 0]);
        assert_eq!(errors("kind: K, name: m, scope: Namespace, namespace: a"), [""; 0]);
        assert_eq!(
            errors("kind: K, name: m, namespace: a"),
            ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"]
        );
        assert_eq!(
            errors("kind: K, name: a/b, scope: Namespace"),
            [
                "spec.parameters.name: Invalid value: \"a/b\": may not contain '/'",
                "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"
            ]
        );
    }
}
