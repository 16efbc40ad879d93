//! Names that say more than a name: `[scheme:]name[:port]`.

/// What is meant by a name that a proxy is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// Whether TLS is to be spoken.
    pub(crate) tls: bool,
    /// The object's name.
    pub(crate) name: &'a str,
    /// Its port, by number or name; empty if none is given.
    pub(crate) port: &'a str,
}

/// Upstream's `SplitSchemeNamePort`: `None` for what is no such name.
pub(crate) fn parse(text: &str) -> Option<Named<'_>> {
    let parts: Vec<&str> = text.split(':').collect();
    let (scheme, name, port) = match parts[..] {
        [name] => ("", name, ""),
        [name, port] => ("", name, port),
        [scheme, name, port] => (scheme, name, port),
        _ => return None,
    };
    let tls = match scheme {
        "" | "http" => false,
        "https" => true,
        _ => return None,
    };
    (!name.is_empty()).then_some(Named { tls, name, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_upstream_splits_them() {
        let named = |tls, name, port| Some(Named { tls, name, port });
        for (text, wanted) in [
            ("web", named(false, "web", "")),
            ("web:", named(false, "web", "")),
            ("web:80", named(false, "web", "80")),
            ("web:http", named(false, "web", "http")),
            (":web:80", named(false, "web", "80")),
            ("http:web:80", named(false, "web", "80")),
            ("https:web:", named(true, "web", "")),
            ("https:web:tls", named(true, "web", "tls")),
            ("https:web", named(false, "https", "web")),
            ("", None),
            (":80", None),
            ("http::80", None),
            ("ftp:web:80", None),
            ("HTTPS:web:80", None),
            ("a:b:c:d", None),
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }
}
