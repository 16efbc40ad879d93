//! What a path and a method ask for.

use client::{Resource, Target};
use http::Method;
use percent_encoding::percent_decode_str;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The verb as rules name it, empty for methods that are none; the method in lower case for paths that are not about a resource.
    pub verb: &'static str,
    /// What it is about.
    pub place: Place,
}

impl Info {
    /// Whether the answer can be shown as a table: what is only answered and nowhere stored cannot (upstream's reviews, bindings,
    /// evictions and tokens have no table convertor).
    pub fn has_table(&self) -> bool {
        let Place::Resource { target, .. } = &self.place else { return true };
        let review =
            ["authentication.k8s.io", "authorization.k8s.io"].contains(&target.resource.group.as_ref());
        let answered = ["binding", "eviction", "token"].contains(&target.subresource.as_str());
        !review && !answered && target.resource.plural != "bindings"
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A resource, one of its objects, or a part of one.
    Resource {
        /// Which.
        target: Target,
        /// What follows the subresource: the path that a proxy is to ask for.
        rest: String,
    },
    /// Anything else.
    Path(String),
}

/// Upstream's `RequestInfoFactory`.
pub fn parse(method: &Method, path: &str, watch: bool) -> Info {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    match resource(&parts) {
        Some((target, rest)) => {
            let verb = verb(method, &target, watch);
            Info { verb, place: Place::Resource { target, rest } }
        }
        None => Info { verb: lower(method), place: Place::Path(path.to_owned()) },
    }
}

fn resource(parts: &[String]) -> Option<(Target, String)> {
    let (group, version, rest) = match parts {
        [api, version, rest @ ..] if api == "api" => (String::new(), version.clone(), rest),
        [apis, group, version, rest @ ..] if apis == "apis" => (group.clone(), version.clone(), rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        [] => return None,
        // A namespace's own subresources are of the resource `namespaces`.
        [word, name, sub, ..] if word == "namespaces" && !matches!(sub.as_str(), "status" | "finalize") => {
            (name.clone(), &rest[2..])
        }
        rest => (String::new(), rest),
    };
    let part = |index: usize| rest.get(index).cloned().unwrap_or_default();
    let plural = part(0);
    let own = if plural == "namespaces" { part(1) } else { namespace };
    let target = Target {
        resource: Resource { group: group.into(), version: version.into(), plural: plural.into() },
        namespace: own,
        name: part(1),
        subresource: part(2),
    };
    Some((target, rest.get(3..).unwrap_or_default().join("/")))
}

fn verb(method: &Method, target: &Target, watch: bool) -> &'static str {
    let collection = target.name.is_empty();
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if collection => "deletecollection",
        Method::DELETE => "delete",
        Method::GET | Method::HEAD if watch && target.subresource.is_empty() => "watch",
        Method::GET | Method::HEAD if collection => "list",
        Method::GET | Method::HEAD => "get",
        // What no rule can name but by `*`.
        _ => "",
    }
}

fn lower(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get",
        Method::HEAD => "head",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "options",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(method: Method, path: &str, watch: bool) -> String {
        let info = parse(&method, path, watch);
        match info.place {
            Place::Path(path) => format!("{} {path}", info.verb),
            Place::Resource { target, rest } => {
                let Target { resource, namespace, name, subresource } = target;
                format!("{} {resource} {namespace:?} {name:?} {subresource:?} {rest:?}", info.verb)
            }
        }
    }

    #[test]
    fn paths_are_read_as_upstream_reads_them() {
        for (method, path, watch, wanted) in [
            (Method::GET, "/api/v1/namespaces/a/pods", false, r#"list pods "a" "" "" """#),
            (Method::GET, "/api/v1/pods", true, r#"watch pods "" "" "" """#),
            (Method::GET, "/api/v1/namespaces/a/pods/b/log", false, r#"get pods "a" "b" "log" """#),
            (Method::GET, "/api/v1/namespaces/a", false, r#"get namespaces "a" "a" "" """#),
            (
                Method::PUT,
                "/api/v1/namespaces/a/finalize",
                false,
                r#"update namespaces "a" "a" "finalize" """#,
            ),
            (Method::GET, "/api/v1/namespaces", false, r#"list namespaces "" "" "" """#),
            (
                Method::DELETE,
                "/apis/apps/v1/namespaces/a/deployments",
                false,
                r#"deletecollection deployments.apps "a" "" "" """#,
            ),
            (Method::POST, "/api/v1/nodes/n/proxy/a/b", false, r#"create nodes "" "n" "proxy" "a/b""#),
            (
                Method::HEAD,
                "/api/v1/namespaces/a/pods/https:b:443/proxy/",
                false,
                r#"get pods "a" "https:b:443" "proxy" """#,
            ),
            (
                Method::PATCH,
                "/api/v1/namespaces/a/services/b/proxy",
                false,
                r#"patch services "a" "b" "proxy" """#,
            ),
            (
                Method::OPTIONS,
                "/api/v1/namespaces/a/services/b/proxy/c",
                false,
                r#" services "a" "b" "proxy" "c""#,
            ),
            (Method::GET, "/healthz", false, "get /healthz"),
            (Method::GET, "/apis/apps", false, "get /apis/apps"),
            (Method::GET, "/apis/apps/v1", false, "get /apis/apps/v1"),
        ] {
            assert_eq!(show(method, path, watch), wanted, "{path}");
        }
    }
}
