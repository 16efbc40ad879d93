//! Kubeconfigs as text: what goes in comes out again, and what is foreign stays.

use super::*;

fn access() -> Access {
    Access {
        name: "knarr".to_owned(),
        server: "https://127.0.0.1:6443".to_owned(),
        authority_pem: "authority\n".to_owned(),
        certificate_pem: "certificate\n".to_owned(),
        key_pem: "key\n".to_owned(),
    }
}

const FOREIGN: &str = r#"# a comment
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: work
clusters:
- cluster:
    server: https://work.example:6443
    insecure-skip-tls-verify: true
    extensions: [{name: minikube, extension: {version: "1.0", last: "0644"}}]
  name: work
users:
- name: work
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, args: ["--yes", "no", "null", "1e3", "~", "a: b", ""], env: null}
contexts:
- {name: work, context: {cluster: work, user: work, namespace: "on"}}
- {name: broken}
unknown-to-us: {deep: [1, 2.5, null, "x\ny"]}
"#;

fn tree(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

#[test]
fn a_fresh_one_reads_back() {
    let text = fresh(&access()).unwrap();
    assert_eq!(read(&text, "knarr").unwrap(), access());
    let tree = tree(&text);
    assert_eq!(tree["kind"], "Config");
    assert_eq!(tree["contexts"][0]["context"], json!({"cluster": "knarr", "user": "knarr"}));
}

#[test]
fn merging_and_removing_gives_back_all_that_is_not_ours() {
    let merged = merge(FOREIGN, &access()).unwrap();
    let both = tree(&merged);
    assert_eq!(both["current-context"], "knarr");
    assert_eq!(both["clusters"].as_array().unwrap().len(), 2);
    assert_eq!(both["clusters"][0], tree(FOREIGN)["clusters"][0]);
    assert_eq!(merge(&merged, &access()).unwrap(), merged, "a second time changes nothing");
    let removed = tree(&remove(&merged, &access()).unwrap().unwrap());
    let mut expected = tree(FOREIGN);
    expected["current-context"] = json!("");
    assert_eq!(removed, expected);
}

#[test]
fn a_current_context_that_was_changed_is_set_again() {
    let merged = merge(FOREIGN, &access()).unwrap();
    assert_eq!(select(&merged, "knarr").unwrap(), None, "it is that already");
    let work = select(&merged, "work").unwrap().expect("a change");
    assert_eq!(read(&work, "knarr").unwrap(), access(), "whatever context is the current one");
    assert_eq!(tree(&select(&work, "knarr").unwrap().expect("a change")), tree(&merged));
    assert!(select(&merged, "nobody").is_err());
}

#[test]
fn another_current_context_stays_when_ours_are_removed() {
    let merged =
        merge(FOREIGN, &access()).unwrap().replace("current-context: knarr", "current-context: work");
    let removed = remove(&merged, &access()).unwrap().unwrap();
    assert_eq!(tree(&removed), tree(FOREIGN));
}

#[test]
fn sparse_kubeconfigs_are_taken() {
    for text in [
        "",
        "---\n",
        "{}",
        "clusters:\nusers: null\ncontexts: []\n",
        "{\"apiVersion\":\"v1\",\"clusters\":null}",
    ] {
        let merged = merge(text, &access()).expect(text);
        assert_eq!(read(&merged, "knarr").expect(text), access());
        let removed = remove(&merged, &access()).expect(text).expect("ours was there");
        assert!(is_empty(&removed), "{removed}");
    }
}

#[test]
fn what_is_no_kubeconfig_is_left_alone() {
    for text in ["- a", "clusters: 7", "a: [", "just words"] {
        assert!(merge(text, &access()).is_err(), "{text}");
        assert!(remove(text, &access()).is_err(), "{text}");
    }
}

#[test]
fn a_stranger_of_the_same_name_is_neither_replaced_nor_removed() {
    let stranger =
        Access { server: "https://far.example:6443".into(), authority_pem: "other".into(), ..access() };
    let theirs = fresh(&stranger).unwrap();
    let error = merge(&theirs, &access()).expect_err("the name is taken");
    assert!(error.to_string().contains("https://far.example:6443"), "{error}");
    assert_eq!(remove(&theirs, &access()).unwrap(), None);
    let anew = Access { authority_pem: "new authority".into(), ..access() };
    let old = fresh(&access()).unwrap();
    assert_eq!(
        read(&merge(&old, &anew).unwrap(), "knarr").unwrap(),
        anew,
        "the same address is the same cluster made anew"
    );
}
