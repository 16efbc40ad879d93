//! Which fields of a pod this node honours: one table. What is in a pod's spec and is neither honoured nor harmless is refused before
//! anything starts, so that no pod runs with less than it asked for.
//!
//! A test walks the schema of `PodSpec` and fails when a field has no line here.

use api_record::{Record, Value};
use api_types::core::v1::Pod;

use crate::record::Verdict;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// The node does what it says; fields within it have lines of their own.
    Honoured,
    /// Honoured with these values only; an empty one means zero or false.
    Only(&'static [&'static str]),
    /// It is for somebody else: the scheduler, a controller, another system.
    Harmless,
    /// It says something to SELinux only: where there is none, it says nothing, as to kubelet; the node cannot do what it says where there is.
    OfSelinux,
    /// The node cannot do what it says.
    Refused,
}

use Support::{Harmless, Honoured, OfSelinux, Only, Refused};

type Row = (&'static str, &'static [(&'static str, Support)]);

/// Every type that a pod's spec is made of, with each of its fields.
pub const TABLE: &[Row] = &[
    (
        "PodSpec",
        &[
            ("volumes", Honoured),
            ("initContainers", Honoured),
            ("containers", Honoured),
            ("ephemeralContainers", Honoured),
            ("restartPolicy", Honoured),
            ("terminationGracePeriodSeconds", Honoured),
            ("activeDeadlineSeconds", Honoured),
            ("dnsPolicy", Honoured),
            ("nodeSelector", Harmless),
            ("serviceAccountName", Honoured),
            ("serviceAccount", Harmless),
            ("automountServiceAccountToken", Harmless),
            ("nodeName", Honoured),
            ("hostNetwork", Honoured),
            ("hostPID", Honoured),
            ("hostIPC", Honoured),
            ("shareProcessNamespace", Honoured),
            ("securityContext", Honoured),
            ("imagePullSecrets", Honoured),
            ("hostname", Honoured),
            ("subdomain", Honoured),
            ("affinity", Harmless),
            ("schedulerName", Harmless),
            ("tolerations", Harmless),
            ("hostAliases", Honoured),
            ("priorityClassName", Harmless),
            ("priority", Honoured),
            ("dnsConfig", Honoured),
            ("readinessGates", Honoured),
            ("runtimeClassName", Refused),
            ("enableServiceLinks", Honoured),
            ("preemptionPolicy", Harmless),
            ("overhead", Refused),
            ("topologySpreadConstraints", Harmless),
            ("setHostnameAsFQDN", Honoured),
            ("os", Honoured),
            ("hostUsers", Only(&["true"])),
            ("schedulingGates", Harmless),
            ("resourceClaims", Honoured),
            ("resources", Honoured),
            ("hostnameOverride", Honoured),
            ("schedulingGroup", Harmless),
            ("evictionResponders", Harmless),
        ],
    ),
    (
        "PodSecurityContext",
        &[
            ("seLinuxOptions", OfSelinux),
            ("windowsOptions", Harmless),
            ("runAsUser", Honoured),
            ("runAsGroup", Honoured),
            ("runAsNonRoot", Honoured),
            ("supplementalGroups", Honoured),
            ("supplementalGroupsPolicy", Honoured),
            ("fsGroup", Honoured),
            ("sysctls", Honoured),
            ("fsGroupChangePolicy", Honoured),
            ("seccompProfile", Honoured),
            ("appArmorProfile", Honoured),
            ("seLinuxChangePolicy", Harmless),
        ],
    ),
    (
        "SecurityContext",
        &[
            ("capabilities", Honoured),
            ("privileged", Honoured),
            ("seLinuxOptions", OfSelinux),
            ("windowsOptions", Harmless),
            ("runAsUser", Honoured),
            ("runAsGroup", Honoured),
            ("runAsNonRoot", Honoured),
            ("readOnlyRootFilesystem", Honoured),
            ("allowPrivilegeEscalation", Honoured),
            ("procMount", Only(&["Default", "Unmasked"])),
            ("seccompProfile", Honoured),
            ("appArmorProfile", Honoured),
        ],
    ),
    (
        "Container",
        &[
            ("name", Honoured),
            ("image", Honoured),
            ("command", Honoured),
            ("args", Honoured),
            ("workingDir", Honoured),
            ("ports", Honoured),
            ("envFrom", Honoured),
            ("env", Honoured),
            ("resources", Honoured),
            ("resizePolicy", Honoured),
            ("restartPolicy", Honoured),
            ("restartPolicyRules", Honoured),
            ("volumeMounts", Honoured),
            ("volumeDevices", Refused),
            ("livenessProbe", Honoured),
            ("readinessProbe", Honoured),
            ("startupProbe", Honoured),
            ("lifecycle", Honoured),
            ("terminationMessagePath", Honoured),
            ("terminationMessagePolicy", Honoured),
            ("imagePullPolicy", Honoured),
            ("securityContext", Honoured),
            ("stdin", Honoured),
            ("stdinOnce", Honoured),
            ("tty", Honoured),
        ],
    ),
    ("ContainerResizePolicy", &[("resourceName", Honoured), ("restartPolicy", Honoured)]),
    ("EphemeralContainer", &[("EphemeralContainerCommon", Honoured), ("targetContainerName", Honoured)]),
    (
        "EphemeralContainerCommon",
        &[
            ("name", Honoured),
            ("image", Honoured),
            ("command", Honoured),
            ("args", Honoured),
            ("workingDir", Honoured),
            // The API admits none of these, nor anything in `resources`.
            ("ports", Refused),
            ("resources", Honoured),
            ("resizePolicy", Refused),
            ("restartPolicy", Refused),
            ("restartPolicyRules", Refused),
            ("livenessProbe", Refused),
            ("readinessProbe", Refused),
            ("startupProbe", Refused),
            ("lifecycle", Refused),
            ("envFrom", Honoured),
            ("env", Honoured),
            ("volumeMounts", Honoured),
            ("volumeDevices", Refused),
            ("terminationMessagePath", Honoured),
            ("terminationMessagePolicy", Honoured),
            ("imagePullPolicy", Honoured),
            ("securityContext", Honoured),
            ("stdin", Honoured),
            ("stdinOnce", Honoured),
            ("tty", Honoured),
        ],
    ),
    ("Volume", &[("name", Honoured), ("VolumeSource", Honoured)]),
    (
        "VolumeSource",
        &[
            ("hostPath", Honoured),
            ("emptyDir", Honoured),
            ("gcePersistentDisk", Refused),
            ("awsElasticBlockStore", Refused),
            ("gitRepo", Refused),
            ("secret", Honoured),
            ("nfs", Refused),
            ("iscsi", Refused),
            ("glusterfs", Refused),
            ("persistentVolumeClaim", Honoured),
            ("rbd", Refused),
            ("flexVolume", Refused),
            ("cinder", Refused),
            ("cephfs", Refused),
            ("flocker", Refused),
            ("downwardAPI", Honoured),
            ("fc", Refused),
            ("azureFile", Refused),
            ("configMap", Honoured),
            ("vsphereVolume", Refused),
            ("quobyte", Refused),
            ("azureDisk", Refused),
            ("photonPersistentDisk", Refused),
            ("projected", Honoured),
            ("portworxVolume", Refused),
            ("scaleIO", Refused),
            ("storageos", Refused),
            ("csi", Refused),
            // Its claim is made by a controller, by a name that the node knows.
            ("ephemeral", Harmless),
            ("image", Honoured),
        ],
    ),
    ("ImageVolumeSource", &[("reference", Honoured), ("pullPolicy", Honoured)]),
    ("HostPathVolumeSource", &[("path", Honoured), ("type", Honoured)]),
    ("PersistentVolumeClaimVolumeSource", &[("claimName", Honoured), ("readOnly", Honoured)]),
    (
        "EmptyDirVolumeSource",
        // The limit bounds what is in memory; what is on disk is not measured.
        &[("medium", Only(&["", "Memory"])), ("sizeLimit", Honoured), ("mode", Honoured)],
    ),
    (
        "SecretVolumeSource",
        &[
            ("secretName", Honoured),
            ("items", Honoured),
            ("defaultMode", Honoured),
            ("optional", Honoured),
            ("defaultUser", Refused),
        ],
    ),
    (
        "ConfigMapVolumeSource",
        &[
            ("LocalObjectReference", Honoured),
            ("items", Honoured),
            ("defaultMode", Honoured),
            ("optional", Honoured),
            ("defaultUser", Refused),
        ],
    ),
    ("KeyToPath", &[("key", Honoured), ("path", Honoured), ("mode", Honoured), ("user", Refused)]),
    ("DownwardAPIVolumeSource", &[("items", Honoured), ("defaultMode", Honoured), ("defaultUser", Refused)]),
    (
        "DownwardAPIVolumeFile",
        &[
            ("path", Honoured),
            ("fieldRef", Honoured),
            ("resourceFieldRef", Honoured),
            ("mode", Honoured),
            ("user", Refused),
        ],
    ),
    ("ProjectedVolumeSource", &[("sources", Honoured), ("defaultMode", Honoured), ("defaultUser", Refused)]),
    (
        "VolumeProjection",
        &[
            ("secret", Honoured),
            ("downwardAPI", Honoured),
            ("configMap", Honoured),
            ("serviceAccountToken", Honoured),
            ("clusterTrustBundle", Honoured),
            ("podCertificate", Honoured),
        ],
    ),
    ("SecretProjection", &[("LocalObjectReference", Honoured), ("items", Honoured), ("optional", Honoured)]),
    (
        "ConfigMapProjection",
        &[("LocalObjectReference", Honoured), ("items", Honoured), ("optional", Honoured)],
    ),
    ("DownwardAPIProjection", &[("items", Honoured)]),
    (
        "ServiceAccountTokenProjection",
        &[("audience", Honoured), ("expirationSeconds", Honoured), ("path", Honoured), ("user", Refused)],
    ),
    (
        "ClusterTrustBundleProjection",
        &[
            ("name", Honoured),
            ("signerName", Honoured),
            ("labelSelector", Honoured),
            ("optional", Honoured),
            ("path", Honoured),
            ("user", Refused),
        ],
    ),
    (
        "PodCertificateProjection",
        &[
            ("signerName", Honoured),
            // The library for keys makes no others.
            ("keyType", Only(&["ECDSAP256", "ECDSAP384", "ED25519"])),
            ("maxExpirationSeconds", Honoured),
            ("credentialBundlePath", Honoured),
            ("keyPath", Honoured),
            ("certificateChainPath", Honoured),
            ("userAnnotations", Harmless),
            ("user", Refused),
        ],
    ),
    ("LabelSelector", &[("matchLabels", Honoured), ("matchExpressions", Honoured)]),
    ("LabelSelectorRequirement", &[("key", Honoured), ("operator", Honoured), ("values", Honoured)]),
    ("LocalObjectReference", &[("name", Honoured)]),
    (
        "VolumeMount",
        &[
            ("name", Honoured),
            ("readOnly", Honoured),
            ("recursiveReadOnly", Honoured),
            ("mountPath", Honoured),
            ("subPath", Honoured),
            ("mountPropagation", Honoured),
            ("subPathExpr", Honoured),
            ("bindMountOptions", Refused),
        ],
    ),
    (
        "ContainerPort",
        &[
            ("name", Honoured),
            ("hostPort", Honoured),
            ("containerPort", Honoured),
            ("protocol", Honoured),
            ("hostIP", Honoured),
        ],
    ),
    ("EnvFromSource", &[("prefix", Honoured), ("configMapRef", Honoured), ("secretRef", Honoured)]),
    ("ConfigMapEnvSource", &[("LocalObjectReference", Honoured), ("optional", Honoured)]),
    ("SecretEnvSource", &[("LocalObjectReference", Honoured), ("optional", Honoured)]),
    ("EnvVar", &[("name", Honoured), ("value", Honoured), ("valueFrom", Honoured)]),
    (
        "EnvVarSource",
        &[
            ("fieldRef", Honoured),
            ("resourceFieldRef", Honoured),
            ("configMapKeyRef", Honoured),
            ("secretKeyRef", Honoured),
            ("fileKeyRef", Refused),
        ],
    ),
    ("ObjectFieldSelector", &[("apiVersion", Harmless), ("fieldPath", Honoured)]),
    ("ResourceFieldSelector", &[("containerName", Honoured), ("resource", Honoured), ("divisor", Honoured)]),
    (
        "ConfigMapKeySelector",
        &[("LocalObjectReference", Honoured), ("key", Honoured), ("optional", Honoured)],
    ),
    ("SecretKeySelector", &[("LocalObjectReference", Honoured), ("key", Honoured), ("optional", Honoured)]),
    ("ResourceRequirements", &[("limits", Honoured), ("requests", Honoured), ("claims", Honoured)]),
    (
        "PodResourceClaim",
        &[("name", Honoured), ("resourceClaimName", Honoured), ("resourceClaimTemplateName", Honoured)],
    ),
    ("ResourceClaim", &[("name", Honoured), ("request", Honoured)]),
    ("ContainerRestartRule", &[("action", Only(&["Restart"])), ("exitCodes", Honoured)]),
    ("ContainerRestartRuleOnExitCodes", &[("operator", Honoured), ("values", Honoured)]),
    (
        "Probe",
        &[
            ("ProbeHandler", Honoured),
            ("initialDelaySeconds", Honoured),
            ("timeoutSeconds", Honoured),
            ("periodSeconds", Honoured),
            ("successThreshold", Honoured),
            ("failureThreshold", Honoured),
            ("terminationGracePeriodSeconds", Honoured),
        ],
    ),
    (
        "ProbeHandler",
        &[("exec", Honoured), ("httpGet", Honoured), ("tcpSocket", Honoured), ("grpc", Honoured)],
    ),
    ("GRPCAction", &[("port", Honoured), ("service", Honoured), ("mode", Only(&["Plaintext", "TLS"]))]),
    (
        "HTTPGetAction",
        &[
            ("path", Honoured),
            ("port", Honoured),
            ("host", Honoured),
            ("scheme", Only(&["", "HTTP", "HTTPS"])),
            ("httpHeaders", Honoured),
            ("protocol", Refused),
        ],
    ),
    ("HTTPHeader", &[("name", Honoured), ("value", Honoured)]),
    ("TCPSocketAction", &[("port", Honoured), ("host", Honoured)]),
    ("ExecAction", &[("command", Honoured)]),
    ("Lifecycle", &[("postStart", Honoured), ("preStop", Honoured), ("stopSignal", Honoured)]),
    (
        "LifecycleHandler",
        &[("exec", Honoured), ("httpGet", Honoured), ("tcpSocket", Refused), ("sleep", Honoured)],
    ),
    ("SleepAction", &[("seconds", Honoured)]),
    ("Capabilities", &[("add", Honoured), ("drop", Honoured)]),
    ("SeccompProfile", &[("type", Honoured), ("localhostProfile", Honoured)]),
    ("AppArmorProfile", &[("type", Only(&["Unconfined", "Localhost"])), ("localhostProfile", Honoured)]),
    ("Sysctl", &[("name", Honoured), ("value", Honoured)]),
    ("HostAlias", &[("ip", Honoured), ("hostnames", Honoured)]),
    ("PodDNSConfig", &[("nameservers", Honoured), ("searches", Honoured), ("options", Honoured)]),
    ("PodDNSConfigOption", &[("name", Honoured), ("value", Honoured)]),
    ("PodReadinessGate", &[("conditionType", Honoured)]),
    ("PodOS", &[("name", Only(&["linux"]))]),
];

fn support(type_: &str, field: &str) -> Support {
    let row = TABLE.iter().find(|(name, _)| *name == type_);
    let found = row.and_then(|(_, fields)| fields.iter().find(|(name, _)| *name == field));
    // What no line tells of is newer than this table.
    found.map_or(Refused, |(_, support)| *support)
}

/// The paths of all fields of a pod's spec that a node cannot honour, on which SELinux confines processes or does not.
pub fn refusals(pod: &Pod, selinux: bool) -> Vec<String> {
    let mut walk = Walk { selinux, found: Vec::new() };
    walk.record(&pod.spec, "spec");
    walk.found
}

/// Where ephemeral containers are.
const EPHEMERAL: &str = "spec.ephemeralContainers[";

/// The paths of the fields of one ephemeral container that this node cannot honour. It is refused alone: its pod runs.
pub fn ephemeral_refusals(pod: &Pod, name: &str, selinux: bool) -> Vec<String> {
    let index =
        pod.spec.ephemeral_containers.iter().position(|one| one.ephemeral_container_common.name == name);
    let Some(place) = index.map(|index| format!("{EPHEMERAL}{index}].")) else { return Vec::new() };
    refusals(pod, selinux).into_iter().filter(|field| field.starts_with(&place)).collect()
}

/// Why a pod must not start here, if it must not.
pub fn verdict(pod: &Pod, selinux: bool) -> Option<Verdict> {
    let mut refused = refusals(pod, selinux);
    refused.retain(|field| !field.starts_with(EPHEMERAL));
    (!refused.is_empty()).then(|| Verdict {
        reason: "FieldNotSupported".to_owned(),
        message: format!("Pod was rejected: this node does not support {}", refused.join(", ")),
    })
}

struct Walk {
    selinux: bool,
    found: Vec<String>,
}

impl Walk {
    fn record(&mut self, record: &dyn Record, path: &str) {
        let schema = record.schema();
        for (index, field) in schema.fields.iter().enumerate() {
            let value = record.get(index);
            // A record that is always there is looked into: a pointer to nothing but zeros within it is set all the same.
            let always = !field.pointer && !matches!(value, Value::Record(_));
            if matches!(value, Value::Nil) || (always && (value.is_zero() || value.is_empty())) {
                continue;
            }
            let place = if field.inline { path.to_owned() } else { format!("{path}.{}", &*field.name) };
            match support(&schema.name, &field.name) {
                Harmless => {}
                OfSelinux if !self.selinux => {}
                OfSelinux | Refused => self.found.push(place),
                Only(values) if values.contains(&text(&value).as_str()) => {}
                Only(_) => self.found.push(format!("{place}: {}", text(&value))),
                Honoured => self.value(&value, &place),
            }
        }
    }

    fn value(&mut self, value: &Value<'_>, place: &str) {
        match value {
            Value::Record(inner) => self.record(*inner, place),
            Value::List(list) => {
                for index in 0..list.len() {
                    self.value(&list.at(index), &format!("{place}[{index}]"));
                }
            }
            _ => {}
        }
    }
}

fn text(value: &Value<'_>) -> String {
    match value {
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Str(text) => (*text).to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use api_record::{Schema, Shape, Typed};
    use api_types::core::v1::{
        Container, EphemeralContainer, PodSecurityContext, PodSpec, SELinuxOptions, SecurityContext, Volume,
        VolumeSource,
    };

    use super::*;

    fn inner(shape: &Shape) -> Option<&Schema> {
        match shape {
            Shape::Record(schema) => Some(schema),
            Shape::List(shape) | Shape::Items(shape) | Shape::Map(shape) => inner(shape),
            _ => None,
        }
    }

    fn check(schema: &Schema, seen: &mut BTreeSet<String>, missing: &mut Vec<String>) {
        if !seen.insert(schema.name.to_string()) {
            return;
        }
        let row = TABLE.iter().find(|(name, _)| *name == &*schema.name);
        for field in schema.fields.iter() {
            let known = row.and_then(|(_, fields)| fields.iter().find(|(name, _)| *name == &*field.name));
            match known {
                None => missing.push(format!("{}.{}", &*schema.name, &*field.name)),
                Some((_, Honoured)) => {
                    if let Some(schema) = inner(&field.shape) {
                        check(schema, seen, missing);
                    }
                }
                Some(_) => {}
            }
        }
    }

    #[test]
    fn every_field_of_a_pods_spec_has_a_line() {
        let (mut seen, mut missing) = (BTreeSet::new(), Vec::new());
        check(PodSpec::SCHEMA, &mut seen, &mut missing);
        assert_eq!(missing, Vec::<String>::new());
        let unused: Vec<_> =
            TABLE.iter().map(|(name, _)| *name).filter(|name| !seen.contains(*name)).collect();
        assert_eq!(unused, Vec::<&str>::new(), "lines for types that no pod has");
        for (name, fields) in TABLE {
            let names: BTreeSet<_> = fields.iter().map(|(field, _)| field).collect();
            assert_eq!(names.len(), fields.len(), "{name} names a field twice");
        }
    }

    #[test]
    fn what_is_not_honoured_is_named() {
        let mut pod = Pod::default();
        pod.spec.containers = vec![Container { name: "a".into(), ..Container::default() }].into();
        pod.spec.node_selector.insert("a".into(), "b".into());
        pod.spec.host_users = Some(true);
        // It says something to Windows only, and kubelet elsewhere passes over it.
        let windows = SecurityContext { windows_options: Some(Box::default()), ..SecurityContext::default() };
        pod.spec.containers[0].security_context = Some(Box::new(windows));
        let mut added = EphemeralContainer::default();
        added.ephemeral_container_common.name = "debugger".into();
        added.ephemeral_container_common.volume_devices = vec![Default::default()];
        pod.spec.ephemeral_containers = vec![EphemeralContainer::default(), added];
        assert_eq!(verdict(&pod, true), None);
        assert_eq!(ephemeral_refusals(&pod, "debugger", true), ["spec.ephemeralContainers[1].volumeDevices"]);
        assert_eq!(ephemeral_refusals(&pod, "", true), Vec::<String>::new());
        pod.spec.ephemeral_containers.clear();
        pod.spec.host_users = Some(false);
        pod.spec.runtime_class_name = Some("gvisor".into());
        pod.spec.security_context = Some(Box::new(PodSecurityContext {
            se_linux_options: Some(Box::new(SELinuxOptions::default())),
            ..PodSecurityContext::default()
        }));
        pod.spec.volumes = vec![Volume {
            name: "v".into(),
            volume_source: VolumeSource { nfs: Some(Box::default()), ..VolumeSource::default() },
        }];
        let without = refusals(&pod, false);
        assert!(!without.iter().any(|field| field.contains("seLinux")), "{without:?}");
        assert_eq!(
            refusals(&pod, true),
            [
                "spec.volumes[0].nfs",
                "spec.securityContext.seLinuxOptions",
                "spec.runtimeClassName",
                "spec.hostUsers: false",
            ]
        );
    }
}
