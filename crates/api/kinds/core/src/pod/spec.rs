//! What is wrong with a pod's spec, in a pod or in a template.

use api_kind::checks::{each, one_of, qualified_name, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_labels;
use api_meta::names;
use api_types::core::v1::{Container, PodDNSConfig, PodSpec};
use api_types::meta::v1::ObjectMeta;

use super::container::{self, Around};
use super::{annotations, env, resources, scheduling, security, volume, windows};

const MAX_NAMESERVERS: usize = 3;
const MAX_SEARCHES: usize = 32;
const MAX_SEARCH_CHARACTERS: usize = 2048;

/// Checks a spec; `meta` is the pod's, and absent in a template.
pub fn check(errors: &mut ErrorList, path: &Path, spec: &PodSpec, meta: Option<&ObjectMeta>) {
    if spec.termination_grace_period_seconds.is_none() {
        errors.push(FieldError::required(&path.child("terminationGracePeriodSeconds"), ""));
    }
    let volumes = volume::check(errors, &path.child("volumes"), &spec.volumes, meta);
    let around = Around { spec, volumes: &volumes };
    let is_mirror = meta.is_some_and(|meta| meta.annotations.contains_key(annotations::MIRROR));
    if is_mirror && !spec.resource_claims.is_empty() {
        errors.push(FieldError::forbidden(&Path::NONE, "static pods do not support resource claims"));
    } else {
        claims(errors, &path.child("resourceClaims"), spec);
    }
    container::plain(errors, &path.child("containers"), &around);
    container::initial(errors, &path.child("initContainers"), &around);
    container::ephemeral(errors, &path.child("ephemeralContainers"), &around);
    if let Some(resources_) = &spec.resources {
        resources::of_pod(errors, &path.child("resources"), resources_, spec);
    }
    host_network(errors, &path.child("containers"), spec, meta.is_some());
    one_of(errors, &path.child("restartPolicy"), &spec.restart_policy, &["Always", "OnFailure", "Never"]);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(errors, &path.child("dnsPolicy"), &spec.dns_policy, &policies);
    errors.extend(validate_labels(&spec.node_selector, &path.child("nodeSelector")));
    if let Some(context) = &spec.security_context {
        security::of_pod(errors, &path.child("securityContext"), context, spec);
    }
    windows::host_process(errors, path, spec);
    if spec.host_pid && spec.share_process_namespace == Some(true) {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(FieldError::invalid(&path.child("shareProcessNamespace"), true, why));
    }
    if let Some(affinity) = &spec.affinity {
        scheduling::affinity(errors, &path.child("affinity"), affinity);
    }
    dns(errors, &path.child("dnsConfig"), spec.dns_config.as_deref(), &spec.dns_policy);
    for (index, gate) in spec.readiness_gates.iter().enumerate() {
        let at = path.child("readinessGates").index(index).child("conditionType");
        qualified_name(errors, &at, &gate.condition_type);
    }
    scheduling::gates(errors, &path.child("schedulingGates"), &spec.scheduling_gates);
    scheduling::spread(errors, &path.child("topologySpreadConstraints"), &spec.topology_spread_constraints);
    host_users(errors, path, spec);
    hostname_override(errors, &path.child("hostnameOverride"), spec);
    identity(errors, path, spec);
    rest(errors, path, spec);
    env::file_volumes(errors, path, spec);
}

fn claims(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    for (index, claim) in spec.resource_claims.iter().enumerate() {
        let at = path.index(index);
        if required(errors, &at.child("name"), &claim.name) {
            if spec.resource_claims[..index].iter().any(|other| other.name == claim.name) {
                errors.push(FieldError::duplicate(&at.child("name"), &claim.name));
            } else {
                each(errors, &at.child("name"), &claim.name, names::is_dns1123_label(&claim.name));
            }
        }
        for (name, value) in [
            ("resourceClaimName", &claim.resource_claim_name),
            ("resourceClaimTemplateName", &claim.resource_claim_template_name),
        ] {
            if let Some(value) = value {
                each(errors, &at.child(name), value, names::name_is_dns_subdomain(value, false));
            }
        }
        let given = usize::from(claim.resource_claim_name.is_some())
            + usize::from(claim.resource_claim_template_name.is_some());
        if given == 0 {
            let why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
            errors.push(FieldError::invalid(&at, api_kind::checks::shown(claim), why));
        } else if given == 2 {
            let why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified";
            errors.push(FieldError::invalid(&at, api_kind::checks::shown(claim), why));
        }
    }
}

fn host_network(errors: &mut ErrorList, path: &Path, spec: &PodSpec, is_pod: bool) {
    for (index, container) in spec.containers.iter().enumerate().filter(|_| spec.host_network) {
        for (place, port) in container.ports.iter().enumerate() {
            if (is_pod || port.host_port != 0) && port.host_port != port.container_port {
                let at = path.index(index).child("ports").index(place).child("hostPort");
                let why = "must match `containerPort` when `hostNetwork` is true";
                errors.push(FieldError::invalid(&at, port.host_port, why));
            }
        }
    }
}

fn dns(errors: &mut ErrorList, path: &Path, config: Option<&PodDNSConfig>, policy: &str) {
    let own = policy == "None";
    let Some(config) = config else {
        if own {
            errors.push(FieldError::required(path, "must provide `dnsConfig` when `dnsPolicy` is None"));
        }
        return;
    };
    let (servers, searches) = (path.child("nameservers"), path.child("searches"));
    if own && config.nameservers.is_empty() {
        let why = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.push(FieldError::required(&servers, why));
        return;
    }
    if config.nameservers.len() > MAX_NAMESERVERS {
        let why = format!("must not have more than {MAX_NAMESERVERS} nameservers");
        errors.push(FieldError::invalid(&servers, &config.nameservers, why));
    }
    for (index, server) in config.nameservers.iter().enumerate() {
        errors.extend(names::is_valid_ip_for_legacy_field(&servers.index(index), server, true, &[]));
    }
    if config.searches.len() > MAX_SEARCHES {
        let why = format!("must not have more than {MAX_SEARCHES} search paths");
        errors.push(FieldError::invalid(&searches, &config.searches, why));
    }
    if config.searches.join(" ").len() > MAX_SEARCH_CHARACTERS {
        let why = format!(
            "must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        );
        errors.push(FieldError::invalid(&searches, &config.searches, why));
    }
    for (index, search) in config.searches.iter().enumerate().filter(|(_, search)| *search != ".") {
        let search = search.strip_suffix('.').unwrap_or(search);
        each(errors, &searches.index(index), search, names::is_dns1123_subdomain_with_underscore(search));
    }
    for (index, option) in config.options.iter().enumerate() {
        if option.name.is_empty() {
            errors.push(FieldError::required(&path.child("options").index(index), "must not be empty"));
        }
    }
}

/// Upstream names these fields below the spec itself, as they are.
fn host_users(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    if spec.host_users != Some(false) {
        return;
    }
    // Two names are written as upstream writes them.
    for (name, given) in
        [("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc)]
    {
        if given {
            errors.push(FieldError::forbidden(&path.child(name), "when `hostUsers` is false"));
        }
    }
    let devices = |list: &[Container]| -> Vec<bool> {
        list.iter().map(|container| !container.volume_devices.is_empty()).collect()
    };
    let ephemeral = spec.ephemeral_containers.iter();
    let ephemeral = ephemeral.map(|own| !own.ephemeral_container_common.volume_devices.is_empty()).collect();
    for (field, given) in [
        ("initContainers", devices(&spec.init_containers)),
        ("containers", devices(&spec.containers)),
        ("ephemeralContainers", ephemeral),
    ] {
        for (index, _) in given.into_iter().enumerate().filter(|(_, given)| *given) {
            let at = path.child(field).index(index).child("volumeDevices");
            errors.push(FieldError::forbidden(&at, "when `hostUsers` is false"));
        }
    }
}

fn hostname_override(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    let Some(name) = &spec.hostname_override else { return };
    if spec.set_hostname_as_fqdn == Some(true) {
        errors.push(FieldError::forbidden(path, "may not be specified when setHostnameAsFQDN is true"));
    }
    if spec.host_network {
        errors.push(FieldError::forbidden(path, "may not be specified when hostNetwork is true"));
    }
    if name.len() > 64 {
        errors.push(FieldError::too_long(path, 64));
    }
    each(errors, path, name, names::is_dns1123_subdomain(name));
}

fn identity(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    let account = &spec.service_account_name;
    if !account.is_empty() {
        let faults = names::name_is_dns_subdomain(account, false);
        each(errors, &path.child("serviceAccountName"), account, faults);
    }
    if spec.deprecated_service_account != *account {
        let why = format!("must be the same as serviceAccountName: {}", api_meta::quote::go(account));
        let at = path.child("deprecatedServiceAccount");
        errors.push(FieldError::invalid(&at, &spec.deprecated_service_account, why));
    }
    if !spec.node_name.is_empty() {
        let faults = names::name_is_dns_subdomain(&spec.node_name, false);
        each(errors, &path.child("nodeName"), &spec.node_name, faults);
    }
    if let Some(seconds) = spec.active_deadline_seconds {
        scheduling::deadline(errors, &path.child("activeDeadlineSeconds"), seconds, 1);
    }
    for (name, value) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if !value.is_empty() {
            each(errors, &path.child(name), value, names::is_dns1123_label(value));
        }
    }
}

fn rest(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    scheduling::tolerations(errors, &path.child("tolerations"), &spec.tolerations);
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        let at = path.child("hostAliases").index(index);
        errors.extend(names::is_valid_ip_for_legacy_field(&at.child("ip"), &alias.ip, true, &[]));
        for (place, name) in alias.hostnames.iter().enumerate() {
            each(errors, &at.child("hostnames").index(place), name, names::is_dns1123_subdomain(name));
        }
    }
    let class = &spec.priority_class_name;
    if !class.is_empty() {
        each(errors, &path.child("priorityClassName"), class, names::name_is_dns_subdomain(class, false));
    }
    if let Some(class) = &spec.runtime_class_name {
        let faults = names::name_is_dns_subdomain(class, false);
        each(errors, &path.child("runtimeClassName"), class, faults);
    }
    if let Some(policy) = &spec.preemption_policy {
        one_of(errors, &path.child("preemptionPolicy"), policy, &["PreemptLowerPriority", "Never"]);
    }
    resources::of_overhead(errors, &path.child("overhead"), &spec.overhead);
    if let Some(os) = &spec.os {
        let at = path.child("os");
        if required(errors, &at.child("name"), &os.name) {
            supported(errors, &at, &os.name, &["linux", "windows"]);
            match os.name.as_str() {
                "linux" => windows::not_for_linux(errors, path, spec),
                "windows" => windows::check(errors, path, spec),
                _ => {}
            }
        }
    }
}
