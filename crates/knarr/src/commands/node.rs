//! `knarr ps` and `knarr inspect`: what runs on this node, asked of the shims; the API may be down.

use std::io::{self, Write as _};

use anyhow::Context as _;
use cli::config::Place;
use cli::invocation::PsWant;
use cli::table;
use node_runtime::PodHandle;
use node_runtime::state::ContainerStatus;

use super::machine::running;

/// Lists containers.
pub async fn ps(place: &Place, want: PsWant) -> anyhow::Result<()> {
    let pods = running(place).await?;
    let mut rows = Vec::new();
    for pod in &pods {
        for container in pod.containers() {
            if want.all || container.exit.is_none() {
                rows.push((pod, container));
            }
        }
    }
    let mut out = io::stdout().lock();
    if want.json {
        let rows: Vec<serde_json::Value> =
            rows.iter().map(|(pod, container)| described(pod, container)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    let cells: Vec<[String; 4]> = rows
        .iter()
        .map(|(pod, container)| {
            let sandbox = pod.sandbox();
            [sandbox.namespace.clone(), sandbox.name.clone(), container.id.clone(), state(container)]
        })
        .collect();
    write!(out, "{}", table::columns(["NAMESPACE", "POD", "CONTAINER", "STATE"], &cells))?;
    Ok(())
}

/// Shows one pod (`namespace/name`, or its name or uid alone) as JSON.
pub async fn inspect(place: &Place, what: &str) -> anyhow::Result<()> {
    let found = running(place).await?.into_iter().find(|pod| {
        let sandbox = pod.sandbox();
        let full = format!("{}/{}", sandbox.namespace, sandbox.name);
        let container = pod.containers().iter().any(|container| container.id == what);
        what == full || what == sandbox.name || what == sandbox.uid || container
    });
    let pod = found
        .with_context(|| format!("no pod or container {what:?} runs on this node; knarr ps -a lists them"))?;
    let containers: Vec<serde_json::Value> =
        pod.containers().iter().map(|container| described(&pod, container)).collect();
    let document = serde_json::json!({ "sandbox": pod.sandbox(), "containers": containers });
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}

fn described(pod: &PodHandle, container: &ContainerStatus) -> serde_json::Value {
    let sandbox = pod.sandbox();
    serde_json::json!({
        "namespace": sandbox.namespace,
        "pod": sandbox.name,
        "uid": sandbox.uid,
        "container": container.id,
        "state": state(container),
        "status": container,
    })
}

fn state(container: &ContainerStatus) -> String {
    match &container.exit {
        Some(exit) => format!("Exited ({})", exit.exit_code),
        None if container.started_at_nanos.is_some() => "Running".to_owned(),
        None => "Created".to_owned(),
    }
}
