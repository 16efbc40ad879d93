//! What each check says, and since which release.

use api_codec::limits::Limits;
use api_codec::{json, yaml};
use api_types::core::v1::Pod;

use super::*;

fn pod(text: &str) -> Pod {
    let mut pod = Pod::default();
    let text = yaml::to_json(text.as_bytes(), Limits::REQUEST).expect("YAML");
    json::decode(&text, &mut pod, None, Limits::REQUEST).expect("a pod");
    pod
}

/// What a level of a release has against a pod.
fn told(level: Level, version: Version, text: &str) -> String {
    let pod = pod(text);
    details(&judge(Standard { level, version }, Subject { meta: &pod.metadata, spec: &pod.spec }))
}

fn baseline(text: &str) -> String {
    told(Level::Baseline, Version::Latest, text)
}

const SAFE: &str = "
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - {name: a, image: x, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
";

#[test]
fn a_plain_pod_is_fine_by_the_baseline_and_a_careful_one_by_all() {
    let plain = "spec: {containers: [{name: a, image: x}]}";
    assert_eq!(baseline(plain), "");
    assert_eq!(told(Level::Privileged, Version::Latest, "spec: {hostPID: true}"), "");
    for minor in 0..=NEWEST_MINOR + 1 {
        assert_eq!(told(Level::Restricted, Version::Minor(minor), SAFE), "", "{minor}");
    }
    assert_eq!(
        told(Level::Restricted, Version::Latest, plain),
        "allowPrivilegeEscalation != false (container \"a\" must set securityContext.allowPrivilegeEscalation=false), \
         unrestricted capabilities (container \"a\" must set securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot \
         != true (pod or container \"a\" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container \
         \"a\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
    );
}

#[test]
fn the_baseline_names_what_it_forbids() {
    for (spec, expected) in [
        ("{hostNetwork: true, hostIPC: true}", "host namespaces (hostNetwork=true, hostIPC=true)"),
        (
            "{volumes: [{name: v, hostPath: {path: /}}, {name: w, hostPath: {path: /}}]}",
            "hostPath volumes (volumes \"v\", \"w\")",
        ),
        (
            "{containers: [{name: a, ports: [{hostPort: 9}, {hostPort: 80}]}, {name: b, ports: [{hostPort: 80}]}]}",
            "hostPort (containers \"a\", \"b\" use hostPorts 80, 9)",
        ),
        (
            "{initContainers: [{name: a, securityContext: {privileged: true}}]}",
            "privileged (container \"a\" must not set securityContext.privileged=true)",
        ),
        (
            "{containers: [{name: a, securityContext: {capabilities: {add: [NET_RAW, CHOWN]}}}]}",
            "non-default capabilities (container \"a\" must not include \"NET_RAW\" in securityContext.capabilities.add)",
        ),
        (
            "{ephemeralContainers: [{name: a, securityContext: {procMount: Unmasked}}]}",
            "procMount (container \"a\" must not set securityContext.procMount to \"Unmasked\")",
        ),
        (
            "{securityContext: {seLinuxOptions: {type: spc_t, user: u, role: r}}}",
            "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type \"spc_t\"; user may not be set; role \
             may not be set)",
        ),
        (
            "{securityContext: {seccompProfile: {type: Unconfined}}, containers: [{name: a, securityContext: \
             {seccompProfile: {type: Unconfined}}}]}",
            "seccompProfile (pod and container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")",
        ),
        (
            "{securityContext: {appArmorProfile: {type: Unconfined}}}",
            "forbidden AppArmor profile (pod must not set AppArmor profile type to \"Unconfined\")",
        ),
        (
            "{securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}, {name: net.ipv4.tcp_rmem, value: '1'}]}}",
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            "{containers: [{name: a, securityContext: {windowsOptions: {hostProcess: true}}}]}",
            "hostProcess (container \"a\" must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            "{containers: [{name: a, livenessProbe: {httpGet: {host: h, port: 1}}, lifecycle: {preStop: {tcpSocket: \
             {host: g, port: 1}}}}]}",
            "probe or lifecycle host (container \"a\" uses probe or lifecycle hosts \"g\", \"h\")",
        ),
    ] {
        assert_eq!(baseline(&format!("spec: {spec}")), expected);
    }
    let annotated = "metadata: {annotations: {container.apparmor.security.beta.kubernetes.io/a: unconfined}}";
    assert_eq!(
        baseline(annotated),
        "forbidden AppArmor profile (annotation must not set AppArmor profile type to \
         \"container.apparmor.security.beta.kubernetes.io/a=\"unconfined\"\")"
    );
}

#[test]
fn restricted_pods_are_told_more_and_nothing_twice() {
    let restricted = |spec: &str| told(Level::Restricted, Version::Latest, &format!("{SAFE}  {spec}"));
    assert_eq!(
        restricted("volumes: [{name: v, hostPath: {path: /}}, {name: w, nfs: {}}, {name: x, emptyDir: {}}]"),
        "restricted volume types (volumes \"v\", \"w\" use restricted volume types \"hostPath\", \"nfs\")"
    );
    let container = |security: &str| {
        let text = format!(
            "spec: {{securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}, containers: \
             [{{name: a, securityContext: {{allowPrivilegeEscalation: false, {security}}}}}]}}"
        );
        told(Level::Restricted, Version::Latest, &text)
    };
    assert_eq!(
        container("capabilities: {drop: [ALL], add: [CHOWN, NET_BIND_SERVICE]}"),
        "unrestricted capabilities (container \"a\" must not include \"CHOWN\" in securityContext.capabilities.add)"
    );
    assert_eq!(
        container("capabilities: {drop: [ALL]}, runAsNonRoot: false"),
        "runAsNonRoot != true (container \"a\" must not set securityContext.runAsNonRoot=false)"
    );
    assert_eq!(
        container("capabilities: {drop: [ALL]}, runAsUser: 0"),
        "runAsUser=0 (container \"a\" must not set runAsUser=0)"
    );
    assert_eq!(
        container("capabilities: {drop: [ALL]}, seccompProfile: {type: Unconfined}"),
        "seccompProfile (container \"a\" must not set securityContext.seccompProfile.type to \"Unconfined\")"
    );
}

#[test]
fn what_is_checked_depends_on_the_release() {
    let at =
        |level, minor, spec: &str| told(level, Version::Minor(minor), &format!("spec: {spec}")).is_empty();
    for (level, spec, fine_before) in [
        (Level::Baseline, "{containers: [{name: a, livenessProbe: {httpGet: {host: h}}}]}", 34),
        (Level::Baseline, "{securityContext: {seccompProfile: {type: Unconfined}}}", 19),
    ] {
        assert!(at(level, fine_before - 1, spec) && !at(level, fine_before, spec), "{spec}");
    }
    for (level, spec, fine_since) in [
        (Level::Baseline, "{securityContext: {sysctls: [{name: net.ipv4.tcp_notsent_lowat}]}}", 37),
        (Level::Baseline, "{securityContext: {sysctls: [{name: net.ipv4.tcp_wmem}]}}", 32),
        (Level::Baseline, "{securityContext: {sysctls: [{name: net.ipv4.tcp_fin_timeout}]}}", 29),
        (Level::Baseline, "{securityContext: {sysctls: [{name: net.ipv4.ip_local_reserved_ports}]}}", 27),
        (Level::Baseline, "{securityContext: {seLinuxOptions: {type: container_engine_t}}}", 31),
        (
            Level::Baseline,
            "{hostUsers: false, containers: [{name: a, securityContext: {procMount: Unmasked}}]}",
            35,
        ),
        (
            Level::Restricted,
            "{os: {name: windows}, securityContext: {runAsNonRoot: true}, containers: [{name: a}]}",
            25,
        ),
    ] {
        assert!(!at(level, fine_since - 1, spec) && at(level, fine_since, spec), "{spec}");
    }
    let unmasked = "{hostUsers: false, containers: [{name: a, securityContext: {procMount: Unmasked}}]}";
    let text = told(Level::Restricted, Version::Latest, &format!("spec: {unmasked}"));
    assert!(text.contains("procMount") && !text.contains("runAsNonRoot"), "{text}");
    let annotated = "metadata: {annotations: {seccomp.security.alpha.kubernetes.io/pod: unconfined}}";
    assert_eq!(
        told(Level::Baseline, Version::Minor(18), annotated),
        "seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod=\"unconfined\")"
    );
    assert_eq!(told(Level::Baseline, Version::Minor(19), annotated), "");
}
