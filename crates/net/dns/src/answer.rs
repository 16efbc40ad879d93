//! One query, one decision: an answer from the zone, or whom else to ask. Pure.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::limits::{ALIASES_MAX, TTL_SECONDS, UDP_ANSWER_MAX_BYTES};
use crate::zone::{Data, Found, Zone, address_data, reverse_address};

/// How the query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In one packet, and so must the answer.
    Udp,
    /// On a connection.
    Tcp,
}

/// What to do with a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send this.
    Answer(Message),
    /// Ask a resolver the same.
    Forward(Message),
    /// Ask a resolver for where the alias leads, and send its answers after these.
    Follow {
        /// The client's query.
        query: Message,
        /// The aliases so far.
        aliases: Vec<Record>,
        /// What to ask.
        question: Query,
    },
    /// Say nothing: it is no query at all.
    Ignore,
}

/// The decision for a packet.
pub fn decide(zone: &Zone, packet: &[u8]) -> Decision {
    let query = match Message::from_vec(packet) {
        Ok(query) => query,
        Err(_) => return malformed(packet),
    };
    if query.metadata.message_type != MessageType::Query {
        return Decision::Ignore;
    }
    if query.metadata.op_code != OpCode::Query {
        return Decision::Answer(failure(&query, ResponseCode::NotImp));
    }
    if query.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Decision::Answer(failure(&query, ResponseCode::BADVERS));
    }
    let [question] = &query.queries[..] else {
        return Decision::Answer(failure(&query, ResponseCode::FormErr));
    };
    if question.query_class != DNSClass::IN {
        return Decision::Answer(failure(&query, ResponseCode::Refused));
    }
    resolve(zone, &query, &question.clone())
}

/// A header alone is enough to say that the rest was not understood.
fn malformed(packet: &[u8]) -> Decision {
    let (Some(id), Some(flags)) = (packet.get(..2), packet.get(2)) else { return Decision::Ignore };
    if packet.len() < 12 || flags & 0x80 != 0 {
        return Decision::Ignore;
    }
    let id = u16::from_be_bytes([id[0], id[1]]);
    Decision::Answer(Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
}

/// An answer without records.
pub fn failure(query: &Message, code: ResponseCode) -> Message {
    let mut answer = reply(query);
    answer.metadata.response_code = code;
    if u16::from(code) > 15
        && let Some(edns) = answer.edns.as_mut()
    {
        edns.set_rcode_high(code.high());
    }
    answer
}

fn reply(query: &Message) -> Message {
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&query.metadata);
    answer.metadata.recursion_available = true;
    answer.add_queries(query.queries.iter().cloned());
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_ANSWER_MAX_BYTES);
        answer.set_edns(edns);
    }
    answer
}

/// A name as the zone has it.
fn text(name: &Name) -> String {
    let mut text = name.to_lowercase().to_ascii();
    if text.ends_with('.') {
        text.pop();
    }
    text
}

fn resolve(zone: &Zone, query: &Message, question: &Query) -> Decision {
    let mut answer = reply(query);
    answer.metadata.authoritative = true;
    let mut name = question.name.clone();
    for _ in 0..ALIASES_MAX {
        let key = text(&name);
        let data = match found(zone, &key) {
            Lookup::Data(data) => data,
            Lookup::Absent => {
                // The code speaks of the last name of a chain (RFC 6604).
                answer.metadata.response_code = ResponseCode::NXDomain;
                return Decision::Answer(without(zone, answer));
            }
            Lookup::Foreign if answer.answers.is_empty() => return Decision::Forward(query.clone()),
            Lookup::Foreign => {
                let question = Query::query(name, question.query_type);
                return Decision::Follow { query: query.clone(), aliases: answer.answers, question };
            }
        };
        let alias = data.iter().find_map(|data| match data {
            Data::Cname(target) if question.query_type != RecordType::CNAME => Some(target.clone()),
            _ => None,
        });
        let asked =
            |record: &Record| question.query_type.is_any() || record.record_type() == question.query_type;
        let records = data.iter().filter_map(|data| record(&name, data));
        match alias.and_then(|target| Name::from_ascii(format!("{target}.")).ok()) {
            Some(target) => {
                answer.add_answers(records);
                name = target;
            }
            None => {
                let mut records: Vec<Record> = records.filter(asked).collect();
                if records.is_empty() && key == zone.domain() && question.query_type == RecordType::SOA {
                    records.extend(authority(zone));
                }
                rotate(&mut records, query.metadata.id);
                additionals(zone, &records, &mut answer);
                answer.add_answers(records);
                let empty = answer.answers.is_empty();
                return Decision::Answer(if empty { without(zone, answer) } else { answer });
            }
        }
    }
    Decision::Answer(failure(query, ResponseCode::ServFail))
}

enum Lookup {
    Data(Vec<Data>),
    Absent,
    Foreign,
}

fn found(zone: &Zone, name: &str) -> Lookup {
    if let Some(data) = reverse_address(name).and_then(|address| zone.reverse(address)) {
        return Lookup::Data(data.to_vec());
    }
    match zone.find(name) {
        Found::Exists(data) => Lookup::Data(data.to_vec()),
        Found::Pod(address) => Lookup::Data(vec![address_data(address)]),
        Found::Absent => Lookup::Absent,
        Found::Foreign => Lookup::Foreign,
    }
}

/// Spreads clients that take the first address; the query's id is as good as a die.
fn rotate(records: &mut [Record], id: u16) {
    if !records.is_empty() {
        records.rotate_left(usize::from(id) % records.len());
    }
}

/// The addresses of SRV targets, which clients ask for next.
fn additionals(zone: &Zone, records: &[Record], answer: &mut Message) {
    for record in records {
        let RData::SRV(srv) = &record.data else { continue };
        if let Found::Exists(data) = zone.find(&text(&srv.target)) {
            let addresses = data.iter().filter(|data| matches!(data, Data::A(_) | Data::Aaaa(_)));
            answer.add_additionals(addresses.filter_map(|data| self::record(&srv.target, data)));
        }
    }
}

fn record(name: &Name, data: &Data) -> Option<Record> {
    let target = |text: &str| Name::from_ascii(format!("{text}.")).ok();
    let data = match data {
        Data::A(address) => RData::A(A(*address)),
        Data::Aaaa(address) => RData::AAAA(AAAA(*address)),
        Data::Srv { weight, port, target: to } => RData::SRV(SRV::new(0, *weight, *port, target(to)?)),
        Data::Cname(to) => RData::CNAME(CNAME(target(to)?)),
        Data::Ptr(to) => RData::PTR(PTR(target(to)?)),
        Data::Txt(text) => RData::TXT(TXT::new(vec![text.clone()])),
        Data::Ns(to) => RData::NS(NS(target(to)?)),
    };
    Some(Record::from_rdata(name.clone(), TTL_SECONDS, data))
}

/// Marks an answer as negative: the SOA says for how long.
fn without(zone: &Zone, mut answer: Message) -> Message {
    answer.add_authorities(authority(zone));
    answer
}

fn authority(zone: &Zone) -> Option<Record> {
    let name = |text: String| Name::from_ascii(text).ok();
    let domain = zone.domain();
    let soa = SOA::new(
        name(format!("ns.dns.{domain}."))?,
        name(format!("hostmaster.{domain}."))?,
        zone.serial(),
        7200,
        1800,
        86_400,
        TTL_SECONDS,
    );
    Some(Record::from_rdata(name(format!("{domain}."))?, TTL_SECONDS, RData::SOA(soa)))
}

/// The bytes to send. What does not fit a UDP client is cut to its question, with the flag that makes it come by TCP.
pub fn encode(answer: &Message, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let bytes = answer.to_vec().ok()?;
    let limit = match transport {
        Transport::Tcp => usize::from(u16::MAX),
        Transport::Udp => usize::from(udp_limit(query)),
    };
    if bytes.len() <= limit { Some(bytes) } else { answer.truncate().to_vec().ok() }
}

/// How many bytes a UDP client takes: what it offers by EDNS, or 512.
fn udp_limit(query: &[u8]) -> u16 {
    let offered = Message::from_vec(query).map_or(512, |query| query.max_payload());
    offered.min(UDP_ANSWER_MAX_BYTES)
}

/// The answer to a followed alias: the aliases, then what the resolver said.
pub fn join(query: &Message, aliases: Vec<Record>, from_resolver: &Message) -> Message {
    let mut answer = reply(query);
    answer.metadata.response_code = from_resolver.metadata.response_code;
    answer.add_answers(aliases);
    answer.add_answers(from_resolver.answers.iter().cloned());
    answer.add_authorities(from_resolver.authorities.iter().cloned());
    answer
}

/// All addresses of an answer, for tests and diagnostics.
pub fn addresses(answer: &Message) -> Vec<IpAddr> {
    let address = |record: &Record| match &record.data {
        RData::A(A(address)) => Some(IpAddr::V4(*address)),
        RData::AAAA(AAAA(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    };
    answer.answers.iter().filter_map(address).collect()
}

#[cfg(test)]
mod tests;
