//! Taking away what the node keeps in vain: images when their disk fills up (as [`crate::collect`] decides), content that no image has any
//! more, and logs and directories of pods that nobody knows.
//!
//! Removing an image takes its name; its content goes only when no container has it, which the containers' records tell.

use std::collections::BTreeSet;
use std::sync::Arc;

use api_types::core::v1::Pod;
use base::drain;
use base::error::Chain;
use client::view::typed;
use host::mount::{LinuxMounts, Mounts};
use node_image::digest::Digest;
use node_image::store::{Image, Store};
use node_pod::container::{all, ephemeral};
use node_pod::record::PodRecord;

use crate::collect::{Ages, Candidate, Plan};
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::Kind;
use crate::limits;
use crate::node::reference;
use crate::pressure::Left;
use crate::records::remove_tree;

/// What containers need of the images.
struct Needed {
    /// Images, by the digests of their configurations, that containers have or may be about to have.
    ids: BTreeSet<Digest>,
    /// Whether that is all of them.
    whole: bool,
}

/// Collects garbage now and then until the agent is to end.
pub(crate) async fn run(core: Arc<Core>, mut drain: drain::Watch) {
    let mut ages = Ages::default();
    loop {
        if let Err(error) = core.collect_images(&mut ages).await {
            tracing::warn!(error = %Chain(&error), "images cannot be collected");
        }
        tokio::select! {
            () = drain.signaled() => return,
            () = core.clock.sleep(limits::COLLECT_IMAGES) => {}
        }
    }
}

/// The images that pods' records and specs name.
fn needed(store: &Store, records: &[PodRecord], names: &BTreeSet<String>) -> Result<Needed, AgentError> {
    let mut needed = Needed { ids: BTreeSet::new(), whole: true };
    for known in records.iter().flat_map(|record| record.containers.values()) {
        match known.image_digest.parse::<Digest>() {
            Ok(id) => drop(needed.ids.insert(id)),
            // A container runs and nobody knows from what: its image's name says, if it is still the same.
            Err(_) if known.is_active() => needed.whole = false,
            Err(_) => {}
        }
    }
    let shown = records.iter().flat_map(|record| &record.volume_images);
    needed.ids.extend(shown.filter_map(|id| id.parse::<Digest>().ok()));
    for image in store.list()? {
        if image.references.iter().chain(&image.digests).any(|name| names.contains(name)) {
            needed.ids.insert(image.id);
        }
    }
    Ok(needed)
}

/// A name as the store has it.
fn complete(name: &str) -> String {
    let parsed = name.parse::<node_image::reference::Reference>();
    parsed.map_or_else(|_| name.to_owned(), |reference| reference.canonical().to_string())
}

impl Core {
    async fn collect_images(&self, ages: &mut Ages) -> Result<(), AgentError> {
        let records = self.records.clone();
        let pods = self.pods.snapshot();
        let of_pod = |pod: &Pod| {
            let added = ephemeral(pod).map(|one| complete(&one.image));
            let shown = pod.spec.volumes.iter().filter_map(|volume| volume.volume_source.image.as_deref());
            let shown = shown.map(|image| complete(&image.reference));
            all(pod).map(|(one, _)| complete(&one.image)).chain(added).chain(shown).collect::<Vec<_>>()
        };
        let names: BTreeSet<String> = typed::<Pod>(pods.iter()).flat_map(of_pod).collect();
        let (store, now, mut known) = (self.images.store.clone(), self.clock.now(), std::mem::take(ages));
        let collected = blocking(move || {
            // As they are on disk: what a container has is written there before it has it.
            let needed = needed(&store, &records.load()?, &names)?;
            let pinned = store.folder_images()?;
            let candidate = |image: &Image| Candidate {
                id: image.id.to_string(),
                size_bytes: image.size_bytes,
                in_use: needed.ids.contains(&image.id),
                pinned: pinned.contains(&image.id),
            };
            let candidates: Vec<Candidate> = store.list()?.iter().map(candidate).collect();
            known.observe(&candidates, now);
            let disk = crate::machine::disk_left(store.root()).unwrap_or_default();
            let plan = known.plan(disk, &candidates, now);
            let mut freed = 0u64;
            for (id, size_bytes) in &plan.remove {
                tracing::info!(id, size_bytes, "the disk fills up: an unused image is removed");
                store.remove(id)?;
                freed = freed.saturating_add(*size_bytes);
            }
            // Without knowing all that is needed, only names go.
            if needed.whole {
                store.collect(&needed.ids)?;
            }
            Ok((known, disk, plan, freed))
        });
        let (known, disk, plan, freed) = collected.await?;
        *ages = known;
        self.tell_collected(disk, &plan, freed);
        Ok(())
    }

    fn tell_collected(&self, disk: Left, plan: &Plan, freed: u64) {
        let say = |reason: &str, message: String| {
            self.events.record(reference(&self.config.node_name), Kind::Warning, reason, message);
        };
        if disk.capacity == 0 {
            say("InvalidDiskCapacity", "invalid capacity 0 on image filesystem".to_owned());
        }
        if freed < plan.wanted_bytes {
            let message = format!(
                "Failed to garbage collect required amount of images. Attempted to free {} bytes, but only found {freed} bytes eligible to free.",
                plan.wanted_bytes
            );
            say("FreeDiskSpaceFailed", message);
        }
    }

    /// Takes away the logs and directories of pods that have no record: an agent was cut off between a pod's last steps. Only before
    /// any pod is worked on.
    pub(crate) async fn remove_orphans(&self, known: BTreeSet<String>) -> Result<(), AgentError> {
        let garbage = self.runtime.remove_garbage().await?;
        if !garbage.is_empty() {
            tracing::info!(?garbage, "what no pod needs is taken away");
        }
        let (logs, pods) = (self.config.log_dir.clone(), self.config.data_dir.join("pods"));
        blocking(move || {
            let entries = |directory: &std::path::Path| {
                let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
                entries.map(|entry| (entry.path(), entry.file_name().to_string_lossy().into_owned()))
            };
            // `<namespace>_<name>_<uid>`, and names have no underscores.
            for (path, name) in entries(&logs) {
                if name.rsplit_once('_').is_some_and(|(_, uid)| !known.contains(uid)) {
                    remove_tree(&path)?;
                }
            }
            for (path, name) in entries(&pods) {
                if !known.contains(&name) {
                    for point in LinuxMounts.below(&path)? {
                        LinuxMounts.unmount(&point)?;
                    }
                    remove_tree(&path)?;
                }
            }
            Ok(())
        })
        .await
    }
}
