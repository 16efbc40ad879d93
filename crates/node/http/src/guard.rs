//! Who may ask a node what, in the attributes of `pkg/kubelet/server/auth.go`.

use api_meta::Status;
use base_serve::Peer;
use client::BoxFuture;
use http::{HeaderMap, Method};

/// What a caller must be allowed to do with the node's object: any one of these suffices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The verb.
    pub verb: &'static str,
    /// Subresources of `nodes`, the finest first.
    pub subresources: &'static [&'static str],
}

impl Wanted {
    /// What a request needs.
    pub fn of(method: &Method, path: &str) -> Wanted {
        let verb = match *method {
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "get",
        };
        let below =
            |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        let subresources: &[&str] = if below("/healthz") {
            &["healthz", "proxy"]
        } else if below("/pods") || below("/runningpods") {
            &["pods", "proxy"]
        } else if below("/configz") {
            &["configz", "proxy"]
        } else if below("/stats") {
            &["stats"]
        } else if below("/metrics") {
            &["metrics"]
        } else if below("/logs") {
            &["log"]
        } else if below("/checkpoint") {
            &["checkpoint"]
        } else {
            &["proxy"]
        };
        Wanted { verb, subresources }
    }
}

/// Why a request is not carried out.
#[derive(Clone, Debug)]
pub enum Refused {
    /// Nobody knows who it is.
    Unauthorized,
    /// They may not.
    Forbidden(String),
    /// It cannot be found out.
    Failed(Status),
}

/// Whoever knows callers and what they may do.
pub trait Guard: Send + Sync {
    /// Lets a request pass, or not.
    fn admit<'a>(
        &'a self,
        peer: &'a Peer,
        headers: &'a HeaderMap,
        wanted: Wanted,
    ) -> BoxFuture<'a, Result<(), Refused>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_kubelets() {
        for (method, path, verb, subresources) in [
            (Method::GET, "/healthz", "get", &["healthz", "proxy"][..]),
            (Method::GET, "/healthz/ping", "get", &["healthz", "proxy"]),
            (Method::GET, "/pods", "get", &["pods", "proxy"]),
            (Method::GET, "/podsy", "get", &["proxy"]),
            (Method::GET, "/containerLogs/a/b/c", "get", &["proxy"]),
            (Method::POST, "/exec/a/b/c", "create", &["proxy"]),
            (Method::GET, "/stats/summary", "get", &["stats"]),
            (Method::GET, "/metrics/cadvisor", "get", &["metrics"]),
            (Method::GET, "/logs/", "get", &["log"]),
        ] {
            assert_eq!(Wanted::of(&method, path), Wanted { verb, subresources }, "{method} {path}");
        }
    }
}
