//! The parameters of a binding: objects that its policy looks at.

use std::sync::Arc;

use api_meta::labels::Selector;
use api_record::Record;
use api_types::admissionregistration::v1::{
    ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use api_types::object_meta;
use client::Resource;
use serde_json::Value;
use server_registry::admit::Attributes;

use crate::versions::Kind;
use crate::{Lookup, Versions};

/// What each evaluation gets: nothing, for a policy without parameters, and for a binding that lets pass what has none.
pub(super) async fn collect(
    lookup: &dyn Lookup,
    versions: &dyn Versions,
    policy: &ValidatingAdmissionPolicy,
    binding: &ValidatingAdmissionPolicyBinding,
    attributes: &Attributes<'_>,
) -> Result<Vec<Option<Value>>, String> {
    let Some(kind) = &policy.spec.param_kind else { return Ok(vec![None]) };
    let Some(wanted) = &binding.spec.param_ref else { return Ok(vec![None]) };
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
    let of = Kind { group: group.to_owned(), version: version.to_owned(), kind: kind.kind.clone() };
    let (resource, namespaced) = versions.resource(&of).ok_or_else(|| {
        format!("failed to find resource referenced by paramKind: '{}, Kind={}'", kind.api_version, kind.kind)
    })?;
    let namespace = match (namespaced, wanted.namespace.as_str()) {
        (false, "") => "",
        (false, _) => {
            return Err("paramRef.namespace must not be provided for a cluster-scoped `paramKind`".to_owned());
        }
        (true, "") if attributes.namespace.is_empty() => {
            return Err(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                    .to_owned(),
            );
        }
        (true, "") => attributes.namespace,
        (true, namespace) => namespace,
    };
    let found = find(lookup, &resource, namespace, wanted).await?;
    if found.is_empty() {
        return match wanted.parameter_not_found_action.as_deref() {
            Some("Deny") => {
                Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned())
            }
            _ => Ok(Vec::new()),
        };
    }
    let shown = found.iter().map(|object| versions.shown(&resource, "", &**object).map(Some));
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
