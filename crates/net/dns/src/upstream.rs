//! Asking the machine's resolvers. One socket with a port of its own per question, so that answers are hard to forge.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the DNS server is a shell")]

use std::io;
use std::net::{IpAddr, SocketAddr};

use base::random::Random;
use base::time::{Clock, timeout};
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::answer::Transport;
use crate::limits::{UDP_QUERY_MAX_BYTES, UPSTREAM_PATIENCE, UPSTREAMS_MAX};

/// The port of DNS.
const PORT: u16 = 53;

/// The resolvers to forward to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams {
    /// Their addresses, the preferred one first.
    pub servers: Vec<SocketAddr>,
}

impl Upstreams {
    /// The `nameserver` lines of a resolv.conf(5), without those that are `own` addresses: forwarding to oneself is a loop.
    pub fn from_resolv_conf(text: &str, own: &[IpAddr]) -> Upstreams {
        let address = |line: &str| {
            let rest = line.trim_start().strip_prefix("nameserver")?;
            let word = rest.starts_with(char::is_whitespace).then(|| rest.split_whitespace().next())??;
            let (address, _scope) = word.split_once('%').unwrap_or((word, ""));
            address.parse::<IpAddr>().ok()
        };
        let servers = text.lines().filter_map(address).filter(|address| !own.contains(address));
        Upstreams {
            servers: servers.map(|address| SocketAddr::new(address, PORT)).take(UPSTREAMS_MAX).collect(),
        }
    }
}

/// No resolver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no resolver answered")]
pub struct Unanswered;

/// Asks one after the other until one answers. A client that came by TCP gets whole answers; one that came by UDP gets the
/// truncated one and comes again by TCP.
pub async fn ask(
    upstreams: &Upstreams,
    question: &Query,
    query: &Message,
    transport: Transport,
    clock: &dyn Clock,
    random: &dyn Random,
) -> Result<Message, Unanswered> {
    for server in &upstreams.servers {
        let mut id = [0u8; 2];
        random.fill(&mut id);
        let mut message = Message::new(u16::from_be_bytes(id), MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = query.metadata.recursion_desired;
        message.metadata.checking_disabled = query.metadata.checking_disabled;
        message.add_query(question.clone());
        if let Some(edns) = &query.edns {
            message.set_edns(edns.clone());
        }
        let asked = timeout(clock, UPSTREAM_PATIENCE, ask_one(*server, &message, transport)).await;
        match asked {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => tracing::debug!(%server, %error, "a resolver failed"),
            Err(_) => tracing::debug!(%server, "a resolver did not answer in time"),
        }
    }
    Err(Unanswered)
}

async fn ask_one(server: SocketAddr, message: &Message, transport: Transport) -> io::Result<Message> {
    let bytes = message.to_vec().map_err(io::Error::other)?;
    if transport == Transport::Tcp {
        return by_tcp(server, message, &bytes).await;
    }
    let any: IpAddr = if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0u16; 8].into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&bytes).await?;
    let mut buffer = vec![0u8; UDP_QUERY_MAX_BYTES];
    loop {
        let count = socket.recv(&mut buffer).await?;
        // Anything else may be forged or late: the right one may still come.
        if let Some(answer) = matching(message, &buffer[..count]) {
            return Ok(answer);
        }
    }
}

async fn by_tcp(server: SocketAddr, message: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], bytes].concat()).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0u8; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    matching(message, &answer)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an answer to the question"))
}

/// The answer, if it is one to this question.
fn matching(question: &Message, bytes: &[u8]) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let same = answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && (answer.queries == question.queries || answer.queries.is_empty());
    same.then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read_as_the_manual_says() {
        let text = "# nameserver 9.9.9.9\nsearch a b\nnameserver 192.0.2.1\n nameserver\tfe80::1%eth0 x\nnameserverx 1.1.1.1\n\
                    nameserver bad\nnameserver 127.0.0.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let own = ["127.0.0.1".parse().unwrap()];
        let servers: Vec<String> =
            Upstreams::from_resolv_conf(text, &own).servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[fe80::1]:53", "192.0.2.2:53"]);
        assert!(Upstreams::from_resolv_conf("", &[]).servers.is_empty());
    }
}
