//! Classes of devices: which they are, and how their drivers set them up.

use api_kind::checks::each;
use api_kind::{Column, Ctx, Kind, structural};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::is_label_key;
use api_types::resource::v1::DeviceClass;
use api_types::resource::{v1beta1, v1beta2};

use crate::parts;

const NATIVE: &str = "kubernetes.io/";
const QUOTA: &str = "requests.";

/// The row.
pub const KIND: Kind<DeviceClass> = Kind::<DeviceClass>::of("resource.k8s.io", "v1", "deviceclasses")
    .versions(&[
        structural::<v1beta1::DeviceClass, DeviceClass>("resource.k8s.io", "v1beta1"),
        structural::<v1beta2::DeviceClass, DeviceClass>("resource.k8s.io", "v1beta2"),
    ])
    .generation()
    .validate(validate)
    .columns(&[Column::<DeviceClass>::name(), Column::<DeviceClass>::age()]);

fn validate(_: &Ctx<'_>, class: &DeviceClass, old: Option<&DeviceClass>, errors: &mut ErrorList) {
    let (path, spec) = (Path::new("spec"), &class.spec);
    let stored = old.is_some_and(|old| old.spec.selectors == spec.selectors);
    parts::selectors(errors, &path.child("selectors"), &spec.selectors, stored);
    let stored = old.is_some_and(|old| old.spec.config == spec.config);
    for (index, config) in spec.config.iter().enumerate() {
        parts::configuration(
            errors,
            &path.child("config").index(index),
            &config.device_configuration,
            stored,
        );
    }
    let before = old.and_then(|old| old.spec.extended_resource_name.as_ref());
    if let Some(name) = spec.extended_resource_name.as_ref().filter(|name| before != Some(name)) {
        extended_resource(errors, &path.child("extendedResourceName"), name);
    }
}

/// The name of a resource that pods can ask for as they did before there were claims (`format=k8s-extended-resource-name`).
fn extended_resource(errors: &mut ErrorList, at: &Path, name: &str) {
    if !name.contains('/') {
        let why = "a name must be a domain-prefixed path, such as 'example.com/my-prop'";
        errors.push(FieldError::invalid(at, name, why));
    } else if name.contains(NATIVE) {
        errors.push(FieldError::invalid(at, name, format!("must not have \"{NATIVE}\" domain")));
    }
    if name.starts_with(QUOTA) {
        errors.push(FieldError::invalid(at, name, format!("must not have \"{QUOTA}\" prefix")));
    }
    each(errors, at, name, is_label_key(&format!("{QUOTA}{name}")));
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn what_is_stored_is_not_compiled_again() {
        let own = "spec: {selectors: [{cel: {expression: 'device.driver == \"a\"'}}], config: [{opaque: {driver: a, parameters: {k: v}}}]}";
        let made = create(&KIND, own);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|<unknown>");
        let broken = "spec: {selectors: [{cel: {expression: device.driver}}]}";
        let why = "spec.selectors[0].cel.expression: Invalid value: \"device.driver\": must evaluate to bool or the unknown type, not string";
        assert_eq!(create(&KIND, broken).errors, [why]);
        assert_eq!(update(&KIND, "", own, broken).errors, [why]);
        assert_eq!(update(&KIND, "", broken, broken).errors, [""; 0]);
        assert_eq!(
            create(&KIND, "spec: {extendedResourceName: requests.a/b}").errors,
            [
                "spec.extendedResourceName: Invalid value: \"requests.a/b\": must not have \"requests.\" prefix"
            ]
        );
    }
}
