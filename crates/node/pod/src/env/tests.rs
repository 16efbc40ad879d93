//! Environments by table.

use api_types::core::v1::{
    ConfigMapEnvSource, ConfigMapKeySelector, EnvFromSource, EnvVar, LocalObjectReference,
    ResourceFieldSelector, SecretEnvSource, SecretKeySelector,
};

use super::*;

fn named(name: &str) -> LocalObjectReference {
    LocalObjectReference { name: name.into() }
}

fn sources() -> Sources {
    let mut config_map = ConfigMap::default();
    config_map.data.insert("color".into(), "blue".into());
    let mut secret = Secret::default();
    secret.data.insert("key".into(), b"s3cret".to_vec().into());
    Sources {
        config_maps: [("cm".to_owned(), config_map)].into(),
        secrets: [("sec".to_owned(), secret)].into(),
        services: [("KUBERNETES_SERVICE_HOST".to_owned(), "10.96.0.1".to_owned())].into(),
    }
}

fn pod() -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "web".into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.uid = "u1".into();
    pod.metadata.labels.insert("app".into(), "a\"b".into());
    pod.spec.service_account_name = "sa".into();
    pod
}

fn node() -> Node {
    Node {
        name: "n1".into(),
        host_ips: vec!["192.0.2.1".into()],
        pod_ips: vec!["10.0.0.5".into(), "fd00::5".into()],
        allocatable_millis: 2000,
        ..Node::default()
    }
}

fn value(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.into(), value: value.into(), value_from: None }
}

fn from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar { name: name.into(), value: String::new(), value_from: Some(Box::new(source)) }
}

fn config_key(name: &str, key: &str, optional: bool) -> EnvVarSource {
    let selector = ConfigMapKeySelector {
        local_object_reference: named(name),
        key: key.into(),
        optional: Some(optional),
    };
    EnvVarSource { config_map_key_ref: Some(Box::new(selector)), ..EnvVarSource::default() }
}

fn secret_key(name: &str, key: &str) -> EnvVarSource {
    let selector = SecretKeySelector { local_object_reference: named(name), key: key.into(), optional: None };
    EnvVarSource { secret_key_ref: Some(Box::new(selector)), ..EnvVarSource::default() }
}

#[test]
fn variables_come_from_everywhere_and_refer_to_earlier_ones() {
    let container = Container {
        env_from: vec![
            EnvFromSource {
                prefix: "P_".into(),
                config_map_ref: Some(Box::new(ConfigMapEnvSource {
                    local_object_reference: named("cm"),
                    optional: None,
                })),
                secret_ref: None,
            },
            EnvFromSource {
                prefix: String::new(),
                config_map_ref: None,
                secret_ref: Some(Box::new(SecretEnvSource {
                    local_object_reference: named("gone"),
                    optional: Some(true),
                })),
            },
        ],
        env: vec![
            value("A", "1"),
            value("B", "$(A)-$(P_color)-$(KUBERNETES_SERVICE_HOST)-$(LATER)-$$(A)"),
            value("LATER", "x"),
            from("KEY", secret_key("sec", "key")),
            from("NONE", config_key("cm", "nope", true)),
            value("A", "2"),
        ],
        ..Container::default()
    };
    let got = environment(&container, &pod(), &sources(), &node()).unwrap();
    let want = [
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ("P_color", "blue"),
        ("B", "1-blue-10.96.0.1-$(LATER)-$(A)"),
        ("LATER", "x"),
        ("KEY", "s3cret"),
        ("A", "2"),
    ];
    assert_eq!(got, want.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn what_is_missing_is_said_in_kubelets_words() {
    let cases = [
        (config_key("gone", "k", false), "configmap \"gone\" not found"),
        (config_key("cm", "k", false), "couldn't find key k in ConfigMap shop/cm"),
        (secret_key("gone", "k"), "secret \"gone\" not found"),
        (secret_key("sec", "k"), "couldn't find key k in Secret shop/sec"),
    ];
    for (source, want) in cases {
        let container = Container { env: vec![from("X", source)], ..Container::default() };
        let error = environment(&container, &pod(), &sources(), &node()).unwrap_err();
        assert_eq!(error.to_string(), want);
    }
}

#[test]
fn fields_of_the_pod() {
    let cases = [
        ("metadata.name", "web"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "a\"b"),
        ("metadata.labels", "app=\"a\\\"b\""),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "192.0.2.1"),
        ("status.podIP", "10.0.0.5"),
        ("status.podIPs", "10.0.0.5,fd00::5"),
    ];
    for (path, want) in cases {
        let selector = ObjectFieldSelector { api_version: "v1".into(), field_path: path.into() };
        assert_eq!(field(&selector, &pod(), &node()).unwrap(), want, "{path}");
    }
    let selector = ObjectFieldSelector { api_version: "v1".into(), field_path: "spec.x".into() };
    assert!(field(&selector, &pod(), &node()).is_err());
}

#[test]
fn resources_are_counted_in_their_divisor() {
    let mut container = Container::default();
    container.resources.limits.insert("memory".into(), "128Mi".parse().unwrap());
    container.resources.requests.insert("cpu".into(), "250m".parse().unwrap());
    let cases = [
        ("limits.memory", "0", "134217728"),
        ("limits.memory", "1Mi", "128"),
        ("requests.cpu", "0", "1"),
        ("requests.cpu", "1m", "250"),
        ("limits.cpu", "0", "2"),
    ];
    for (resource, divisor, want) in cases {
        let selector = ResourceFieldSelector {
            container_name: String::new(),
            resource: resource.into(),
            divisor: divisor.parse().unwrap(),
        };
        assert_eq!(resources::field(&selector, &container, &pod(), &node()).unwrap(), want, "{resource}");
    }
}
