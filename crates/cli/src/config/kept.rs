//! What a cluster or node keeps from its first start on, by the names of its flags. Pure.
//!
//! Ranges, DNS address and domain are in every node, service and pod; the node's name in its pods and volumes. So a start without these
//! flags takes them from the record of the last (see [`crate::instance`]), and neither `knarr up` after a `down` nor a changed host's
//! name makes another cluster of it. What was given by flag, environment or file outranks the record, and is refused where it differs.

use std::str::FromStr;

use super::Settings;
use crate::arguments::value;
use crate::arguments::{AgentFlags, NodeFlags, ServerFlags};

/// The flags whose values are kept.
const KEPT: [&str; 6] =
    ["cluster-cidr", "service-cidr", "cluster-dns", "cluster-domain", "node-name", "write-kubeconfig"];

/// Those of what a server or agent runs with that are kept once it has been made. Where no node runs, none has a name.
pub fn of(settings: &Settings) -> Settings {
    let without_node = settings.get("disable-agent").is_some_and(|value| value == "true");
    let is_kept = |flag: &str| KEPT.contains(&flag) && !(without_node && flag == "node-name");
    let kept = settings.iter().filter(|(flag, value)| is_kept(flag) && !value.is_empty());
    kept.map(|(flag, value)| (flag.clone(), value.clone())).collect()
}

/// Fills in the flags of a server that were not given.
pub fn fill_server(flags: &mut ServerFlags, kept: &Settings) {
    let services = parsed(kept, "service-cidr");
    // The address lies in the services' range: one of another range is none of it.
    if flags.service_cidr.is_none() || flags.service_cidr == services {
        fill(&mut flags.cluster_dns, || parsed(kept, "cluster-dns"));
    }
    fill(&mut flags.service_cidr, || services);
    fill(&mut flags.cluster_cidr, || parsed(kept, "cluster-cidr"));
    fill(&mut flags.cluster_domain, || kept.get("cluster-domain").cloned());
    fill(&mut flags.write_kubeconfig, || kept.get("write-kubeconfig").map(Into::into));
    fill_node(&mut flags.node, kept);
}

/// Fills in the flags of an agent that were not given: of a cluster elsewhere only its own name is its to keep.
pub fn fill_agent(flags: &mut AgentFlags, kept: &Settings) {
    fill_node(&mut flags.node, kept);
}

fn fill_node(flags: &mut NodeFlags, kept: &Settings) {
    fill(&mut flags.node_name, || value::node_name(kept.get("node-name")?).ok());
}

fn fill<T>(flag: &mut Option<T>, kept: impl FnOnce() -> Option<T>) {
    if flag.is_none() {
        *flag = kept();
    }
}

fn parsed<T: FromStr>(kept: &Settings, flag: &str) -> Option<T> {
    kept.get(flag)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(flag, value)| ((*flag).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_is_kept_is_what_nodes_services_and_pods_hold() {
        let runs = settings(&[
            ("cluster-cidr", "10.1.0.0/16"),
            ("cluster-dns", ""),
            ("disable-agent", "false"),
            ("https-listen-port", "7443"),
            ("node-name", "one"),
        ]);
        let expected = settings(&[("cluster-cidr", "10.1.0.0/16"), ("node-name", "one")]);
        assert_eq!(of(&runs), expected);
        let without_node = settings(&[("disable-agent", "true"), ("node-name", "one")]);
        assert_eq!(of(&without_node), Settings::new());
    }

    #[test]
    fn a_dns_address_goes_with_its_range() {
        let kept = settings(&[("service-cidr", "10.1.0.0/16"), ("cluster-dns", "10.1.0.53")]);
        let filled = |service_cidr: Option<&str>| {
            let service_cidr = service_cidr.map(|range| range.parse().expect("a range"));
            let mut flags = ServerFlags { service_cidr, ..ServerFlags::default() };
            fill_server(&mut flags, &kept);
            (flags.service_cidr.map(|range| range.to_string()), flags.cluster_dns.map(|dns| dns.to_string()))
        };
        let same = (Some("10.1.0.0/16".to_owned()), Some("10.1.0.53".to_owned()));
        assert_eq!(filled(None), same);
        assert_eq!(filled(Some("10.1.0.0/16")), same);
        assert_eq!(filled(Some("10.2.0.0/16")), (Some("10.2.0.0/16".to_owned()), None));
    }
}
