//! What is answered by the node that a pod runs on: logs, exec, attach, port-forward.
//!
//! The path is rewritten to the node's own (kubelet's) and the whole request handed on, upgrades included.

mod log;
mod log_websocket;

use api_meta::Status;
use api_types::core::v1::Pod;
use base_serve::websocket::is_asked;
use client::{BoxFuture, Target};
use futures_util::StreamExt as _;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::Incoming;

use crate::connect;
use crate::content::Body;
use crate::handler::Handler;
use crate::options::Query;
use crate::proxy::headers::forget_caller;
use crate::resource::Asked;

/// Whoever can reach the nodes.
pub trait Nodes: Send + Sync {
    /// Has a node answer a request whose path is the node's own. Whoever sent it has been forgotten.
    fn forward<'a>(
        &'a self,
        node: &'a str,
        request: Request<Incoming>,
    ) -> BoxFuture<'a, Result<Response<Body>, Unanswered>>;
}

/// Why there is no answer of another's.
#[derive(Debug)]
pub enum Unanswered {
    /// It was refused.
    Refused(Status),
    /// No connection was made; why, in Go's words.
    Dial(String),
    /// The connection broke, or no HTTP came over it.
    Exchange(String),
}

/// Whether a part of a pod is answered by its node.
pub(crate) fn is_theirs(target: &Target) -> bool {
    &*target.resource.plural == "pods"
        && matches!(target.subresource.as_str(), "log" | "exec" | "attach" | "portforward")
}

/// Has the pod's node answer.
pub(crate) async fn answer(
    handler: &Handler,
    asked: &Asked<'_>,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Status> {
    let Asked { caller, target, query, verb, .. } = asked;
    handler.local.check(caller, verb, target)?;
    connect::admit(handler, asked, "").await?;
    let registry = handler.local.direct().registry();
    let served =
        registry.catalog().find("", "v1", "pods").ok_or_else(|| Status::internal_error("no pods"))?;
    let object = registry.get_hub(served, &target.namespace, &target.name).await?;
    let pod: &Pod = object.downcast_ref().ok_or_else(|| Status::internal_error("a pod of another type"))?;
    if pod.spec.node_name.is_empty() {
        return Err(Status::bad_request(format!("pod {} does not have a host assigned", target.name)));
    }
    let path = path(target, pod, query)?;
    *request.uri_mut() = path.parse::<Uri>().map_err(|error| Status::bad_request(error.to_string()))?;
    forget_caller(request.headers_mut());
    let is_log = target.subresource == "log";
    let waiting = (is_log && is_asked(request.headers())).then(|| log_websocket::Waiting::take(&mut request));
    let response = handler.reach.nodes.forward(&pod.spec.node_name, request).await.map_err(refusal)?;
    Ok(match waiting {
        Some(waiting) => waiting.answer(response),
        // A log that breaks off ends there, for upstream's clients too.
        None if is_log => response.map(ending),
        None => response,
    })
}

/// What upstream says of a node that cannot be asked.
fn refusal(why: Unanswered) -> Status {
    let why = match why {
        Unanswered::Refused(status) => return status,
        Unanswered::Dial(why) => format!("error dialing backend: {why}"),
        Unanswered::Exchange(why) => why,
    };
    Status::failure(500, "", why, None)
}

/// A body that ends where another breaks off.
fn ending(body: Body) -> Body {
    let frames = BodyStream::new(body);
    let whole = frames.take_while(|frame| std::future::ready(frame.is_ok()));
    BodyExt::boxed_unsync(StreamBody::new(whole))
}

/// The node's path (`pkg/registry/core/pod/strategy.go`: `LogLocation`, `ExecLocation`, …).
fn path(target: &Target, pod: &Pod, query: &Query) -> Result<String, Status> {
    let Target { namespace, name, subresource, .. } = target;
    if subresource == "portforward" {
        let ports: Vec<String> = query.all("ports").map(|port| format!("port={}", escaped(port))).collect();
        return Ok(format!("/portForward/{namespace}/{name}{}", question(&ports)));
    }
    let container = container(pod, query.get("container"))?;
    if subresource == "log" {
        log::check(name, query)?;
        let passed =
            ["follow", "previous", "timestamps", "sinceSeconds", "sinceTime", "tailLines", "limitBytes"];
        let given = passed.iter().filter(|key| query.has(key));
        let options: Vec<String> = given.map(|key| format!("{key}={}", escaped(query.get(key)))).collect();
        return Ok(format!("/containerLogs/{namespace}/{name}/{container}{}", question(&options)));
    }
    let mut options = Vec::new();
    for (from, to) in [("stdin", "input"), ("stdout", "output"), ("stderr", "error"), ("tty", "tty")] {
        if query.flag(from) {
            options.push(format!("{to}=1"));
        }
    }
    if options.is_empty() {
        return Err(Status::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    options.extend(query.all("command").map(|word| format!("command={}", escaped(word))));
    Ok(format!("/{subresource}/{namespace}/{name}/{container}{}", question(&options)))
}

/// The container that is meant: the only one, if none is named.
fn container<'a>(pod: &'a Pod, wanted: &'a str) -> Result<&'a str, Status> {
    let spec = &pod.spec;
    let names = || spec.containers.iter().map(|container| container.name.as_str());
    if wanted.is_empty() {
        let chosen = pod.metadata.annotations.get("kubectl.kubernetes.io/default-container");
        let chosen = chosen.filter(|chosen| names().any(|name| name == chosen.as_str()));
        return match (chosen, spec.containers.len()) {
            (Some(chosen), _) => Ok(chosen),
            (None, 1) => Ok(&spec.containers[0].name),
            _ => {
                let all: Vec<&str> = names().collect();
                let mut why = format!(
                    "a container name must be specified for pod {}, choose one of: [{}]",
                    pod.metadata.name,
                    all.join(" ")
                );
                let init: Vec<&str> =
                    spec.init_containers.iter().map(|container| container.name.as_str()).collect();
                if !init.is_empty() {
                    why += &format!(" or one of the init containers: [{}]", init.join(" "));
                }
                Err(Status::bad_request(why))
            }
        };
    }
    let init = spec.init_containers.iter().map(|container| container.name.as_str());
    let ephemeral =
        spec.ephemeral_containers.iter().map(|container| container.ephemeral_container_common.name.as_str());
    if names().chain(init).chain(ephemeral).any(|name| name == wanted) {
        Ok(wanted)
    } else {
        Err(Status::bad_request(format!("container {wanted} is not valid for pod {}", pod.metadata.name)))
    }
}

fn question(options: &[String]) -> String {
    if options.is_empty() { String::new() } else { format!("?{}", options.join("&")) }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Container;
    use client::Resource;

    use super::*;

    fn pod(containers: &[&str]) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = "web".into();
        let container = |name: &&str| Container { name: (*name).into(), ..Container::default() };
        pod.spec.containers = containers.iter().map(container).collect();
        pod
    }

    fn show(subresource: &str, containers: &[&str], query: &str) -> String {
        let target = Target {
            resource: Resource::of("", "v1", "pods"),
            namespace: "shop".into(),
            name: "web".into(),
            subresource: subresource.into(),
        };
        path(&target, &pod(containers), &Query::parse(query)).unwrap_or_else(|status| status.message.clone())
    }

    #[test]
    fn paths_are_the_nodes_own() {
        for (subresource, containers, query, wanted) in [
            (
                "log",
                &["a"][..],
                "follow=true&tailLines=5",
                "/containerLogs/shop/web/a?follow=true&tailLines=5",
            ),
            (
                "exec",
                &["a", "b"],
                "container=b&command=ls&command=-l%20x&stdout=true",
                "/exec/shop/web/b?output=1&command=ls&command=%2Dl%20x",
            ),
            ("attach", &["a"], "stdin=1&tty=1", "/attach/shop/web/a?input=1&tty=1"),
            ("portforward", &["a"], "ports=80&ports=81", "/portForward/shop/web?port=80&port=81"),
            ("log", &["a", "b"], "", "a container name must be specified for pod web, choose one of: [a b]"),
            ("log", &["a"], "container=c", "container c is not valid for pod web"),
            (
                "log",
                &["a"],
                "stream=Stdout",
                "PodLogOptions \"web\" is invalid: stream: Forbidden: may not be specified",
            ),
            ("exec", &["a"], "command=ls", "you must specify at least 1 of stdin, stdout, stderr"),
        ] {
            assert_eq!(show(subresource, containers, query), wanted);
        }
    }
}
