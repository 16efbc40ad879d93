//! Taints of devices, and what tolerates them. What declared rules say of keys, operators and effects is not said again.

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_label_name;
use api_types::resource::v1::{DeviceTaint, DeviceToleration};

use crate::parts::label_value;

pub fn taint(errors: &mut ErrorList, path: &Path, own: &DeviceTaint) {
    errors.extend(validate_label_name(&own.key, &path.child("key")));
    if !own.value.is_empty() {
        label_value(errors, &path.child("value"), &own.value);
    }
}

pub fn tolerations(errors: &mut ErrorList, path: &Path, tolerations: &[DeviceToleration]) {
    for (index, own) in tolerations.iter().enumerate() {
        let at = path.index(index).child("value");
        match own.operator.as_str() {
            "Exists" if !own.value.is_empty() => {
                errors.push(FieldError::invalid(&at, &own.value, "must be empty for operator `Exists`"));
            }
            "Equal" => label_value(errors, &at, &own.value),
            _ => {}
        }
    }
}
