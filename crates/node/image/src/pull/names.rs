//! Names of registries looked up as the machine's resolv.conf says: a static binary cannot count on the C library for that.
//! What fails is worded as Go's resolver does, since that is what the events of pods say elsewhere.

use std::fmt;
use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Looks names up for one pull: the next one reads resolv.conf again.
pub(super) struct Names;

/// A name without an address.
#[derive(Debug)]
pub(super) struct Unknown {
    host: String,
    why: String,
}

impl std::error::Error for Unknown {}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lookup {}: {}", self.host, self.why)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            match look_up(&host).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(error) => Err(Unknown { why: why(&error), host }.into()),
            }
        })
    }
}

async fn look_up(host: &str) -> Result<Vec<SocketAddr>, NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    let found = builder.build()?.lookup_ip(host).await?;
    // Port 0 is replaced by the address' own.
    Ok(found.iter().map(|address| SocketAddr::new(address, 0)).collect())
}

fn why(error: &NetError) -> String {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => "no such host".to_owned(),
        NetError::Dns(_) => "server misbehaving".to_owned(),
        NetError::Timeout => "i/o timeout".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::net::NoRecords;
    use hickory_resolver::proto::op::{Query, ResponseCode};

    use super::*;

    #[test]
    fn what_fails_is_worded_as_go_words_it() {
        let absent = NoRecords::new(Query::default(), ResponseCode::NXDomain);
        for (error, expected) in [
            (NetError::Dns(DnsError::NoRecordsFound(absent)), "no such host"),
            (NetError::Dns(DnsError::ResponseCode(ResponseCode::ServFail)), "server misbehaving"),
            (NetError::Timeout, "i/o timeout"),
            (NetError::NoConnections, "no connections available"),
        ] {
            let unknown = Unknown { host: "r.example".to_owned(), why: why(&error) };
            assert_eq!(unknown.to_string(), format!("lookup r.example: {expected}"));
        }
    }
}
