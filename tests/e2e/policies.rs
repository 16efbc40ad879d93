//! What a namespace lets in: quotas, limit ranges, levels of security; what policies refuse and change.

use crate::harness::Cluster;

const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: budget, namespace: shop}
spec: {hard: {pods: '2', requests.cpu: '1', count/deployments.apps: '1', configmaps: '5'}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: sizes, namespace: shop}
spec:
  limits:
  - {type: Container, defaultRequest: {cpu: 400m}, default: {cpu: 500m}, max: {cpu: '2'}}
";

fn pod(name: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{containers: [{{name: c, image: \
         example.com/c:1}}]{more}}}"
    )
}

/// What is said of an attempt to apply something, warnings included.
fn said(cluster: &Cluster, manifest: &str) -> String {
    let path = cluster.data().join("attempt.yaml");
    std::fs::write(&path, manifest).expect("the manifest is written");
    let output = cluster.try_kubectl(&["apply", "-f", &path.to_string_lossy()]);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

#[test]
fn a_quota_is_counted_charged_kept_and_given_back() {
    let cluster = Cluster::control_plane();
    cluster.apply(SHOP);
    let used = [
        "-n",
        "shop",
        "get",
        "quota",
        "budget",
        "-o",
        "jsonpath={.status.used.pods} {.status.used.requests\\.cpu}",
    ];
    cluster.eventually(&used, |used| used == "0 0");
    let account = ["-n", "shop", "get", "serviceaccounts", "-o", "name"];
    cluster.eventually(&account, |names| names.contains("default"));

    cluster.apply(&pod("one", ""));
    let given = ["-n", "shop", "get", "pod", "one", "-o", "jsonpath={.spec.containers[0].resources}"];
    assert_eq!(cluster.kubectl(&given), r#"{"limits":{"cpu":"500m"},"requests":{"cpu":"400m"}}"#);
    let annotation =
        cluster.value(&["-n", "shop", "pod", "one"], "{.metadata.annotations.kubernetes\\.io/limit-ranger}");
    assert_eq!(annotation, "LimitRanger plugin set: cpu request for container c; cpu limit for container c");
    cluster.apply(&pod("two", ""));
    assert_eq!(cluster.kubectl(&used), "2 800m");
    let refused = said(&cluster, &pod("three", ""));
    assert!(
        refused.contains(
            "pods \"three\" is forbidden: exceeded quota: budget, requested: pods=1,requests.cpu=400m, used: \
             pods=2,requests.cpu=800m, limited: pods=2,requests.cpu=1"
        ),
        "{refused}"
    );
    let described = cluster.kubectl(&["-n", "shop", "describe", "quota", "budget"]);
    assert!(described.lines().any(|line| line.split_whitespace().eq(["pods", "2", "2"])), "{described}");

    cluster.kubectl(&["-n", "shop", "delete", "pod", "one"]);
    cluster.eventually(&used, |used| used == "1 400m");
    cluster.apply(&pod("three", ""));
    cluster.kubectl(&["-n", "shop", "create", "deployment", "web", "--image=x", "--replicas=0"]);
    let second = cluster.refused(&["-n", "shop", "create", "deployment", "other", "--image=x"]);
    assert!(second.contains("exceeded quota: budget, requested: count/deployments.apps=1"), "{second}");
}

#[test]
fn a_level_of_security_warns_and_refuses() {
    let cluster = Cluster::control_plane();
    cluster.kubectl(&["create", "namespace", "shop"]);
    let account = ["-n", "shop", "get", "serviceaccounts", "-o", "name"];
    cluster.eventually(&account, |names| names.contains("default"));
    cluster.apply(&pod("open", ", hostNetwork: true"));

    let raise = ["label", "namespace", "shop", "pod-security.kubernetes.io/enforce=baseline"];
    let output = cluster.try_kubectl(&raise);
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        warned.contains("existing pods in namespace \"shop\" violate the new PodSecurity enforce level \"baseline:latest\"")
            && warned.contains("open: host namespaces"),
        "{warned}"
    );
    let refused = said(&cluster, &pod("shut", ", hostNetwork: true"));
    let why = "violates PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)";
    assert!(refused.contains(&format!("pods \"shut\" is forbidden: {why}")), "{refused}");
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {selector: \
                      {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {hostNetwork: true, containers: \
                      [{name: c, image: x}]}}}";
    let warned = said(&cluster, deployment);
    assert!(
        warned.contains("deployment.apps/web created")
            && warned.contains(
                "Warning: would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)"
            ),
        "{warned}"
    );
    let unknown = cluster.refused(&["label", "namespace", "shop", "pod-security.kubernetes.io/warn=strict"]);
    assert!(unknown.contains("must be one of privileged, baseline, restricted"), "{unknown}");
}

const RULES: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: replicas.example.com}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  variables: [{name: most, expression: 'int(params.data.most)'}]
  paramKind: {apiVersion: v1, kind: ConfigMap}
  validations:
  - {expression: object.spec.replicas <= variables.most, messageExpression: \"'no more than ' + string(variables.most)\"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: limits, namespace: default}
data: {most: '3'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: replicas}
spec:
  policyName: replicas.example.com
  paramRef: {name: limits, namespace: default, parameterNotFoundAction: Deny}
  validationActions: [Deny]
";

#[test]
fn a_policy_in_cel_refuses_with_its_words_and_what_cannot_be_compiled_is_refused_itself() {
    let cluster = Cluster::control_plane();
    let broken = said(&cluster, &RULES.replace("object.spec", "objekt.spec"));
    let why = "spec.validations[0].expression: Invalid value: \"objekt.spec.replicas <= variables.most\": compilation failed: \
               ERROR: <input>:1:1: undeclared reference to 'objekt'";
    assert!(broken.contains(why), "{broken}");
    cluster.apply(RULES);
    // A policy takes effect soon after it is written.
    let made = ["create", "deployment", "web", "--image=x", "--replicas=4", "--dry-run=server"];
    let refusal = "error: failed to create deployment: deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy \
                   'replicas.example.com' with binding 'replicas' denied request: no more than 3";
    cluster.until(|| {
        let said = String::from_utf8_lossy(&cluster.try_kubectl(&made).stderr).into_owned();
        if said.contains(refusal) { Ok(()) } else { Err(said) }
    });
    cluster.kubectl(&["create", "deployment", "web", "--image=x", "--replicas=3"]);
    let scaled = cluster.refused(&["patch", "deployment", "web", "-p", "{\"spec\":{\"replicas\":5}}"]);
    assert!(scaled.contains("no more than 3"), "{scaled}");
    let listed = cluster.kubectl(&["get", "validatingadmissionpolicies", "--no-headers"]);
    let cells: Vec<&str> = listed.split_whitespace().take(3).collect();
    assert_eq!(cells, ["replicas.example.com", "1", "v1/ConfigMap"]);
}

const CHANGES: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: sidecar.example.com}
spec:
  reinvocationPolicy: IfNeeded
  matchConstraints:
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  matchConditions: [{name: bare, expression: "!object.spec.containers.exists(c, c.name == 'mesh')"}]
  variables: [{name: image, expression: params.data.image}]
  paramKind: {apiVersion: v1, kind: ConfigMap}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{
          metadata: Object.metadata{annotations: {'example.com/meshed': 'yes'}},
          spec: Object.spec{containers: [Object.spec.containers{name: 'mesh', image: variables.image}]}
        }
  - patchType: JSONPatch
    jsonPatch:
      expression: >
        has(object.metadata.labels) ? [] :
        [JSONPatch{op: 'add', path: '/metadata/labels', value: {'by': request.userInfo.username}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: mesh, namespace: default}
data: {image: 'example.com/mesh:1'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: sidecar}
spec:
  policyName: sidecar.example.com
  paramRef: {name: mesh, namespace: default, parameterNotFoundAction: Deny}
"#;

#[test]
fn a_policy_in_cel_changes_what_is_written() {
    let cluster = Cluster::control_plane();
    cluster.kubectl(&["create", "namespace", "shop"]);
    let account = ["-n", "shop", "get", "serviceaccounts", "-o", "name"];
    cluster.eventually(&account, |names| names.contains("default"));
    let broken = said(&cluster, &CHANGES.replace("value: {", "valeu: {").replace("op: 'add'", "op: 1"));
    assert!(
        broken.contains("expected type of field 'op' is 'string' but provided type is 'int'"),
        "{broken}"
    );
    cluster.apply(CHANGES);
    // A policy takes effect soon after it is written.
    let path = cluster.data().join("pod.yaml");
    std::fs::write(&path, pod("web", "")).expect("the manifest is written");
    let tried = path.to_string_lossy().into_owned();
    cluster.until(|| {
        let made = cluster.try_kubectl(&["create", "--dry-run=server", "-o", "yaml", "-f", &tried]);
        let made = String::from_utf8_lossy(&made.stdout).into_owned();
        if made.contains("example.com/mesh:1") { Ok(()) } else { Err(made) }
    });
    cluster.apply(&pod("web", ""));
    let what = "{.spec.containers[*].name} {.metadata.annotations.example\\.com/meshed} {.metadata.labels}";
    let made = cluster.value(&["-n", "shop", "pod", "web"], what);
    assert_eq!(made, r#"c mesh yes {"by":"kubernetes-super-admin"}"#);
    cluster.kubectl(&["-n", "default", "delete", "configmap", "mesh"]);
    let refused = said(&cluster, &pod("other", ""));
    let why = "policy 'sidecar.example.com' with binding 'sidecar' denied request: failed to configure binding: no params found";
    assert!(refused.contains(why), "{refused}");
    let listed = cluster.kubectl(&["get", "mutatingadmissionpolicies", "--no-headers"]);
    let cells: Vec<&str> = listed.split_whitespace().take(3).collect();
    assert_eq!(cells, ["sidecar.example.com", "2", "v1/ConfigMap"]);
}

const SCALES: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: scales.example.com}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments/scale]}
  validations: [{expression: "object.kind == 'Scale' && object.spec.replicas < 5", message: four are enough}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: scales}
spec: {policyName: scales.example.com, validationActions: [Deny]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: confused.example.com}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments]}
  validations: [{expression: "object.spec.replicas > '1'"}]
"#;

#[test]
fn a_policy_sees_a_scale_and_its_status_says_what_types_do_not_fit() {
    let cluster = Cluster::control_plane();
    cluster.kubectl(&["create", "deployment", "web", "--image=x", "--replicas=1"]);
    cluster.apply(SCALES);
    let checked = "jsonpath={.status.typeChecking.expressionWarnings[*].fieldRef}{.status.typeChecking.expressionWarnings[*].warning}";
    let what = "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'";
    let confused = ["get", "validatingadmissionpolicy", "confused.example.com", "-o", checked];
    cluster
        .eventually(&confused, |said| said.contains("spec.validations[0].expression") && said.contains(what));
    let fits = ["get", "validatingadmissionpolicy", "scales.example.com", "-o", "jsonpath={.status}"];
    cluster.eventually(&fits, |said| said == r#"{"observedGeneration":1,"typeChecking":{}}"#);
    // A policy takes effect soon after it is written.
    let many = ["scale", "deployment", "web", "--replicas=7"];
    cluster.until(|| {
        let said = String::from_utf8_lossy(&cluster.try_kubectl(&many).stderr).into_owned();
        if said.contains("four are enough") { Ok(()) } else { Err(said) }
    });
    cluster.kubectl(&["scale", "deployment", "web", "--replicas=4"]);
}
