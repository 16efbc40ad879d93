//! Addresses that have been given to somebody.

use api_kind::checks::{each, required, shown};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::networking::v1::IPAddress;

/// The row.
pub const KIND: Kind<IPAddress> =
    Kind::<IPAddress>::of("networking.k8s.io", "v1", "ipaddresses").name(name).validate(validate).columns(&[
        Column::<IPAddress>::name(),
        Column::<IPAddress>::text(
            "ParentRef",
            "ParentRef references the resource that an IPAddress is attached to.",
            |own, _| {
                let Some(parent) = &own.spec.parent_ref else { return "<none>".into() };
                let group =
                    if parent.group.is_empty() { String::new() } else { format!(".{}", parent.group) };
                let namespace = if parent.namespace.is_empty() {
                    String::new()
                } else {
                    format!("/{}", parent.namespace)
                };
                format!(
                    "{}{}{namespace}/{}",
                    parent.resource.to_lowercase(),
                    group.to_lowercase(),
                    parent.name
                )
                .into()
            },
        ),
        Column::<IPAddress>::age(),
    ]);

/// Its name is the address, in its canonical form.
fn name(name: &str, prefix: bool) -> Vec<String> {
    if prefix {
        return Vec::new();
    }
    names::is_valid_ip(&Path::new("metadata").child("name"), name)
        .into_iter()
        .map(|error| error.detail)
        .collect()
}

fn validate(_: &Ctx<'_>, own: &IPAddress, old: Option<&IPAddress>, errors: &mut ErrorList) {
    let at = Path::new("spec").child("parentRef");
    match &own.spec.parent_ref {
        None => errors.push(FieldError::required(&at, "")),
        Some(parent) => {
            required(errors, &at.child("resource"), &parent.resource);
            required(errors, &at.child("name"), &parent.name);
            if !parent.group.is_empty() {
                each(errors, &at.child("group"), &parent.group, names::is_dns1123_subdomain(&parent.group));
            }
            for (field, text) in
                [("resource", &parent.resource), ("name", &parent.name), ("namespace", &parent.namespace)]
            {
                each(errors, &at.child(field), text, names::is_path_segment_name(text));
            }
            if old.is_some_and(|old| old.spec.parent_ref != own.spec.parent_ref) {
                errors.push(FieldError::invalid(&at, shown(&**parent), "field is immutable"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn an_address_has_an_owner() {
        let made = create(
            &KIND,
            "{metadata: {name: 10.0.0.1}, spec: {parentRef: {resource: services, namespace: a, name: b}}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "10.0.0.1|services/a/b|<unknown>");
        assert_eq!(create(&KIND, "{metadata: {name: 10.0.0.01}}").errors.len(), 2);
    }
}
