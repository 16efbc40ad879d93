//! Probes and hooks that name a host: the node would ask it in the pod's place.

use std::collections::BTreeSet;

use api_types::core::v1::{HTTPGetAction, TCPSocketAction};

use super::{Fault, Seen, Subject, containers, fault, plural, quoted, said};

fn hosts<'a>(container: &Seen<'a>) -> Vec<&'a str> {
    type Asked<'a> = (Option<&'a HTTPGetAction>, Option<&'a TCPSocketAction>);
    let probes = container.probes.into_iter().flatten().map(|probe| &probe.probe_handler);
    let probes =
        probes.map(|probe| -> Asked<'a> { (probe.http_get.as_deref(), probe.tcp_socket.as_deref()) });
    let hooks =
        container.lifecycle.into_iter().flat_map(|own| [own.post_start.as_deref(), own.pre_stop.as_deref()]);
    let hooks =
        hooks.flatten().map(|hook| -> Asked<'a> { (hook.http_get.as_deref(), hook.tcp_socket.as_deref()) });
    let named = probes
        .chain(hooks)
        .flat_map(|(http, tcp)| [http.map(|get| get.host.as_str()), tcp.map(|socket| socket.host.as_str())]);
    named.flatten().filter(|host| !host.is_empty()).collect()
}

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let (names, hosts) = said(subject, hosts);
    let names: Vec<&str> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let uses = plural("uses", "use", names.len());
    let what = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    let detail = format!("{} {uses} {what} {}", containers(&names), quoted(hosts));
    fault("probe or lifecycle host", (!names.is_empty()).then_some(detail))
}
