//! Templates of claims, of which each pod that names one gets a claim of its own.

use api_kind::checks::{immutable, shown};
use api_kind::{Column, Ctx, Kind, structural};
use api_kinds_core::template;
use api_meta::field::{ErrorList, Path};
use api_types::resource::v1::ResourceClaimTemplate;
use api_types::resource::v1beta2;

use crate::claim;

/// The row.
pub const KIND: Kind<ResourceClaimTemplate> =
    Kind::<ResourceClaimTemplate>::of("resource.k8s.io", "v1", "resourceclaimtemplates")
        .versions(&[structural::<v1beta2::ResourceClaimTemplate, ResourceClaimTemplate>(
            "resource.k8s.io",
            "v1beta2",
        )])
        .defaults(|_, own| claim::defaults(&mut own.spec.spec))
        .validate(validate)
        .columns(&[Column::<ResourceClaimTemplate>::name(), Column::<ResourceClaimTemplate>::age()]);

fn validate(
    ctx: &Ctx<'_>,
    own: &ResourceClaimTemplate,
    old: Option<&ResourceClaimTemplate>,
    errors: &mut ErrorList,
) {
    let path = Path::new("spec");
    if let Some(old) = old {
        // It cannot change, so that what is stored is not judged again.
        immutable(errors, &path, own.spec == old.spec, shown(&own.spec));
        return;
    }
    template::metadata(errors, &path.child("metadata"), &own.spec.metadata);
    claim::check(errors, ctx, &path.child("spec"), &own.spec.spec);
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_template_stays_as_it_was_made() {
        let own = "spec: {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: c}}]}}}";
        let made = create(&KIND, own);
        assert_eq!(made.errors, [""; 0]);
        assert!(made.body().contains("\"allocationMode\":\"ExactCount\",\"count\":1"), "{}", made.body());
        let changed = update(&KIND, "", own, &own.replace("deviceClassName: c", "deviceClassName: d"));
        assert!(changed.errors[0].ends_with("field is immutable"), "{:?}", changed.errors);
        assert_eq!(
            create(&KIND, &own.replace("spec: {spec", "spec: {metadata: {name: z, labels: {a: b}}, spec"))
                .errors,
            ["spec.metadata.name: Forbidden: cannot be set"]
        );
    }
}
