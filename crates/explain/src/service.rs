//! Services that lead nowhere.

use api_meta::labels::Selector;
use api_record::scalar::IntOrString;
use api_types::core::v1::{Pod, Service, ServicePort};
use api_types::discovery::v1::EndpointSlice;

use crate::evidence::Evidence;
use crate::finding::{Finding, Named, counted, few};
use crate::limits::SHOWN;
use crate::pod;

/// The label by which slices name their service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// How many endpoints are ready, and how many are not.
fn endpoints(service: &Service, evidence: &Evidence) -> (usize, usize) {
    let meta = &service.metadata;
    let slices = evidence.world.in_namespace::<EndpointSlice>(&meta.namespace);
    let own = slices.filter(|slice| slice.metadata.labels.get(SERVICE_NAME) == Some(&meta.name));
    let all = own.flat_map(|slice| slice.endpoints.iter());
    let (ready, unready): (Vec<_>, Vec<_>) =
        all.partition(|endpoint| endpoint.conditions.ready != Some(false));
    (ready.len(), unready.len())
}

/// How a service is, in a few words.
pub(crate) fn state(service: &Service, evidence: &Evidence) -> String {
    if service.spec.type_ == "ExternalName" {
        return format!("another name for {}", service.spec.external_name);
    }
    if !evidence.knows::<EndpointSlice>() {
        return String::new();
    }
    let (ready, unready) = endpoints(service, evidence);
    let not = if unready > 0 { format!(", {unready} not ready") } else { String::new() };
    format!("{}{not}", counted(ready, "ready endpoint", "ready endpoints"))
}

/// Why it is so.
pub(crate) fn explain(service: &Service, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    let spec = &service.spec;
    if spec.type_ == "ExternalName" {
        return findings;
    }
    let ready = endpoints(service, evidence).0;
    if spec.selector.is_empty() {
        if ready == 0 && evidence.knows::<EndpointSlice>() {
            let why =
                "it has no selector: somebody has to write its EndpointSlices, and none has a ready endpoint";
            findings.push(
                Finding::new("NoSelector", why).remedy("give it a selector, or write EndpointSlices for it"),
            );
        }
    } else if evidence.knows::<Pod>() {
        findings.extend(selected(service, ready, evidence));
    }
    if spec.type_ == "LoadBalancer" && is_waiting_for_balancer(service) {
        let why = "nobody has given it an address of a load balancer: that is done by a cloud's controller, or by one such as MetalLB";
        findings.push(Finding::new("NoLoadBalancer", why));
    }
    findings
}

fn is_waiting_for_balancer(service: &Service) -> bool {
    service.status.load_balancer.ingress.is_empty()
}

fn selected(service: &Service, ready: usize, evidence: &Evidence) -> Vec<Finding> {
    let meta = &service.metadata;
    let selector = Selector::from_labels(&service.spec.selector);
    let picked: Vec<&Pod> = evidence.world.picked::<Pod>(&meta.namespace, &selector).collect();
    let living: Vec<&Pod> =
        picked.iter().copied().filter(|pod| !control_base::pod::is_terminal(pod)).collect();
    if living.is_empty() {
        return vec![nothing(service, &selector, &picked, evidence)];
    }
    let mut findings: Vec<Finding> =
        service.spec.ports.iter().filter_map(|port| portless(port, &living)).collect();
    if ready == 0 && findings.is_empty() {
        let why = format!(
            "its selector {selector} picks {}, and none of them is ready",
            counted(living.len(), "pod", "pods")
        );
        let pods = living.iter().filter_map(|pod| pod::brief(pod, evidence));
        findings.push(Finding::new("NoReadyPods", why).because(pods));
    }
    findings
}

/// No pod is picked: those that come nearest show what is wrong with which labels.
fn nothing(service: &Service, selector: &Selector, picked: &[&Pod], evidence: &Evidence) -> Finding {
    let namespace = &service.metadata.namespace;
    if !picked.is_empty() {
        let why = format!(
            "its selector {selector} picks only pods that have ended: {}",
            few(picked.iter().map(|pod| &pod.metadata.name), SHOWN)
        );
        return Finding::new("NoPods", why);
    }
    let finding =
        Finding::new("NoPods", format!("its selector {selector} picks no pod of the namespace {namespace}"));
    let wanted = &service.spec.selector;
    let agrees = |pod: &&Pod| {
        wanted.iter().filter(|(key, value)| pod.metadata.labels.get(*key) == Some(value)).count()
    };
    let all =
        evidence.world.in_namespace::<Pod>(namespace).filter(|pod| !control_base::pod::is_terminal(pod));
    let nearest = all.filter(|pod| agrees(pod) > 0).max_by_key(agrees);
    let Some(nearest) = nearest else {
        return finding.remedy("make pods with these labels, or mend the selector");
    };
    let wrong = wanted.iter().filter(|(key, value)| nearest.metadata.labels.get(*key) != Some(value));
    let wrong = wrong.map(|(key, value)| match nearest.metadata.labels.get(key) {
        Some(own) => format!("{key}={own} instead of {value}"),
        None => format!("no {key}"),
    });
    let why = Finding::new("Labels", format!("comes nearest, with {}", few(wrong, SHOWN)))
        .about(Named::pod(&nearest.metadata));
    finding.because([why]).remedy("mend the selector, or the labels of the pods")
}

/// A port by a name that no container has.
fn portless(port: &ServicePort, pods: &[&Pod]) -> Option<Finding> {
    let IntOrString::String(name) = &port.target_port else { return None };
    let ports = |pod: &Pod| {
        let all = pod.spec.containers.iter().flat_map(|container| container.ports.iter());
        all.map(|port| port.name.clone()).filter(|name| !name.is_empty()).collect::<Vec<_>>()
    };
    if pods.iter().any(|pod| ports(pod).contains(name)) {
        return None;
    }
    let known = pods.first().map(|pod| ports(pod)).unwrap_or_default();
    let known = if known.is_empty() {
        "they name no ports".to_owned()
    } else {
        format!("they have {}", few(known, SHOWN))
    };
    let why =
        format!("port {} leads to a port named {name} of its pods, and none has one: {known}", port.port);
    Some(Finding::new("NoSuchPort", why).remedy("mend targetPort, or name the container's port"))
}
