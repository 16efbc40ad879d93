//! Links to what is behind a proxy, made to lead through it: upstream's `Transport.rewriteURL`.

use super::path::{join, unescaped};

/// Where what is behind a proxy is, as its pages and its clients name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Links {
    /// The path of the proxy, read: what comes before the other end's own paths.
    pub(crate) prefix: String,
    /// The other end's host, with its port where it was given one.
    pub(crate) backend: String,
    /// The host that the client asked.
    pub(crate) asked: String,
}

/// A link that cannot be read, with the reason in Go's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse {link:?}: {why}")]
pub(crate) struct Unreadable {
    link: String,
    why: String,
}

/// A link's parts, of which only those are read that decide where it leads; the rest is as it was written.
struct Parts<'a> {
    /// `SCHEME:`, or nothing.
    scheme: &'a str,
    /// What follows `//`, or nothing.
    authority: &'a str,
    path: &'a str,
    /// From the `?` or `#` on.
    rest: &'a str,
}

impl Links {
    /// What a link becomes; `None` if it stays as it is: one to another host, one relative to the page, one through the proxy already.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn rewrite(&self, link: &str) -> Result<Option<String>, Unreadable> {
        let parts = parse(link).map_err(|why| Unreadable { link: link.to_owned(), why })?;
        let host = parts.authority.rsplit('@').next().unwrap_or_default();
        let elsewhere = !host.is_empty() && host != self.backend && host != self.asked;
        if elsewhere || !parts.path.starts_with('/') {
            return Ok(None);
        }
        // Who named the proxy itself meant it; who named the other end did not know better.
        let kept = if !host.is_empty() && host == self.asked {
            format!("{}//{}", parts.scheme, parts.authority)
        } else {
            String::new()
        };
        let path = if unescaped(parts.path).starts_with(&self.prefix) {
            parts.path.to_owned()
        } else {
            join(&super::path::escaped(&self.prefix), parts.path)
        };
        let written = format!("{kept}{path}{}", parts.rest);
        Ok(Some(written).filter(|written| written != link))
    }
}

/// Go's `url.Parse`, as far as it matters here.
fn parse(link: &str) -> Result<Parts<'_>, String> {
    if link.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let end = link.find(['?', '#']).unwrap_or(link.len());
    let (link, rest) = link.split_at(end);
    let (scheme, after) = scheme(link)?;
    let (authority, path) = match after.strip_prefix("//") {
        Some(after) if !scheme.is_empty() || !after.starts_with('/') => {
            after.split_at(after.find('/').unwrap_or(after.len()))
        }
        _ => ("", after),
    };
    if scheme.is_empty()
        && !path.starts_with('/')
        && path.split('/').next().is_some_and(|part| part.contains(':'))
    {
        return Err("first path segment in URL cannot contain colon".to_owned());
    }
    let port = authority.rsplit(['@', ']']).next().unwrap_or_default().split_once(':').map(|(_, port)| port);
    if let Some(port) = port.filter(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("invalid port {:?} after host", format!(":{port}")));
    }
    escapes(authority)?;
    // What follows a scheme and is no path (`mailto:`) is not looked into.
    if scheme.is_empty() || path.starts_with('/') {
        escapes(path)?;
    }
    Ok(Parts { scheme, authority, path, rest })
}

/// The scheme with its colon, and what follows.
fn scheme(link: &str) -> Result<(&str, &str), String> {
    for (at, byte) in link.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok(link.split_at(at + 1)),
            _ => break,
        }
    }
    Ok(("", link))
}

fn escapes(text: &str) -> Result<(), String> {
    let bytes = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        if !bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
            let shown: String = text[at..].chars().take(3).collect();
            return Err(format!("invalid URL escape {shown:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        Links {
            prefix: "/api/v1/namespaces/a/pods/https:b:8443/proxy".into(),
            backend: "10.0.0.1:8443".into(),
            asked: "localhost:8001".into(),
        }
    }

    #[test]
    fn links_lead_through_the_proxy() {
        let prefix = links().prefix;
        for (link, wanted) in [
            ("/", format!("{prefix}/")),
            ("/login", format!("{prefix}/login")),
            ("/a/../b//c/?x=/y#/z", format!("{prefix}/b/c/?x=/y#/z")),
            ("/%2f%20", format!("{prefix}/%2f%20")),
            ("https://10.0.0.1:8443/login", format!("{prefix}/login")),
            ("//10.0.0.1:8443/login", format!("{prefix}/login")),
            ("http://localhost:8001/login?next=1", format!("http://localhost:8001{prefix}/login?next=1")),
            ("https://10.0.0.1:8443/api/v1/namespaces/a/pods/https:b:8443/proxy/x", format!("{prefix}/x")),
        ] {
            assert_eq!(links().rewrite(link), Ok(Some(wanted)), "{link}");
        }
    }

    #[test]
    fn other_links_stay() {
        for link in [
            "",
            "login",
            "./login",
            "../up",
            "?page=2",
            "#top",
            "https://example.com/login",
            "//example.com/login",
            "http://10.0.0.1/other-port",
            "http://10.0.0.1:8443",
            "mailto:a@b",
            "javascript:void(0)",
            "data:image/png;base64,AA/BB",
            "/api/v1/namespaces/a/pods/https:b:8443/proxy/x",
            "http://localhost:8001/api/v1/namespaces/a/pods/https:b:8443/proxy/x",
        ] {
            assert_eq!(links().rewrite(link), Ok(None), "{link}");
        }
    }

    #[test]
    fn what_is_no_link_is_refused() {
        for (link, why) in [
            ("/a%zz", "parse \"/a%zz\": invalid URL escape \"%zz\""),
            ("/a%4", "parse \"/a%4\": invalid URL escape \"%4\""),
            (":x", "parse \":x\": missing protocol scheme"),
            ("1a:b/c", "parse \"1a:b/c\": first path segment in URL cannot contain colon"),
            ("http://h:x/", "parse \"http://h:x/\": invalid port \":x\" after host"),
            ("/a\u{1}", "parse \"/a\\u{1}\": net/url: invalid control character in URL"),
        ] {
            assert_eq!(links().rewrite(link).unwrap_err().to_string(), why);
        }
    }
}
