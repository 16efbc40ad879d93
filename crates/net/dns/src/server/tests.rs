//! The server on loopback, with a second one as its resolver.

use super::*;
use crate::records::{Kind, Service};
use crate::zone::tests::records;
use base::random::SystemRandom;
use base::time::SystemClock;
use hickory_proto::op::{MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

struct Running {
    address: SocketAddr,
    serving: Arc<Serving>,
    signal: drain::Signal,
    task: tokio::task::JoinHandle<()>,
}

async fn start(records: &Records, servers: Vec<SocketAddr>) -> Running {
    let serving =
        Arc::new(Serving::new(records, Upstreams { servers }, Arc::new(SystemClock), Arc::new(SystemRandom)));
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), serving.clone()).await.unwrap();
    let address = server.local_address().unwrap();
    let (signal, watch) = drain::channel();
    Running { address, serving, signal, task: tokio::spawn(server.run(watch)) }
}

impl Running {
    async fn stop(self) {
        self.signal.drain().await;
        self.task.await.unwrap();
    }
}

fn query(name: &str) -> Vec<u8> {
    let mut query = Message::new(77, MessageType::Query, OpCode::Query);
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    query.to_vec().unwrap()
}

async fn udp(to: SocketAddr, packet: &[u8]) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(packet, to).await.unwrap();
    let mut buffer = vec![0u8; 4096];
    let count = socket.recv(&mut buffer).await.unwrap();
    Message::from_vec(&buffer[..count]).unwrap()
}

async fn tcp(stream: &mut TcpStream, packet: &[u8]) -> Message {
    stream.write_u16(u16::try_from(packet.len()).unwrap()).await.unwrap();
    stream.write_all(packet).await.unwrap();
    Message::from_vec(&read(stream).await.unwrap()).unwrap()
}

fn first(answer: &Message) -> String {
    answer::addresses(answer).first().map(ToString::to_string).unwrap_or_default()
}

/// Records of a resolver for `com`: the server forwards what is not its own, so another server of ours serves as one.
fn outside() -> Records {
    let endpoint =
        |last: u8| crate::records::Endpoint { ip: [192, 0, 2, last].into(), hostname: None, ports: vec![] };
    let service = |name: &str, count: u8| Service {
        namespace: "x".into(),
        name: name.into(),
        kind: Kind::Headless { endpoints: (1..=count).map(endpoint).collect() },
    };
    Records {
        domain: "com".into(),
        services: vec![service("small", 1), service("large", 100)],
        ..Records::default()
    }
}

#[tokio::test]
async fn the_zone_answers_by_udp_and_tcp_and_changes_while_it_serves() {
    let running = start(&records(), vec![]).await;
    let ask = query("web.ns.svc.cluster.local.");
    let answer = udp(running.address, &ask).await;
    assert_eq!((first(&answer).as_str(), answer.metadata.id), ("10.96.0.1", 77));
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(first(&tcp(&mut stream, &ask).await), "10.96.0.1");
    let mut changed = records();
    changed.services[0].kind = Kind::ClusterIp { ips: vec!["10.96.0.2".parse().unwrap()], ports: vec![] };
    running.serving.set_records(&changed);
    assert_eq!(first(&tcp(&mut stream, &ask).await), "10.96.0.2");
    assert_eq!(first(&udp(running.address, &ask).await), "10.96.0.2");
    udp(running.address, &ask[..14]).await;
    running.stop().await;
}

#[tokio::test]
async fn the_rest_is_forwarded_with_truncation_and_aliases_followed() {
    let resolver = start(&outside(), vec![]).await;
    let mut own = records();
    let target = "small.x.svc.com".to_owned();
    own.services.push(Service {
        namespace: "ns".into(),
        name: "far".into(),
        kind: Kind::ExternalName { target },
    });
    // The first resolver refuses (nothing listens there); the second answers.
    let dead = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let running = start(&own, vec![dead, resolver.address]).await;
    assert_eq!(first(&udp(running.address, &query("small.x.svc.com.")).await), "192.0.2.1");
    let cut = udp(running.address, &query("large.x.svc.com.")).await;
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let whole = tcp(&mut stream, &query("large.x.svc.com.")).await;
    assert_eq!((answer::addresses(&whole).len(), whole.metadata.id), (100, 77));
    let followed = udp(running.address, &query("far.ns.svc.cluster.local.")).await;
    let kinds: Vec<RecordType> = followed.answers.iter().map(|record| record.record_type()).collect();
    assert_eq!((kinds, first(&followed).as_str()), (vec![RecordType::CNAME, RecordType::A], "192.0.2.1"));
    running.stop().await;
    resolver.stop().await;
}

#[tokio::test]
async fn without_resolvers_the_rest_fails_at_once() {
    let running = start(&records(), vec![]).await;
    let answer = udp(running.address, &query("example.com.")).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
    running.stop().await;
}

/// A clock whose sleeps are over at once: every wait is too long.
struct Impatient;

impl Clock for Impatient {
    fn now(&self) -> base::time::Time {
        base::time::Time::EPOCH
    }
    fn sleep(&self, _: std::time::Duration) -> base::time::Sleep {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn a_silent_resolver_is_given_up() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let upstreams = Upstreams { servers: vec![silent.local_addr().unwrap()] };
    let message = Message::from_vec(&query("example.com.")).unwrap();
    let asked =
        ask(&upstreams, &message.queries[0], &message, Transport::Udp, &Impatient, &SystemRandom).await;
    assert_eq!(asked, Err(crate::upstream::Unanswered));
}
