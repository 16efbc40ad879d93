//! Rules that taint devices from outside, whatever their drivers say of them.

use api_kind::{Column, Ctx, Kind, age, structural};
use api_meta::conditions;
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::resource::v1::{DeviceTaintRule, DeviceTaintSelector};
use api_types::resource::{v1alpha3, v1beta2};

use crate::limits::CONDITIONS;
use crate::{names, taint};

/// The row.
pub const KIND: Kind<DeviceTaintRule> =
    Kind::<DeviceTaintRule>::of("resource.k8s.io", "v1", "devicetaintrules")
.versions(&[structural::<v1alpha3::DeviceTaintRule, DeviceTaintRule>("resource.k8s.io", "v1alpha3"), structural::<v1beta2::DeviceTaintRule, DeviceTaintRule>("resource.k8s.io", "v1beta2")])
        .generation()
        .conditional_update()
        .frozen_metadata()
        .validate(validate)
        .columns(&[
            Column::<DeviceTaintRule>::name(),
            Column::<DeviceTaintRule>::text(
                "Key",
                "The taint key to be applied to a device. Must be a label name.",
                |own, _| own.spec.taint.key.as_str().into(),
            ),
            Column::<DeviceTaintRule>::text(
                "Value",
                "The taint value corresponding to the taint key. Must be a label value.",
                |own, _| own.spec.taint.value.as_str().into(),
            ),
            Column::<DeviceTaintRule>::text(
                "Effect",
                "The effect of the taint on claims that do not tolerate the taint and through such claims on the pods using them.",
                |own, _| own.spec.taint.effect.as_str().into(),
            ),
            Column::<DeviceTaintRule>::text(
                "TimeAdded",
                "TimeAdded represents the time at which the taint was added or (only in a DeviceTaintRule) the effect was modified.",
                |own, now| match own.spec.taint.time_added {
                    None => "".into(),
                    Some(time) => age(Some(time), now),
                },
            ),
            Column::<DeviceTaintRule>::age(),
        ]);

fn validate(ctx: &Ctx<'_>, own: &DeviceTaintRule, _: Option<&DeviceTaintRule>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        let (at, all) = (Path::new("status").child("conditions"), &own.status.conditions);
        errors.extend(conditions::validate(all, &at));
        if all.len() > CONDITIONS {
            errors.push(FieldError::too_many(&at, all.len(), CONDITIONS));
        }
        return;
    }
    let path = Path::new("spec");
    if let Some(chosen) = &own.spec.device_selector {
        selector(errors, &path.child("deviceSelector"), chosen);
    }
    taint::taint(errors, &path.child("taint"), &own.spec.taint);
}

fn selector(errors: &mut ErrorList, path: &Path, own: &DeviceTaintSelector) {
    own.driver.iter().for_each(|driver| names::driver(errors, &path.child("driver"), driver));
    own.pool.iter().for_each(|pool| names::pool(errors, &path.child("pool"), pool));
    own.device.iter().for_each(|device| names::label(errors, &path.child("device"), device));
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_rule_taints_and_its_status_is_apart() {
        let own = "spec: {deviceSelector: {driver: a.b}, taint: {key: k, value: v, effect: NoExecute}}";
        let made = create(&KIND, own);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|k|v|NoExecute||<unknown>");
        let written = update(&KIND, "status", own, "status: {conditions: [{type: A}]}");
        assert!(
            written.errors[0].starts_with("status.conditions[0].status: Required value"),
            "{:?}",
            written.errors
        );
        assert_eq!(written.cells(&KIND), "x|k|v|NoExecute||<unknown>");
    }
}
