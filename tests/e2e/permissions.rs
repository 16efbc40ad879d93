//! What `kubectl auth` says of who one is and what one may do.

use crate::harness::Cluster;

#[test]
fn kubectl_tells_who_one_is_and_what_one_may_do() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
    cluster.kubectl(&["create", "role", "reader", "--verb=get,list", "--resource=pods,deployments.apps"]);
    cluster.kubectl(&[
        "create",
        "role",
        "one",
        "--verb=update",
        "--resource=configmaps",
        "--resource-name=log",
    ]);
    let user = "--serviceaccount=default:default";
    cluster.kubectl(&["create", "rolebinding", "reader", "--role=reader", user]);
    cluster.kubectl(&["create", "rolebinding", "one", "--role=one", user]);
    let me = "--as=system:serviceaccount:default:default";
    for (question, answer) in [
        (&["get", "pods"][..], "yes"),
        (&["list", "deployments.apps"], "yes"),
        (&["delete", "pods"], "no"),
        (&["get", "pods", "-n", "kube-system"], "no"),
        (&["update", "configmaps/log"], "yes"),
        (&["update", "configmaps/other"], "no"),
        (&["get", "pods", "--subresource=log"], "no"),
        (&["get", "/version"], "yes"),
        (&["get", "/metrics"], "no"),
    ] {
        let asked = cluster.try_kubectl(&[&["auth", "can-i"], question, &[me]].concat());
        let said = String::from_utf8_lossy(&asked.stdout);
        assert_eq!(said.trim().split(' ').next(), Some(answer), "{question:?}: {said}");
        assert_eq!(asked.status.success(), answer == "yes", "{question:?}");
    }
    let quiet = cluster.try_kubectl(&["auth", "can-i", "delete", "pods", "--quiet", me]);
    assert!(!quiet.status.success() && quiet.stdout.is_empty());
    let all = cluster.kubectl(&["auth", "can-i", "--list", me]);
    let rows: Vec<Vec<&str>> = all
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows[0], ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"], "{all}");
    for row in [
        &["pods", "[]", "[]", "[get list]"][..],
        &["deployments.apps", "[]", "[]", "[get list]"],
        &["configmaps", "[]", "[log]", "[update]"],
        &["selfsubjectreviews.authentication.k8s.io", "[]", "[]", "[create]"],
        &["[/version]", "[]", "[get]"],
        &["[/healthz]", "[]", "[get]"],
    ] {
        assert!(rows.iter().any(|found| found == row), "{row:?}: {all}");
    }
    whoami(&cluster);
    reconciled(&cluster);
}

fn whoami(cluster: &Cluster) {
    let who = cluster.kubectl(&["auth", "whoami", "--as=jane", "--as-group=dev", "--as-uid=7"]);
    for part in ["Username", "jane", "UID", "7", "[dev system:authenticated]"] {
        assert!(who.contains(part), "{part}: {who}");
    }
    let token = cluster.kubectl(&["create", "token", "default"]);
    let identity = ["--token", token.trim()];
    let who = cluster.kubectl_as(
        &identity,
        &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}"],
    );
    assert_eq!(
        who,
        r#"system:serviceaccount:default:default ["system:serviceaccounts","system:serviceaccounts:default","system:authenticated"]"#
    );
    let forbidden = cluster.try_kubectl_as(&identity, &["get", "secrets"]);
    let why = String::from_utf8_lossy(&forbidden.stderr);
    assert!(
        why.contains("secrets is forbidden: User \"system:serviceaccount:default:default\" cannot list resource \"secrets\" in API group \"\" in the namespace \"default\""),
        "{why}"
    );
    let path = "/apis/nothing.example.com/v1/things";
    let hidden = cluster.try_kubectl_as(&identity, &["get", "--raw", path]);
    let why = String::from_utf8_lossy(&hidden.stderr);
    assert!(why.contains("(Forbidden): things.nothing.example.com is forbidden"), "{why}");
    let missing = cluster.try_kubectl(&["get", "--raw", path]);
    let why = String::from_utf8_lossy(&missing.stderr);
    assert!(why.contains("(NotFound): the server could not find the requested resource"), "{why}");
}

fn reconciled(cluster: &Cluster) {
    let manifest = crate::apply::Manifest::new();
    let file = manifest.text("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: reader, namespace: default}\nrules:\n- {apiGroups: [''], resources: [pods], verbs: [watch]}\n");
    cluster.kubectl(&crate::apply::Manifest::with(&["auth", "reconcile"], &file));
    let verbs = cluster.value(&["role", "reader"], "{.rules[*].verbs}");
    assert!(verbs.contains("watch") && verbs.contains("list"), "{verbs}");
}
