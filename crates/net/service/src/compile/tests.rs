//! Services against the elements that they become.

use super::*;

pub(crate) fn port(port: u16, node_port: Option<u16>) -> ServicePort {
    ServicePort { name: String::new(), protocol: Protocol::Tcp, port, node_port }
}

fn spec() -> ServiceSpec {
    ServiceSpec {
        cluster_ips: vec!["10.96.0.1".parse().unwrap()],
        ports: vec![port(80, None)],
        ..ServiceSpec::default()
    }
}

fn check(spec: &ServiceSpec, endpoints: &[(&str, &str)], want: &[&str]) {
    let ready = |(ip, node): &(&str, &str)| Endpoint::ready(ip.parse().unwrap(), 8080, node);
    let endpoints = Endpoints::from([(String::new(), endpoints.iter().map(ready).collect())]);
    let node = NodeFacts { name: "a".into(), zone: String::new(), ips: vec!["10.9.9.9".parse().unwrap()] };
    let mut pools = Pools::default();
    let elements = compile(&ServiceName::new("n", "s"), spec, &endpoints, &node, &mut pools, &|_| None);
    let base = crate::ruleset::MARK_TAG;
    let short = |text: &str| {
        (1..9).fold(text.to_owned(), |text, number| {
            text.replace(&(base + number).to_string(), &format!("#{number}"))
        })
    };
    let got: Vec<String> = elements
        .iter()
        .map(|((_, set, key), value)| format!("{set} {key} {}", short(value)).trim_end().to_owned())
        .map(|text| short(&text))
        .collect();
    assert_eq!(got, want);
}

#[test]
fn a_plain_service() {
    let want = [
        "vips 10.96.0.1 . tcp . 80 goto internal",
        "vip-pools 10.96.0.1 . tcp . 80 #1",
        "pools #1 goto lb-2",
        "tcp-endpoints #1 . 0 10.0.0.1 . 8080",
        "tcp-endpoints #1 . 1 10.0.0.2 . 8080",
        "hairpin 10.0.0.1 . 10.0.0.1",
    ];
    check(&spec(), &[("10.0.0.1", "a"), ("10.0.0.2", "b"), ("fd00::1", "b")], &want);
    check(&spec(), &[], &["refused 10.96.0.1 . tcp . 80 goto refuse"]);
}

#[test]
fn policy_local_drops_only_what_it_must() {
    let inner = ServiceSpec { internal_policy: TrafficPolicy::Local, ..spec() };
    check(&inner, &[("10.0.0.2", "b")], &["refused 10.96.0.1 . tcp . 80 drop"]);
    let outer =
        ServiceSpec { external_policy: TrafficPolicy::Local, ports: vec![port(80, Some(30000))], ..spec() };
    let want = [
        "vips 10.96.0.1 . tcp . 80 goto internal",
        "vip-pools 10.96.0.1 . tcp . 80 #1",
        "ports tcp . 30000 goto port-local",
        "port-near tcp . 30000 #1",
        "refused-ports tcp . 30000 drop",
        "pools #1 goto lb-1",
        "tcp-endpoints #1 . 0 10.0.0.2 . 8080",
    ];
    check(&outer, &[("10.0.0.2", "b")], &want);
    let want = [
        "vips 10.96.0.1 . tcp . 80 goto internal",
        "vip-pools 10.96.0.1 . tcp . 80 #1",
        "ports tcp . 30000 goto port-local",
        "port-pools tcp . 30000 #2",
        "port-near tcp . 30000 #1",
        "pools #1 goto lb-2",
        "pools #2 goto lb-1",
        "tcp-endpoints #1 . 0 10.0.0.1 . 8080",
        "tcp-endpoints #1 . 1 10.0.0.2 . 8080",
        "tcp-endpoints #2 . 0 10.0.0.1 . 8080",
        "hairpin 10.0.0.1 . 10.0.0.1",
    ];
    check(&outer, &[("10.0.0.1", "a"), ("10.0.0.2", "b")], &want);
    let want = ["refused 10.96.0.1 . tcp . 80 goto refuse", "refused-ports tcp . 30000 goto refuse"];
    check(&outer, &[], &want);
}

#[test]
fn load_balancers_with_source_ranges_and_affinity() {
    let spec = ServiceSpec {
        load_balancer_ips: vec!["192.0.2.7".parse().unwrap()],
        source_ranges: ["10.0.0.0/8", "10.1.0.0/16", "192.0.2.9/32", "fd00::/8"]
            .map(|text| text.parse().unwrap())
            .into(),
        affinity_seconds: Some(10_800),
        ..spec()
    };
    let want = [
        "vips 10.96.0.1 . tcp . 80 goto internal",
        "vips 192.0.2.7 . tcp . 80 goto external-cluster",
        "vip-pools 10.96.0.1 . tcp . 80 #1",
        "vip-pools 192.0.2.7 . tcp . 80 #1",
        "pools #1 goto sticky-1",
        "tcp-endpoints #1 . 0 10.0.0.2 . 8080",
        "affinity-pools #1 jump remember-10800",
        "guarded 192.0.2.7 . tcp . 80",
        "allowed 192.0.2.7 . tcp . 80 . 10.0.0.0/8",
        "allowed 192.0.2.7 . tcp . 80 . 192.0.2.7",
        "allowed 192.0.2.7 . tcp . 80 . 192.0.2.9",
    ];
    check(&spec, &[("10.0.0.2", "b")], &want);
}
