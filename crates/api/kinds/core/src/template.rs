//! Templates of pods, as the kinds that make pods hold them; used by this crate and by the groups of workloads.

use api_kind::{Cell, Ctx};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_labels;
use api_meta::names;
use api_meta::object_meta::validate_annotations;
use api_record::Record;
use api_types::core::v1::{Container, PodTemplateSpec};
use api_types::meta::v1::ObjectMeta;

use crate::pod;
pub use crate::pod::gated::OWN_GATES;

/// Fills in what its author left out.
pub fn default(template: &mut PodTemplateSpec) {
    pod::defaults::spec(&mut template.spec);
}

/// Makes it ready to be kept, in rows with [`OWN_GATES`].
pub fn prepare(ctx: &Ctx<'_>, template: &mut PodTemplateSpec, old: Option<&PodTemplateSpec>) {
    let annotations = &mut template.metadata.annotations;
    pod::gated::drop(ctx.gates, annotations, &mut template.spec, old.map(|old| &old.spec));
}

/// Checks it.
pub fn validate(errors: &mut ErrorList, path: &Path, template: &PodTemplateSpec) {
    let (spec, annotations) = (path.child("spec"), path.child("annotations"));
    errors.extend(validate_labels(&template.metadata.labels, &path.child("labels")));
    errors.extend(validate_annotations(&template.metadata.annotations, &annotations));
    pod::annotations::check(errors, &annotations, &template.metadata.annotations, None, &template.spec);
    pod::spec::check(errors, &spec, &template.spec, None);
    let at = spec.child("initContainers");
    pod::container::restarted_by_resize(errors, &at, &template.spec.init_containers);
    pod::annotations::agree(errors, &spec, &template.metadata.annotations, &template.spec);
    if !template.spec.ephemeral_containers.is_empty() {
        let at = path.child("spec").child("ephemeralContainers");
        errors.push(FieldError::forbidden(&at, "ephemeral containers not allowed in pod template"));
    }
}

/// The metadata of what is made of a template: labels and annotations, and nothing else.
pub fn metadata(errors: &mut ErrorList, path: &Path, meta: &ObjectMeta) {
    errors.extend(validate_annotations(&meta.annotations, &path.child("annotations")));
    errors.extend(validate_labels(&meta.labels, &path.child("labels")));
    let record: &dyn Record = meta;
    for (index, field) in record.schema().fields.iter().enumerate() {
        let allowed = matches!(&*field.name, "labels" | "annotations");
        if !allowed && !record.get(index).is_empty() {
            // Upstream names its Go field.
            let name = match &*field.name {
                "uid" => "uID".to_owned(),
                other => other.to_owned(),
            };
            errors.push(FieldError::forbidden(&path.child(name), "cannot be set"));
        }
    }
}

/// The same, for a controller of the kind `kind`, which starts ended pods again.
pub fn validate_always(errors: &mut ErrorList, path: &Path, template: &PodTemplateSpec, kind: &str) {
    validate(errors, path, template);
    always(errors, path, template, kind);
}

/// That it is for pods that are started again without end.
pub fn always(errors: &mut ErrorList, path: &Path, template: &PodTemplateSpec, kind: &str) {
    let spec = path.child("spec");
    let policy = &template.spec.restart_policy;
    if policy != "Always" {
        let at = spec.child("restartPolicy");
        errors.push(FieldError::not_supported(&at, policy, &["Always"]));
    }
    if template.spec.active_deadline_seconds.is_some() {
        let at = spec.child("activeDeadlineSeconds");
        let why = format!("activeDeadlineSeconds in {kind} is not Supported");
        errors.push(FieldError::forbidden(&at, why));
    }
}

/// What is unwise about it, when it is made or changed.
pub fn warnings(path: &Path, template: &PodTemplateSpec) -> Vec<String> {
    pod::warnings::of(path, &template.spec, &template.metadata, true)
}

/// What is unwise about a workload's template when it is made or changed, and about its name when pods are named after it.
pub fn workload_warnings(
    ctx: &Ctx<'_>,
    meta: &ObjectMeta,
    old: Option<&ObjectMeta>,
    pods: &PodTemplateSpec,
    named: bool,
) -> Vec<String> {
    if !ctx.subresource.is_empty() || old.is_some_and(|old| old.generation == meta.generation) {
        return Vec::new();
    }
    let name = name_warning(&meta.name, "Pod names and hostnames").filter(|_| named && old.is_none());
    name.into_iter().chain(warnings(&Path::new("spec").child("template"), pods)).collect()
}

/// The warning about a name that is used in other names and is no DNS label.
pub fn name_warning(name: &str, place: &str) -> Option<String> {
    let faults = names::is_dns1123_label(name);
    let shown = faults.join(" ");
    (!faults.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in {place}, which can result in surprising behavior; a DNS label is recommended: [{shown}]"
        )
    })
}

/// The names of the containers, separated by commas.
pub fn container_names(template: Option<&PodTemplateSpec>) -> Cell {
    joined(template, |container| &container.name)
}

/// The images of the containers, separated by commas.
pub fn container_images(template: Option<&PodTemplateSpec>) -> Cell {
    joined(template, |container| &container.image)
}

fn joined(template: Option<&PodTemplateSpec>, part: fn(&Container) -> &String) -> Cell {
    let containers = template.into_iter().flat_map(|template| template.spec.containers.iter());
    containers.map(|container| part(container).as_str()).collect::<Vec<_>>().join(",").into()
}
