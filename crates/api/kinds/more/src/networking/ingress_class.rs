//! Ingress classes.

use api_kind::checks::{immutable, required};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::networking::v1::IngressClass;

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
    if let Some(old) = old {
        immutable(errors, &at, class.spec.controller == old.spec.controller, &class.spec.controller);
    }
}
