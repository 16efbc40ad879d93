//! The parameters of a binding: objects that its policy looks at.

use std::sync::Arc;

use api_meta::labels::Selector;
use api_record::Record;
use api_types::admissionregistration::v1::{ParamKind, ParamRef};
use api_types::object_meta;
use client::Resource;
use serde_json::Value;

use crate::versions::Kind;
use crate::{Lookup, Versions};

/// Where the parameters of a policy are: their resource, and whether they are in namespaces.
pub(super) type Source = (Resource, bool);

/// Where they are, if the policy has any.
pub(super) fn source(versions: &dyn Versions, kind: Option<&ParamKind>) -> Result<Option<Source>, String> {
    let Some(kind) = kind else { return Ok(None) };
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
    let of = Kind { group: group.to_owned(), version: version.to_owned(), kind: kind.kind.clone() };
    let found = versions.resource(&of).ok_or_else(|| {
        format!("failed to find resource referenced by paramKind: '{group}/{version}, Kind={}'", kind.kind)
    })?;
    Ok(Some(found))
}

/// What each evaluation gets: nothing where a policy has no parameters or its binding wants none; no evaluation at all for a binding that
/// lets pass what has none. The namespace is the request's.
pub(super) async fn collect(
    lookup: &dyn Lookup,
    versions: &dyn Versions,
    wanted: Option<(&Source, &ParamRef)>,
    namespace: &str,
) -> Result<Vec<Option<Value>>, String> {
    let Some(((resource, namespaced), wanted)) = wanted else { return Ok(vec![None]) };
    let namespace = match (*namespaced, wanted.namespace.as_str()) {
        (false, "") => "",
        (false, _) => {
            return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".to_owned());
        }
        (true, "") if namespace.is_empty() => {
            return Err(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                    .to_owned(),
            );
        }
        (true, "") => namespace,
        (true, namespace) => namespace,
    };
    let found = find(lookup, resource, namespace, wanted).await?;
    if found.is_empty() {
        return match wanted.parameter_not_found_action.as_deref() {
            Some("Deny") => {
                Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned())
            }
            _ => Ok(Vec::new()),
        };
    }
    let shown = found.iter().map(|object| versions.shown(resource, "", &**object).map(Some));
    shown.collect::<Option<_>>().ok_or_else(|| "a parameter cannot be shown in its version".to_owned())
}

async fn find(
    lookup: &dyn Lookup,
    resource: &Resource,
    namespace: &str,
    wanted: &ParamRef,
) -> Result<Vec<Arc<dyn Record>>, String> {
    if !wanted.name.is_empty() {
        return match lookup.get(resource, namespace, &wanted.name).await {
            Ok(object) => Ok(vec![object]),
            Err(status) if status.is_not_found() => Ok(Vec::new()),
            Err(status) => Err(status.message.clone()),
        };
    }
    let selector = wanted.selector.as_deref().map(|own| Selector::from_api(Some(own))).transpose();
    let selector = selector.map_err(|error| error.to_string())?;
    let all = lookup.list(resource, namespace).await.map_err(|status| status.message.clone())?;
    let matches = |object: &Arc<dyn Record>| {
        let meta = object_meta(&**object);
        meta.is_some_and(|meta| selector.as_ref().is_none_or(|selector| selector.matches(&meta.labels)))
    };
    Ok(all.into_iter().filter(matches).collect())
}
