//! Decisions as tables, and arbitrary bytes.

use super::*;
use crate::zone::tests::records;
use proptest::prelude::*;

fn ask(name: &str, kind: RecordType) -> Vec<u8> {
    let mut query = Message::new(4, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    query.to_vec().unwrap()
}

fn answer(name: &str, kind: RecordType) -> Message {
    match decide(&Zone::new(&records()), &ask(name, kind)) {
        Decision::Answer(answer) => answer,
        other => panic!("{name}: {other:?}"),
    }
}

fn shown(answer: &Message) -> Vec<String> {
    answer.answers.iter().map(|record| format!("{} {}", record.record_type(), record.data)).collect()
}

#[test]
fn records_by_type_and_absence_with_soa() {
    let cases = [
        ("WEB.ns.svc.cluster.LOCAL.", RecordType::A, "A 10.96.0.1"),
        ("web.ns.svc.cluster.local.", RecordType::AAAA, "AAAA fd00::1"),
        ("_http._tcp.web.ns.svc.cluster.local.", RecordType::SRV, "SRV 0 100 80 web.ns.svc.cluster.local."),
        ("1.0.96.10.in-addr.arpa.", RecordType::PTR, "PTR web.ns.svc.cluster.local."),
        ("dns-version.cluster.local.", RecordType::TXT, "TXT 1.1.0"),
        ("alias.ns.svc.cluster.local.", RecordType::CNAME, "CNAME web.ns.svc.cluster.local."),
        ("alias.ns.svc.cluster.local.", RecordType::A, "CNAME web.ns.svc.cluster.local.|A 10.96.0.1"),
        ("10-1-2-3.ns.pod.cluster.local.", RecordType::A, "A 10.1.2.3"),
    ];
    for (name, kind, want) in cases {
        let answer = answer(name, kind);
        assert_eq!(shown(&answer).join("|"), want, "{name}");
        assert!(answer.metadata.authoritative && answer.metadata.recursion_available);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    }
    for (name, code) in [
        ("web.ns.svc.cluster.local.", ResponseCode::NoError),
        ("ns.svc.cluster.local.", ResponseCode::NoError),
        ("no.ns.svc.cluster.local.", ResponseCode::NXDomain),
    ] {
        let answer = answer(name, RecordType::MX);
        assert_eq!((answer.metadata.response_code, answer.answers.len()), (code, 0), "{name}");
        assert_eq!(answer.authorities.iter().map(Record::record_type).collect::<Vec<_>>(), [RecordType::SOA]);
    }
    assert_eq!(answer("cluster.local.", RecordType::SOA).answers.len(), 1);
    let srv = answer("_web._tcp.db.ns.svc.cluster.local.", RecordType::SRV);
    assert_eq!((srv.answers.len(), srv.additionals.len()), (3, 3));
}

#[test]
fn what_is_not_the_clusters_is_forwarded_and_aliases_are_followed() {
    let zone = Zone::new(&records());
    for name in ["example.com.", "9.9.9.9.in-addr.arpa.", "local.", "."] {
        assert!(matches!(decide(&zone, &ask(name, RecordType::A)), Decision::Forward(_)), "{name}");
    }
    let Decision::Follow { aliases, question, .. } =
        decide(&zone, &ask("out.ns.svc.cluster.local.", RecordType::A))
    else {
        panic!("an external name is followed");
    };
    assert_eq!((aliases.len(), question.name.to_ascii().as_str()), (1, "example.com."));
}

#[test]
fn an_alias_of_itself_ends() {
    let mut records = records();
    let target = "loop.ns.svc.cluster.local".to_owned();
    let kind = crate::records::Kind::ExternalName { target };
    records.services.push(crate::records::Service { namespace: "ns".into(), name: "loop".into(), kind });
    let decision = decide(&Zone::new(&records), &ask("loop.ns.svc.cluster.local.", RecordType::A));
    assert!(
        matches!(decision, Decision::Answer(answer) if answer.metadata.response_code == ResponseCode::ServFail)
    );
}

#[test]
fn odd_queries_get_their_codes() {
    let zone = Zone::new(&records());
    let code = |packet: &[u8]| match decide(&zone, packet) {
        Decision::Answer(answer) => Some(answer.metadata.response_code),
        _ => None,
    };
    let mut status = ask("web.ns.svc.cluster.local.", RecordType::A);
    status[2] |= 0x10;
    assert_eq!(code(&status), Some(ResponseCode::NotImp));
    let mut response = ask("web.ns.svc.cluster.local.", RecordType::A);
    response[2] |= 0x80;
    assert_eq!(decide(&zone, &response), Decision::Ignore);
    assert_eq!(decide(&zone, &[1, 2, 3]), Decision::Ignore);
    let whole = ask("web.ns.svc.cluster.local.", RecordType::A);
    assert_eq!(code(&whole[..20]), Some(ResponseCode::FormErr));
    let mut none = Message::new(1, MessageType::Query, OpCode::Query);
    assert_eq!(code(&none.to_vec().unwrap()), Some(ResponseCode::FormErr));
    let mut chaos = Query::query(Name::from_ascii("version.bind.").unwrap(), RecordType::TXT);
    chaos.set_query_class(DNSClass::CH);
    none.add_query(chaos);
    assert_eq!(code(&none.to_vec().unwrap()), Some(ResponseCode::Refused));
}

#[test]
fn what_does_not_fit_is_cut_for_udp_only() {
    let mut records = records();
    let endpoint =
        |last: u8| crate::records::Endpoint { ip: [10, 2, 0, last].into(), hostname: None, ports: vec![] };
    let kind = crate::records::Kind::Headless { endpoints: (0..200).map(endpoint).collect() };
    records.services.push(crate::records::Service { namespace: "ns".into(), name: "many".into(), kind });
    let query = ask("many.ns.svc.cluster.local.", RecordType::A);
    let Decision::Answer(answer) = decide(&Zone::new(&records), &query) else { panic!("an answer") };
    let udp = Message::from_vec(&encode(&answer, &query, Transport::Udp).unwrap()).unwrap();
    assert!(udp.metadata.truncation && udp.answers.is_empty());
    let tcp = Message::from_vec(&encode(&answer, &query, Transport::Tcp).unwrap()).unwrap();
    assert_eq!(addresses(&tcp).len(), 200);
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decide(&Zone::new(&records()), &bytes);
    }

    #[test]
    fn damaged_queries_do_no_harm(at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut query = ask("_http._tcp.web.ns.svc.cluster.local.", RecordType::SRV);
        let place = at.index(query.len());
        query[place] = value;
        query.truncate(cut.index(query.len()) + 1);
        if let Decision::Answer(answer) = decide(&Zone::new(&records()), &query) {
            prop_assert!(encode(&answer, &query, Transport::Udp).is_some_and(|bytes| bytes.len() <= usize::from(UDP_ANSWER_MAX_BYTES)));
        }
    }
}
