//! An application's life, which every mixture of parts must carry: deployed, served, scaled, updated, rolled back, looked into,
//! deleted.

use anyhow::{Context as _, Result, bail, ensure};

use crate::cluster::Cluster;
use crate::images::{Images, PAGE, PAUSE};
use crate::machine::{self, wait_until};
use crate::registry;

const NODE_PORT: u16 = 30080;

/// How long kubectl waits for something: less than a program may take here, so that it is kubectl that says what it waited for.
const STEP_SECONDS: u64 = machine::PATIENCE.as_secs() - 20;

/// The image is on every node.
const MANIFEST: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: swap}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one, namespace: swap}
data: {index.html: "version one"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two, namespace: swap}
data: {index.html: "version two"}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: swap}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: swap}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: REGISTRY/page:1
        imagePullPolicy: Never
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: page, mountPath: /www}]
      volumes: [{name: page, configMap: {name: one}}]
"#;

const UPDATE: &str =
    r#"[{"op": "replace", "path": "/spec/template/spec/volumes/0/configMap/name", "value": "two"}]"#;

/// A step's name, and what it does.
type Step = (&'static str, fn(&Cluster) -> Result<()>);

/// In their order.
const STEPS: [Step; 8] = [
    ("deploy", deploy),
    ("serve", |cluster| serves(cluster, "version one")),
    ("look into", look),
    ("scale", scale),
    ("update", update),
    ("roll back", roll_back),
    ("heal", heal),
    ("delete", delete),
];

/// Runs all of it; the error names the step that failed.
///
/// # Errors
/// At the first step that does not come out.
pub fn run(cluster: &mut Cluster, images: &Images) -> Result<()> {
    for machine in &cluster.machines {
        cluster.load(machine, images, &[PAGE, PAUSE])?;
    }
    for (name, step) in STEPS {
        let outcome = step(cluster);
        // A part that ended explains more than the step that failed after it.
        cluster.check().and(outcome).with_context(|| format!("step {name:?}"))?;
    }
    Ok(())
}

fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    cluster.kubectl(&[&["--namespace", "swap"], arguments].concat())
}

fn deploy(cluster: &Cluster) -> Result<()> {
    let manifest = cluster.directory.join("scenario.yaml");
    std::fs::write(&manifest, MANIFEST.replace("REGISTRY", &registry::host()))?;
    cluster.kubectl(&["apply", "-f", &manifest.display().to_string()])?;
    rolled_out(cluster)
}

fn rolled_out(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["rollout", "status", "deployment/web", &format!("--timeout={STEP_SECONDS}s")])?;
    Ok(())
}

/// The page comes by every node's port, and by the service's address from within a pod.
fn serves(cluster: &Cluster, page: &str) -> Result<()> {
    for machine in &cluster.machines {
        let url = format!("http://{}:{NODE_PORT}/", machine.address);
        wait_until(&format!("{url} says {page:?}"), || {
            let output = machine::output(cluster.hub.command("curl").args(["-s", "-m", "2", &url]))?;
            Ok(String::from_utf8_lossy(&output.stdout) == page)
        })?;
    }
    let address = kubectl(cluster, &["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"])?;
    let url = format!("http://{address}/");
    wait_until(&format!("a pod gets {page:?} from {url}"), || {
        let words = ["exec", "deployment/web", "--", "wget", "-q", "-O", "-", &url];
        Ok(kubectl(cluster, &words).is_ok_and(|answer| answer == page))
    })
}

fn look(cluster: &Cluster) -> Result<()> {
    let said = kubectl(cluster, &["exec", "deployment/web", "--", "cat", "/www/index.html"])?;
    ensure!(said == "version one", "exec says {said:?}");
    kubectl(cluster, &["logs", "deployment/web"])?;
    let told = kubectl(cluster, &["describe", "pods"])?;
    for event in ["Scheduled", "Started"] {
        ensure!(told.contains(event), "kubectl describe shows no event {event}:\n{told}");
    }
    Ok(())
}

fn scale(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["scale", "deployment/web", "--replicas=4"])?;
    rolled_out(cluster)?;
    pods(cluster, 4)?;
    kubectl(cluster, &["scale", "deployment/web", "--replicas=2"])?;
    pods(cluster, 2)
}

/// Waits for this many pods, all Running.
fn pods(cluster: &Cluster, count: usize) -> Result<()> {
    wait_until(&format!("there are {count} pods, all Running"), || {
        let phases = kubectl(cluster, &["get", "pods", "-o", "jsonpath={.items[*].status.phase}"])?;
        let phases: Vec<&str> = phases.split_whitespace().collect();
        Ok(phases.len() == count && phases.iter().all(|phase| *phase == "Running"))
    })
}

fn update(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["patch", "deployment", "web", "--type=json", "-p", UPDATE])?;
    rolled_out(cluster)?;
    pods(cluster, 2)?;
    serves(cluster, "version two")
}

fn roll_back(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["rollout", "undo", "deployment/web"])?;
    rolled_out(cluster)?;
    pods(cluster, 2)?;
    serves(cluster, "version one")
}

/// A pod that is deleted is replaced.
fn heal(cluster: &Cluster) -> Result<()> {
    let name = kubectl(cluster, &["get", "pods", "-o", "jsonpath={.items[0].metadata.name}"])?;
    kubectl(cluster, &["delete", "pod", &name])?;
    pods(cluster, 2)?;
    let names = kubectl(cluster, &["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"])?;
    if names.contains(&name) {
        bail!("{name} is there again");
    }
    rolled_out(cluster)
}

fn delete(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["delete", "namespace", "swap", &format!("--timeout={STEP_SECONDS}s")])?;
    let left = cluster.kubectl(&["get", "pods", "--all-namespaces", "-o", "name"])?;
    ensure!(left.is_empty(), "pods are left: {left}");
    Ok(())
}
