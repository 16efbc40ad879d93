//! Templates of pods as objects of their own.

use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, Path};
use api_meta::labels::format_labels;
use api_types::core::v1::PodTemplate;

use crate::template;

/// The row.
pub const KIND: Kind<PodTemplate> = Kind::<PodTemplate>::of("", "v1", "podtemplates")
    .generation()
    .defaults(|_, own| template::default(&mut own.template))
    .own_gates(template::OWN_GATES)
    .prepare(|ctx, own, old| template::prepare(ctx, &mut own.template, old.map(|old| &old.template)))
    .validate(validate)
    .warnings(warnings)
    .columns(&[
        Column::<PodTemplate>::name(),
        Column::<PodTemplate>::text("Containers", "Names of each container in the template.", |own, _| {
            template::container_names(Some(&own.template))
        }),
        Column::<PodTemplate>::text(
            "Images",
            "Images referenced by each container in the template.",
            |own, _| template::container_images(Some(&own.template)),
        ),
        Column::<PodTemplate>::text("Pod Labels", "The labels for the pod template.", |own, _| {
            format_labels(&own.template.metadata.labels).into()
        }),
    ]);

fn validate(_: &Ctx<'_>, own: &PodTemplate, _: Option<&PodTemplate>, errors: &mut ErrorList) {
    template::validate(errors, &Path::new("template"), &own.template);
}

fn warnings(_: &Ctx<'_>, own: &PodTemplate, old: Option<&PodTemplate>) -> Vec<String> {
    if old.is_some_and(|old| old.metadata.generation == own.metadata.generation) {
        return Vec::new();
    }
    template::warnings(&Path::new("template"), &own.template)
}
