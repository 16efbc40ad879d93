//! What is served: groups, versions and resources, in the old form and in the aggregated one.

use std::collections::BTreeMap;

use api_types::meta::v1::{
    APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions, GroupVersionForDiscovery,
    ServerAddressByClientCIDR,
};
use api_types::{Resource, resources};

/// The order of groups in answers: upstream's priorities, as far as they decide what `kubectl` prefers.
fn served() -> impl Iterator<Item = &'static Resource> {
    resources().iter().filter(|resource| resource.served_by_default)
}

/// The versions of each group, the preferred one first.
fn groups() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in served() {
        let versions = groups.entry(resource.kind.group).or_default();
        if !versions.contains(&resource.kind.version) {
            versions.push(resource.kind.version);
        }
    }
    for versions in groups.values_mut() {
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
    }
    groups
}

/// Stable before beta before alpha, higher before lower.
fn rank(version: &str) -> (u8, u32, u32) {
    let text = version.trim_start_matches('v');
    let (major, stage, minor) = match text.find(|c: char| !c.is_ascii_digit()) {
        None => (text, 3, ""),
        Some(at) if text[at..].starts_with("beta") => (&text[..at], 2, &text[at + 4..]),
        Some(at) => (&text[..at], 1, text[at..].trim_start_matches("alpha")),
    };
    (stage, major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

/// `/api`.
pub(crate) fn core_versions(address: &str) -> APIVersions {
    let address =
        ServerAddressByClientCIDR { client_cidr: "0.0.0.0/0".into(), server_address: address.to_owned() };
    APIVersions {
        versions: vec!["v1".to_owned()].into(),
        server_address_by_client_cidrs: vec![address].into(),
    }
}

/// `/apis`.
pub(crate) fn group_list() -> APIGroupList {
    let groups = groups().into_iter().filter(|(group, _)| !group.is_empty());
    APIGroupList { groups: groups.map(|(group, versions)| self::group(group, &versions)).collect() }
}

/// `/apis/<group>`.
pub(crate) fn one_group(name: &str) -> Option<APIGroup> {
    groups().get(name).map(|versions| group(name, versions))
}

fn group(name: &str, versions: &[&str]) -> APIGroup {
    let versions: Vec<GroupVersionForDiscovery> = versions
        .iter()
        .map(|version| GroupVersionForDiscovery {
            group_version: format!("{name}/{version}"),
            version: (*version).to_owned(),
        })
        .collect();
    APIGroup {
        name: name.to_owned(),
        preferred_version: versions.first().cloned().unwrap_or_default(),
        versions: versions.into(),
        ..APIGroup::default()
    }
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub(crate) fn resource_list(group: &str, version: &str) -> Option<APIResourceList> {
    let own: Vec<&Resource> =
        served().filter(|r| (r.kind.group, r.kind.version) == (group, version)).collect();
    if own.is_empty() {
        return None;
    }
    let mut list: Vec<APIResource> = Vec::new();
    for resource in own {
        list.push(APIResource {
            name: resource.plural.to_owned(),
            singular_name: resource.singular(),
            namespaced: resource.namespaced,
            kind: resource.kind.kind.to_owned(),
            verbs: sorted(resource.verbs),
            short_names: resource.short_names.iter().map(|name| (*name).to_owned()).collect(),
            categories: resource.categories.iter().map(|name| (*name).to_owned()).collect(),
            ..APIResource::default()
        });
        for subresource in resource.subresources {
            let (group, version, kind) = subresource_kind(resource, subresource.name);
            list.push(APIResource {
                name: format!("{}/{}", resource.plural, subresource.name),
                namespaced: resource.namespaced,
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
                verbs: sorted(subresource.verbs),
                ..APIResource::default()
            });
        }
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(APIResourceList { group_version, api_resources: list.into() })
}

fn sorted(verbs: &[&str]) -> Vec<String> {
    let mut verbs: Vec<String> = verbs.iter().map(|verb| (*verb).to_owned()).collect();
    verbs.sort();
    verbs
}

/// What a subresource takes and gives, with its group and version where they differ from the resource's.
pub(crate) fn subresource_kind(
    resource: &Resource,
    subresource: &str,
) -> (&'static str, &'static str, &'static str) {
    match (resource.plural, subresource) {
        (_, "scale") => ("autoscaling", "v1", "Scale"),
        ("pods", "eviction") => ("policy", "v1", "Eviction"),
        ("pods", "binding") => ("", "", "Binding"),
        ("pods", "exec") => ("", "", "PodExecOptions"),
        ("pods", "attach") => ("", "", "PodAttachOptions"),
        ("pods", "portforward") => ("", "", "PodPortForwardOptions"),
        ("pods", "proxy") => ("", "", "PodProxyOptions"),
        ("services", "proxy") => ("", "", "ServiceProxyOptions"),
        ("nodes", "proxy") => ("", "", "NodeProxyOptions"),
        ("serviceaccounts", "token") => ("authentication.k8s.io", "v1", "TokenRequest"),
        _ => ("", "", resource.kind.kind),
    }
}

/// `/api` or `/apis` in the aggregated form.
pub(crate) fn aggregated(core: bool) -> serde_json::Value {
    let items: Vec<serde_json::Value> = groups()
        .into_iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<serde_json::Value> =
                versions.iter().map(|version| aggregated_version(group, version)).collect();
            let metadata = if group.is_empty() {
                serde_json::json!({ "creationTimestamp": null })
            } else {
                serde_json::json!({ "name": group, "creationTimestamp": null })
            };
            serde_json::json!({ "metadata": metadata, "versions": versions })
        })
        .collect();
    serde_json::json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn aggregated_version(group: &str, version: &str) -> serde_json::Value {
    let own = served().filter(|r| (r.kind.group, r.kind.version) == (group, version));
    let mut list: Vec<&Resource> = own.collect();
    list.sort_by_key(|resource| resource.plural);
    let list: Vec<serde_json::Value> = list.into_iter().map(aggregated_resource).collect();
    serde_json::json!({ "version": version, "resources": list, "freshness": "Current" })
}

fn aggregated_resource(resource: &Resource) -> serde_json::Value {
    let gvk = resource.kind;
    let kind = |group: &str, version: &str, kind: &str| serde_json::json!({ "group": group, "version": version, "kind": kind });
    let subresources: Vec<serde_json::Value> = resource
        .subresources
        .iter()
        .map(|subresource| {
            let (group, version, name) = subresource_kind(resource, subresource.name);
            let own = version.is_empty();
            let (group, version) = if own { (gvk.group, gvk.version) } else { (group, version) };
            serde_json::json!({
                "subresource": subresource.name,
                "responseKind": kind(group, version, name),
                "verbs": sorted(subresource.verbs),
            })
        })
        .collect();
    let mut out = serde_json::json!({
        "resource": resource.plural,
        "responseKind": kind(gvk.group, gvk.version, gvk.kind),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular(),
        "verbs": sorted(resource.verbs),
    });
    let lists = [
        ("shortNames", serde_json::json!(resource.short_names)),
        ("categories", serde_json::json!(resource.categories)),
        ("subresources", serde_json::Value::from(subresources)),
    ];
    for (key, value) in lists {
        if value.as_array().is_some_and(|list| !list.is_empty()) {
            out[key] = value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_versions_come_first() {
        let mut versions = ["v1beta1", "v1", "v2alpha1", "v2", "v1alpha3", "v1beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta2", "v1beta1", "v2alpha1", "v1alpha3"]);
    }

    #[test]
    fn the_core_group_lists_pods_with_their_parts() {
        let list = resource_list("", "v1").expect("there is a core group");
        let names: Vec<&str> = list.api_resources.iter().map(|resource| resource.name.as_str()).collect();
        assert!(names.contains(&"pods") && names.contains(&"pods/exec") && names.contains(&"bindings"));
        assert!(resource_list("apps", "v1beta1").is_none());
    }
}
