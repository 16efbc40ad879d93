//! Why somebody could not be asked, in Go's words: upstream puts its network's errors into its answers, and its clients look for them.

use std::error::Error;
use std::io;

use base::error::Chain;
use hyper_util::client::legacy;
use rustls::CertificateError;

/// Why no connection was made to an address (`HOST:PORT`).
pub fn of_dial(address: &str, error: &io::Error) -> String {
    match tls(error) {
        Some(error) => of_tls(error),
        None if error.kind() == io::ErrorKind::TimedOut => format!("dial tcp {address}: i/o timeout"),
        None if error.raw_os_error().is_some() => format!("dial tcp {address}: connect: {}", plain(error)),
        None => format!("dial tcp {address}: {}", of_io(error)),
    }
}

/// Why a connection broke.
pub fn of_io(error: &io::Error) -> String {
    match (tls(error), error.kind()) {
        (Some(error), _) => of_tls(error),
        (None, io::ErrorKind::UnexpectedEof) => "EOF".to_owned(),
        (None, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            format!("read: {}", plain(error))
        }
        (None, _) => plain(error),
    }
}

/// Why a request over a connection was not answered, or not wholly.
pub fn of_exchange(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        return "EOF".to_owned();
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(error) => of_io(error),
        None => format!("net/http: HTTP/1.x transport connection broken: {}", Chain(error)),
    }
}

/// Why a request of a client that keeps connections was not answered by an address (`HOST:PORT`).
pub fn of_request(address: &str, error: &legacy::Error) -> String {
    let source = error.source();
    let io = source.and_then(|source| source.downcast_ref::<io::Error>());
    if let (true, Some(error)) = (error.is_connect(), io) {
        return of_dial(address, error);
    }
    match source.and_then(|source| source.downcast_ref::<hyper::Error>()) {
        Some(error) => of_exchange(error),
        None => Chain(error).to_string(),
    }
}

fn tls(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn of_tls(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "tls: first record does not look like a TLS handshake".to_owned(),
        rustls::Error::InvalidCertificate(why) => {
            format!("tls: failed to verify certificate: x509: {}", of_certificate(why))
        }
        rustls::Error::AlertReceived(alert) => format!("remote error: tls: {alert:?}"),
        other => format!("tls: {other}"),
    }
}

fn of_certificate(why: &CertificateError) -> String {
    match why {
        // An authority that was made anew under its old name signs otherwise than the one that is known.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "certificate signed by unknown authority".to_owned()
        }
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "certificate has expired or is not yet valid".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let wanted = expected.to_str();
            // As `DnsName("a")` and `IpAddress(10.0.0.1)`.
            let plain = |name: &String| {
                let inner = name.split_once('(').map_or(name.as_str(), |(_, inner)| inner);
                inner.trim_end_matches(')').trim_matches('"').to_owned()
            };
            let names: Vec<String> = presented.iter().map(plain).collect();
            match names.is_empty() {
                true => format!("certificate is not valid for any names, but wanted to match {wanted}"),
                false => format!("certificate is valid for {}, not {wanted}", names.join(", ")),
            }
        }
        other => other.to_string(),
    }
}

/// What the kernel says, as Go writes it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_as_go_tells_them() {
        for (error, told) in [
            (io::Error::from_raw_os_error(111), "dial tcp 10.0.0.1:80: connect: connection refused"),
            (io::Error::from_raw_os_error(113), "dial tcp 10.0.0.1:80: connect: no route to host"),
            (io::Error::from(io::ErrorKind::TimedOut), "dial tcp 10.0.0.1:80: i/o timeout"),
            (
                io::Error::other(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)),
                "tls: first record does not look like a TLS handshake",
            ),
        ] {
            assert_eq!(of_dial("10.0.0.1:80", &error), told);
        }
        assert_eq!(of_io(&io::Error::from(io::ErrorKind::UnexpectedEof)), "EOF");
    }
}
