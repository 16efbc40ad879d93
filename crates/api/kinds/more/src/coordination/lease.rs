//! Leases: who holds what, until when.

use api_kind::checks::non_negative;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::coordination::v1::Lease;

/// The row.
pub const KIND: Kind<Lease> = Kind::<Lease>::of("coordination.k8s.io", "v1", "leases")
    .conditional_update()
    .create_on_update()
    .any_finalizers()
    .validate(validate)
    .columns(&[
        Column::<Lease>::name(),
        Column::<Lease>::text(
            "Holder",
            "holderIdentity contains the identity of the holder of a current lease.",
            |lease, _| lease.spec.holder_identity.as_deref().unwrap_or_default().into(),
        ),
        Column::<Lease>::age(),
    ]);

fn validate(_: &Ctx<'_>, lease: &Lease, _: Option<&Lease>, errors: &mut ErrorList) {
    let path = Path::new("spec");
    if let Some(seconds) = lease.spec.lease_duration_seconds.filter(|seconds| *seconds <= 0) {
        let at = path.child("leaseDurationSeconds");
        errors.push(FieldError::invalid(&at, seconds, "must be greater than 0"));
    }
    if let Some(count) = lease.spec.lease_transitions {
        non_negative(errors, &path.child("leaseTransitions"), count.into());
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_lease_shows_its_holder() {
        let made = create(&KIND, "spec: {holderIdentity: a, leaseDurationSeconds: 40}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|a|<unknown>");
        assert_eq!(
            create(&KIND, "spec: {leaseDurationSeconds: 0}").errors,
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"]
        );
    }
}
