//! Key facts of the policy. (Object for object it was compared with upstream's fixtures when it was written.)

use std::collections::BTreeSet;

use super::*;

fn cluster_role(name: &str) -> ClusterRole {
    policy().cluster_roles.into_iter().find(|role| role.metadata.name == name).expect(name)
}

#[test]
fn there_is_as_much_as_upstream_has() {
    let policy = policy();
    assert_eq!(policy.cluster_roles.len(), 32 + 41);
    assert_eq!(policy.cluster_role_bindings.len(), 13 + 41);
    assert_eq!((policy.roles.len(), policy.role_bindings.len()), (7, 7));
}

#[test]
fn names_are_unique_and_every_binding_finds_its_role() {
    let policy = policy();
    let own = join_roles();
    let all = policy.cluster_roles.iter().chain(&own);
    let roles: BTreeSet<_> = all.map(|role| role.metadata.name.clone()).collect();
    assert_eq!(roles.len(), policy.cluster_roles.len() + own.len());
    for binding in policy.cluster_role_bindings.iter().chain(&join_bindings()) {
        assert!(roles.contains(&binding.role_ref.name), "{}", binding.metadata.name);
        assert_eq!(
            (binding.role_ref.kind.as_str(), binding.role_ref.api_group.as_str()),
            ("ClusterRole", RBAC_GROUP)
        );
    }
    let of_namespaces: BTreeSet<_> = policy
        .roles
        .iter()
        .map(|role| (role.metadata.namespace.clone(), role.metadata.name.clone()))
        .collect();
    for binding in &policy.role_bindings {
        let key = (binding.metadata.namespace.clone(), binding.role_ref.name.clone());
        assert!(of_namespaces.contains(&key), "{key:?}");
        assert_eq!(binding.role_ref.kind, "Role");
    }
}

#[test]
fn everything_is_marked_as_bootstrapped_and_updated_by_itself() {
    let policy = policy();
    let metas = policy
        .cluster_roles
        .iter()
        .map(|role| &role.metadata)
        .chain(policy.cluster_role_bindings.iter().map(|binding| &binding.metadata))
        .chain(policy.roles.iter().map(|role| &role.metadata))
        .chain(policy.role_bindings.iter().map(|binding| &binding.metadata));
    for meta in metas {
        assert_eq!(
            meta.labels.get(BOOTSTRAPPING.0).map(String::as_str),
            Some(BOOTSTRAPPING.1),
            "{}",
            meta.name
        );
        assert_eq!(meta.annotations.get(AUTO_UPDATE).map(String::as_str), Some("true"), "{}", meta.name);
    }
}

#[test]
fn every_rule_is_whole() {
    let policy = policy();
    let rules = policy.cluster_roles.iter().flat_map(|role| &role.rules);
    for rule in rules.chain(policy.roles.iter().flat_map(|role| &role.rules)) {
        assert!(!rule.verbs.is_empty(), "{rule:?}");
        let on_resources = !rule.api_groups.is_empty() && !rule.resources.is_empty();
        assert!(on_resources == rule.non_resource_urls.is_empty(), "{rule:?}");
        for list in
            [&*rule.verbs, &rule.api_groups, &rule.resources, &rule.resource_names, &rule.non_resource_urls]
        {
            assert!(list.is_sorted(), "{rule:?}");
        }
    }
}

#[test]
fn admin_edit_and_view_gather_by_label() {
    for (name, part_of) in [("admin", None), ("edit", Some("admin")), ("view", Some("edit"))] {
        let role = cluster_role(name);
        assert!(role.rules.is_nil(), "{name} has no rules of its own");
        let selectors = role.aggregation_rule.expect("aggregated").cluster_role_selectors;
        let label = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
        assert_eq!(selectors[0].match_labels.get(&label).map(String::as_str), Some("true"));
        let own = cluster_role(&format!("system:aggregate-to-{name}"));
        assert!(own.metadata.labels.contains_key(&label) && !own.rules.is_empty());
        let larger: Vec<_> =
            role.metadata.labels.keys().filter_map(|label| label.split_once("aggregate-to-")).collect();
        assert_eq!(larger.first().map(|(_, larger)| *larger), part_of);
    }
}

#[test]
fn the_node_role_is_the_node_rules_and_bound_to_nobody() {
    assert_eq!(*cluster_role("system:node").rules, node_rules());
    let policy = policy();
    let binding = policy.cluster_role_bindings.iter().find(|binding| binding.metadata.name == "system:node");
    assert!(binding.expect("system:node").subjects.is_empty());
}

#[test]
fn the_unauthenticated_see_health_and_version_only() {
    let policy = policy();
    let bound: Vec<_> = policy
        .cluster_role_bindings
        .iter()
        .filter(|binding| binding.subjects.iter().any(|subject| subject.name == "system:unauthenticated"))
        .map(|binding| binding.role_ref.name.as_str())
        .collect();
    assert_eq!(bound, ["system:public-info-viewer"]);
    let role = cluster_role("system:public-info-viewer");
    assert_eq!(role.rules[0].non_resource_urls, ["/healthz", "/livez", "/readyz", "/version", "/version/"]);
}

#[test]
fn what_nodes_join_by_is_apart() {
    let names: Vec<_> = join_bindings().into_iter().map(|binding| binding.metadata.name).collect();
    assert!(names.iter().all(|name| name.starts_with("knarr:")), "{names:?}");
    assert!(policy().cluster_role_bindings.iter().all(|binding| !names.contains(&binding.metadata.name)));
}

/// The manifest for clusters of others says the same as the bootstrap of our own does, object for object.
#[test]
#[allow(clippy::disallowed_methods, reason = "it reads the manifest")]
fn the_manifest_for_other_clusters_grants_what_our_own_have() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../examples/any-cluster/permissions.yaml");
    let text = std::fs::read_to_string(path).expect("the manifest is there");
    let limits = api_codec::limits::Limits::REQUEST;
    let (mut roles, mut bindings) = (Vec::new(), Vec::new());
    for document in text.split("\n---\n") {
        let json = api_codec::yaml::to_json(document.as_bytes(), limits).expect("it is YAML");
        if document.contains("kind: ClusterRoleBinding") {
            let mut binding = ClusterRoleBinding::default();
            api_codec::json::decode(&json, &mut binding, None, limits).expect("a binding");
            bindings.push(binding);
        } else {
            let mut role = ClusterRole::default();
            api_codec::json::decode(&json, &mut role, None, limits).expect("a role");
            roles.push(role);
        }
    }
    let own = |name: &str| {
        join_roles().into_iter().find(|role| role.metadata.name == name).expect("a role of ours")
    };
    for role in &roles {
        assert_eq!(role.rules, own(&role.metadata.name).rules, "{}", role.metadata.name);
    }
    for binding in &bindings {
        let own = join_bindings().into_iter().find(|own| own.metadata.name == binding.metadata.name);
        let own = own.expect("a binding of ours");
        assert_eq!(
            (&binding.role_ref, &binding.subjects),
            (&own.role_ref, &own.subjects),
            "{}",
            binding.metadata.name
        );
    }
    let names: Vec<&str> = bindings.iter().map(|binding| binding.metadata.name.as_str()).collect();
    assert_eq!(names, ["knarr:node-proxier", "knarr:dns", "knarr:kubelet-serving-approver"]);
}
