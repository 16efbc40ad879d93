//! What a device can hold, and in which amounts requests may take of it where several share it.

use api_meta::field::{ErrorList, FieldError, Path};
use api_record::scalar::{Quantity, QuantityFormat};
use api_types::resource::v1::{CapacityRequestPolicy, CapacityRequestPolicyRange, DeviceCapacity};

use crate::limits::VALID_VALUES;

/// Checks a capacity of a device that several may share, or not.
pub fn check(errors: &mut ErrorList, path: &Path, own: &DeviceCapacity, shared: bool) {
    let Some(policy) = &own.request_policy else { return };
    let path = path.child("requestPolicy");
    if !shared {
        errors.push(FieldError::forbidden(&path, "allowMultipleAllocations must be true"));
        return;
    }
    let at = path.child("default");
    match (policy.valid_values.is_empty(), &policy.valid_range, &policy.default_) {
        (false, Some(_), _) => {
            let why = "exactly one policy can be specified, cannot specify \"validValues\" and \"validRange\" at the same time";
            errors.push(FieldError::forbidden(&path, why));
        }
        (true, None, _) => {}
        (false, None, None) => {
            errors.push(FieldError::required(&at, "required when validValues is defined"));
        }
        (true, Some(_), None) => {
            errors.push(FieldError::required(&at, "required when validRange is defined"));
        }
        (false, None, Some(default)) => {
            values(errors, &path.child("validValues"), default, &own.value, policy)
        }
        (true, Some(of), Some(default)) => {
            range(errors, &path.child("validRange"), default, &own.value, of);
        }
    }
}

fn values(
    errors: &mut ErrorList,
    path: &Path,
    default: &Quantity,
    most: &Quantity,
    policy: &CapacityRequestPolicy,
) {
    let values = &policy.valid_values;
    for (index, pair) in values.windows(2).enumerate().filter(|(_, pair)| pair[0] > pair[1]) {
        let why = "values must be sorted in ascending order";
        errors.push(FieldError::invalid(&path.index(index + 1), pair[1].to_string(), why));
    }
    if values.len() > VALID_VALUES {
        errors.push(FieldError::too_many(path, values.len(), VALID_VALUES));
    } else {
        for (index, value) in values.iter().enumerate() {
            let at = path.index(index);
            if value > most {
                let why = format!("option is larger than capacity value: {most}");
                errors.push(FieldError::invalid(&at, value.to_string(), why));
            }
            if values[..index].contains(value) {
                let shown = if is_fractional(value) { value.to_string() } else { value.units().to_string() };
                errors.push(FieldError::duplicate(&at, shown));
            }
        }
    }
    if values.len() > VALID_VALUES || !values.contains(default) {
        let why = "default value is not valid according to the requestPolicy";
        errors.push(FieldError::invalid(path, default.to_string(), why));
    }
}

fn range(
    errors: &mut ErrorList,
    path: &Path,
    default: &Quantity,
    most: &Quantity,
    own: &CapacityRequestPolicyRange,
) {
    let mut invalid = |field, value: &Quantity, why: String| {
        errors.push(FieldError::invalid(&path.child(field), value.to_string(), why));
    };
    let Some(min) = &own.min else {
        errors.push(FieldError::required(&path.child("min"), "required when validRange is defined"));
        return;
    };
    if min > most {
        invalid("min", min, format!("min is larger than capacity value: {most}"));
    }
    if default < min {
        invalid("default", default, format!("default is less than min: {min}"));
    }
    if let Some(max) = &own.max {
        if min > max {
            invalid("max", min, format!("min is larger than max: {max}"));
        }
        if max > most {
            invalid("max", max, format!("max is larger than capacity value: {most}"));
        }
        if default > max {
            invalid("default", default, format!("default is more than max: {max}"));
        }
    }
    let all = [
        ("default", Some(default)),
        ("min", Some(min)),
        ("max", own.max.as_ref()),
        ("step", own.step.as_ref()),
    ];
    let given = || all.into_iter().filter_map(|(field, value)| Some((field, value?)));
    // Steps are counted in thousandths as soon as one of the amounts is not whole.
    let fractional = given().any(|(_, value)| is_fractional(value));
    let mut countable = true;
    if fractional {
        for (field, value) in given().filter(|(_, value)| Quantity::from_millis(value.millis()) != **value) {
            invalid(field, value, "value cannot be represented as a milli value".into());
            countable = false;
        }
        if !countable {
            return;
        }
    }
    let Some(step) = &own.step else { return };
    if step.sign() <= 0 {
        invalid("step", step, "must be greater than zero".into());
        return;
    }
    let mut next = min.clone();
    next.add(step);
    if next > *most {
        invalid("step", step, format!("one step {next} is larger than capacity value: {most}"));
    }
    let largest = Quantity::from_units(i64::MAX, QuantityFormat::DecimalSi);
    for (field, value) in given().filter(|_| !fractional) {
        if value.sign() < 0 {
            invalid(field, value, "must be greater than or equal to 0".into());
            countable = false;
        } else if *value > largest {
            invalid(field, value, format!("must not be larger than {}", i64::MAX));
            countable = false;
        }
    }
    let count = |value: &Quantity| i128::from(if fractional { value.millis() } else { value.units() });
    for value in [Some(default), own.max.as_ref()].into_iter().flatten().filter(|_| countable) {
        if (count(value) - count(min)) % count(step) != 0 {
            invalid("step", value, format!("value is not a multiple of a given step ({step}) from ({min})"));
        }
    }
}

fn is_fractional(value: &Quantity) -> bool {
    let largest = Quantity::from_units(i64::MAX, QuantityFormat::DecimalSi);
    *value <= largest && Quantity::from_units(value.units(), value.format()) != *value
}
