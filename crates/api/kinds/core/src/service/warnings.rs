//! What is unwise about a service, in upstream's words (`pkg/api/service/warnings.go`).

use api_kind::Ctx;
use api_meta::field::Path;
use api_meta::names::{cidr_warnings, ip_warnings};
use api_types::core::v1::Service;

const OLD_HINTS: &str = "service.kubernetes.io/topology-aware-hints";

pub(super) fn warnings(ctx: &Ctx<'_>, service: &Service, _: Option<&Service>) -> Vec<String> {
    let mut out = Vec::new();
    if ctx.subresource == "status" {
        let at = Path::new("status").child("loadBalancer").child("ingress");
        for (index, ingress) in service.status.load_balancer.ingress.iter().enumerate() {
            out.extend(ip_warnings(&at.index(index), &ingress.ip));
        }
        return out;
    }
    let (spec, path) = (&service.spec, Path::new("spec"));
    if service.metadata.annotations.contains_key(OLD_HINTS) {
        out.push(format!(
            "annotation {OLD_HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead"
        ));
    }
    let headless = spec.type_ == "ClusterIP" && spec.cluster_ip == "None";
    let external = spec.type_ == "ExternalName";
    if !external && !spec.cluster_ip.is_empty() && spec.cluster_ip != "None" {
        for (index, ip) in spec.cluster_ips.iter().enumerate() {
            out.extend(ip_warnings(&path.child("clusterIPs").index(index), ip));
        }
    }
    for (name, given) in [
        ("loadBalancerIP", !spec.load_balancer_ip.is_empty()),
        ("externalIPs", !spec.external_ips.is_empty()),
        ("SessionAffinity", spec.session_affinity != "None"),
    ] {
        if headless && given {
            out.push(format!("spec.{name} is ignored for headless services"));
        }
    }
    for (index, ip) in spec.external_ips.iter().enumerate() {
        out.extend(ip_warnings(&path.child("externalIPs").index(index), ip));
    }
    if !spec.external_ips.is_empty() && !headless && !external {
        out.push(
            "spec.externalIPs is deprecated and may no longer be implemented in some clusters".to_owned(),
        );
    }
    out.extend(ip_warnings(&path.child("loadBalancerIP"), &spec.load_balancer_ip));
    for (index, cidr) in spec.load_balancer_source_ranges.iter().enumerate() {
        out.extend(cidr_warnings(&path.child("loadBalancerSourceRanges").index(index), cidr));
    }
    if external && !spec.external_ips.is_empty() {
        out.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    }
    if !external && !spec.external_name.is_empty() {
        out.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if spec.traffic_distribution.as_deref() == Some("PreferClose") {
        out.push(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned(),
        );
    }
    out
}
