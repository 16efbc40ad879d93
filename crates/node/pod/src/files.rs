//! The files that every container gets from the node: /etc/hosts, /etc/hostname, /etc/resolv.conf, in kubelet's words.

use std::fmt::Write;

use api_types::core::v1::Pod;

/// The longest host name that the kernel takes.
const HOSTNAME_BYTES_MAX: usize = 63;
/// How many search domains a resolv.conf has at most.
const SEARCHES_MAX: usize = 32;
/// How many bytes all of them have at most.
const SEARCH_BYTES_MAX: usize = 2048;
/// How many resolvers a resolv.conf has at most.
const NAMESERVERS_MAX: usize = 3;

/// How names are resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// The resolvers.
    pub nameservers: Vec<String>,
    /// The search domains.
    pub searches: Vec<String>,
    /// The options, such as `ndots:5`.
    pub options: Vec<String>,
}

impl Dns {
    /// Reads a resolv.conf.
    pub fn parse(text: &str) -> Dns {
        let mut dns = Dns::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let key = words.next().unwrap_or_default();
            let values = words.map(|word| word.to_owned());
            match key {
                "nameserver" => dns.nameservers.extend(values.take(1)),
                "search" => dns.searches = values.collect(),
                "options" => dns.options = values.collect(),
                _ => {}
            }
        }
        dns
    }

    /// Writes a resolv.conf, as containerd does for kubelet.
    pub fn text(&self) -> String {
        let mut out = String::new();
        if !self.searches.is_empty() {
            let _ = writeln!(out, "search {}", self.searches.join(" "));
        }
        for server in &self.nameservers {
            let _ = writeln!(out, "nameserver {server}");
        }
        if !self.options.is_empty() {
            let _ = writeln!(out, "options {}", self.options.join(" "));
        }
        out
    }
}

/// How a pod resolves names, from its policy and own settings, the cluster's DNS (if there is one) and the machine's.
pub fn dns(pod: &Pod, cluster_dns: &[String], domain: &str, machine: &Dns) -> Dns {
    let spec = &pod.spec;
    let in_cluster = match spec.dns_policy.as_str() {
        "None" | "Default" => false,
        "ClusterFirstWithHostNet" => true,
        _ => !spec.host_network,
    };
    let mut dns = match spec.dns_policy.as_str() {
        "None" => Dns::default(),
        _ if in_cluster && !cluster_dns.is_empty() => {
            let namespace = &pod.metadata.namespace;
            let mut searches =
                vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.to_owned()];
            searches.extend(machine.searches.iter().cloned());
            Dns { nameservers: cluster_dns.to_vec(), searches, options: vec!["ndots:5".to_owned()] }
        }
        _ => machine.clone(),
    };
    if let Some(own) = &spec.dns_config {
        dns.nameservers.extend(own.nameservers.iter().cloned());
        dns.searches.extend(own.searches.iter().cloned());
        for option in &own.options {
            let prefix = format!("{}:", option.name);
            dns.options.retain(|other| *other != option.name && !other.starts_with(&prefix));
            dns.options.push(match &option.value {
                Some(value) => format!("{}:{value}", option.name),
                None => option.name.clone(),
            });
        }
    }
    fit(&mut dns);
    dns
}

/// Kubelet's bounds, and no domain or resolver twice.
fn fit(dns: &mut Dns) {
    let unique = |list: &mut Vec<String>| {
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|one| seen.insert(one.clone()));
    };
    unique(&mut dns.nameservers);
    unique(&mut dns.searches);
    dns.nameservers.truncate(NAMESERVERS_MAX);
    dns.searches.truncate(SEARCHES_MAX);
    while dns.searches.iter().map(|one| one.len() + 1).sum::<usize>() > SEARCH_BYTES_MAX + 1 {
        dns.searches.pop();
    }
}

/// A pod's host name and domain: `hostnameOverride`, `hostname`, or its own name, as short as the kernel wants it.
pub fn hostname(pod: &Pod, cluster_domain: &str) -> (String, String) {
    let spec = &pod.spec;
    if let Some(whole) = &spec.hostname_override {
        return (whole.clone(), String::new());
    }
    let given = if spec.hostname.is_empty() { &pod.metadata.name } else { &spec.hostname };
    let mut name: String = given.chars().take(HOSTNAME_BYTES_MAX).collect();
    let kept = name.trim_end_matches(['-', '.']).len();
    name.truncate(kept);
    let domain = if spec.subdomain.is_empty() {
        String::new()
    } else {
        format!("{}.{}.svc.{cluster_domain}", spec.subdomain, pod.metadata.namespace)
    };
    (name, domain)
}

/// What the kernel is told as the pod's host name: with the domain if `setHostnameAsFQDN` asks for it.
pub fn kernel_hostname(pod: &Pod, cluster_domain: &str) -> String {
    let (name, domain) = hostname(pod, cluster_domain);
    match domain.is_empty() || pod.spec.set_hostname_as_fqdn != Some(true) {
        true => name,
        false => format!("{name}.{domain}"),
    }
}

/// A pod's /etc/hosts; of a pod on the host's network, the machine's own with the pod's aliases.
pub fn hosts(pod: &Pod, addresses: &[String], cluster_domain: &str, machine: &str) -> String {
    let mut out = String::new();
    if pod.spec.host_network {
        out.push_str("# Kubernetes-managed hosts file (host network).\n");
        out.push_str(machine);
    } else {
        out.push_str("# Kubernetes-managed hosts file.\n");
        out.push_str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        out.push_str("fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
        let (name, domain) = hostname(pod, cluster_domain);
        for address in addresses {
            let _ = match domain.is_empty() {
                true => writeln!(out, "{address}\t{name}"),
                false => writeln!(out, "{address}\t{name}.{domain}\t{name}"),
            };
        }
    }
    if !pod.spec.host_aliases.is_empty() {
        out.push_str("\n# Entries added by HostAliases.\n");
        for alias in &pod.spec.host_aliases {
            let _ = writeln!(out, "{}\t{}", alias.ip, alias.hostnames.join("\t"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(policy: &str, host_network: bool) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = "web-0".into();
        pod.metadata.namespace = "shop".into();
        pod.spec.dns_policy = policy.into();
        pod.spec.host_network = host_network;
        pod
    }

    #[test]
    fn policies_choose_the_resolver() {
        let machine = Dns::parse("search corp\nnameserver 192.0.2.53\noptions timeout:1\n");
        let cluster = ["10.96.0.10".to_owned()];
        let inside = "search shop.svc.cluster.local svc.cluster.local cluster.local corp\nnameserver 10.96.0.10\noptions ndots:5\n";
        let outside = "search corp\nnameserver 192.0.2.53\noptions timeout:1\n";
        let cases = [
            ("ClusterFirst", false, inside),
            ("ClusterFirst", true, outside),
            ("ClusterFirstWithHostNet", true, inside),
            ("Default", false, outside),
            ("None", false, ""),
        ];
        for (policy, host_network, want) in cases {
            let got = dns(&pod(policy, host_network), &cluster, "cluster.local", &machine);
            assert_eq!(got.text(), want, "{policy}");
        }
    }

    #[test]
    fn host_names_fit_the_kernel() {
        let mut one = pod("", false);
        one.metadata.name = format!("{}-b", "a".repeat(62));
        assert_eq!(hostname(&one, "cluster.local").0, "a".repeat(62));
        one.spec.hostname = "db".into();
        one.spec.subdomain = "dbs".into();
        assert_eq!(kernel_hostname(&one, "cluster.local"), "db");
        one.spec.set_hostname_as_fqdn = Some(true);
        assert_eq!(kernel_hostname(&one, "cluster.local"), "db.dbs.shop.svc.cluster.local");
        let text = hosts(&one, &["10.0.0.5".into()], "cluster.local", "");
        assert!(text.contains("10.0.0.5\tdb.dbs.shop.svc.cluster.local\tdb\n"), "{text}");
    }
}
