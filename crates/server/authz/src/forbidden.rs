//! The words of a refusal, exactly upstream's.
//!
//! The HTTP layer puts [`cause`] into a `Forbidden` Status of the request's resource and name, and [`message`] is what
//! that Status then says. Building the Status itself is `api-meta`'s.

use api_meta::quote;

use crate::Attributes;

/// What was refused to whom, with the authorizers' reason after a colon if there is one.
///
/// What the user controls is kept from looking like HTML; the reason is not the user's.
pub fn cause(request: &Attributes<'_>, reason: &str) -> String {
    let mut text = refused(request).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if !reason.is_empty() {
        text.push_str(": ");
        text.push_str(reason);
    }
    text
}

/// The message of the whole Status: `pods "web" is forbidden: User "x" cannot get resource…`.
pub fn message(request: &Attributes<'_>, reason: &str) -> String {
    let cause = cause(request, reason);
    if request.resource.is_empty() {
        return format!("forbidden: {cause}");
    }
    let dot = if request.api_group.is_empty() { "" } else { "." };
    let resource = format!("{}{dot}{}", request.resource, request.api_group);
    if request.name.is_empty() {
        format!("{resource} is forbidden: {cause}")
    } else {
        format!("{resource} {} is forbidden: {cause}", quote::go(request.name))
    }
}

fn refused(request: &Attributes<'_>) -> String {
    let (user, verb) = (quote::go(request.user), request.verb);
    if !request.is_resource_request {
        return format!("User {user} cannot {verb} path {}", quote::go(request.path));
    }
    let resource = if request.subresource.is_empty() {
        quote::go(request.resource)
    } else {
        quote::go(&format!("{}/{}", request.resource, request.subresource))
    };
    let group = quote::go(request.api_group);
    let scope = if request.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {}", quote::go(request.namespace))
    };
    format!("User {user} cannot {verb} resource {resource} in API group {group} {scope}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_read_as_upstream_s() {
        let of = Attributes::of("jane", &[]);
        let pods = of.on("get", "", "pods");
        let cases = [
            (
                Attributes { namespace: "shop", name: "web", ..pods },
                "",
                r#"pods "web" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "shop""#,
            ),
            (
                Attributes { subresource: "log", ..pods },
                "",
                r#"pods is forbidden: User "jane" cannot get resource "pods/log" in API group "" at the cluster scope"#,
            ),
            (
                of.on("list", "apps", "deployments"),
                "rbac: RBAC: none",
                r#"deployments.apps is forbidden: User "jane" cannot list resource "deployments" in API group "apps" at the cluster scope: rbac: RBAC: none"#,
            ),
            (of.at("get", "/metrics"), "", r#"forbidden: User "jane" cannot get path "/metrics""#),
            (of.at("get", "/<a>&b"), "<", r#"forbidden: User "jane" cannot get path "/&lt;a&gt;&amp;b": <"#),
            (
                Attributes { user: "a\"b", ..pods },
                "",
                r#"pods is forbidden: User "a\"b" cannot get resource "pods" in API group "" at the cluster scope"#,
            ),
        ];
        for (request, reason, expected) in cases {
            assert_eq!(message(&request, reason), expected);
        }
    }
}
