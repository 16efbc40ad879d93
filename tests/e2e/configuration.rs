//! What kubectl does with manifests besides applying them: differences, pruning by label and by set, replacing, editing, setting.

use std::process::Stdio;

use crate::apply::Manifest;
use crate::harness::Cluster;

fn map(name: &str, rest: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{app: shop}}}}\n{rest}\n"
    )
}

fn names(cluster: &Cluster, resource: &str) -> String {
    let listed = cluster.kubectl(&["get", resource, "-o", "name", "-l", "app=shop"]);
    listed
        .lines()
        .map(|line| line.split_once('/').map_or(line, |(_, name)| name))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn manifests_are_compared_pruned_replaced_and_edited() {
    let cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
    differences(&cluster);
    pruned_by_label(&cluster);
    pruned_by_set(&cluster);
    replaced(&cluster);
    edited(&cluster);
    set(&cluster);
    marked(&cluster);
    discovered(&cluster);
}

fn differences(cluster: &Cluster) {
    let manifest = Manifest::new();
    let file = manifest.text(&[map("one", "data: {a: x, b: y1}"), map("two", "data: {}")].concat());
    let new = cluster.try_kubectl(&Manifest::with(&["diff"], &file));
    let text = String::from_utf8_lossy(&new.stdout);
    assert_eq!(new.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&new.stderr));
    assert!(text.contains("+  a: x") && text.contains("+  name: two"), "{text}");
    assert_eq!(names(cluster, "configmaps"), "", "a difference changes nothing");
    cluster.kubectl(&Manifest::with(&["apply"], &file));
    assert!(cluster.try_kubectl(&Manifest::with(&["diff"], &file)).status.success());
    let file = manifest.text(&map("one", "data: {a: changed}"));
    for by_server in [false, true] {
        let flags: &[&str] =
            if by_server { &["diff", "--server-side", "--force-conflicts"] } else { &["diff"] };
        let changed = cluster.try_kubectl(&Manifest::with(flags, &file));
        let text = String::from_utf8_lossy(&changed.stdout);
        assert_eq!(changed.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&changed.stderr));
        assert!(text.contains("-  a: x") && text.contains("+  a: changed"), "{text}");
    }
    let pruned = cluster.try_kubectl(&Manifest::with(
        &["diff", "--prune", "-l", "app=shop", "--prune-allowlist=core/v1/ConfigMap"],
        &file,
    ));
    assert!(
        String::from_utf8_lossy(&pruned.stdout).contains("-  name: two"),
        "what would be pruned is shown"
    );
}

fn pruned_by_label(cluster: &Cluster) {
    let manifest = Manifest::new();
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: key, labels: {app: shop}}\n";
    let all = [&map("one", ""), &map("two", ""), secret].concat();
    cluster.kubectl(&Manifest::with(&["apply"], &manifest.text(&all)));
    let file = manifest.text(&map("one", ""));
    let allowed = ["apply", "--prune", "-l", "app=shop", "--prune-allowlist=core/v1/ConfigMap"];
    let rehearsed = cluster.kubectl(&Manifest::with(&[&allowed[..], &["--dry-run=server"]].concat(), &file));
    assert!(rehearsed.contains("configmap/two pruned (server dry run)"), "{rehearsed}");
    assert_eq!(names(cluster, "configmaps"), "one two");
    let said = cluster.kubectl(&Manifest::with(&allowed, &file));
    assert!(said.contains("configmap/one unchanged") && said.contains("configmap/two pruned"), "{said}");
    assert_eq!((names(cluster, "configmaps"), names(cluster, "secrets")), ("one".into(), "key".into()));
    let said = cluster.kubectl(&Manifest::with(&["apply", "--prune", "-l", "app=shop"], &file));
    assert!(said.contains("secret/key pruned"), "of all kinds that are pruned by default: {said}");
}

/// Applies as part of a set: <https://kep.k8s.io/3659>.
fn pruned_by_set(cluster: &Cluster) {
    let manifest = Manifest::new();
    let apply = |file: &[String; 2]| {
        let set = ["apply", "-n", "default", "--applyset=shop", "--prune"];
        let output = cluster.try_kubectl_with(&[("KUBECTL_APPLYSET", "true")], &Manifest::with(&set, file));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: front, labels: {app: shop}}\nspec: {ports: [{port: 80}]}\n";
    apply(&manifest.text(&[&map("three", ""), &map("four", ""), service].concat()));
    let parent = cluster.kubectl(&["get", "secret", "shop", "-o", "yaml"]);
    for part in [
        "applyset.kubernetes.io/id: applyset-",
        "applyset.kubernetes.io/tooling: kubectl/",
        "applyset.kubernetes.io/contains-group-kinds: ConfigMap,Service",
    ] {
        assert!(parent.contains(part), "{part}: {parent}");
    }
    let said = apply(&manifest.text(&map("three", "")));
    assert!(said.contains("configmap/four pruned") && said.contains("service/front pruned"), "{said}");
    assert_eq!(
        (names(cluster, "configmaps"), names(cluster, "services")),
        ("one three".into(), String::new())
    );
    let kinds = cluster.kubectl(&["get", "secret", "shop", "-o", "yaml"]);
    assert!(kinds.contains("applyset.kubernetes.io/contains-group-kinds: ConfigMap\n"), "{kinds}");
}

fn replaced(cluster: &Cluster) {
    let manifest = Manifest::new();
    let uid = |cluster: &Cluster| cluster.value(&["configmap", "one"], "{.metadata.uid}");
    let first = uid(cluster);
    cluster.kubectl(&Manifest::with(&["replace"], &manifest.text(&map("one", "data: {a: replaced}"))));
    assert_eq!(
        (uid(cluster), cluster.value(&["configmap", "one"], "{.data.a}")),
        (first.clone(), "replaced".into())
    );
    cluster.kubectl(&["patch", "configmap", "one", "-p", r#"{"immutable":true}"#]);
    let file = manifest.text(&map("one", "data: {a: forced}"));
    assert!(
        cluster
            .refused(&Manifest::with(&["replace"], &file))
            .contains("field is immutable when `immutable` is set")
    );
    let said = cluster.kubectl(&Manifest::with(&["replace", "--force"], &file));
    assert!(said.contains("configmap \"one\" deleted") && said.contains("configmap/one replaced"), "{said}");
    assert_ne!(uid(cluster), first);
    assert_eq!(cluster.value(&["configmap", "one"], "{.data.a}"), "forced");
    let absent = cluster.refused(&Manifest::with(&["replace"], &manifest.text(&map("nobody", ""))));
    assert!(absent.contains("configmaps \"nobody\" not found"), "{absent}");
}

fn edited(cluster: &Cluster) {
    let edit = |script: &str, arguments: &[&str]| {
        cluster.try_kubectl_with(&[("EDITOR", script)], &[&["edit"], arguments].concat())
    };
    let done = edit("sed -i s/forced/edited/", &["configmap", "one"]);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "configmap/one edited\n");
    assert_eq!(cluster.value(&["configmap", "one"], "{.data.a}"), "edited");
    let unchanged = edit("true", &["configmap", "one"]);
    assert!(String::from_utf8_lossy(&unchanged.stderr).contains("Edit cancelled, no changes made."));
    // What is refused is put before the editor again, with the reason; kubectl gives up where nothing is changed then.
    let doubled = "sed -i '/^binaryData/d;s/^kind: ConfigMap/kind: ConfigMap\\nbinaryData: {a: eA==}/'";
    let refused = edit(doubled, &["configmap", "one"]);
    let why =
        String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert!(!refused.status.success() && why.contains("configmaps \"one\" is invalid"), "{why}");
}

fn set(cluster: &Cluster) {
    cluster.kubectl(&["create", "deployment", "web", "--image=example.com/web:1", "--replicas=0"]);
    cluster.kubectl(&["set", "image", "deployment/web", "web=example.com/web:2"]);
    cluster.kubectl(&["set", "env", "deployment/web", "COLOUR=blue", "SIZE=big"]);
    cluster.kubectl(&["set", "env", "deployment/web", "SIZE-"]);
    cluster.kubectl(&[
        "set",
        "resources",
        "deployment/web",
        "--limits=cpu=200m,memory=64Mi",
        "--requests=cpu=100m",
    ]);
    cluster.kubectl(&["set", "serviceaccount", "deployment/web", "default"]);
    let path = "{.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env} {.spec.template.spec.containers[0].resources} {.spec.template.spec.serviceAccountName}";
    assert_eq!(
        cluster.value(&["deployment", "web"], path),
        r#"example.com/web:2 [{"name":"COLOUR","value":"blue"}] {"limits":{"cpu":"200m","memory":"64Mi"},"requests":{"cpu":"100m"}} default"#
    );
    cluster.kubectl(&["create", "service", "clusterip", "web", "--tcp=80"]);
    cluster.kubectl(&["set", "selector", "service", "web", "tier=front"]);
    assert_eq!(cluster.value(&["service", "web"], "{.spec.selector}"), r#"{"tier":"front"}"#);
    cluster.kubectl(&["create", "rolebinding", "view", "--clusterrole=view", "--user=jane"]);
    cluster.kubectl(&["set", "subject", "rolebinding", "view", "--user=joe"]);
    assert_eq!(cluster.value(&["rolebinding", "view"], "{.subjects[*].name}"), "jane joe");
    let history = cluster.kubectl(&["rollout", "history", "deployment/web"]);
    assert!(history.contains("REVISION  CHANGE-CAUSE"), "{history}");
    cluster.kubectl(&["autoscale", "deployment", "web", "--min=1", "--max=3"]);
    assert_eq!(cluster.value(&["hpa", "web"], "{.spec.maxReplicas}"), "3");
    cluster.kubectl(&["expose", "deployment", "web", "--port=80", "--name=exposed"]);
    assert_eq!(cluster.value(&["service", "exposed"], "{.spec.selector.app}"), "web");
}

fn marked(cluster: &Cluster) {
    cluster.kubectl(&["label", "configmap", "one", "tier=back"]);
    let refused = cluster.refused(&["label", "configmap", "one", "tier=front"]);
    assert!(refused.contains("'tier' already has a value (back), and --overwrite is false"), "{refused}");
    cluster.kubectl(&["label", "configmap", "one", "tier=front", "--overwrite"]);
    cluster.kubectl(&["annotate", "configmaps", "--all", "note=seen"]);
    assert_eq!(
        cluster.value(&["configmap", "one"], "{.metadata.labels.tier} {.metadata.annotations.note}"),
        "front seen"
    );
    cluster.kubectl(&["label", "configmap", "one", "tier-"]);
    cluster.kubectl(&["annotate", "configmap", "one", "note-"]);
    assert_eq!(
        cluster.value(&["configmap", "one"], "{.metadata.labels.tier}{.metadata.annotations.note}"),
        ""
    );
    let bad = cluster.refused(&["label", "configmap", "one", "a=not/valid"]);
    assert!(
        bad.contains("a valid label must be an empty string or consist of alphanumeric characters"),
        "{bad}"
    );
}

fn discovered(cluster: &Cluster) {
    let wide = cluster.kubectl(&["api-resources", "-o", "wide", "--no-headers"]);
    let row = |name: &str| {
        wide.lines()
            .find(|line| line.split_whitespace().next() == Some(name))
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        row("pods"),
        "pods po v1 true Pod create,delete,deletecollection,get,list,patch,update,watch all"
    );
    assert_eq!(row("bindings"), "bindings v1 true Binding create");
    assert_eq!(
        row("selfsubjectreviews"),
        "selfsubjectreviews authentication.k8s.io/v1 false SelfSubjectReview create"
    );
    let verbs = cluster.kubectl(&["api-resources", "--verbs=list", "--namespaced=false", "-o", "name"]);
    assert!(verbs.lines().any(|name| name == "nodes") && !verbs.contains("bindings\n"), "{verbs}");
    for (path, part) in [
        ("/version", "\"gitVersion\": \"v1.37"),
        ("/api", "\"kind\":\"APIVersions\""),
        ("/apis/apps", "\"preferredVersion\""),
        ("/healthz", "ok"),
        ("/readyz?verbose", "[+]ping ok"),
        ("/openapi/v3", "apis/apps/v1"),
    ] {
        let said = cluster.kubectl(&["get", "--raw", path]);
        assert!(
            said.contains(part) || said.replace("\": ", "\":").contains(&part.replace("\": ", "\":")),
            "{path}: {said}"
        );
    }
}

impl Cluster {
    /// Runs kubectl with variables of its environment, whatever comes of it.
    fn try_kubectl_with(&self, environment: &[(&str, &str)], arguments: &[&str]) -> std::process::Output {
        let mut command = self.program("kubectl");
        command.args(arguments).env("KUBECONFIG", self.kubeconfig());
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        command.output().expect("kubectl is on the PATH")
    }
}
