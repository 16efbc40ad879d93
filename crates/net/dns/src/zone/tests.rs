//! The specification's records, one by one.

use super::*;
use crate::records::Endpoint;

pub(crate) fn records() -> Records {
    let port = |name: &str, port| Port { name: name.into(), protocol: "tcp".into(), port };
    let service = |name: &str, kind| Service { namespace: "ns".into(), name: name.into(), kind };
    let endpoint = |ip: &str, hostname: Option<&str>| Endpoint {
        ip: ip.parse().unwrap(),
        hostname: hostname.map(str::to_owned),
        ports: vec![port("web", 8080)],
    };
    Records {
        domain: "cluster.local".into(),
        serial: 7,
        dns_ips: vec!["10.96.0.10".parse().unwrap()],
        namespaces: vec!["ns".into(), "empty".into()],
        services: vec![
            service(
                "web",
                Kind::ClusterIp {
                    ips: vec!["10.96.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
                    ports: vec![port("http", 80), port("", 81)],
                },
            ),
            service(
                "db",
                Kind::Headless {
                    endpoints: vec![
                        endpoint("10.1.0.1", Some("db-0")),
                        endpoint("10.1.0.2", None),
                        endpoint("fd00:1::2", None),
                    ],
                },
            ),
            service("idle", Kind::Headless { endpoints: vec![] }),
            service("out", Kind::ExternalName { target: "Example.COM.".into() }),
            service("alias", Kind::ExternalName { target: "web.ns.svc.cluster.local".into() }),
        ],
    }
}

fn show(data: &Data) -> String {
    match data {
        Data::A(address) => address.to_string(),
        Data::Aaaa(address) => address.to_string(),
        Data::Srv { weight, port, target } => format!("0 {weight} {port} {target}"),
        Data::Cname(name) | Data::Ptr(name) | Data::Txt(name) | Data::Ns(name) => name.clone(),
    }
}

#[test]
fn every_kind_of_name() {
    let zone = Zone::new(&records());
    let cases = [
        ("dns-version.cluster.local", "1.1.0"),
        ("web.ns.svc.cluster.local", "10.96.0.1 fd00::1"),
        ("_http._tcp.web.ns.svc.cluster.local", "0 100 80 web.ns.svc.cluster.local"),
        ("_tcp.web.ns.svc.cluster.local", ""),
        ("db.ns.svc.cluster.local", "10.1.0.1 10.1.0.2 fd00:1::2"),
        ("db-0.db.ns.svc.cluster.local", "10.1.0.1"),
        ("10-1-0-2.db.ns.svc.cluster.local", "10.1.0.2"),
        ("fd00-1--2.db.ns.svc.cluster.local", "fd00:1::2"),
        (
            "_web._tcp.db.ns.svc.cluster.local",
            "0 100 8080 10-1-0-2.db.ns.svc.cluster.local|0 100 8080 db-0.db.ns.svc.cluster.local|0 100 8080 fd00-1--2.db.ns.svc.cluster.local",
        ),
        ("idle.ns.svc.cluster.local", ""),
        ("out.ns.svc.cluster.local", "example.com"),
        ("ns.svc.cluster.local", ""),
        ("empty.svc.cluster.local", ""),
        ("svc.cluster.local", ""),
        ("cluster.local", "ns.dns.cluster.local"),
        ("ns.dns.cluster.local", "10.96.0.10"),
    ];
    for (name, want) in cases {
        let Found::Exists(data) = zone.find(name) else { panic!("{name} is absent") };
        let shown: Vec<String> = data.iter().map(show).collect();
        let separator = if want.contains('|') { "|" } else { " " };
        assert_eq!(shown.join(separator), want, "{name}");
    }
}

#[test]
fn absent_and_foreign_names_differ() {
    let zone = Zone::new(&records());
    for name in [
        "no.ns.svc.cluster.local",
        "web.no.svc.cluster.local",
        "_x._tcp.web.ns.svc.cluster.local",
        "x.cluster.local",
        "1-2-3-4.no.pod.cluster.local",
        "1-2-3.ns.pod.cluster.local",
    ] {
        assert_eq!(zone.find(name), Found::Absent, "{name}");
    }
    for name in ["example.com", "xcluster.local", "local", "", "cluster.local.example.com"] {
        assert_eq!(zone.find(name), Found::Foreign, "{name}");
    }
    assert_eq!(zone.find("1-2-3-4.ns.pod.cluster.local"), Found::Pod("1.2.3.4".parse().unwrap()));
    assert_eq!(zone.find("fd00--1.ns.pod.cluster.local"), Found::Pod("fd00::1".parse().unwrap()));
}

#[test]
fn addresses_have_names() {
    let zone = Zone::new(&records());
    let name = |address: &str| {
        zone.reverse(address.parse().unwrap()).map(|data| data.iter().map(show).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(name("10.96.0.1").as_deref(), Some("web.ns.svc.cluster.local"));
    assert_eq!(name("10.1.0.1").as_deref(), Some("db-0.db.ns.svc.cluster.local"));
    assert_eq!(name("9.9.9.9"), None);
    assert_eq!(reverse_address("1.0.96.10.in-addr.arpa"), "10.96.0.1".parse().ok());
    let six = format!("1.{}d.f.ip6.arpa", "0.".repeat(27).as_str().to_owned() + "0.0.");
    assert_eq!(reverse_address(&six), "fd00::1".parse().ok());
    for name in ["96.10.in-addr.arpa", "x.0.96.10.in-addr.arpa", "1.ip6.arpa", "in-addr.arpa"] {
        assert_eq!(reverse_address(name), None, "{name}");
    }
}
