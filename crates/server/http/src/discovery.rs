//! What is served: groups, versions and resources, in the old form and in the aggregated one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use api_kinds_more::apiregistration::priority::{self, Priority};
use api_types::meta::v1::{
    APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions, GroupVersionForDiscovery,
    ServerAddressByClientCIDR,
};
use api_types::{Resource, Subresource};
use server_extend::aggregation::{Backend, Discovered, Known, Routes};
use server_registry::{Offered, Served};

/// A resource as discovery shows it, built-in or of a definition.
struct Row<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    plural: &'a str,
    singular: String,
    namespaced: bool,
    verbs: &'a [&'static str],
    short_names: Vec<&'a str>,
    categories: Vec<&'a str>,
    subresources: &'a [Subresource],
}

impl<'a> From<&'a Resource> for Row<'a> {
    fn from(own: &'a Resource) -> Row<'a> {
        Row {
            group: own.kind.group,
            version: own.kind.version,
            kind: own.kind.kind,
            plural: own.plural,
            singular: own.singular(),
            namespaced: own.namespaced,
            verbs: own.verbs,
            short_names: own.short_names.to_vec(),
            categories: own.categories.to_vec(),
            subresources: own.subresources,
        }
    }
}

impl<'a> From<&'a Served> for Row<'a> {
    fn from(served: &'a Served) -> Row<'a> {
        let own = &served.resource;
        let gvk = served.gvk();
        Row {
            group: gvk.group,
            version: gvk.version,
            kind: gvk.kind,
            plural: &own.plural,
            singular: own.singular.to_string(),
            namespaced: own.namespaced,
            verbs: own.verbs,
            short_names: own.short_names.iter().map(|name| &**name).collect(),
            categories: own.categories.iter().map(|name| &**name).collect(),
            subresources: own.subresources,
        }
    }
}

/// What other API servers serve for this one.
#[derive(Clone, Default)]
pub(crate) struct Others {
    pub(crate) routes: Arc<Routes>,
    pub(crate) known: Arc<BTreeMap<Backend, Arc<Known>>>,
}

impl Others {
    /// What a server says of a group and version, if it is for others to serve.
    fn version(&self, group: &str, version: &str) -> Option<Option<&Discovered>> {
        let route = self.routes.find(group, version)?;
        let known = self.known.get(&route.backend);
        let key = (group.to_owned(), version.to_owned());
        Some(known.and_then(|known| known.discovered.get(&key)))
    }
}

/// What is served now.
pub(crate) struct Discovery<'a> {
    rows: Vec<Row<'a>>,
    others: &'a Others,
}

/// A group with its versions, the preferred one first.
struct Group<'a> {
    name: &'a str,
    versions: Vec<&'a str>,
    priority: i32,
    /// The APIService that gives it its place: the old form goes by its name where places are the same.
    registered: String,
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

impl<'a> Discovery<'a> {
    /// The built-in resources, those of definitions, and what others serve.
    pub(crate) fn new(offered: &Offered, custom: &'a [Arc<Served>], others: &'a Others) -> Discovery<'a> {
        let built_in = offered.iter().map(|own| -> Row<'a> { Row::from(own) });
        let rows = built_in.chain(custom.iter().map(|served| Row::from(&**served)));
        // Whoever brings a server of his own for a group and version has all of it.
        let own = rows.filter(|row| others.routes.find(row.group, row.version).is_none());
        Discovery { rows: own.collect(), others }
    }

    /// The place of a group and version.
    fn priority(&self, group: &str, version: &str) -> Priority {
        let registered = self.others.routes.registered();
        let own = registered.get(&(group.to_owned(), version.to_owned()));
        own.copied().unwrap_or_else(|| priority::in_discovery(group, version))
    }

    /// The groups, those of the highest place first.
    fn groups(&self) -> Vec<Group<'a>> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let own = self.rows.iter().map(|row| (row.group, row.version));
        let others = self.others.routes.remote();
        for (group, version) in own.chain(others.map(|route| (route.group.as_str(), route.version.as_str())))
        {
            let known = versions.entry(group).or_default();
            if !known.contains(&version) {
                known.push(version);
            }
        }
        let group = |(name, versions): (&'a str, Vec<&'a str>)| {
            let mut placed: Vec<(Priority, &str)> =
                versions.into_iter().map(|version| (self.priority(name, version), version)).collect();
            placed.sort_by_key(|(priority, version)| Reverse((priority.version, rank(version))));
            let priority = placed.iter().map(|(priority, _)| priority.group).max().unwrap_or_default();
            let first = placed.iter().filter(|(own, _)| own.group == priority);
            let registered = first.map(|(_, version)| format!("{version}.{name}")).min().unwrap_or_default();
            Group {
                name,
                versions: placed.into_iter().map(|(_, version)| version).collect(),
                priority,
                registered,
            }
        };
        let mut groups: Vec<Group<'a>> = versions.into_iter().map(group).collect();
        groups.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(b.name)));
        groups
    }

    fn of(&self, group: &str, version: &str) -> Vec<&Row<'a>> {
        self.rows.iter().filter(|row| (row.group, row.version) == (group, version)).collect()
    }

    /// `/apis`.
    pub(crate) fn group_list(&self) -> APIGroupList {
        let mut groups = self.groups();
        groups.retain(|group| !group.name.is_empty());
        groups.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.registered.cmp(&b.registered)));
        let groups: Vec<APIGroup> = groups.iter().map(|own| group(own.name, &own.versions)).collect();
        APIGroupList { groups: groups.into() }
    }

    /// `/apis/<group>`.
    pub(crate) fn one_group(&self, name: &str) -> Option<APIGroup> {
        let groups = self.groups();
        groups.iter().find(|group| group.name == name).map(|own| group(own.name, &own.versions))
    }

    /// `/api/v1` and `/apis/<group>/<version>`.
    pub(crate) fn resource_list(&self, group: &str, version: &str) -> Option<APIResourceList> {
        let own = self.of(group, version);
        if own.is_empty() {
            return None;
        }
        let mut list: Vec<APIResource> = own.into_iter().flat_map(listed).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        Some(APIResourceList { group_version, api_resources: list.into() })
    }

    /// `/api` or `/apis` in the aggregated form.
    pub(crate) fn aggregated(&self, core: bool) -> serde_json::Value {
        let items: Vec<serde_json::Value> = self
            .groups()
            .into_iter()
            .filter(|group| group.name.is_empty() == core)
            .map(|group| {
                let versions: Vec<serde_json::Value> = group
                    .versions
                    .iter()
                    .map(|version| self.aggregated_version(group.name, version))
                    .collect();
                let metadata = if group.name.is_empty() {
                    serde_json::json!({ "creationTimestamp": null })
                } else {
                    serde_json::json!({ "name": group.name, "creationTimestamp": null })
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

    fn aggregated_version(&self, group: &str, version: &str) -> serde_json::Value {
        if let Some(known) = self.others.version(group, version) {
            let fresh = known.is_some_and(|own| own.fresh);
            let mut shown = serde_json::json!({ "version": version });
            if let Some(own) = known.filter(|own| !own.resources.is_empty()) {
                shown["resources"] = own.resources.clone().into();
            }
            shown["freshness"] = if fresh { "Current" } else { "Stale" }.into();
            return shown;
        }
        let mut list = self.of(group, version);
        list.sort_by_key(|row| row.plural);
        let list: Vec<serde_json::Value> = list.into_iter().map(aggregated_resource).collect();
        serde_json::json!({ "version": version, "resources": list, "freshness": "Current" })
    }
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

/// A resource and its parts as a list shows them.
fn listed(row: &Row<'_>) -> Vec<APIResource> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let mut list = vec![APIResource {
        name: row.plural.to_owned(),
        singular_name: row.singular.clone(),
        namespaced: row.namespaced,
        kind: row.kind.to_owned(),
        verbs: sorted(row.verbs),
        short_names: texts(&row.short_names),
        categories: texts(&row.categories),
        ..APIResource::default()
    }];
    for subresource in row.subresources {
        let (group, version, kind) = kind_of(row.plural, row.kind, subresource.name);
        list.push(APIResource {
            name: format!("{}/{}", row.plural, subresource.name),
            namespaced: row.namespaced,
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            verbs: sorted(subresource.verbs),
            ..APIResource::default()
        });
    }
    list
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
    kind_of(resource.plural, resource.kind.kind, subresource)
}

/// The same of any resource, built-in or not.
fn kind_of<'a>(plural: &str, own: &'a str, subresource: &str) -> (&'static str, &'static str, &'a str) {
    match (plural, subresource) {
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
        _ => ("", "", own),
    }
}

fn aggregated_resource(row: &Row<'_>) -> serde_json::Value {
    let kind = |group: &str, version: &str, kind: &str| serde_json::json!({ "group": group, "version": version, "kind": kind });
    let subresources: Vec<serde_json::Value> = row
        .subresources
        .iter()
        .map(|subresource| {
            let (group, version, name) = kind_of(row.plural, row.kind, subresource.name);
            let own = version.is_empty();
            let (group, version) = if own { (row.group, row.version) } else { (group, version) };
            serde_json::json!({
                "subresource": subresource.name,
                "responseKind": kind(group, version, name),
                "verbs": sorted(subresource.verbs),
            })
        })
        .collect();
    let mut out = serde_json::json!({
        "resource": row.plural,
        "responseKind": kind(row.group, row.version, row.kind),
        "scope": if row.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": row.singular,
        "verbs": sorted(row.verbs),
    });
    let lists = [
        ("shortNames", serde_json::json!(row.short_names)),
        ("categories", serde_json::json!(row.categories)),
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
        let others = Others::default();
        let discovery = Discovery::new(&Offered::default(), &[], &others);
        let list = discovery.resource_list("", "v1").expect("there is a core group");
        let names: Vec<&str> = list.api_resources.iter().map(|resource| resource.name.as_str()).collect();
        assert!(names.contains(&"pods") && names.contains(&"pods/exec") && names.contains(&"bindings"));
        assert!(discovery.resource_list("apps", "v1beta1").is_none());
    }
}
