//! The index as it changes.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Change {
    ClusterRole(ClusterRole),
    Role(Role),
    ClusterRoleBinding(ClusterRoleBinding),
    RoleBinding(RoleBinding),
    /// Forgets the object that the inner change would put.
    Remove(Box<Change>),
}

fn apply(index: &mut Index, change: &Change) {
    match change {
        Change::ClusterRole(role) => index.put_cluster_role(role),
        Change::Role(role) => index.put_role(role),
        Change::ClusterRoleBinding(binding) => index.put_cluster_role_binding(binding),
        Change::RoleBinding(binding) => index.put_role_binding(binding),
        Change::Remove(put) => match &**put {
            Change::ClusterRole(role) => index.remove_cluster_role(&role.metadata.name),
            Change::Role(role) => index.remove_role(&role.metadata.namespace, &role.metadata.name),
            Change::ClusterRoleBinding(binding) => index.remove_cluster_role_binding(&binding.metadata.name),
            Change::RoleBinding(binding) => {
                index.remove_role_binding(&binding.metadata.namespace, &binding.metadata.name);
            }
            Change::Remove(_) => unreachable!("removals are not nested"),
        },
    }
}

/// Which object a change is about.
fn object(change: &Change) -> (u8, &str, &str) {
    let (kind, metadata) = match change {
        Change::ClusterRole(role) => (0, &role.metadata),
        Change::Role(role) => (1, &role.metadata),
        Change::ClusterRoleBinding(binding) => (2, &binding.metadata),
        Change::RoleBinding(binding) => (3, &binding.metadata),
        Change::Remove(put) => return object(put),
    };
    (kind, &metadata.namespace, &metadata.name)
}

const SUBJECTS: &[&str] = &[
    "User a",
    "User b",
    "Group a",
    "Group b",
    "ServiceAccount a",
    "ServiceAccount n1/a",
    "ServiceAccount n2/a",
    "Robot a",
];

fn changes() -> impl Strategy<Value = Change> {
    let name = prop::sample::select(vec!["a", "b", "c"]);
    let namespace = prop::sample::select(vec!["n1", "n2"]);
    let verbs = prop::sample::select(vec!["get", "get list", "*"]);
    let refers_to =
        prop::sample::select(vec!["Role a", "Role b", "ClusterRole a", "ClusterRole c", "Other a"]);
    let subjects = prop::collection::vec(prop::sample::select(SUBJECTS), 0..4);
    (0..4u8, any::<bool>(), name, namespace, verbs, refers_to, subjects).prop_map(
        |(kind, remove, name, namespace, verbs, to, subjects)| {
            let rules = [on("core", "pods", "", verbs)];
            let put = match kind {
                0 => Change::ClusterRole(cluster_role(name, &rules)),
                1 => Change::Role(role(namespace, name, &rules)),
                2 => Change::ClusterRoleBinding(cluster_binding(name, to, &subjects)),
                _ => Change::RoleBinding(binding(namespace, name, to, &subjects)),
            };
            if remove { Change::Remove(Box::new(put)) } else { put }
        },
    )
}

/// What upstream would answer by looking at every binding.
fn scanned(changes: &[Change], user: &str, groups: &[String], namespace: &str) -> Vec<String> {
    let means = |subject: &Subject, own: &str| match subject.kind.as_str() {
        "User" => subject.name == user,
        "Group" => groups.contains(&subject.name),
        "ServiceAccount" => {
            let of = if subject.namespace.is_empty() { own } else { &subject.namespace };
            !of.is_empty() && user == format!("system:serviceaccount:{of}:{}", subject.name)
        }
        _ => false,
    };
    let mut found = Vec::new();
    for change in changes {
        let (metadata, subjects) = match change {
            Change::ClusterRoleBinding(binding) => (&binding.metadata, &binding.subjects),
            Change::RoleBinding(binding) if binding.metadata.namespace == namespace => {
                (&binding.metadata, &binding.subjects)
            }
            _ => continue,
        };
        if subjects.iter().any(|subject| means(subject, &metadata.namespace)) {
            found.push(format!("{}/{}", metadata.namespace, metadata.name));
        }
    }
    found.sort();
    found
}

proptest! {
    #[test]
    fn however_it_came_about_it_equals_a_rebuild_and_a_scan(history in prop::collection::vec(changes(), 0..40)) {
        let mut index = Index::new();
        for change in &history {
            apply(&mut index, change);
        }
        // What stands at the end: the last word on each object, unless that removed it.
        let standing: Vec<Change> = history
            .iter()
            .enumerate()
            .filter(|(at, change)| history[at + 1..].iter().all(|later| object(later) != object(change)))
            .map(|(_, change)| change.clone())
            .filter(|change| !matches!(change, Change::Remove(_)))
            .collect();
        let mut rebuilt = Index::new();
        for change in standing.iter().rev() {
            apply(&mut rebuilt, change);
        }
        prop_assert_eq!(&index, &rebuilt);

        // Roles for every reference, so that each binding shows as a grant.
        for name in ["a", "b", "c"] {
            index.put_cluster_role(&cluster_role(name, &[]));
            index.put_role(&role("n1", name, &[]));
        }
        for (user, groups) in [("a", ""), ("b", "a b"), ("system:serviceaccount:n1:a", "b"), ("nobody", "nobody")] {
            let groups = words(groups);
            let unresolved = index.grants(user, &groups, "n1").filter(Result::is_err).count();
            let mut grants: Vec<_> = index
                .grants(user, &groups, "n1")
                .flatten()
                .map(|grant| format!("{}/{}", grant.namespace, grant.binding))
                .collect();
            grants.sort();
            let scanned = scanned(&standing, user, &groups, "n1");
            prop_assert_eq!(grants.len() + unresolved, scanned.len());
            prop_assert!(grants.iter().all(|grant| scanned.contains(grant)));
        }
    }
}

#[test]
fn among_ten_thousand_bindings_only_the_subject_s_are_looked_at() {
    let mut index = Index::new();
    index.put_cluster_role(&cluster_role("reader", &[on("core", "pods", "", "get")]));
    for number in 0..10_000 {
        let (user, namespace) = (format!("User u{number}"), format!("n{}", number % 100));
        let name = format!("b{number}");
        index.put_cluster_role_binding(&cluster_binding(&name, "ClusterRole reader", &[&user, "Group g"]));
        index.put_role_binding(&binding(&namespace, &name, "ClusterRole reader", &[&user]));
    }
    let looked_at =
        |user: &str, groups: &str, namespace: &str| index.grants(user, &words(groups), namespace).count();
    assert_eq!(looked_at("u4242", "", "n42"), 2);
    assert_eq!(looked_at("u4242", "", "n41"), 1);
    assert_eq!(looked_at("nobody", "h i j", "n42"), 0);
    assert_eq!(looked_at("nobody", "g", ""), 10_000);

    // The first binding that allows ends the search.
    let groups = words("g");
    let mut grants = index.grants("nobody", &groups, "");
    assert_eq!(grants.next().expect("bound").expect("resolved").binding, "b0");
}

#[test]
fn a_clone_is_a_snapshot() {
    let mut index = shop();
    let snapshot = index.clone();
    index.remove_role_binding("shop", "readers");
    let request = ask("jane", &[], "get core/pods web shop");
    assert!(snapshot.authorize(&request).is_allowed());
    assert!(!index.authorize(&request).is_allowed());
    assert_ne!(index, snapshot);
}

#[test]
fn a_changed_binding_means_its_new_subjects_only() {
    let mut index = shop();
    index.put_role_binding(&binding("shop", "readers", "ClusterRole reader", &["User jim"]));
    assert!(!index.authorize(&ask("jane", &words("staff"), "get core/pods web shop")).is_allowed());
    assert!(index.authorize(&ask("jim", &[], "get core/pods web shop")).is_allowed());
}
