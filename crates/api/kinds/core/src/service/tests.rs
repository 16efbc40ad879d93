//! Tables of services.

use api_kind::trial::{create, update};

use super::KIND;

fn with_address(text: &str) -> String {
    format!("{{spec: {{clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], {text}}}}}")
}

#[test]
fn a_minimal_service_is_filled_in() {
    let made = create(&KIND, &with_address("ports: [{port: 80}], selector: {a: b}"));
    assert_eq!(made.errors, [""; 0]);
    assert_eq!(
        made.body(),
        r#"{"metadata":{},"spec":{"ports":[{"protocol":"TCP","port":80,"targetPort":80}],"selector":{"a":"b"},"clusterIP":"10.96.0.7","clusterIPs":["10.96.0.7"],"type":"ClusterIP","sessionAffinity":"None","internalTrafficPolicy":"Cluster"},"status":{"loadBalancer":{}}}"#
    );
    assert_eq!(made.cells(&KIND), "x|ClusterIP|10.96.0.7|<none>|80/TCP|<unknown>|a=b");
}

#[test]
fn what_is_wrong_is_said_in_upstreams_words() {
    for (text, errors) in [
        ("ports: []", &["spec.ports: Required value"][..]),
        (
            "ports: [{port: 0}]",
            &[
                "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
            ],
        ),
        (
            "ports: [{port: 1}, {port: 2}]",
            &["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
        ),
        (
            "ports: [{port: 1, nodePort: 30000}]",
            &["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            "type: X, ports: [{port: 1}]",
            &[
                r#"spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort""#,
            ],
        ),
        (
            "ports: [{port: 1}], externalTrafficPolicy: Local",
            &[
                r#"spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services"#,
            ],
        ),
    ] {
        assert_eq!(create(&KIND, &with_address(text)).errors, errors, "{text}");
    }
}

#[test]
fn an_address_stays_and_goes_with_the_type() {
    let old = with_address("ports: [{port: 80}]");
    let kept = update(&KIND, "", &old, "{spec: {ports: [{port: 81}]}}");
    assert_eq!(kept.errors, [""; 0]);
    assert!(kept.body().contains("10.96.0.7"));
    let moved = update(
        &KIND,
        "",
        &old,
        "{spec: {clusterIP: 10.96.0.8, clusterIPs: [10.96.0.8], ports: [{port: 80}]}}",
    );
    assert_eq!(
        moved.errors,
        [r#"spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set"#]
    );
    let renamed = with_address("type: ExternalName, externalName: example.com");
    let gone = update(&KIND, "", &old, &renamed);
    assert_eq!(gone.errors, [""; 0]);
    assert_eq!(gone.cells(&KIND), "x|ExternalName|<none>|example.com|<none>|<unknown>|<none>");
}
