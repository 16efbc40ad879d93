//! What is unwise about a pod or a template of pods, in upstream's words (`pkg/api/pod/warnings.go`).

mod paths;
mod ports;

use std::collections::BTreeSet;

use api_meta::field::Path;
use api_meta::names::{ip_warnings, is_label_value};
use api_meta::quote::go;
use api_record::scalar::Quantity;
use api_types::core::v1::{
    AppArmorProfile, Container, EnvVar, NodeAffinity, NodeSelectorTerm, PersistentVolumeClaimSpec,
    PodAffinityTerm, PodSpec, ResourceRequirements, SecurityContext, Volume, WeightedPodAffinityTerm,
};
use api_types::meta::v1::{LabelSelector, ObjectMeta};
use std::collections::BTreeMap;

use super::app_armor;

/// Labels of nodes that have been replaced.
const OLD_LABELS: &[(&str, &str)] = &[
    ("beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"),
    ("beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"),
    (
        "failure-domain.beta.kubernetes.io/region",
        "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead",
    ),
    (
        "failure-domain.beta.kubernetes.io/zone",
        "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead",
    ),
    (
        "beta.kubernetes.io/instance-type",
        "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead",
    ),
    ("app.kubernetes.io/created-by", "deprecated since v1.9"),
    (
        "scheduler.alpha.kubernetes.io/preferAvoidPods",
        "deprecated since v1.22; use Taints and Tolerations instead",
    ),
    ("node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"),
];

const OLD_ANNOTATIONS: &[(&str, &str)] = &[
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// What to use instead of a label of nodes that has been replaced.
pub fn old_label(key: &str) -> Option<&'static str> {
    OLD_LABELS.iter().find(|(label, _)| *label == key).map(|(_, message)| *message)
}

/// Those of a selector of nodes by their labels.
pub fn of_label_selector(path: &Path, selector: Option<&LabelSelector>) -> Vec<String> {
    let mut out = Vec::new();
    let Some(selector) = selector else { return out };
    for (index, expression) in selector.match_expressions.iter().enumerate() {
        if let Some(message) = old_label(&expression.key) {
            let at = path.child("matchExpressions").index(index).child("key");
            out.push(format!("{at}: {} is {message}", expression.key));
        }
    }
    for key in selector.match_labels.keys() {
        if let Some(message) = old_label(key) {
            out.push(format!("{}: {message}", path.child("matchLabels").child(key.clone())));
        }
    }
    out
}

/// A pod's, whose path is [`Path::NONE`], or those of the template at a path.
pub fn of(at: &Path, spec: &PodSpec, meta: &ObjectMeta, is_template: bool) -> Vec<String> {
    let path = at.child("spec");
    let mut out = Vec::new();
    placement(&mut out, &path, spec);
    let annotations = at.child("metadata").child("annotations");
    for (key, message) in OLD_ANNOTATIONS {
        if meta.annotations.contains_key(*key) {
            out.push(format!("{}: {message}", annotations.key(*key)));
        }
    }
    for (index, volume) in spec.volumes.iter().enumerate() {
        self::volume(&mut out, &path.child("volumes").index(index), volume);
    }
    paths::overlapping(&mut out, &spec.volumes);
    repeated(&mut out, &path, spec);
    fractional(&mut out, &path.child("overhead"), &spec.overhead);
    let context = spec.security_context.as_deref();
    if context.is_none_or(|context| context.seccomp_profile.is_none())
        && meta.annotations.contains_key(SECCOMP_POD)
    {
        out.push(seccomp(&annotations, SECCOMP_POD));
    }
    let profile = context.and_then(|context| context.app_armor_profile.as_deref());
    each(spec, &path, |container, place| {
        let context = container.security;
        if context.is_none_or(|context| context.seccomp_profile.is_none()) {
            let key = format!("{SECCOMP_CONTAINER}{}", container.name);
            if meta.annotations.contains_key(&key) {
                out.push(seccomp(&annotations, &key));
            }
        }
        if is_template && context.is_none_or(|context| context.app_armor_profile.is_none()) {
            annotated(&mut out, &annotations, meta, container.name, profile);
        }
        fractional(&mut out, &place.child("resources").child("limits"), &container.resources.limits);
        fractional(&mut out, &place.child("resources").child("requests"), &container.resources.requests);
        hidden(&mut out, &place.child("env"), container.env);
    });
    ports::overlapping(&mut out, spec, &path);
    if spec.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        let at = path.child("terminationGracePeriodSeconds");
        out.push(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    affinity(&mut out, &path.child("affinity"), spec);
    for (index, server) in spec.dns_config.iter().flat_map(|dns| dns.nameservers.iter()).enumerate() {
        out.extend(ip_warnings(&path.child("dnsConfig").child("nameservers").index(index), server));
    }
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        out.extend(ip_warnings(&path.child("hostAliases").index(index).child("ip"), &alias.ip));
    }
    out
}

fn seccomp(annotations: &Path, key: &str) -> String {
    format!("{}: non-functional in v1.27+; use the \"seccompProfile\" field instead", annotations.key(key))
}

/// What warnings look at in a container of any sort.
struct Part<'a> {
    name: &'a str,
    env: &'a [EnvVar],
    resources: &'a ResourceRequirements,
    security: Option<&'a SecurityContext>,
    ports: &'a [api_types::core::v1::ContainerPort],
}

impl<'a> Part<'a> {
    fn of(container: &'a Container) -> Part<'a> {
        Part {
            name: &container.name,
            env: &container.env,
            resources: &container.resources,
            security: container.security_context.as_deref(),
            ports: &container.ports,
        }
    }
}

/// Every container in upstream's order: initial, plain, ephemeral.
fn each<'a>(spec: &'a PodSpec, path: &Path, mut visit: impl FnMut(Part<'a>, Path)) {
    for (index, container) in spec.init_containers.iter().enumerate() {
        visit(Part::of(container), path.child("initContainers").index(index));
    }
    for (index, container) in spec.containers.iter().enumerate() {
        visit(Part::of(container), path.child("containers").index(index));
    }
    for (index, container) in spec.ephemeral_containers.iter().enumerate() {
        let common = &container.ephemeral_container_common;
        let part = Part {
            name: &common.name,
            env: &common.env,
            resources: &common.resources,
            security: common.security_context.as_deref(),
            ports: &common.ports,
        };
        visit(part, path.child("ephemeralContainers").index(index));
    }
}

/// An AppArmor annotation says in the old way what the pod's field does not say already.
fn annotated(
    out: &mut Vec<String>,
    annotations: &Path,
    meta: &ObjectMeta,
    container: &str,
    profile: Option<&AppArmorProfile>,
) {
    let key = format!("{}{container}", app_armor::ANNOTATION);
    let Some(text) = meta.annotations.get(&key) else { return };
    if profile.is_none() || profile != app_armor::field(text).as_ref() {
        out.push(app_armor::deprecated(&annotations.key(key)));
    }
}

fn placement(out: &mut Vec<String>, path: &Path, spec: &PodSpec) {
    for key in spec.node_selector.keys() {
        if let Some(message) = old_label(key) {
            out.push(format!("{}: {message}", path.child("nodeSelector").key(key)));
        }
    }
    if let Some(node) = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_deref()) {
        node_affinity(out, &path.child("affinity").child("nodeAffinity"), node);
    }
    for (index, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        let at = path.child("topologySpreadConstraints").index(index);
        if let Some(message) = old_label(&constraint.topology_key) {
            out.push(format!("{}: {} is {message}", at.child("topologyKey"), constraint.topology_key));
        }
        selector(out, &at, constraint.label_selector.as_deref());
    }
}

fn node_affinity(out: &mut Vec<String>, path: &Path, node: &NodeAffinity) {
    if let Some(required) = &node.required_during_scheduling_ignored_during_execution {
        let at = path.child("requiredDuringSchedulingIgnoredDuringExecution").child("nodeSelectorTerms");
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            node_term(out, &at.index(index), term, false);
        }
    }
    let at = path.child("preferredDuringSchedulingIgnoredDuringExecution");
    for (index, term) in node.preferred_during_scheduling_ignored_during_execution.iter().enumerate() {
        node_term(out, &at.index(index).child("preference"), &term.preference, true);
    }
}

/// Those of a term that selects nodes; of its values too, if wanted.
pub fn node_term(out: &mut Vec<String>, path: &Path, term: &NodeSelectorTerm, values: bool) {
    for (index, expression) in term.match_expressions.iter().enumerate() {
        let at = path.child("matchExpressions").index(index);
        if let Some(message) = old_label(&expression.key) {
            out.push(format!("{}: {} is {message}", at.child("key"), expression.key));
        }
        for (place, value) in expression.values.iter().enumerate().filter(|_| values) {
            for message in is_label_value(value) {
                out.push(format!("{}: {value} is invalid, {message}", at.child("values").index(place)));
            }
        }
    }
}

fn selector(out: &mut Vec<String>, path: &Path, selector: Option<&LabelSelector>) {
    if selector.is_none() {
        out.push(format!("{}: {NO_SELECTOR}", path.child("labelSelector")));
    }
}

fn affinity(out: &mut Vec<String>, path: &Path, spec: &PodSpec) {
    let Some(affinity) = &spec.affinity else { return };
    let mut terms = |name, required: &[PodAffinityTerm], preferred: &[WeightedPodAffinityTerm]| {
        let at = path.child(name).child("requiredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in required.iter().enumerate() {
            selector(out, &at.index(index), term.label_selector.as_deref());
        }
        let at = path.child(name).child("preferredDuringSchedulingIgnoredDuringExecution");
        for (index, term) in preferred.iter().enumerate() {
            let at = at.index(index).child("podAffinityTerm");
            selector(out, &at, term.pod_affinity_term.label_selector.as_deref());
        }
    };
    if let Some(pods) = &affinity.pod_affinity {
        terms(
            "podAffinity",
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        );
    }
    if let Some(pods) = &affinity.pod_anti_affinity {
        terms(
            "podAntiAffinity",
            &pods.required_during_scheduling_ignored_during_execution,
            &pods.preferred_during_scheduling_ignored_during_execution,
        );
    }
}

fn volume(out: &mut Vec<String>, path: &Path, volume: &Volume) {
    let source = &volume.volume_source;
    for (name, given, message) in [
        (
            "photonPersistentDisk",
            source.photon_persistent_disk.is_some(),
            "deprecated in v1.11, non-functional in v1.16+",
        ),
        ("gitRepo", source.git_repo.is_some(), "deprecated in v1.11, and disabled by default in v1.33+"),
        ("scaleIO", source.scale_io.is_some(), "deprecated in v1.16, non-functional in v1.22+"),
        ("flocker", source.flocker.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("storageOS", source.storage_os.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("quobyte", source.quobyte.is_some(), "deprecated in v1.22, non-functional in v1.25+"),
        ("glusterfs", source.glusterfs.is_some(), "deprecated in v1.25, non-functional in v1.26+"),
    ] {
        if given {
            out.push(format!("{}: {message}", path.child(name)));
        }
    }
    if let Some(claim) = source.ephemeral.as_ref().and_then(|source| source.volume_claim_template.as_ref()) {
        of_claim(out, &path.child("ephemeral").child("volumeClaimTemplate").child("spec"), &claim.spec);
    }
    for (name, given) in [("cephfs", source.ceph_fs.is_some()), ("rbd", source.rbd.is_some())] {
        if given {
            out.push(format!("{}: deprecated in v1.28, non-functional in v1.31+", path.child(name)));
        }
    }
}

/// A claim's for storage.
pub fn of_claim(out: &mut Vec<String>, path: &Path, claim: &PersistentVolumeClaimSpec) {
    for (name, list) in [("requests", &claim.resources.requests), ("limits", &claim.resources.limits)] {
        whole(out, &path.child("resources").child(name), list, "storage");
    }
}

fn fractional(out: &mut Vec<String>, path: &Path, list: &BTreeMap<String, Quantity>) {
    whole(out, path, list, "memory");
    whole(out, path, list, "ephemeral-storage");
}

fn whole(out: &mut Vec<String>, path: &Path, list: &BTreeMap<String, Quantity>, name: &str) {
    if let Some(value) = list.get(name).filter(|value| value.millis() % 1_000 != 0) {
        let value = go(&value.to_string());
        out.push(format!("{}: fractional byte value {value} is invalid, must be an integer", path.key(name)));
    }
}

fn repeated(out: &mut Vec<String>, path: &Path, spec: &PodSpec) {
    let mut seen = BTreeSet::new();
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        if !seen.insert(&alias.ip) {
            let at = path.child("hostAliases").index(index).child("ip");
            out.push(format!("{at}: duplicate ip {}", go(&alias.ip)));
        }
    }
    let mut seen = BTreeSet::new();
    for (index, secret) in spec.image_pull_secrets.iter().enumerate() {
        if !seen.insert(&secret.name) {
            let at = path.child("imagePullSecrets").index(index).child("name");
            out.push(format!("{at}: duplicate name {}", go(&secret.name)));
        }
    }
    for (index, secret) in spec.image_pull_secrets.iter().enumerate() {
        if secret.name.is_empty() {
            let at = path.child("imagePullSecrets").index(index).child("name");
            out.push(format!("{at}: invalid empty name \"\""));
        }
    }
}

/// A variable that comes twice, unless the later value is made of the earlier one.
fn hidden(out: &mut Vec<String>, path: &Path, env: &[EnvVar]) {
    let mut seen = BTreeSet::new();
    for (index, variable) in env.iter().enumerate() {
        if seen.insert(&variable.name) {
            continue;
        }
        let reference = format!("$({})", variable.name);
        if variable.value_from.is_some()
            || variable.value == reference
            || !variable.value.contains(&reference)
        {
            let (at, name) = (path.index(index), go(&variable.name));
            out.push(format!(
                "{at}: hides previous definition of {name}, which may be dropped when using apply"
            ));
        }
    }
}
