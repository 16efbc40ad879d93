//! That a volume is to be attached to a node, and whether it is.

use api_kind::checks::each;
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::persistent_volume;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::storage::v1::{VolumeAttachment, VolumeAttachmentSource, VolumeError};

use super::class::bytes;

const METADATA_BYTES: usize = 256 << 10;
const MESSAGE_BYTES: usize = 1024;
const ONE_OF: &str = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

/// The row.
pub const KIND: Kind<VolumeAttachment> =
    Kind::<VolumeAttachment>::of("storage.k8s.io", "v1", "volumeattachments")
        .conditional_update()
        .frozen_metadata()
        .defaults(|_, own| {
            own.spec
                .source
                .inline_volume_spec
                .iter_mut()
                .for_each(|spec| persistent_volume::description(spec));
        })
        .validate(validate)
        .columns(&[
            Column::<VolumeAttachment>::name(),
            Column::<VolumeAttachment>::text(
                "Attacher",
                "attacher indicates the name of the volume driver that MUST handle this request.",
                |own, _| own.spec.attacher.as_str().into(),
            )
            .format("name"),
            Column::<VolumeAttachment>::text(
                "PV",
                "persistentVolumeName represents the name of the persistent volume to attach.",
                |own, _| own.spec.source.persistent_volume_name.as_deref().unwrap_or("").into(),
            ),
            Column::<VolumeAttachment>::text(
                "Node",
                "nodeName represents the node that the volume should be attached to.",
                |own, _| own.spec.node_name.as_str().into(),
            ),
            Column::<VolumeAttachment>::boolean(
                "Attached",
                "attached indicates the volume is successfully attached.",
                |own, _| own.status.attached.into(),
            ),
            Column::<VolumeAttachment>::age(),
        ]);

fn validate(_: &Ctx<'_>, own: &VolumeAttachment, _: Option<&VolumeAttachment>, errors: &mut ErrorList) {
    let (path, spec) = (Path::new("spec"), &own.spec);
    source(errors, &path.child("source"), &spec.source);
    let node = &spec.node_name;
    each(errors, &path.child("nodeName"), node, names::name_is_dns_subdomain(node, false));
    let (path, status) = (Path::new("status"), &own.status);
    if bytes(&status.attachment_metadata) > METADATA_BYTES {
        errors.push(FieldError::too_long(&path.child("attachmentMetadata"), METADATA_BYTES));
    }
    for (field, error) in [("attachError", &status.attach_error), ("detachError", &status.detach_error)] {
        error.iter().for_each(|error| volume_error(errors, &path.child(field), error));
    }
}

fn source(errors: &mut ErrorList, path: &Path, source: &VolumeAttachmentSource) {
    let at = path.child("persistentVolumeName");
    match (&source.inline_volume_spec, &source.persistent_volume_name) {
        (None, None) => errors.push(FieldError::required(path, ONE_OF)),
        (Some(_), Some(_)) => errors.push(FieldError::forbidden(path, ONE_OF)),
        (None, Some(name)) if name.is_empty() => {
            errors.push(FieldError::required(&at, "must specify non empty persistentVolumeName"));
        }
        (None, Some(_)) => {}
        (Some(spec), None) => {
            persistent_volume::inline(errors, &path.child("inlineVolumeSpec"), spec);
        }
    }
    if let Some(name) = &source.persistent_volume_name {
        each(errors, &at, name, names::name_is_dns_subdomain(name, false));
    }
}

fn volume_error(errors: &mut ErrorList, path: &Path, error: &VolumeError) {
    if error.message.len() > MESSAGE_BYTES {
        errors.push(FieldError::too_long(&path.child("message"), MESSAGE_BYTES));
    }
    if let Some(code) = error.error_code.filter(|code| *code < 0) {
        let why = names::inclusive_range_error(0, i32::MAX.into());
        errors.push(FieldError::invalid(&path.child("errorCode"), code, why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const OWN: &str = "spec: {attacher: a.b, nodeName: one, source: {persistentVolumeName: v}}";

    #[test]
    fn what_is_asked_for_stays_and_the_status_is_the_drivers() {
        assert_eq!(create(&KIND, OWN).errors, [""; 0]);
        let moved = update(&KIND, "", OWN, &OWN.replace("nodeName: one", "nodeName: two"));
        assert_eq!(moved.errors.len(), 1, "{:?}", moved.errors);
        assert!(moved.errors[0].ends_with("field is immutable"));
        let attached = update(&KIND, "status", OWN, "{status: {attached: true}, spec: {attacher: z}}");
        assert_eq!(attached.errors, [""; 0]);
        assert_eq!(attached.cells(&KIND), "x|a.b|v|one|true|<unknown>");
        let failed = update(&KIND, "status", OWN, "status: {attachError: {errorCode: -1}}");
        assert_eq!(
            failed.errors,
            ["status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive"]
        );
        assert_eq!(
            create(&KIND, "spec: {attacher: a.b, nodeName: one, source: {}}").errors,
            [format!("spec.source: Required value: {ONE_OF}")]
        );
    }
}
