//! Users that a trusted proxy names in request headers (`X-Remote-User` and company).
//!
//! The proxy proves itself by a client certificate of the front-proxy authority. Follows
//! `k8s.io/apiserver/pkg/authentication/request/headerrequest`.

use std::collections::BTreeMap;

use base::time::Time;
use client::Caller;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;

use crate::headers;
use crate::x509::{ClientAuthorities, X509Error, subject};

/// The headers that name a user (`--requestheader-username-headers`, as kubeadm sets it).
pub const USER_HEADERS: &[&str] = &["X-Remote-User"];
/// The headers that give a user's uid.
pub const UID_HEADERS: &[&str] = &["X-Remote-Uid"];
/// The headers that give a user's groups.
pub const GROUP_HEADERS: &[&str] = &["X-Remote-Group"];
/// What headers begin with that give what else is known of a user.
pub const EXTRA_PREFIXES: &[&str] = &["X-Remote-Extra-"];

/// Which headers name a user. Names are case-insensitive; kept in small letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontProxyHeaders {
    user: Vec<String>,
    uid: Vec<String>,
    group: Vec<String>,
    extra_prefixes: Vec<String>,
}

impl Default for FrontProxyHeaders {
    fn default() -> FrontProxyHeaders {
        FrontProxyHeaders::new(USER_HEADERS, UID_HEADERS, GROUP_HEADERS, EXTRA_PREFIXES)
    }
}

impl FrontProxyHeaders {
    /// The given headers: the first user (or uid) header with a value counts, all groups and extras do.
    pub fn new(user: &[&str], uid: &[&str], group: &[&str], extra_prefixes: &[&str]) -> FrontProxyHeaders {
        let small = |names: &[&str]| names.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        FrontProxyHeaders {
            user: small(user),
            uid: small(uid),
            group: small(group),
            extra_prefixes: small(extra_prefixes),
        }
    }

    /// The user that the headers name, if any.
    pub fn read(&self, headers: &HeaderMap) -> Option<Caller> {
        let first = |names: &[String]| names.iter().find_map(|name| headers::first(headers, name));
        let name = first(&self.user)?;
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for prefix in &self.extra_prefixes {
            for (key, value) in headers::extra(headers, prefix) {
                extra.entry(key).or_default().push(value);
            }
        }
        let groups = self.group.iter().flat_map(|name| headers::all(headers, name));
        Some(Caller {
            name,
            uid: first(&self.uid).unwrap_or_default(),
            groups: groups.filter(|group| !group.is_empty()).collect(),
            extra,
            ..Caller::default()
        })
    }

    /// Removes the headers, so that nothing behind takes them for true.
    pub fn clear(&self, headers: &mut HeaderMap) {
        let named = |name: &str| {
            [&self.user, &self.uid, &self.group].iter().any(|names| names.iter().any(|own| own == name))
        };
        let prefixed =
            |name: &str| self.extra_prefixes.iter().any(|prefix| name.starts_with(prefix.as_str()));
        let gone: Vec<_> =
            headers.keys().filter(|name| named(name.as_str()) || prefixed(name.as_str())).cloned().collect();
        for name in gone {
            headers.remove(name);
        }
    }
}

/// Names a user to whoever trusts this server as a proxy, and nobody else (`client-go/transport`'s `SetAuthProxyHeaders`). What no
/// header can hold is left out.
pub fn name(caller: &Caller, headers: &mut HeaderMap) {
    FrontProxyHeaders::default().clear(headers);
    let mut add = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.append(name, value);
        }
    };
    add(USER_HEADERS[0], &caller.name);
    if !caller.uid.is_empty() {
        add(UID_HEADERS[0], &caller.uid);
    }
    for group in &caller.groups {
        add(GROUP_HEADERS[0], group);
    }
    for (key, values) in &caller.extra {
        let name = format!("{}{}", EXTRA_PREFIXES[0], headers::escape(key));
        values.iter().for_each(|value| add(&name, value));
    }
}

/// The proxies that are trusted, and how.
#[derive(Clone, Debug)]
pub struct FrontProxy {
    /// Whose certificates prove a proxy.
    pub authorities: ClientAuthorities,
    /// The common names that may; all, when empty.
    pub allowed_names: Vec<String>,
    /// The headers.
    pub headers: FrontProxyHeaders,
}

impl FrontProxy {
    /// The user that a proxy names; `None` when there is no certificate, or no user in the headers.
    ///
    /// # Errors
    /// When the certificate is not a trusted proxy's.
    pub fn authenticate(
        &self,
        chain: &[CertificateDer<'_>],
        headers: &HeaderMap,
        now: Time,
    ) -> Result<Option<Caller>, X509Error> {
        let Some(own) = chain.first() else { return Ok(None) };
        self.authorities.verify(chain, now)?;
        let name = subject(own)?.common_name;
        if !self.allowed_names.is_empty() && !self.allowed_names.contains(&name) {
            return Err(X509Error::NotAllowed(name));
        }
        Ok(self.headers.read(headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_proxy_names_is_who_is_read() {
        let mut caller = Caller::new("ada", &["system:authenticated", "crew"]);
        caller.uid = "u-1".to_owned();
        let scopes = vec!["a".to_owned(), "b".to_owned()];
        caller.extra.insert("example.com/scopes%".to_owned(), scopes);
        let mut headers = HeaderMap::new();
        headers.insert("x-remote-group", HeaderValue::from_static("system:masters"));
        headers.insert("x-remote-extra-other", HeaderValue::from_static("x"));
        name(&caller, &mut headers);
        assert!(headers.contains_key("x-remote-extra-example.com%2fscopes%25"));
        assert_eq!(FrontProxyHeaders::default().read(&headers), Some(caller));
    }
}
