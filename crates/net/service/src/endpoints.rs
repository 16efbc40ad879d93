//! Which endpoints a service's traffic may use from this node. Pure; kube-proxy's `CategorizeEndpoints`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::spec::{Endpoint, NodeFacts, ServiceSpec, TrafficPolicy};

/// An endpoint's address and port.
pub type Target = (IpAddr, u16);

/// The usable endpoints of one port, for one address family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usable {
    /// For traffic under policy Cluster.
    pub cluster: BTreeSet<Target>,
    /// For traffic under policy Local.
    pub local: BTreeSet<Target>,
    /// Whether there is any usable endpoint anywhere, even if none of the two has it.
    pub any: bool,
    /// All of the two that are on this node: those that may call themselves through the service.
    pub here: BTreeSet<Target>,
}

/// How topology hints narrow the cluster's endpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Topology {
    All,
    SameNode,
    SameZone,
}

/// Whether the service reaches the node's ports or addresses from outside.
fn is_external(spec: &ServiceSpec) -> bool {
    !spec.external_ips.is_empty()
        || !spec.load_balancer_ips.is_empty()
        || spec.ports.iter().any(|port| port.node_port.is_some())
}

/// Whether policy Cluster is ever used: also by pods that short-cut an external address with policy Local.
pub fn uses_cluster(spec: &ServiceSpec) -> bool {
    spec.internal_policy == TrafficPolicy::Cluster || is_external(spec)
}

/// Whether policy Local is ever used.
pub fn uses_local(spec: &ServiceSpec) -> bool {
    spec.internal_policy == TrafficPolicy::Local
        || (spec.external_policy == TrafficPolicy::Local && is_external(spec))
}

/// Sorts the endpoints of one port and one address family. Ready ones count; if there are none, those that still serve
/// while they terminate, separately for either policy.
pub fn categorize(spec: &ServiceSpec, endpoints: &[&Endpoint], node: &NodeFacts) -> Usable {
    let draining = |endpoint: &&&Endpoint| endpoint.serving && endpoint.terminating;
    let is_here = |endpoint: &Endpoint| endpoint.node.as_deref() == Some(node.name.as_str());
    let target = |endpoint: &&Endpoint| (endpoint.ip, endpoint.port);
    let mut usable = Usable::default();
    if uses_cluster(spec) {
        let topology = topology(endpoints, node);
        let fits = |endpoint: &&&Endpoint| match topology {
            Topology::All => true,
            Topology::SameNode => endpoint.node_hints.contains(&node.name),
            Topology::SameZone => endpoint.zone_hints.contains(&node.zone),
        };
        usable.cluster = endpoints.iter().filter(|one| one.ready).filter(fits).map(target).collect();
        if usable.cluster.is_empty() {
            usable.cluster = endpoints.iter().filter(draining).map(target).collect();
        }
        usable.any = !usable.cluster.is_empty();
    }
    if uses_local(spec) {
        let local = endpoints.iter().filter(|endpoint| is_here(endpoint));
        usable.local = local.clone().filter(|endpoint| endpoint.ready).map(target).collect();
        if usable.local.is_empty() {
            usable.local = local.filter(draining).map(target).collect();
        }
        usable.any |=
            endpoints.iter().any(|endpoint| endpoint.ready || (endpoint.serving && endpoint.terminating));
    }
    let here: BTreeSet<Target> = endpoints.iter().filter(|endpoint| is_here(endpoint)).map(target).collect();
    usable.here =
        usable.cluster.union(&usable.local).filter(|target| here.contains(target)).copied().collect();
    usable
}

/// Hints count only if every ready endpoint has them and one of them is for here.
fn topology(endpoints: &[&Endpoint], node: &NodeFacts) -> Topology {
    let mut ready = endpoints.iter().filter(|endpoint| endpoint.ready).peekable();
    if ready.peek().is_none() {
        return Topology::All;
    }
    let ready: Vec<_> = ready.collect();
    if ready.iter().all(|one| !one.node_hints.is_empty())
        && ready.iter().any(|one| one.node_hints.contains(&node.name))
    {
        return Topology::SameNode;
    }
    if ready.iter().all(|one| !one.zone_hints.is_empty())
        && ready.iter().any(|one| one.zone_hints.contains(&node.zone))
    {
        return Topology::SameZone;
    }
    Topology::All
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Protocol, ServicePort};

    fn spec(internal: TrafficPolicy, external: TrafficPolicy, node_port: Option<u16>) -> ServiceSpec {
        ServiceSpec {
            ports: vec![ServicePort { name: String::new(), protocol: Protocol::Tcp, port: 80, node_port }],
            internal_policy: internal,
            external_policy: external,
            ..ServiceSpec::default()
        }
    }

    /// `name: state@node[zone]`, the state being r(eady), d(raining), u(nready).
    fn endpoints(text: &str) -> Vec<Endpoint> {
        let one = |word: &str| {
            let (state, rest) = word.split_at(1);
            let (last, rest) = rest.split_once('@').unwrap();
            let (node, zone) = rest.split_once('/').unwrap_or((rest, ""));
            let mut endpoint = Endpoint::ready(format!("10.0.0.{last}").parse().unwrap(), 80, node);
            endpoint.ready = state == "r";
            endpoint.serving = state != "u";
            endpoint.terminating = state == "d";
            endpoint.zone_hints.extend((!zone.is_empty()).then(|| zone.to_owned()));
            endpoint
        };
        text.split_whitespace().map(one).collect()
    }

    fn check(spec: &ServiceSpec, text: &str, cluster: &str, local: &str, any: bool) {
        let endpoints = endpoints(text);
        let node = NodeFacts { name: "a".into(), zone: "z".into(), ips: vec![] };
        let usable = categorize(spec, &endpoints.iter().collect::<Vec<_>>(), &node);
        let last = |targets: &BTreeSet<Target>| -> Vec<String> {
            targets.iter().map(|(ip, _)| ip.to_string().rsplit('.').next().unwrap().to_owned()).collect()
        };
        assert_eq!(
            (last(&usable.cluster).join(" "), last(&usable.local).join(" "), usable.any),
            (cluster.into(), local.into(), any),
            "{text}"
        );
    }

    #[test]
    fn policies_and_fallbacks() {
        use TrafficPolicy::{Cluster, Local};
        let plain = spec(Cluster, Cluster, None);
        check(&plain, "", "", "", false);
        check(&plain, "r1@a r2@b", "1 2", "", true);
        check(&plain, "r1@a d2@b u3@b", "1", "", true);
        check(&plain, "d1@a u2@b d3@b", "1 3", "", true);
        check(&plain, "u1@a", "", "", false);
        let inner = spec(Local, Cluster, None);
        check(&inner, "r1@a r2@b", "", "1", true);
        check(&inner, "r2@b", "", "", true);
        check(&inner, "d1@a r2@b", "", "1", true);
        let outer = spec(Cluster, Local, Some(30000));
        check(&outer, "r1@a r2@b", "1 2", "1", true);
        check(&outer, "d1@a r2@b", "2", "1", true);
        check(&outer, "r2@b", "2", "", true);
        check(&spec(Cluster, Local, None), "r1@a", "1", "", true);
    }

    #[test]
    fn hints_count_only_if_all_have_them_and_one_is_for_here() {
        let plain = spec(TrafficPolicy::Cluster, TrafficPolicy::Cluster, None);
        check(&plain, "r1@a/z r2@b/y", "1", "", true);
        check(&plain, "r1@a/z r2@b", "1 2", "", true);
        check(&plain, "r1@a/x r2@b/y", "1 2", "", true);
        check(&plain, "u1@a/z r2@b/y", "2", "", true);
    }
}
