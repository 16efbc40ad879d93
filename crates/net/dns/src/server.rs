//! Listening on UDP and TCP. What can be answered from the zone is answered where it was received; what has to be forwarded
//! waits in a task of its own, of which there is a bounded number.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the DNS server is a shell")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base::drain;
use base::random::Random;
use base::time::{Clock, timeout};
use hickory_proto::op::{Message, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::answer::{self, Decision, Transport, decide, encode, failure};
use crate::limits::{
    BIND_ATTEMPTS_MAX, FORWARDS_MAX, TCP_CONNECTIONS_MAX, TCP_IDLE, TCP_QUERIES_MAX, UDP_QUERY_MAX_BYTES,
    UDP_RECEIVERS,
};
use crate::records::Records;
use crate::upstream::{Upstreams, ask};
use crate::zone::Zone;

/// What is served, exchanged while it is being served.
pub struct Serving {
    zone: ArcSwap<Zone>,
    upstreams: ArcSwap<Upstreams>,
    forwards: Semaphore,
    connections: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Serving {
    /// Serves these records and forwards the rest to these resolvers.
    pub fn new(
        records: &Records,
        upstreams: Upstreams,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Serving {
        Serving {
            zone: ArcSwap::from_pointee(Zone::new(records)),
            upstreams: ArcSwap::from_pointee(upstreams),
            forwards: Semaphore::new(FORWARDS_MAX),
            connections: Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX)),
            clock,
            random,
        }
    }

    /// Replaces the snapshot. Queries that are being answered end with the old one.
    pub fn set_records(&self, records: &Records) {
        self.zone.store(Arc::new(Zone::new(records)));
    }

    /// Replaces the resolvers.
    pub fn set_upstreams(&self, upstreams: Upstreams) {
        self.upstreams.store(Arc::new(upstreams));
    }

    fn decide(&self, packet: &[u8]) -> Decision {
        decide(&self.zone.load(), packet)
    }

    /// The answer to a decision that could not be answered at once.
    async fn resolve(&self, decision: Decision, transport: Transport) -> Option<Message> {
        let (query, aliases, question) = match decision {
            Decision::Answer(answer) => return Some(answer),
            Decision::Ignore => return None,
            Decision::Forward(query) => {
                let question = query.queries.first()?.clone();
                (query, Vec::new(), question)
            }
            Decision::Follow { query, aliases, question } => (query, aliases, question),
        };
        let Ok(_permit) = self.forwards.try_acquire() else {
            return Some(failure(&query, ResponseCode::ServFail));
        };
        let upstreams = self.upstreams.load_full();
        let asked = ask(&upstreams, &question, &query, transport, &*self.clock, &*self.random).await;
        Some(match asked {
            Err(_) => failure(&query, ResponseCode::ServFail),
            Ok(mut answer) if aliases.is_empty() => {
                answer.metadata.id = query.metadata.id;
                answer
            }
            Ok(answer) => answer::join(&query, aliases, &answer),
        })
    }
}

/// A server that has its sockets.
pub struct Server {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    serving: Arc<Serving>,
}

impl Server {
    /// Binds UDP and TCP to one address. With port 0 both get the same free one.
    pub async fn bind(address: SocketAddr, serving: Arc<Serving>) -> io::Result<Server> {
        let mut attempts = 1;
        loop {
            let udp = UdpSocket::bind(address).await?;
            match TcpListener::bind(udp.local_addr()?).await {
                Ok(tcp) => return Ok(Server { udp: Arc::new(udp), tcp, serving }),
                Err(_) if address.port() == 0 && attempts < BIND_ATTEMPTS_MAX => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The address that it listens on.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Serves until it is asked to finish, and then until what it has begun is done.
    pub async fn run(self, mut drain: drain::Watch) {
        let mut tasks = JoinSet::new();
        for _ in 0..UDP_RECEIVERS {
            tasks.spawn(receive(self.udp.clone(), self.serving.clone(), drain.clone()));
        }
        loop {
            tokio::select! {
                biased;
                () = drain.signaled() => break,
                accepted = self.tcp.accept() => match accepted {
                    Ok((stream, _)) => {
                        if let Ok(permit) = self.serving.connections.clone().try_acquire_owned() {
                            let (serving, drain) = (self.serving.clone(), drain.clone());
                            tasks.spawn(async move {
                                converse(stream, &serving, drain).await;
                                drop(permit);
                            });
                        }
                    }
                    Err(error) => {
                        // Out of descriptors, mostly: accepting again at once would spin.
                        tracing::warn!(%error, "cannot accept a DNS connection");
                        self.serving.clock.sleep(std::time::Duration::from_millis(100)).await;
                    }
                },
                Some(_) = tasks.join_next(), if tasks.len() > UDP_RECEIVERS => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

async fn receive(socket: Arc<UdpSocket>, serving: Arc<Serving>, mut drain: drain::Watch) {
    let mut buffer = vec![0u8; UDP_QUERY_MAX_BYTES];
    let mut waiting = JoinSet::new();
    loop {
        let (count, from) = tokio::select! {
            biased;
            () = drain.signaled() => break,
            Some(_) = waiting.join_next() => continue,
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // An ICMP error about an earlier answer; it says nothing about this socket.
                Err(_) => continue,
            },
        };
        let packet = &buffer[..count];
        match serving.decide(packet) {
            Decision::Ignore => {}
            Decision::Answer(answer) => send(&socket, &answer, packet, from).await,
            decision => {
                let (socket, serving, packet) = (socket.clone(), serving.clone(), packet.to_vec());
                waiting.spawn(async move {
                    if let Some(answer) = serving.resolve(decision, Transport::Udp).await {
                        send(&socket, &answer, &packet, from).await;
                    }
                });
            }
        }
    }
    while waiting.join_next().await.is_some() {}
}

async fn send(socket: &UdpSocket, answer: &Message, query: &[u8], to: SocketAddr) {
    if let Some(bytes) = encode(answer, query, Transport::Udp)
        && let Err(error) = socket.send_to(&bytes, to).await
    {
        tracing::debug!(%to, %error, "cannot send a DNS answer");
    }
}

/// One TCP connection: query after query until either side has had enough.
async fn converse(mut stream: TcpStream, serving: &Serving, mut drain: drain::Watch) {
    for _ in 0..TCP_QUERIES_MAX {
        let query = tokio::select! {
            biased;
            () = drain.signaled() => return,
            read = timeout(&*serving.clock, TCP_IDLE, read(&mut stream)) => match read {
                Ok(Ok(query)) => query,
                _ => return,
            },
        };
        let decision = serving.decide(&query);
        let Some(answer) = serving.resolve(decision, Transport::Tcp).await else { return };
        let Some(bytes) = encode(&answer, &query, Transport::Tcp) else { return };
        let Ok(length) = u16::try_from(bytes.len()) else { return };
        let framed = [&length.to_be_bytes()[..], &bytes].concat();
        if !matches!(timeout(&*serving.clock, TCP_IDLE, stream.write_all(&framed)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut query = vec![0u8; usize::from(length)];
    stream.read_exact(&mut query).await?;
    Ok(query)
}

#[cfg(test)]
mod tests;
