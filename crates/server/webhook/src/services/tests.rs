//! Where services are found, by what views show.

use api_codec::json;
use api_codec::limits::Limits;
use api_record::Record;
use base::random::SystemRandom;
use client::Revision;

use super::*;

fn object<T: Record + Default>(text: &str) -> Arc<dyn Record> {
    let mut object = T::default();
    json::decode(text.as_bytes(), &mut object, None, Limits::REQUEST).unwrap();
    Arc::new(object)
}

fn service(name: &str, spec: &str) -> Arc<dyn Record> {
    object::<Service>(&format!(r#"{{"metadata":{{"name":"{name}","namespace":"ns"}},"spec":{{{spec}}}}}"#))
}

fn slice(name: &str, service: &str, rest: &str) -> Arc<dyn Record> {
    object::<EndpointSlice>(&format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"ns","labels":{{"kubernetes.io/service-name":"{service}"}}}},{rest}}}"#
    ))
}

#[test]
fn a_service_is_where_its_ready_endpoints_are() {
    let (mut services, seen) = view::channel();
    let ports = r#""type":"ClusterIP","ipFamilies":["IPv6"],"ports":[{"name":"https","port":443},{"name":"other","port":80}]"#;
    services.replace(
        [
            service("hook", ports),
            service("empty", ports),
            service("named", r#""type":"ExternalName","externalName":"hook.example""#),
            service("odd", r#""type":"Odd""#),
        ],
        Revision(1),
    );
    let (mut slices, seen_slices) = view::channel();
    let four = r#""addressType":"IPv4","ports":[{"name":"https","port":8443}],"endpoints":[{"addresses":["10.0.0.1"]}]"#;
    let six = r#""addressType":"IPv6","ports":[{"name":"https","port":9443}],
        "endpoints":[{"addresses":["fd00::1"],"conditions":{"ready":false}},{"addresses":["fd00::2"],"conditions":{"ready":true}}]"#;
    slices
        .replace([slice("a", "hook", four), slice("b", "hook", six), slice("c", "else", four)], Revision(1));
    let found = Endpoints::new(Arc::new(SystemRandom));
    assert!(found.find("ns", "hook", 443).is_err(), "nothing is known yet");
    found.follow([seen, seen_slices]);
    for (name, port, wanted) in [
        ("hook", 443, Ok(("fd00::2".to_owned(), 9443))),
        ("hook", 80, Err(r#"no endpoints available for service "hook""#.to_owned())),
        ("hook", 81, Err(r#"no service port 81 found for service "hook""#.to_owned())),
        ("empty", 443, Err(r#"no endpoints available for service "empty""#.to_owned())),
        ("named", 443, Ok(("hook.example".to_owned(), 443))),
        ("odd", 443, Err(r#"unsupported service type "Odd""#.to_owned())),
        ("none", 443, Err(r#"service "none" not found"#.to_owned())),
    ] {
        assert_eq!(found.find("ns", name, port), wanted, "{name}:{port}");
    }
}
