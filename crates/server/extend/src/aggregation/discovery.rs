//! What another API server says that it serves, read from either form of discovery into the aggregated one.
//!
//! Follows `kube-aggregator/pkg/apiserver/handler_discovery.go` and `endpoints.ConvertGroupVersionIntoToDiscovery`. What is read is kept as it
//! was written: fields that only newer servers know pass through.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::route::GroupVersion;

/// The media type of the aggregated form, and what servers without it are asked for.
pub(super) const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// What a group and version has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovered {
    /// Its resources, as aggregated discovery shows them.
    pub resources: Vec<Value>,
    /// Whether the server said so when it was last asked.
    pub fresh: bool,
}

/// Whether a content type is that of the aggregated form, in its final version.
pub(super) fn is_aggregated(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let parameters: Vec<&str> = parts.by_ref().skip(1).collect();
    content_type.trim_start().starts_with("application/json")
        && ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"]
            .iter()
            .all(|wanted| parameters.contains(wanted))
}

/// The resources of each group and version of a document in the aggregated form; `None` if it is none.
pub(super) fn aggregated(body: &[u8]) -> Option<BTreeMap<GroupVersion, Vec<Value>>> {
    let document: Value = serde_json::from_slice(body).ok()?;
    if document["kind"] != "APIGroupDiscoveryList" {
        return None;
    }
    let mut all = BTreeMap::new();
    for group in document["items"].as_array().into_iter().flatten() {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            let Some(own) = version["version"].as_str() else { continue };
            let resources = version["resources"].as_array().cloned().unwrap_or_default();
            let resources = resources.into_iter().filter(|one| one["resource"].is_string()).map(known);
            all.insert((name.to_owned(), own.to_owned()), resources.collect());
        }
    }
    Some(all)
}

/// A resource whose kinds are all given: some clients take a missing one badly (kubernetes/kubernetes#118361).
fn known(mut resource: Value) -> Value {
    let none = || json!({ "group": "", "version": "", "kind": "" });
    let give = |one: &mut Map<String, Value>| {
        one.entry("responseKind").or_insert_with(none);
    };
    if let Some(own) = resource.as_object_mut() {
        give(own);
        let parts = own.get_mut("subresources").and_then(Value::as_array_mut);
        parts.into_iter().flatten().filter_map(Value::as_object_mut).for_each(give);
    }
    resource
}

/// The resources of a list in the old form; `None` if it is none.
pub(super) fn listed(body: &[u8], (group, version): &GroupVersion) -> Option<Vec<Value>> {
    let document: Value = serde_json::from_slice(body).ok()?;
    if document["kind"] != "APIResourceList" {
        return None;
    }
    let all = document["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let kind = |one: &Value| {
        let own = |field: &str, default: &str| {
            let given = text(one, field);
            if given.is_empty() { default.to_owned() } else { given }
        };
        json!({ "group": own("group", group), "version": own("version", version), "kind": text(one, "kind") })
    };
    let mut resources: Vec<Value> = Vec::new();
    let named = |one: &&Value| !text(one, "name").is_empty();
    let is_part = |one: &&Value| text(one, "name").contains('/');
    for one in all.iter().filter(named).filter(|one| !is_part(one)) {
        let scope = if one["namespaced"] == true { "Namespaced" } else { "Cluster" };
        let mut resource = json!({
            "resource": text(one, "name"),
            "responseKind": kind(one),
            "scope": scope,
            "singularResource": text(one, "singularName"),
            "verbs": one["verbs"].as_array().cloned().unwrap_or_default(),
        });
        for field in ["shortNames", "categories"] {
            if one[field].as_array().is_some_and(|list| !list.is_empty()) {
                resource[field] = one[field].clone();
            }
        }
        resources.push(resource);
    }
    for one in all.iter().filter(is_part) {
        let name = text(one, "name");
        let (parent, part) = name.split_once('/').unwrap_or((&name, ""));
        let scope = if one["namespaced"] == true { "Namespaced" } else { "Cluster" };
        let at = resources.iter().position(|own| own["resource"] == parent).unwrap_or_else(|| {
            let none = json!({ "group": "", "version": "", "kind": "" });
            resources.push(json!({
                "resource": parent, "responseKind": none, "scope": scope, "singularResource": "", "verbs": [],
            }));
            resources.len() - 1
        });
        let part = json!({
            "subresource": part,
            "responseKind": kind(one),
            "verbs": one["verbs"].as_array().cloned().unwrap_or_default(),
        });
        match resources[at]["subresources"].as_array_mut() {
            Some(parts) => parts.push(part),
            None => resources[at]["subresources"] = json!([part]),
        }
    }
    Some(resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregated_form_is_told_by_its_content_type() {
        for (content_type, is) in [
            ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", true),
            ("application/json; g=apidiscovery.k8s.io; as=APIGroupDiscoveryList; v=v2", true),
            ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", false),
            ("application/json", false),
            ("text/html", false),
        ] {
            assert_eq!(is_aggregated(content_type), is, "{content_type}");
        }
    }

    #[test]
    fn documents_are_read_by_group_and_version() {
        let text = br#"{"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"wardle"},"versions":[
            {"version":"v1","resources":[{"resource":"flunders","verbs":["get"],"subresources":[{"subresource":"status"}]}, {}]}]}]}"#;
        let all = aggregated(text).expect("a document");
        let own = &all[&("wardle".to_owned(), "v1".to_owned())];
        let none = json!({ "group": "", "version": "", "kind": "" });
        assert_eq!(
            own,
            &[json!({"resource": "flunders", "verbs": ["get"], "responseKind": none,
                "subresources": [{"subresource": "status", "responseKind": none}]})]
        );
        for garbage in [&b"{}"[..], b"", b"<html>", br#"{"kind":"APIGroupList"}"#, b"[1]", b"null"] {
            assert!(aggregated(garbage).is_none());
        }
    }

    #[test]
    fn the_old_form_is_turned_into_the_new() {
        let text = br#"{"kind":"APIResourceList","groupVersion":"wardle/v1","resources":[
            {"name":"flunders/status","namespaced":true,"kind":"Flunder","verbs":["get"]},
            {"name":"flunders/scale","namespaced":true,"group":"autoscaling","version":"v1","kind":"Scale","verbs":["get"]},
            {"name":"flunders","singularName":"flunder","namespaced":true,"kind":"Flunder","verbs":["get","list"],"shortNames":["fl"]},
            {"name":"orphans/part","namespaced":false,"kind":"Part","verbs":[]}, {"kind":"Nameless"}]}"#;
        let own = listed(text, &("wardle".to_owned(), "v1".to_owned())).expect("a list");
        let kind = json!({"group": "wardle", "version": "v1", "kind": "Flunder"});
        assert_eq!(
            own[0],
            json!({"resource": "flunders", "responseKind": kind, "scope": "Namespaced",
            "singularResource": "flunder", "verbs": ["get", "list"], "shortNames": ["fl"],
            "subresources": [
                {"subresource": "status", "responseKind": kind, "verbs": ["get"]},
                {"subresource": "scale", "verbs": ["get"],
                    "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"}},
            ]})
        );
        assert_eq!((own.len(), own[1]["resource"].as_str()), (2, Some("orphans")));
        assert!(listed(b"{}", &(String::new(), "v1".to_owned())).is_none());
    }
}
