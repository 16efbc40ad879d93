//! `knarr ps` and `knarr inspect`: what runs on this node, asked of the shims; the API may be down.

use std::io::Write as _;

use anyhow::Context as _;
use cli::config::Place;
use cli::invocation::PsWant;
use cli::table;
use node_pod::record::{ContainerRecord, PodRecord};
use node_runtime::PodHandle;
use node_runtime::state::ContainerStatus;

use super::machine::running;
use super::output::Out;

/// How much of a container's id is shown, and is enough to name it.
const SHOWN: usize = 12;

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
    let mut out = Out;
    if want.json {
        let rows: Vec<serde_json::Value> =
            rows.iter().map(|(pod, container)| described(place, pod, container)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    let cells: Vec<[String; 5]> = rows
        .iter()
        .map(|(pod, container)| {
            let sandbox = pod.sandbox();
            let id = container.id.chars().take(SHOWN).collect();
            let name = name(place, pod, container);
            [sandbox.namespace.clone(), sandbox.name.clone(), name, state(container), id]
        })
        .collect();
    write!(out, "{}", table::columns(["NAMESPACE", "POD", "CONTAINER", "STATE", "ID"], &cells))?;
    Ok(())
}

/// Shows one pod (`namespace/name`, its name or uid alone, or the id of a container as `ps` shows it) as JSON.
pub async fn inspect(place: &Place, what: &str) -> anyhow::Result<()> {
    let found = running(place).await?.into_iter().find(|pod| {
        let sandbox = pod.sandbox();
        let full = format!("{}/{}", sandbox.namespace, sandbox.name);
        let container = pod.containers().iter().any(|container| is_meant(&container.id, what));
        what == full || what == sandbox.name || what == sandbox.uid || container
    });
    let pod = found
        .with_context(|| format!("no pod or container {what:?} runs on this node; knarr ps -a lists them"))?;
    let containers: Vec<serde_json::Value> =
        pod.containers().iter().map(|container| described(place, &pod, container)).collect();
    let document = serde_json::json!({ "sandbox": pod.sandbox(), "containers": containers });
    writeln!(Out, "{}", serde_json::to_string_pretty(&document)?)?;
    Ok(())
}

fn described(place: &Place, pod: &PodHandle, container: &ContainerStatus) -> serde_json::Value {
    let sandbox = pod.sandbox();
    serde_json::json!({
        "namespace": sandbox.namespace,
        "pod": sandbox.name,
        "uid": sandbox.uid,
        "container": name(place, pod, container),
        "id": container.id,
        "state": state(container),
        "status": container,
    })
}

fn is_meant(id: &str, what: &str) -> bool {
    what.len() >= SHOWN && id.starts_with(what)
}

/// A container's name, which the agent's record of its pod has: to the runtime it is an id. `-` where there is none.
fn name(place: &Place, pod: &PodHandle, container: &ContainerStatus) -> String {
    let directory = place.data_dir.join("agent/pods").join(&pod.sandbox().uid);
    let text = std::fs::read(directory.join("record.json")).unwrap_or_default();
    let record: PodRecord = serde_json::from_slice(&text).unwrap_or_default();
    let is_its = |known: &ContainerRecord| {
        known.id == container.id || known.last.as_ref().is_some_and(|last| last.id == container.id)
    };
    let found = record.containers.into_iter().find(|(_, known)| is_its(known));
    found.map_or_else(|| "-".to_owned(), |(name, _)| name)
}

fn state(container: &ContainerStatus) -> String {
    match &container.exit {
        Some(exit) => format!("Exited ({})", exit.exit_code),
        None if container.started_at_nanos.is_some() => "Running".to_owned(),
        None => "Created".to_owned(),
    }
}
