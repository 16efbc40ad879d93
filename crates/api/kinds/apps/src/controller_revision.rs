//! Controller revisions: what a controller's template was.

use api_kind::checks::{immutable, non_negative};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::owners;
use api_types::apps::v1::ControllerRevision;

/// The row.
pub const KIND: Kind<ControllerRevision> =
    Kind::<ControllerRevision>::of("apps", "v1", "controllerrevisions").validate(validate).columns(&[
        Column::<ControllerRevision>::name(),
        Column::<ControllerRevision>::text("Controller", "Controller of the object", |own, _| {
            controller(own).into()
        }),
        Column::<ControllerRevision>::text(
            "Revision",
            "Revision indicates the revision of the state represented by Data.",
            |own, _| own.revision.into(),
        ),
        Column::<ControllerRevision>::age(),
    ]);

fn controller(own: &ControllerRevision) -> String {
    let Some(owner) = owners::controller_of(&own.metadata) else { return "<none>".to_owned() };
    let kind = owner.kind.to_lowercase();
    match owner.api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", owner.name),
        None => format!("{kind}/{}", owner.name),
    }
}

fn validate(_: &Ctx<'_>, own: &ControllerRevision, old: Option<&ControllerRevision>, errors: &mut ErrorList) {
    if old.is_none() {
        let text = own.data.text().trim_ascii();
        let missing = match text.first() {
            None => Some("data is mandatory"),
            Some(_) if text == b"null" => Some("data is mandatory"),
            Some(b'{') => None,
            Some(_) => Some("data must be a valid JSON object"),
        };
        errors.extend(missing.map(|why| FieldError::required(&Path::new("data"), why)));
    }
    non_negative(errors, &Path::new("revision"), own.revision);
    if let Some(old) = old {
        let shown = BadValue::json(String::from_utf8_lossy(own.data.text()).into_owned());
        immutable(errors, &Path::new("data"), own.data == old.data, shown);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn what_was_stays() {
        let made = create(
            &KIND,
            "{revision: 2, data: {a: b}, metadata: {ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: d, uid: u, controller: true}]}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|daemonset.apps/d|2|<unknown>");
        let changed = update(&KIND, "", "{revision: 1, data: {a: b}}", "{revision: 1, data: {a: c}}");
        assert_eq!(changed.errors, [r#"data: Invalid value: {"a":"c"}: field is immutable"#]);
    }
}
