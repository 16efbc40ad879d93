//! Taints of devices: which are tolerated (`resourceclaim/devicetoleration.go`), and which rules give which devices one
//! (`resourceslice/tracker`).

use api_types::resource::v1::{Device, DeviceTaint, DeviceTaintRule, DeviceToleration, ResourceSlice};

/// Nothing new is allocated.
pub const NO_SCHEDULE: &str = "NoSchedule";

/// Pods that use the device have to go, too.
pub const NO_EXECUTE: &str = "NoExecute";

/// Whether a toleration is for a taint.
pub fn tolerates(toleration: &DeviceToleration, taint: &DeviceTaint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key.is_empty() || toleration.key == taint.key;
    effect
        && key
        && match toleration.operator.as_str() {
            "" | "Equal" => toleration.value == taint.value,
            "Exists" => true,
            _ => false,
        }
}

/// Whether a device of these taints is not to be allocated to who tolerates this. Effects that are not known prevent nothing.
pub(crate) fn prevents(device: &Device, tolerations: &[DeviceToleration]) -> bool {
    let known = |taint: &&DeviceTaint| matches!(taint.effect.as_str(), NO_SCHEDULE | NO_EXECUTE);
    let tolerated = |taint: &DeviceTaint| tolerations.iter().any(|own| tolerates(own, taint));
    device.taints.iter().filter(known).any(|taint| !tolerated(taint))
}

/// Whether a rule is about a device. One without a selector is about none.
pub fn selects(rule: &DeviceTaintRule, driver: &str, pool: &str, device: &str) -> bool {
    let Some(selector) = &rule.spec.device_selector else { return false };
    let is = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
    is(&selector.driver, driver) && is(&selector.pool, pool) && is(&selector.device, device)
}

/// A slice whose devices have the taints of the rules about them; `None` if there are none.
pub fn tainted<'a>(
    slice: &ResourceSlice,
    rules: impl Iterator<Item = &'a DeviceTaintRule>,
) -> Option<ResourceSlice> {
    let (driver, pool) = (&slice.spec.driver, &slice.spec.pool.name);
    let mut changed: Option<ResourceSlice> = None;
    for rule in rules {
        for (at, device) in slice.spec.devices.iter().enumerate() {
            if selects(rule, driver, pool, &device.name) {
                let changed = changed.get_or_insert_with(|| slice.clone());
                changed.spec.devices[at].taints.push(rule.spec.taint.clone());
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use api_types::resource::v1::DeviceTaintSelector;

    use super::*;

    #[test]
    fn a_toleration_is_for_keys_values_and_effects() {
        let taint =
            DeviceTaint { key: "k".into(), value: "v".into(), effect: NO_EXECUTE.into(), time_added: None };
        for (key, operator, value, effect, expected) in [
            ("", "Exists", "", "", true),
            ("k", "Exists", "", NO_EXECUTE, true),
            ("k", "Exists", "", NO_SCHEDULE, false),
            ("k", "Equal", "v", "", true),
            ("k", "", "v", "", true),
            ("k", "Equal", "w", "", false),
            ("l", "Exists", "", "", false),
            ("k", "Like", "v", "", false),
        ] {
            let toleration = DeviceToleration {
                key: key.into(),
                operator: operator.into(),
                value: value.into(),
                effect: effect.into(),
                toleration_seconds: None,
            };
            assert_eq!(tolerates(&toleration, &taint), expected, "{toleration:?}");
        }
    }

    #[test]
    fn rules_taint_what_their_selector_names() {
        let mut slice = ResourceSlice::default();
        slice.spec.driver = "d.io".into();
        slice.spec.pool.name = "p".into();
        slice.spec.devices = ["a", "b"].map(|name| Device { name: name.into(), ..Device::default() }).into();
        let taints = |selector: Option<[Option<&str>; 3]>| -> Vec<usize> {
            let mut rule = DeviceTaintRule::default();
            rule.spec.device_selector = selector.map(|[driver, pool, device]| {
                let own = |name: Option<&str>| name.map(str::to_owned);
                Box::new(DeviceTaintSelector { driver: own(driver), pool: own(pool), device: own(device) })
            });
            let tainted = tainted(&slice, [&rule].into_iter());
            tainted.iter().flat_map(|slice| &slice.spec.devices).map(|device| device.taints.len()).collect()
        };
        assert_eq!(taints(None), [0; 0]);
        assert_eq!(taints(Some([None, None, None])), [1, 1]);
        assert_eq!(taints(Some([Some("d.io"), Some("p"), Some("b")])), [0, 1]);
        assert_eq!(taints(Some([Some("e.io"), None, None])), [0; 0]);
        assert_eq!(taints(Some([None, Some("q"), None])), [0; 0]);
    }
}
