//! Images that are dropped into `<data>/images`: archives and layouts are loaded when the agent starts and whenever something changes
//! there, and the images that `.txt` files name are pulled. K3s has the same directory with the same meaning.
//!
//! What was loaded once is not read again, nor is what is damaged until it changes: [`node_image::import`] remembers. A pod whose image is
//! missing waits for the first look, so that nothing is pulled that is about to be loaded.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::drain;
use base::error::Chain;
use host::watch::Watcher;
use node_image::import::{FolderEntry, FolderOutcome};
use node_image::store::Image;
use tokio::net::unix::pipe;

use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::Kind;
use crate::image::DROPPED;
use crate::limits;
use crate::node::reference;

/// Loads what lies in the directory, and then what comes, until the agent is to end.
pub(crate) async fn run(core: Arc<Core>, mut drain: drain::Watch) {
    let folder = core.config.data_dir.join(DROPPED);
    let told = Told::new();
    if let Err(error) = &told {
        tracing::warn!(error, "changes of the images directory are not told; it is looked at now and then");
    }
    let told = told.ok();
    let (mut first, mut lists) = (true, BTreeMap::new());
    loop {
        let watched = told.as_ref().map(|told| Arc::clone(&told.watcher));
        let (store, place) = (core.images.store.clone(), folder.clone());
        let looked = blocking(move || {
            std::fs::create_dir_all(&place).map_err(AgentError::file("create", &place))?;
            // Before it is looked at: what comes after the look is then told.
            if let Some(watcher) = watched {
                watch(&watcher, &place)?;
            }
            Ok((store.import_folder(&place)?, read_lists(&place)?))
        });
        let looked = tokio::select! {
            looked = looked => looked,
            () = drain.signaled() => return,
        };
        core.images.set_loaded();
        match looked {
            Ok((entries, found)) => {
                entries.iter().for_each(|entry| core.tell_dropped(entry, first));
                first = false;
                tokio::select! {
                    () = core.pull_lists(found, &mut lists) => {}
                    () = drain.signaled() => return,
                }
            }
            Err(error) => core.dropped_failed(&folder, &error.text()),
        }
        tokio::select! {
            () = changed(&core, told.as_ref()) => {}
            () = drain.signaled() => return,
        }
    }
}

/// Watches a directory, and the layouts' directories below it.
fn watch(watcher: &Watcher, folder: &Path) -> Result<(), AgentError> {
    let mut pending = vec![(folder.to_owned(), 0)];
    let mut count = 0;
    while let Some((directory, depth)) = pending.pop() {
        count += 1;
        match watcher.watch(&directory) {
            Ok(()) => {}
            // One below may be gone again.
            Err(error) if depth > 0 => tracing::debug!(error = %Chain(&error), "a directory is not watched"),
            Err(error) => return Err(error.into()),
        }
        if depth == limits::DROPPED_DEPTH {
            continue;
        }
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && count + pending.len() < limits::DROPPED_WATCHED {
                pending.push((entry.path(), depth + 1));
            }
        }
    }
    Ok(())
}

/// The kernel's word that something has changed.
struct Told {
    watcher: Arc<Watcher>,
    /// Its descriptor: no pipe, but one that is waited for and read like it.
    events: pipe::Receiver,
}

impl Told {
    fn new() -> Result<Told, String> {
        let watcher = Watcher::new().map_err(|error| Chain(&error).to_string())?;
        let events = watcher.descriptor().and_then(pipe::Receiver::from_owned_fd_unchecked);
        Ok(Told { watcher: Arc::new(watcher), events: events.map_err(|error| error.to_string())? })
    }

    /// Waits until something has happened.
    async fn wait(&self) -> std::io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            self.events.readable().await?;
            match self.events.try_read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                read => return read.map(drop),
            }
        }
    }
}

/// Waits until something has changed, and then nothing more for a while.
async fn changed(core: &Core, told: Option<&Told>) {
    let Some(told) = told else { return core.clock.sleep(limits::DROPPED_LOOK).await };
    if told.wait().await.is_err() {
        core.clock.sleep(limits::DROPPED_LOOK).await;
    }
    loop {
        // Whatever more has come meanwhile begins the wait anew.
        let _ = told.watcher.take();
        core.clock.sleep(limits::DROPPED_QUIET).await;
        if !told.watcher.take() {
            return;
        }
    }
}

/// The lists of images to be pulled, by their files.
fn read_lists(folder: &Path) -> Result<BTreeMap<PathBuf, String>, AgentError> {
    let mut lists = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(AgentError::file("list", folder))?.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if name.starts_with('.') || !name.ends_with(".txt") {
            continue;
        }
        let file = std::fs::OpenOptions::new().read(true).open(&path);
        let mut bytes = Vec::new();
        // One that cannot be read, or is no text, names nothing.
        if file.is_ok_and(|file| file.take(limits::DROPPED_LIST_BYTES).read_to_end(&mut bytes).is_ok()) {
            lists.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Ok(lists)
}

fn names(images: &[Image]) -> String {
    let name = |image: &Image| match image.references.is_empty() {
        true => image.id.to_string(),
        false => image.references.join(", "),
    };
    images.iter().map(name).collect::<Vec<_>>().join(", ")
}

impl Core {
    /// Says what became of an entry: what is new, and at the agent's start also what was found damaged before it.
    fn tell_dropped(&self, entry: &FolderEntry, first: bool) {
        match &entry.outcome {
            FolderOutcome::Imported(images) => {
                let message = format!("Imported {} from {}", names(images), entry.path.display());
                tracing::info!("{message}");
                self.events.record(reference(&self.config.node_name), Kind::Normal, "ImageImported", message);
            }
            FolderOutcome::Damaged { message, known } if first || !known => {
                self.dropped_failed(&entry.path, message);
            }
            FolderOutcome::Failed(error) => self.dropped_failed(&entry.path, &error.message()),
            FolderOutcome::Damaged { .. } | FolderOutcome::Present | FolderOutcome::Changing => {}
        }
    }

    fn dropped_failed(&self, path: &Path, error: &str) {
        let message = format!("Failed to import images from {}: {error}", path.display());
        tracing::warn!("{message}");
        self.events.record(reference(&self.config.node_name), Kind::Warning, "FailedImageImport", message);
    }

    /// Pulls what the lists name and is not here. A list that was done once is done again when it has changed.
    async fn pull_lists(&self, found: BTreeMap<PathBuf, String>, done: &mut BTreeMap<PathBuf, String>) {
        done.retain(|path, _| found.contains_key(path));
        for (path, text) in found {
            if done.get(&path) == Some(&text) {
                continue;
            }
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            for name in lines {
                match self.images.prefetch(name).await {
                    Ok(Some(_)) => tracing::info!(image = name, list = %path.display(), "image pulled"),
                    Ok(None) => {}
                    Err(error) => self.dropped_failed(&path, &error.event(name)),
                }
            }
            done.insert(path, text);
        }
    }
}
