//! Classes of what can be changed in a volume that exists.

use api_kind::checks::required;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::storage::v1::VolumeAttributesClass;

use super::class;

/// The row.
pub const KIND: Kind<VolumeAttributesClass> =
    Kind::<VolumeAttributesClass>::of("storage.k8s.io", "v1", "volumeattributesclasses")
        .validate(validate)
        .columns(&[
            Column::<VolumeAttributesClass>::name(),
            Column::<VolumeAttributesClass>::text("DriverName", "Name of the CSI driver", |own, _| {
                own.driver_name.as_str().into()
            }),
            Column::<VolumeAttributesClass>::age(),
        ]);

fn validate(
    _: &Ctx<'_>,
    own: &VolumeAttributesClass,
    old: Option<&VolumeAttributesClass>,
    errors: &mut ErrorList,
) {
    let (driver, parameters) = (Path::new("driverName"), Path::new("parameters"));
    if let Some(old) = old {
        if own.driver_name != old.driver_name {
            errors.push(FieldError::forbidden(&driver, "updates to driverName are forbidden."));
        }
        if own.parameters != old.parameters {
            errors.push(FieldError::forbidden(&parameters, "updates to parameters are forbidden."));
        }
    }
    required(errors, &driver, &own.driver_name);
    class::provisioner(errors, &driver, &own.driver_name);
    class::parameters(errors, &parameters, &own.parameters);
    if own.parameters.is_empty() {
        errors.push(FieldError::required(&parameters, "must contain at least one key/value pair"));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_class_stays_as_it_was_made() {
        let own = "{driverName: a.b, parameters: {k: v}}";
        assert_eq!(create(&KIND, own).cells(&KIND), "x|a.b|<unknown>");
        assert_eq!(
            update(&KIND, "", own, "{driverName: b, parameters: {k: w}}").errors,
            [
                "driverName: Forbidden: updates to driverName are forbidden.",
                "parameters: Forbidden: updates to parameters are forbidden.",
            ]
        );
    }
}
