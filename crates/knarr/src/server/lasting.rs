//! What a cluster is made with and keeps: ranges, DNS address and domain. Nodes, services and running pods hold them, and no write of
//! ours would change them there; K3s and kubeadm do not change them either. A server that is started with others is refused, before
//! anything is changed.
//!
//! The truth is what nodes are told, the ConfigMap `kube-system/knarr-cluster`; where there is none, nothing is held against the flags.

use api_types::core::v1::ConfigMap;
use server_authz::bootstrap::SETTINGS;
use server_registry::Registry;

use crate::node::Settings;

/// Fails if the cluster that is kept there was made with other settings.
pub async fn check(registry: &Registry, wanted: &Settings) -> anyhow::Result<()> {
    let Some(served) = registry.catalog().find("", "v1", "configmaps") else { return Ok(()) };
    let found = match registry.get_hub(served, "kube-system", SETTINGS).await {
        Ok(found) => found,
        Err(status) if status.is_not_found() => return Ok(()),
        Err(status) => anyhow::bail!("what the cluster was made with cannot be read: {status}"),
    };
    let told = found.downcast_ref::<ConfigMap>().and_then(|told| Settings::of_map(&told.data).ok());
    // Somebody spoiled it; it is written anew.
    let Some(kept) = told else { return Ok(()) };
    match refusal(&kept, wanted) {
        Some(why) => Err(anyhow::Error::msg(why)),
        None => Ok(()),
    }
}

fn refusal(kept: &Settings, wanted: &Settings) -> Option<String> {
    let dns =
        |settings: &Settings| settings.cluster_dns.map_or_else(|| "none".to_owned(), |dns| dns.to_string());
    let pairs = [
        ("--cluster-cidr", kept.cluster_cidr.to_string(), wanted.cluster_cidr.to_string()),
        ("--service-cidr", kept.service_cidr.to_string(), wanted.service_cidr.to_string()),
        ("--cluster-dns", dns(kept), dns(wanted)),
        ("--cluster-domain", kept.cluster_domain.clone(), wanted.cluster_domain.clone()),
    ];
    let changed = pairs.iter().filter(|(_, kept, wanted)| kept != wanted);
    let lines: Vec<String> = changed
        .map(|(flag, kept, wanted)| format!("\n  {flag} is {kept} and cannot become {wanted}"))
        .collect();
    (!lines.is_empty()).then(|| {
        format!(
            "this cluster was made with other values, which its nodes, services and pods use:{}\n\
             Start it with the values that it has. A cluster with others is a new one: give it another --data-dir, or \
             delete this one (knarr down --purge)",
            lines.concat()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn settings() -> Settings {
        Settings {
            cluster_cidr: "10.42.0.0/16".parse().expect("a range"),
            service_cidr: "10.43.0.0/16".parse().expect("a range"),
            cluster_dns: Some(IpAddr::from([10, 43, 0, 10])),
            serves_dns: true,
            cluster_domain: "cluster.local".to_owned(),
        }
    }

    #[test]
    fn each_value_that_would_change_is_named_with_the_one_that_stays() {
        assert_eq!(refusal(&settings(), &settings()), None);
        let without_dns = Settings { serves_dns: false, ..settings() };
        assert_eq!(refusal(&settings(), &without_dns), None, "another may answer the DNS from now on");
        let other = Settings {
            cluster_cidr: "10.50.0.0/16".parse().expect("a range"),
            cluster_domain: "example.test".to_owned(),
            ..settings()
        };
        let why = refusal(&settings(), &other).expect("refused");
        let lines: Vec<&str> = why.lines().skip(1).take(2).collect();
        assert_eq!(
            lines,
            [
                "  --cluster-cidr is 10.42.0.0/16 and cannot become 10.50.0.0/16",
                "  --cluster-domain is cluster.local and cannot become example.test"
            ]
        );
        let other = Settings {
            service_cidr: "10.44.0.0/16".parse().expect("a range"),
            cluster_dns: None,
            ..settings()
        };
        let why = refusal(&settings(), &other).expect("refused");
        assert!(
            why.contains("--service-cidr is 10.43.0.0/16") && why.contains("--cluster-dns is 10.43.0.10"),
            "{why}"
        );
    }
}
