//! Whom to ask: a `clientConfig`, as admission's and definitions' webhooks have it.

use std::time::Duration;

use api_types::{admissionregistration, apiextensions};
use bytes::Bytes;
use http::Uri;

/// The port of services and URLs that name none.
const HTTPS: u16 = 443;

/// A webhook's place, and who vouches for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hook {
    pub(crate) place: Place,
    /// Certificates in PEM; where there are none, those that the machine trusts.
    pub(crate) ca_bundle: Bytes,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Service { namespace: String, name: String, path: String, port: u16 },
    Url(String),
}

/// Where to send a call, and who has to answer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The name in the certificate.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What the call's URL begins with, as messages repeat it.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Hook {
    /// A service's webhook; the path may be empty.
    pub fn service(namespace: &str, name: &str, path: &str, port: Option<u16>, ca_bundle: Bytes) -> Hook {
        let [namespace, name, path] = [namespace, name, path].map(str::to_owned);
        let place = Place::Service { namespace, name, path, port: port.unwrap_or(HTTPS) };
        Hook { place, ca_bundle }
    }

    /// The webhook at an `https` URL.
    pub fn url(url: &str, ca_bundle: Bytes) -> Hook {
        Hook { place: Place::Url(url.to_owned()), ca_bundle }
    }

    fn of(url: Option<&str>, service: Option<Hook>, ca_bundle: Option<Bytes>) -> Result<Hook, String> {
        match (service, url) {
            (Some(service), _) => Ok(service),
            (None, Some(url)) if !url.is_empty() => Ok(Hook::url(url, ca_bundle.unwrap_or_default())),
            _ => Err("webhook configuration must have either service or URL".to_owned()),
        }
    }

    /// Where a call goes.
    pub(crate) fn target(&self) -> Result<Target, String> {
        match &self.place {
            Place::Service { namespace, name, path, port } => {
                let host = format!("{name}.{namespace}.svc");
                let authority = format!("{host}:{port}");
                Ok(Target { host, port: *port, authority, path: clean(path) })
            }
            Place::Url(url) => {
                let uri: Uri = url.parse().map_err(|error| format!("Unparsable URL: {error}"))?;
                let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
                let authority = authority.ok_or("Unparsable URL: it is not https://HOST/PATH")?;
                let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                let port = authority.port_u16().unwrap_or(HTTPS);
                Ok(Target { host, port, authority: authority.to_string(), path: clean(uri.path()) })
            }
        }
    }

    /// Whether it is on this machine: it may then speak HTTP/2, which others' load is not spread with.
    pub(crate) fn is_local(&self, target: &Target) -> bool {
        let own = |address: std::net::IpAddr| address.is_loopback();
        matches!(self.place, Place::Url(_))
            && (target.host.eq_ignore_ascii_case("localhost") || target.host.parse().is_ok_and(own))
    }
}

impl Target {
    /// The path with the time that the hook has.
    pub(crate) fn path_and_query(&self, timeout: Duration) -> String {
        format!("{}?timeout={}", self.path, go_seconds(timeout))
    }
}

/// Go's `path.Clean` of what begins with a slash.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Whole seconds, rounded up, as Go writes a duration.
pub(crate) fn go_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn port(port: Option<i32>) -> Option<u16> {
    port.filter(|port| *port != 0).and_then(|port| u16::try_from(port).ok())
}

macro_rules! of_config {
    ($config:ty) => {
        impl TryFrom<&$config> for Hook {
            type Error = String;

            fn try_from(config: &$config) -> Result<Hook, String> {
                let service = config.service.as_deref().map(|own| {
                    let ca_bundle = config.ca_bundle.clone().unwrap_or_default();
                    let path = own.path.as_deref().unwrap_or_default();
                    Hook::service(&own.namespace, &own.name, path, port(own.port), ca_bundle)
                });
                Hook::of(config.url.as_deref(), service, config.ca_bundle.clone())
            }
        }
    };
}

of_config!(admissionregistration::v1::WebhookClientConfig);
of_config!(apiextensions::v1::WebhookClientConfig);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_where_the_configuration_says() {
        let service = |path: &str, port| Hook::service("ns", "svc", path, port, Bytes::new());
        let url = |url: &str| Hook::url(url, Bytes::new());
        for (hook, host, port, shown) in [
            (service("", None), "svc.ns.svc", 443, "svc.ns.svc:443/?timeout=1m5s"),
            (service("/a/b/", Some(8443)), "svc.ns.svc", 8443, "svc.ns.svc:8443/a/b?timeout=1m5s"),
            (url("https://hook.example/x"), "hook.example", 443, "hook.example/x?timeout=1m5s"),
            (url("https://[::1]:9"), "::1", 9, "[::1]:9/?timeout=1m5s"),
        ] {
            let target = hook.target().unwrap();
            let whole =
                format!("{}{}", target.authority, target.path_and_query(Duration::from_millis(64_001)));
            assert_eq!((target.host.as_str(), target.port, whole.as_str()), (host, port, shown));
        }
        assert!(url("http://hook.example/").target().is_err());
        for (text, local) in
            [("https://LocalHost/", true), ("https://127.0.0.2:1/", true), ("https://x/", false)]
        {
            let hook = url(text);
            assert_eq!(hook.is_local(&hook.target().unwrap()), local, "{text}");
        }
    }

    #[test]
    fn a_configuration_names_a_service_or_a_url() {
        let none = admissionregistration::v1::WebhookClientConfig::default();
        let why = Hook::try_from(&none).unwrap_err();
        assert_eq!(why, "webhook configuration must have either service or URL");
        let config = apiextensions::v1::WebhookClientConfig {
            service: Some(Box::new(apiextensions::v1::ServiceReference {
                namespace: "ns".to_owned(),
                name: "svc".to_owned(),
                path: Some("/crd".to_owned()),
                port: Some(9443),
            })),
            ca_bundle: Some(Bytes::from("ca")),
            ..Default::default()
        };
        let hook = Hook::service("ns", "svc", "/crd", Some(9443), Bytes::from("ca"));
        assert_eq!(Hook::try_from(&config), Ok(hook));
    }
}
