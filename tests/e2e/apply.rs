//! `kubectl apply --server-side` and what belongs to it: conflicts, fields that are given up, objects that `kubectl apply` made.

use std::path::PathBuf;

use crate::harness::Cluster;

/// A manifest's file, written anew for each version of it.
pub struct Manifest {
    dir: tempfile::TempDir,
}

impl Manifest {
    pub fn new() -> Manifest {
        Manifest { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("manifest.yaml")
    }

    /// The arguments that apply a config map of this data.
    fn config_map(&self, name: &str, data: &str) -> [String; 2] {
        self.text(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{{data}}}\n"))
    }

    /// The arguments that apply this.
    pub fn text(&self, text: &str) -> [String; 2] {
        std::fs::write(self.path(), text).expect("the file can be written");
        ["-f".to_owned(), self.path().to_str().expect("a path of letters").to_owned()]
    }

    /// The arguments with those that name a file.
    pub fn with<'a>(arguments: &[&'a str], file: &'a [String; 2]) -> Vec<&'a str> {
        arguments.iter().copied().chain(file.iter().map(String::as_str)).collect()
    }
}

fn with<'a>(arguments: &[&'a str], file: &'a [String; 2]) -> Vec<&'a str> {
    Manifest::with(arguments, file)
}

/// Manager and operation of each entry, in the order of the names: entries are kept in the order of their times.
pub fn owners(cluster: &Cluster, object: &str) -> String {
    let path = "{range .metadata.managedFields[*]}{.manager} {.operation};{end}";
    let shown = cluster.value(&[object, "--show-managed-fields"], path);
    let mut entries: Vec<&str> = shown.split_terminator(';').collect();
    entries.sort_unstable();
    entries.join("; ")
}

#[test]
fn objects_are_applied_by_the_server() {
    let mut cluster = Cluster::control_plane();
    cluster.eventually(&["get", "serviceaccount", "default"], |_| true);
    conflicts(&cluster);
    differences(&cluster);
    upgrades(&cluster);
    scales(&cluster);
    cluster.crash_and_restart();
    assert_eq!(owners(&cluster, "configmap/palette"), "kubectl Apply; kubectl-label Update; other Apply");
}

fn conflicts(cluster: &Cluster) {
    let manifest = Manifest::new();
    let file = manifest.config_map("palette", "color: red, shape: round, size: big");
    let apply = ["apply", "--server-side"];
    assert_eq!(cluster.kubectl(&with(&apply, &file)), "configmap/palette serverside-applied\n");
    assert_eq!(owners(cluster, "configmap/palette"), "kubectl Apply");
    cluster.kubectl(&["label", "configmap", "palette", "a=b"]);
    assert_eq!(owners(cluster, "configmap/palette"), "kubectl Apply; kubectl-label Update");
    let shown = cluster.kubectl(&["get", "configmap", "palette", "-o", "yaml"]);
    assert!(!shown.contains("managedFields"), "{shown}");

    let other = [&apply[..], &["--field-manager", "other"]].concat();
    let file = manifest.config_map("palette", "color: blue, size: big");
    let refused = cluster.refused(&with(&other, &file));
    assert!(
        refused.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .data.color"),
        "{refused}"
    );
    let forced = [&other[..], &["--force-conflicts"]].concat();
    cluster.kubectl(&with(&forced, &file));
    let data = |cluster: &Cluster| cluster.value(&["configmap", "palette"], "{.data}");
    assert_eq!(data(cluster), r#"{"color":"blue","shape":"round","size":"big"}"#);
    // What nobody applies any more goes; what another applies stays.
    let file = manifest.config_map("palette", "extra: yes-it-is");
    cluster.kubectl(&with(&apply, &file));
    assert_eq!(data(cluster), r#"{"color":"blue","extra":"yes-it-is","size":"big"}"#);

    let file = manifest.config_map("palette", "color: blue\nodd: [1]");
    std::fs::write(manifest.path(), "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: palette}\nodd: 1\n")
        .expect("the file can be written");
    let refused = cluster.refused(&with(&apply, &file));
    assert!(refused.contains(".odd: field not declared in schema"), "{refused}");
}

fn differences(cluster: &Cluster) {
    let manifest = Manifest::new();
    let before = cluster.value(&["configmap", "palette"], "{.metadata.resourceVersion}");
    let file = manifest.config_map("palette", "extra: changed");
    let shown = cluster.try_kubectl(&with(&["diff", "--server-side"], &file));
    let text = String::from_utf8_lossy(&shown.stdout);
    assert_eq!(shown.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&shown.stderr));
    assert!(text.contains("-  extra: yes-it-is") && text.contains("+  extra: changed"), "{text}");
    let file = manifest.config_map("palette", "extra: yes-it-is");
    let same = cluster.try_kubectl(&with(&["diff", "--server-side"], &file));
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    cluster.kubectl(&with(&["apply", "--server-side"], &file));
    assert_eq!(cluster.value(&["configmap", "palette"], "{.metadata.resourceVersion}"), before);
}

fn upgrades(cluster: &Cluster) {
    let manifest = Manifest::new();
    let file = manifest.config_map("old", "a: one, b: two");
    cluster.kubectl(&with(&["apply"], &file));
    assert_eq!(owners(cluster, "configmap/old"), "kubectl-client-side-apply Update");
    let file = manifest.config_map("old", "a: changed");
    cluster.kubectl(&with(&["apply", "--server-side"], &file));
    assert_eq!(cluster.value(&["configmap", "old"], "{.data}"), r#"{"a":"changed"}"#);
    // The annotation is kubectl's under another name, so that it stays.
    assert_eq!(owners(cluster, "configmap/old"), "kubectl Apply; kubectl-last-applied Apply");
    // And back: what the server applied last is what kubectl remembers.
    let file = manifest.config_map("old", "b: back");
    cluster.kubectl(&with(&["apply"], &file));
    assert_eq!(cluster.value(&["configmap", "old"], "{.data}"), r#"{"b":"back"}"#);
}

fn scales(cluster: &Cluster) {
    let manifest = Manifest::new();
    let file = manifest.config_map("unused", "");
    let deployment = |replicas: &str| {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{{replicas}selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{containers: [{{name: c, image: example.com/none}}]}}}}}}"
        );
        std::fs::write(manifest.path(), text).expect("the file can be written");
    };
    deployment("replicas: 1, ");
    cluster.kubectl(&with(&["apply", "--server-side"], &file));
    cluster.kubectl(&["scale", "deployment", "web", "--replicas", "2"]);
    deployment("replicas: 3, ");
    let refused = cluster.refused(&with(&["apply", "--server-side"], &file));
    assert!(
        refused
            .contains("conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas"),
        "{refused}"
    );
    deployment("");
    cluster.kubectl(&with(&["apply", "--server-side"], &file));
    assert_eq!(cluster.value(&["deployment", "web"], "{.spec.replicas}"), "2");
    let by_controller = "kube-controller-manager Update status;";
    let path = "{range .metadata.managedFields[*]}{.manager} {.operation} {.subresource};{end}";
    let output = format!("jsonpath={path}");
    cluster.eventually(&["get", "deployment", "web", "--show-managed-fields", "-o", &output], |owners| {
        owners.contains(by_controller)
    });
}
