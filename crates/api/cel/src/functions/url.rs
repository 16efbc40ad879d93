//! URLs (`library/urls.go`): absolute ones, or paths, read as Go's `url.ParseRequestURI` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Answer, bool, failed, operators::key};
use crate::value::{Key, Value};

/// A URL in its parts.
#[derive(Debug)]
pub struct Url {
    /// All of it.
    pub text: String,
    scheme: String,
    host: String,
    path: String,
    query: String,
}

impl Url {
    fn parse(text: &str) -> Result<Url, String> {
        let wrong =
            |why: &str| format!("URL parse error during conversion from string: parse {text:?}: {why}");
        if text.is_empty() {
            return Err(wrong("empty url"));
        }
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(wrong("net/url: invalid control character in URL"));
        }
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = match before.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
            _ if before.starts_with('/') => (String::new(), before),
            _ => return Err(wrong("invalid URI for request")),
        };
        let (host, path) = match rest.strip_prefix("//") {
            Some(rest) if !scheme.is_empty() => {
                let at = rest.find('/').unwrap_or(rest.len());
                (&rest[..at], &rest[at..])
            }
            _ if rest.starts_with('/') => ("", rest),
            _ => return Err(wrong("invalid URI for request")),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if !is_host(host) {
            return Err(wrong("invalid character in host name"));
        }
        if !escapes_are_whole(path) {
            return Err(wrong("invalid URL escape"));
        }
        let (host, path, query) = (host.to_owned(), path.to_owned(), query.to_owned());
        Ok(Url { text: text.to_owned(), scheme, host, path, query })
    }

    /// The host without its port, and the port.
    fn split_host(&self) -> (&str, &str) {
        if let Some((address, rest)) = self.host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            return (address, rest.trim_start_matches(':'));
        }
        self.host.rsplit_once(':').unwrap_or((&self.host, ""))
    }

    fn query(&self) -> Value {
        let mut all: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
        for pair in self.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            all.entry(key(&unescaped(name))).or_default().push(Value::text(unescaped(value)));
        }
        let lists = all.into_iter().map(|(key, values)| (key, Value::List(values.into())));
        Value::Map(Arc::new(lists.collect()))
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("", rest),
            _ => return false,
        },
        None => host.split_once(':').map_or((host, ""), |(name, _)| (name, &host[name.len()..])),
    };
    let port_is_one = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|digit| digit.is_ascii_digit()));
    port_is_one && !name.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '}', '|', '#'])
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit())))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    Some(match (name, values) {
        ("url", [Value::String(text)]) => {
            Url::parse(text).map_or_else(failed, |url| Ok(Value::Url(Arc::new(url))))
        }
        ("isURL", [Value::String(text)]) => bool(Url::parse(text).is_ok()),
        ("getScheme", [Value::Url(url)]) => Ok(Value::text(&url.scheme)),
        ("getHost", [Value::Url(url)]) => Ok(Value::text(&url.host)),
        ("getHostname", [Value::Url(url)]) => Ok(Value::text(url.split_host().0)),
        ("getPort", [Value::Url(url)]) => Ok(Value::text(url.split_host().1)),
        ("getEscapedPath", [Value::Url(url)]) => Ok(Value::text(&url.path)),
        ("getQuery", [Value::Url(url)]) => Ok(url.query()),
        _ => return None,
    })
}
