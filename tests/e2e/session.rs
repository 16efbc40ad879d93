//! What a new user types in the first hour, typed.

use std::io::Write as _;
use std::process::Stdio;

use crate::harness::Cluster;

const PODS: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: shell, labels: {app: shell}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: "example.com/shell:1", imagePullPolicy: Never, command: [/bin/sleep, "86400"]}
---
apiVersion: v1
kind: Pod
metadata: {name: talk}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: example.com/shell:1
    imagePullPolicy: Never
    command: [/bin/sh, -c, "echo one; until [ -e /go ]; do sleep 0.1; done; echo two"]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: main, image: "example.com/shell:1", imagePullPolicy: Never, command: [/bin/sleep, "86400"]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"#;

#[test]
fn a_new_users_session() {
    let cluster = Cluster::with_node("session");
    cluster.busybox_image("example.com/shell:1");
    cluster.apply(PODS);
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "pod/talk", "--timeout=60s"]);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    terminal(&cluster);
    logs_are_followed(&cluster);
    outputs(&cluster);
    descriptions(&cluster);
    rollouts(&cluster);
    from_the_node(&cluster);
    debugging(&cluster);
    let mut run = cluster.try_program_with_kubectl(
        "kubectl run once --rm -i --quiet --restart=Never --image=example.com/shell:1 --image-pull-policy=Never -- /bin/cat",
    );
    let said = run.answer("what goes in comes out\n");
    assert!(said.0.starts_with("what goes in comes out"), "{}", said.0);
}

/// `exec -it` with a terminal of its own, as a person has one.
fn terminal(cluster: &Cluster) {
    let mut exec =
        cluster.try_program_with_kubectl("script -qec 'kubectl exec -it shell -- /bin/sh' /dev/null");
    let (said, code) = exec.answer("[ -t 0 ] && [ -t 1 ] && echo a terminal of $((6*7)) columns; exit 3\n");
    assert!(said.contains("a terminal of 42 columns"), "{said}");
    assert_eq!(code, Some(3), "{said}");
}

/// A container beside a pod's own, with a terminal and among its processes; and one that cannot be.
fn debugging(cluster: &Cluster) {
    let debug = "kubectl debug -it shell --image=example.com/shell:1 --image-pull-policy=Never --target=main --container=look -- /bin/sh";
    let mut debug = cluster.try_program_with_kubectl(&format!("script -qec '{debug}' /dev/null"));
    let (said, _) = debug.answer("ps | grep -c 'sleep 8640[0]'; echo found $((6*7)); exit 3\n");
    assert!(said.contains("found 42"), "{said}");
    let path = "{.status.ephemeralContainerStatuses[0].name} {.status.ephemeralContainerStatuses[0].state.terminated.exitCode}";
    let shown = format!("jsonpath={path}");
    cluster.eventually(&["get", "pod", "shell", "-o", &shown], |shown| shown == "look 3");
    let log = cluster.kubectl(&["logs", "shell", "-c", "look"]);
    assert!(log.lines().any(|line| line.trim() == "1"), "it is among the pod's processes: {log}");
    cluster.kubectl(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);
    for part in ["ephemeralcontainers", "resize"] {
        let read =
            cluster.kubectl(&["get", "--raw", &format!("/api/v1/namespaces/default/pods/shell/{part}")]);
        assert!(read.contains("\"kind\":\"Pod\"") && read.contains("\"name\":\"look\""), "{read}");
    }
    let again = r#"{"spec":{"ephemeralContainers":[{"name":"look","image":"other"}]}}"#;
    let refused =
        cluster.refused(&["patch", "pod", "shell", "--subresource=ephemeralcontainers", "-p", again]);
    assert!(refused.contains("existing ephemeral containers \"look\" may not be changed"), "{refused}");
}

fn logs_are_followed(cluster: &Cluster) {
    let mut lines = cluster.stream(&["logs", "-f", "talk"]);
    assert_eq!(lines.next(), "one");
    cluster.kubectl(&["exec", "talk", "--", "/bin/touch", "/go"]);
    assert_eq!(lines.next(), "two");
    assert!(lines.has_ended(), "with its container");
    cluster
        .eventually(&["get", "pod", "talk", "-o", "jsonpath={.status.phase}"], |phase| phase == "Succeeded");
    assert_eq!(cluster.kubectl(&["logs", "--tail=1", "talk"]), "two\n");
}

fn outputs(cluster: &Cluster) {
    let wide = cluster.kubectl(&["get", "pods", "-o", "wide"]);
    let heading: Vec<&str> = wide.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        heading,
        [
            "NAME",
            "READY",
            "STATUS",
            "RESTARTS",
            "AGE",
            "IP",
            "NODE",
            "NOMINATED",
            "NODE",
            "READINESS",
            "GATES"
        ]
    );
    let row = wide.lines().find(|line| line.starts_with("shell ")).expect("the pod is listed");
    assert!(
        row.contains("1/1") && row.contains("Running") && row.contains("10.242.") && row.contains(" one "),
        "{row}"
    );
    let all = cluster.kubectl(&["get", "nodes,pods", "-A"]);
    assert!(all.contains("node/one") && all.contains("pod/shell"), "{all}");
    let yaml = cluster.kubectl(&["get", "pod", "shell", "-o", "yaml"]);
    assert!(yaml.starts_with("apiVersion: v1\nkind: Pod\n") && yaml.contains("\n  podIP: 10.242."), "{yaml}");
    let json: serde_json::Value =
        serde_json::from_str(&cluster.kubectl(&["get", "pod", "shell", "-o", "json"])).expect("JSON");
    assert_eq!((&json["kind"], &json["status"]["phase"]), (&"Pod".into(), &"Running".into()));
    assert_eq!(
        cluster.value(&["pod", "shell"], "{.spec.nodeName}/{.status.containerStatuses[0].ready}"),
        "one/true"
    );
    let columns =
        cluster.kubectl(&["get", "pod", "shell", "-o", "custom-columns=P:.metadata.name,N:.spec.nodeName"]);
    assert_eq!(columns.split_whitespace().collect::<Vec<_>>(), ["P", "N", "shell", "one"]);
    let resources = cluster.kubectl(&["api-resources"]);
    for (name, short, kind) in [
        ("pods", "po", "Pod"),
        ("deployments", "deploy", "Deployment"),
        ("networkpolicies", "netpol", "NetworkPolicy"),
    ] {
        let line = resources.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words.get(1), words.last()), (Some(&short), Some(&kind)), "{resources}");
    }
    assert!(cluster.kubectl(&["api-versions"]).lines().any(|version| version == "apps/v1"));
    let explained = cluster.kubectl(&["explain", "pod.spec.containers.livenessProbe.periodSeconds"]);
    assert!(
        explained.contains("FIELD: periodSeconds <integer>") && explained.contains("Default to 10 seconds"),
        "{explained}"
    );
    let recursive = cluster.kubectl(&["explain", "deployment.spec.strategy", "--recursive"]);
    assert!(recursive.contains("maxSurge") && recursive.contains("rollingUpdate"), "{recursive}");
    assert!(cluster.kubectl(&["cluster-info"]).contains("is running at"));
    let who = cluster.kubectl(&["auth", "whoami"]);
    assert!(who.contains("system:masters"), "{who}");
    assert_eq!(cluster.kubectl(&["auth", "can-i", "create", "deployments"]), "yes\n");
}

fn descriptions(cluster: &Cluster) {
    let pod = cluster.kubectl(&["describe", "pod", "shell"]);
    for part in [
        "Node:             one/198.51.100.1",
        "State:          Running",
        "Restart Count:  0",
        "Scheduled",
        "Created",
        "Started",
    ] {
        assert!(pod.contains(part), "{part}: {pod}");
    }
    let deployment = cluster.kubectl(&["describe", "deployment", "web"]);
    for part in ["1 desired | 1 updated | 1 total | 1 available", "ScalingReplicaSet"] {
        assert!(deployment.contains(part), "{part}: {deployment}");
    }
    let service = cluster.kubectl(&["describe", "service", "web"]);
    assert!(service.contains("Endpoints:                10.242."), "{service}");
    let node = cluster.kubectl(&["describe", "node", "one"]);
    for part in
        ["KubeletReady", "Allocated resources", "default                     shell", "Starting kubelet."]
    {
        assert!(node.contains(part), "{part}: {node}");
    }
    let events = cluster.kubectl(&["events", "--for", "pod/shell"]);
    assert!(events.contains("Started"), "{events}");
}

fn rollouts(cluster: &Cluster) {
    cluster.kubectl(&["rollout", "restart", "deployment", "web"]);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    let history = cluster.kubectl(&["rollout", "history", "deployment", "web"]);
    let revisions: Vec<&str> = history.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(revisions.ends_with(&["1", "2"]), "{history}");
    cluster.kubectl(&["rollout", "pause", "deployment", "web"]);
    cluster.kubectl(&["set", "env", "deployment/web", "COLOUR=blue"]);
    let status = cluster.value(&["deployment", "web"], "{.spec.paused}");
    assert_eq!(status, "true");
    cluster.kubectl(&["rollout", "resume", "deployment", "web"]);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    let coloured = ["exec", "deployment/web", "--", "/bin/sh", "-c", "echo $COLOUR"];
    cluster.eventually(&coloured, |colour| colour == "blue\n");
    cluster.kubectl(&["rollout", "undo", "deployment", "web", "--to-revision=1"]);
    cluster.kubectl(&["rollout", "status", "deployment", "web", "--timeout=60s"]);
    cluster.eventually(&coloured, |colour| colour == "\n");
    cluster.kubectl(&["label", "pod", "shell", "tier=front"]);
    cluster.kubectl(&["annotate", "pod", "shell", "note=seen"]);
    assert_eq!(cluster.kubectl(&["get", "pods", "-l", "tier=front", "-o", "name"]), "pod/shell\n");
}

/// What the node knows by itself.
fn from_the_node(cluster: &Cluster) {
    let listed = cluster.knarr(&["ps"]);
    let row = listed.lines().find(|line| line.contains(" shell ")).unwrap_or_default();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[..4], ["default", "shell", "main", "Running"], "{listed}");
    let json: serde_json::Value =
        serde_json::from_str(&cluster.knarr(&["ps", "-a", "--json"])).expect("JSON");
    assert!(
        json.as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["pod"] == "shell" && row["container"] == "main")),
        "{json}"
    );
    let by_id: serde_json::Value =
        serde_json::from_str(&cluster.knarr(&["inspect", words[4]])).expect("JSON");
    let by_name: serde_json::Value =
        serde_json::from_str(&cluster.knarr(&["inspect", "default/shell"])).expect("JSON");
    assert_eq!(by_id, by_name);
    assert_eq!(by_name["sandbox"]["name"], "shell");
    let images = cluster.knarr(&["image", "list"]);
    assert!(images.contains("example.com/shell:1"), "{images}");
}

/// A program that is typed to.
pub struct Typed {
    child: std::process::Child,
}

impl Typed {
    /// Types the text and the end of input; answers what was printed and the exit code.
    fn answer(&mut self, text: &str) -> (String, Option<i32>) {
        let mut input = self.child.stdin.take().expect("it is piped");
        input.write_all(text.as_bytes()).expect("it reads");
        drop(input);
        let mut said = String::new();
        let mut output = self.child.stdout.take().expect("it is piped");
        std::io::Read::read_to_string(&mut output, &mut said).expect("text");
        (said, self.child.wait().expect("it ends").code())
    }
}

impl Cluster {
    /// Starts a shell's command line whose kubectl is this cluster's.
    fn try_program_with_kubectl(&self, line: &str) -> Typed {
        let mut shell = self.program("sh");
        shell.args(["-c", line]).env("KUBECONFIG", self.kubeconfig());
        Typed { child: shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh is there") }
    }
}
