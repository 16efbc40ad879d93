//! The rows of the policy tables, and how they become objects.
//!
//! A row writes lists as words between spaces and the core group as `core`. Only `bootstrap` uses it.

use std::collections::BTreeMap;

use api_types::meta::v1::{LabelSelector, ObjectMeta};
use api_types::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use super::{AUTO_UPDATE, BOOTSTRAPPING, CONTROLLER_PREFIX, RBAC_GROUP};

pub(super) const READ: &str = "get list watch";
pub(super) const READ_UPDATE: &str = "get list watch update patch";
pub(super) const READ_WRITE: &str = "get list watch create update patch delete deletecollection";
pub(super) const WRITE: &str = "create update patch delete deletecollection";
pub(super) const EVENTS: RuleRow = on("core events.k8s.io", "events", "create update patch");

/// A rule.
pub(super) struct RuleRow {
    groups: &'static str,
    resources: &'static str,
    names: &'static str,
    urls: &'static str,
    verbs: &'static str,
}

/// A role with its rules.
pub(super) struct RoleRow {
    pub(super) name: &'static str,
    rules: &'static [RuleRow],
}

/// A binding of the role of the same name, unless another is named.
pub(super) struct BindingRow {
    name: &'static str,
    role: &'static str,
    subjects: &'static [SubjectRow],
}

/// Whom a binding means.
#[derive(Clone, Copy)]
pub(super) enum SubjectRow {
    User(&'static str),
    Group(&'static str),
    /// Of `kube-system`.
    Account(&'static str),
}

pub(super) const fn on(groups: &'static str, resources: &'static str, verbs: &'static str) -> RuleRow {
    RuleRow { groups, resources, names: "", urls: "", verbs }
}

pub(super) const fn urls(urls: &'static str, verbs: &'static str) -> RuleRow {
    RuleRow { groups: "", resources: "", names: "", urls, verbs }
}

pub(super) const fn role(name: &'static str, rules: &'static [RuleRow]) -> RoleRow {
    RoleRow { name, rules }
}

pub(super) const fn bind(name: &'static str, subjects: &'static [SubjectRow]) -> BindingRow {
    BindingRow { name, role: name, subjects }
}

impl RuleRow {
    pub(super) const fn named(self, names: &'static str) -> RuleRow {
        RuleRow { names, ..self }
    }

    /// The rule, each list sorted, as upstream's builder leaves it.
    pub(super) fn rule(&self) -> PolicyRule {
        PolicyRule {
            verbs: sorted(self.verbs).into(),
            api_groups: sorted(self.groups).into_iter().map(core_group).collect(),
            resources: sorted(self.resources),
            resource_names: sorted(self.names),
            non_resource_urls: sorted(self.urls),
        }
    }
}

impl RoleRow {
    pub(super) fn cluster_role(&self, prefix: &str) -> ClusterRole {
        ClusterRole {
            metadata: meta("", &format!("{prefix}{}", self.name)),
            rules: rules(self.rules),
            ..Default::default()
        }
    }

    pub(super) fn role(&self, namespace: &str) -> Role {
        Role { metadata: meta(namespace, self.name), rules: rules(self.rules) }
    }
}

impl BindingRow {
    pub(super) const fn of_role(self, role: &'static str) -> BindingRow {
        BindingRow { role, ..self }
    }

    pub(super) fn cluster_role_binding(&self) -> ClusterRoleBinding {
        cluster_role_binding(self.name, self.role, self.subjects.iter().map(SubjectRow::subject).collect())
    }

    pub(super) fn role_binding(&self, namespace: &str) -> RoleBinding {
        RoleBinding {
            metadata: meta(namespace, self.name),
            subjects: self.subjects.iter().map(SubjectRow::subject).collect(),
            role_ref: role_ref("Role", self.role),
        }
    }
}

impl SubjectRow {
    fn subject(&self) -> Subject {
        let (kind, api_group, namespace, name) = match *self {
            SubjectRow::User(name) => ("User", RBAC_GROUP, "", name),
            SubjectRow::Group(name) => ("Group", RBAC_GROUP, "", name),
            SubjectRow::Account(name) => ("ServiceAccount", "", "kube-system", name),
        };
        Subject {
            kind: kind.to_owned(),
            api_group: api_group.to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }
}

/// The role of a controller, and its binding to the service account of the same name.
pub(super) fn controller(row: &RoleRow) -> (ClusterRole, ClusterRoleBinding) {
    let role = row.cluster_role(CONTROLLER_PREFIX);
    let account = SubjectRow::Account(row.name).subject();
    let binding = cluster_role_binding(&role.metadata.name, &role.metadata.name, vec![account]);
    (role, binding)
}

/// A role whose rules are those of all roles labelled for it.
pub(super) fn aggregated(name: &str, part_of: Option<&str>) -> ClusterRole {
    let mut metadata = meta("", name);
    if let Some(larger) = part_of {
        mark_part_of(&mut metadata, larger);
    }
    let (label, value) = aggregation_label(name);
    let selector = LabelSelector { match_labels: BTreeMap::from([(label, value)]), ..Default::default() };
    let rule = AggregationRule { cluster_role_selectors: vec![selector] };
    ClusterRole { metadata, aggregation_rule: Some(Box::new(rule)), ..Default::default() }
}

/// Labels a role as part of an aggregated one.
pub(super) fn mark_part_of(metadata: &mut ObjectMeta, aggregated: &str) {
    metadata.labels.extend([aggregation_label(aggregated)]);
}

pub(super) fn rules(rows: &[RuleRow]) -> api_record::Slice<PolicyRule> {
    rows.iter().map(RuleRow::rule).collect()
}

fn aggregation_label(name: &str) -> (String, String) {
    (format!("{RBAC_GROUP}/aggregate-to-{name}"), "true".to_owned())
}

fn cluster_role_binding(name: &str, role: &str, subjects: Vec<Subject>) -> ClusterRoleBinding {
    ClusterRoleBinding { metadata: meta("", name), subjects, role_ref: role_ref("ClusterRole", role) }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef { api_group: RBAC_GROUP.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    let (label, marked) = BOOTSTRAPPING;
    ObjectMeta {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        labels: BTreeMap::from([(label.to_owned(), marked.to_owned())]),
        annotations: BTreeMap::from([(AUTO_UPDATE.to_owned(), "true".to_owned())]),
        ..Default::default()
    }
}

fn sorted(words: &str) -> Vec<String> {
    let mut list: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    list.sort();
    list
}

fn core_group(group: String) -> String {
    if group == "core" { String::new() } else { group }
}
