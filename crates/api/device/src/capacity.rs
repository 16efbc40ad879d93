//! How much of a device's capacities a request takes, by the policies of the device (`structured/internal/*/consumable_capacity.go`).

use std::collections::BTreeMap;

use api_record::scalar::Quantity;
use api_types::resource::v1::{
    CapacityRequestPolicy, CapacityRequestPolicyRange, CapacityRequirements, Device, DeviceCapacity,
};

use crate::state::{Consumed, consume};

const NOT_REPRESENTABLE: &str = "capacity request cannot be represented in the device's range arithmetic";

/// What a request takes of each of a device's capacities.
///
/// # Errors
/// If an amount cannot be computed, or is less than nothing.
pub(crate) fn taken(wanted: Option<&CapacityRequirements>, device: &Device) -> Result<Consumed, String> {
    let mut all = Consumed::new();
    for (name, capacity) in &device.capacity {
        let of = wanted.and_then(|wanted| wanted.requests.get(name));
        let amount = amount(of, capacity).map_err(|why| format!("capacity {name:?}: {why}"))?;
        if amount.sign() < 0 {
            return Err(format!("capacity {name:?}: capacity value is negative"));
        }
        all.insert(name.clone(), amount);
    }
    Ok(all)
}

/// Whether a device has what a request wants, beside what is taken of it already.
///
/// # Errors
/// As [`taken`].
pub(crate) fn fits(
    wanted: Option<&CapacityRequirements>,
    device: &Device,
    before: &[Option<&Consumed>],
) -> Result<bool, String> {
    let names = wanted.into_iter().flat_map(|wanted| wanted.requests.keys());
    if names.into_iter().any(|name| !device.capacity.contains_key(name)) {
        return Ok(false);
    }
    let taken = taken(wanted, device)?;
    let mut sum: BTreeMap<String, Quantity> = taken.clone();
    before.iter().flatten().for_each(|own| consume(&mut sum, own));
    Ok(device.capacity.iter().all(|(name, capacity)| {
        !taken.get(name).is_some_and(|amount| violates(amount, capacity.request_policy.as_deref()))
            && sum.get(name).is_none_or(|amount| *amount <= capacity.value)
    }))
}

fn amount(wanted: Option<&Quantity>, capacity: &DeviceCapacity) -> Result<Quantity, String> {
    let policy = capacity.request_policy.as_deref();
    let Some(wanted) = wanted else {
        return Ok(policy.and_then(|policy| policy.default_.as_ref()).unwrap_or(&capacity.value).clone());
    };
    let Some(policy) = policy else { return Ok(wanted.clone()) };
    match policy.valid_range.as_deref() {
        Some(range) if range.min.is_some() => in_range(wanted, range),
        _ => {
            let fitting = policy.valid_values.iter().find(|value| wanted <= *value);
            Ok(fitting.unwrap_or(wanted).clone())
        }
    }
}

/// The least amount of a range that is enough.
fn in_range(wanted: &Quantity, range: &CapacityRequestPolicyRange) -> Result<Quantity, String> {
    let least = range.min.clone().unwrap_or_default();
    if *wanted < least {
        return Ok(least);
    }
    let Some(step) = &range.step else { return Ok(wanted.clone()) };
    let too_large = |what: &str| format!("{NOT_REPRESENTABLE}: {what}");
    let past =
        |range: &str| too_large(&format!("rounding request {wanted} up to the next step passes {range}"));
    if in_millis(range) {
        let wanted_millis = millis(wanted)
            .ok_or_else(|| too_large(&format!("request {wanted} is not a representable milli value")))?;
        let rounded = rounded(wanted_millis, least.millis(), step.millis())
            .ok_or_else(|| past("the milli-value range"))?;
        return Ok(match rounded % 1000 {
            0 => Quantity::from_units(rounded / 1000, step.format()),
            _ => Quantity::from_millis(rounded),
        });
    }
    if *wanted > Quantity::from_units(i64::MAX, wanted.format()) {
        return Err(too_large(&format!("request {wanted} exceeds MaxInt64")));
    }
    let rounded = rounded(wanted.units(), least.units(), step.units()).ok_or_else(|| past("MaxInt64"))?;
    Ok(Quantity::from_units(rounded, step.format()))
}

/// The first of the amounts from `least` on, a step apart, that is enough; `None` if no number is so large.
fn rounded(wanted: i64, least: i64, step: i64) -> Option<i64> {
    let (wanted, least, step) = (i128::from(wanted), i128::from(least), i128::from(step));
    if step <= 0 {
        return None;
    }
    let steps = (wanted - least + step - 1).div_euclid(step).max(0);
    i64::try_from(least + steps * step).ok()
}

/// Whether a range is to be reckoned in thousandths: all of it can be said so.
fn in_millis(range: &CapacityRequestPolicyRange) -> bool {
    let all = [&range.min, &range.max, &range.step];
    all.into_iter().flatten().all(|own| millis(own).is_some())
        && range.step.as_ref().is_none_or(|step| step.millis() >= 1)
}

/// Thousandths, if that loses nothing.
fn millis(quantity: &Quantity) -> Option<i64> {
    let millis = quantity.millis();
    (Quantity::from_millis(millis) == *quantity).then_some(millis)
}

fn violates(amount: &Quantity, policy: Option<&CapacityRequestPolicy>) -> bool {
    let Some(policy) = policy else { return false };
    if policy.default_.as_ref() == Some(amount) {
        return false;
    }
    match policy.valid_range.as_deref() {
        Some(range) => is_outside(amount, range),
        None => !policy.valid_values.is_empty() && !policy.valid_values.contains(amount),
    }
}

fn is_outside(amount: &Quantity, range: &CapacityRequestPolicyRange) -> bool {
    if range.max.as_ref().is_some_and(|most| amount > most) {
        return true;
    }
    let Some(step) = &range.step else { return false };
    let least = range.min.clone().unwrap_or_default();
    let off = |amount: i64, least: i64, step: i64| {
        step != 0 && (i128::from(amount) - i128::from(least)) % i128::from(step) != 0
    };
    match in_millis(range) {
        true => millis(amount).is_none_or(|amount| off(amount, least.millis(), step.millis())),
        false => off(amount.units(), least.units(), step.units()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().expect("a quantity")
    }

    fn policy(default: &str, values: &[&str], range: Option<[&str; 3]>) -> CapacityRequestPolicy {
        let own = |text: &str| (!text.is_empty()).then(|| quantity(text));
        CapacityRequestPolicy {
            default_: own(default),
            valid_values: values.iter().map(|text| quantity(text)).collect(),
            valid_range: range.map(|[min, max, step]| {
                Box::new(CapacityRequestPolicyRange { min: own(min), max: own(max), step: own(step) })
            }),
        }
    }

    #[test]
    fn a_request_takes_what_the_policy_makes_of_it() {
        let range = |min, max, step| Some(policy("", &[], Some([min, max, step])));
        for (wanted, policy, expected) in [
            (None, None, "10Gi"),
            (None, Some(policy("1Gi", &[], None)), "1Gi"),
            (Some("3Gi"), None, "3Gi"),
            (Some("3Gi"), Some(policy("1Gi", &["2Gi", "4Gi"], None)), "4Gi"),
            (Some("5Gi"), Some(policy("1Gi", &["2Gi", "4Gi"], None)), "5Gi"),
            (Some("1"), range("2", "8", ""), "2"),
            (Some("3"), range("2", "8", ""), "3"),
            (Some("3"), range("2", "8", "2"), "4"),
            (Some("4"), range("2", "8", "2"), "4"),
            (Some("250m"), range("100m", "1", "100m"), "300m"),
            (Some("950m"), range("0", "1", "100m"), "1"),
            (
                Some("1e19"),
                range("0", "", "1"),
                "capacity request cannot be represented in the device's range arithmetic: request 10e18 is not a representable milli value",
            ),
        ] {
            let capacity =
                DeviceCapacity { value: quantity("10Gi"), request_policy: policy.clone().map(Box::new) };
            let taken = amount(wanted.map(quantity).as_ref(), &capacity);
            let shown = taken.map_or_else(|why| why, |amount| amount.to_string());
            assert_eq!(shown, expected, "{wanted:?} {policy:?}");
        }
    }

    #[test]
    fn a_device_has_no_more_than_it_has() {
        for (wanted, before, policy, expected) in [
            (Some("3Gi"), "", None, true),
            (Some("3Gi"), "8Gi", None, false),
            (Some("2Gi"), "8Gi", None, true),
            (Some("12Gi"), "", None, false),
            (None, "", None, true),
            (None, "1", None, false),
            (Some("3Gi"), "", Some(policy("1Gi", &["1Gi", "2Gi"], None)), false),
            (Some("2Gi"), "", Some(policy("1Gi", &["1Gi", "2Gi"], None)), true),
            (Some("9"), "", Some(policy("", &[], Some(["2", "8", "2"]))), false),
        ] {
            let mut device = Device::default();
            let request_policy = policy.clone().map(Box::new);
            let capacity = DeviceCapacity { value: quantity("10Gi"), request_policy };
            device.capacity.insert("memory".into(), capacity);
            let wanted = wanted.map(|text| CapacityRequirements {
                requests: [("memory".to_owned(), quantity(text))].into(),
            });
            let before: Option<Consumed> =
                (!before.is_empty()).then(|| [("memory".to_owned(), quantity(before))].into());
            let fit = fits(wanted.as_ref(), &device, &[before.as_ref()]);
            assert_eq!(fit, Ok(expected), "{wanted:?} beside {before:?} of {policy:?}");
        }
        let unknown = CapacityRequirements { requests: [("bandwidth".to_owned(), quantity("1"))].into() };
        assert_eq!(fits(Some(&unknown), &Device::default(), &[]), Ok(false));
    }
}
