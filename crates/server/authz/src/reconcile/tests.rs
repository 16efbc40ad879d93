//! What is added, and that nothing is taken away.

use super::*;
use crate::bootstrap::policy;

fn rule(resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    PolicyRule {
        verbs: list(verbs).into(),
        api_groups: list(&[""]),
        resources: list(resources),
        ..Default::default()
    }
}

fn role(rules: &[PolicyRule]) -> ClusterRole {
    let metadata = ObjectMeta { name: "r".into(), ..Default::default() };
    ClusterRole { metadata, rules: rules.to_vec().into(), ..Default::default() }
}

fn with_auto_update(mut role: ClusterRole, value: &str) -> ClusterRole {
    role.metadata.annotations.insert(AUTO_UPDATE.into(), value.into());
    role
}

fn binding(role: &str, users: &[&str]) -> ClusterRoleBinding {
    let mut binding = ClusterRoleBinding::default();
    binding.role_ref.name = role.into();
    binding.subjects =
        users.iter().map(|&user| Subject { name: user.into(), ..Default::default() }).collect();
    binding
}

fn selecting(labels: &[&str]) -> ClusterRole {
    let selector = |&label: &&str| LabelSelector {
        match_labels: BTreeMap::from([(label.to_owned(), "true".to_owned())]),
        ..Default::default()
    };
    let rule = AggregationRule { cluster_role_selectors: labels.iter().map(selector).collect() };
    ClusterRole { aggregation_rule: Some(Box::new(rule)), ..role(&[]) }
}

#[test]
fn the_whole_policy_is_created_and_then_left_alone() {
    let policy = policy();
    for role in &policy.cluster_roles {
        assert_eq!(Reconcile::reconcile(None, role), Action::Create(role.clone()));
        assert_eq!(Reconcile::reconcile(Some(role), role), Action::Nothing);
    }
    for binding in &policy.role_bindings {
        assert_eq!(Reconcile::reconcile(None, binding), Action::Create(binding.clone()));
        assert_eq!(Reconcile::reconcile(Some(binding), binding), Action::Nothing);
    }
}

#[test]
fn missing_permissions_are_added_one_by_one_and_extra_ones_stay() {
    let existing = role(&[rule(&["pods", "secrets"], &["get"])]);
    let wanted = role(&[rule(&["pods"], &["get", "list"])]);
    let merged = role(&[rule(&["pods", "secrets"], &["get"]), rule(&["pods"], &["list"])]);
    assert_eq!(Reconcile::reconcile(Some(&existing), &wanted), Action::Update(merged));
    let covering = role(&[rule(&["*"], &["*"])]);
    assert_eq!(Reconcile::reconcile(Some(&covering), &wanted), Action::Nothing);
}

#[test]
fn labels_and_annotations_are_added_but_never_changed() {
    let mut existing = role(&[]);
    existing.metadata.labels.insert("a".into(), "mine".into());
    let mut wanted = role(&[]);
    wanted.metadata.labels.insert("a".into(), "yours".into());
    assert_eq!(Reconcile::reconcile(Some(&existing), &wanted), Action::Nothing);
    wanted.metadata.labels.insert("b".into(), "new".into());
    let mut merged = existing.clone();
    merged.metadata.labels.insert("b".into(), "new".into());
    assert_eq!(Reconcile::reconcile(Some(&existing), &wanted), Action::Update(merged));
}

#[test]
fn who_declines_is_left_alone() {
    let wanted = with_auto_update(role(&[rule(&["pods"], &["get"])]), "true");
    assert_eq!(Reconcile::reconcile(Some(&with_auto_update(role(&[]), "false")), &wanted), Action::Protected);
    assert!(matches!(Reconcile::reconcile(Some(&role(&[])), &wanted), Action::Update(_)));
    let mut declining = binding("old", &[]);
    declining.metadata.annotations.insert(AUTO_UPDATE.into(), "false".into());
    assert_eq!(Reconcile::reconcile(Some(&declining), &binding("new", &[])), Action::Protected);
    assert_eq!(Reconcile::reconcile(Some(&declining), &binding("old", &[])), Action::Nothing);
}

#[test]
fn bindings_gain_subjects_and_are_made_anew_for_another_role() {
    let existing = binding("view", &["a", "b"]);
    assert_eq!(
        Reconcile::reconcile(Some(&existing), &binding("view", &["c", "b", "c"])),
        Action::Update(binding("view", &["a", "b", "c"]))
    );
    let other = binding("edit", &["c"]);
    assert_eq!(Reconcile::reconcile(Some(&existing), &other), Action::Recreate(other.clone()));
}

#[test]
fn aggregation_gains_selectors_and_goes_when_it_is_not_wanted() {
    let merged = Reconcile::reconcile(Some(&selecting(&["x", "a"])), &selecting(&["a", "b"]));
    assert_eq!(merged, Action::Update(selecting(&["x", "a", "b"])));
    assert_eq!(Reconcile::reconcile(Some(&role(&[])), &selecting(&["a"])), Action::Update(selecting(&["a"])));
    assert_eq!(Reconcile::reconcile(Some(&selecting(&["a"])), &role(&[])), Action::Update(role(&[])));
    assert_eq!(Reconcile::reconcile(Some(&selecting(&["a", "b"])), &selecting(&["a"])), Action::Nothing);
}
